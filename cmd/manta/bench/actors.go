package bench

import (
	"context"
	"math/rand/v2"
	"runtime"
	"time"

	"manta/actor"
	"manta/node"
	"manta/objstore"
	"manta/task"
)

// echoer is an actor without a state.
type echoer struct{}

func (*echoer) Echo(_ context.Context, n int) (int, error) { return n, nil }

// crowd is an echoer that runs several calls at a time.
type crowd struct{ echoer }

var (
	echoers = actor.Define[echoer]("bench_echoer")
	crowds  = actor.Define[crowd]("bench_crowd", actor.Concurrency(crowdSize))
)

const (
	// crowdSize is how many calls the actor of actor_calls_concurrent runs at a time, as in Ray's own benchmark.
	crowdSize = 16
	// servers is how many actors a measure of many has.
	servers = 4
)

var actorMeasures = []Measure{
	{
		Name: "actor_calls_sync", Unit: "us", Baseline: "raw_request_sync",
		About: "the median of calls to one actor, over NATS, one after the other",
		Setup: actorSync,
	},
	{
		Name: "actor_calls_local", Unit: "us",
		About: "the same with the caller on the actor's node",
		Setup: actorLocal,
	},
	{
		Name: "actor_calls_local_async", Unit: "calls/s",
		About: "100,000 calls by Map to an actor on the caller's node, read by GetAll",
		Setup: actorLocalAsync,
	},
	{
		Name: "actor_calls_async", Unit: "calls/s", Baseline: "raw_request_pipelined",
		About: "one driver, one actor: 100,000 calls by Map, read by GetAll",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return actorsAsync(ctx, s, 1, 1, byValue) },
	},
	{
		Name: "actor_calls_concurrent", Unit: "calls/s", Baseline: "raw_request_pipelined",
		About: "the same with an actor that runs 16 calls at a time",
		Setup: actorConcurrent,
	},
	{
		Name: "1_n_actor_calls_async", Unit: "calls/s", Baseline: "raw_request_pipelined",
		About: "one driver, four actors on two workers",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return actorsAsync(ctx, s, 1, 2, byValue) },
	},
	{
		Name: "n_n_actor_calls_async", Unit: "calls/s", Baseline: "raw_request_pipelined",
		About: "four drivers with a connection each, each with four actors on two workers",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return actorsAsync(ctx, s, drivers, 2, byValue) },
	},
	{
		Name: "n_n_actor_calls_with_arg_async", Unit: "calls/s", Baseline: "raw_request_pipelined",
		About: "the same with a ref of a small object as the argument",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return actorsAsync(ctx, s, drivers, 2, byRef) },
	},
	{
		Name: "actors_create", Unit: "actors/s",
		About: "10,000 actors created on one worker and called once, until the last answer",
		Setup: actorsCreate,
	},
	{
		Name: "actor_bytes", Unit: "B",
		About: "memory of one of 100,000 idle actors, each called once: its cell, its subscription at both ends and its caller's handle",
		Setup: actorBytes,
	},
	{
		Name: "actor_calls_random", Unit: "us", Baseline: "actor_calls_sync",
		About: "the median of calls to a random one of 100,000 actors of a worker, one after the other",
		Setup: actorRandom,
	},
}

// echoCall calls one actor.
type echoCall = task.Func[int, int]

// newEcho makes an actor and waits until it has answered so many calls.
func newEcho(ctx context.Context, warm int) (echoCall, error) {
	call := actor.Method(echoers.New(ctx, echoer{}), (*echoer).Echo)
	_, err := objstore.GetAll(ctx, call.Map(ctx, numbers(warm)))
	return call, err
}

func actorSync(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := pair(ctx, s)
	if err != nil {
		return nil, err
	}
	return echoOneByOne(driver, s)
}

func actorLocal(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := s.alone(ctx)
	if err != nil {
		return nil, err
	}
	return echoOneByOne(driver, s)
}

// alone starts a node that both hosts and calls.
func (s *Stage) alone(ctx context.Context) (context.Context, error) {
	at, err := s.Server()
	if err != nil {
		return nil, err
	}
	n, err := s.node(ctx, at, node.Config{CPUs: workerCPUs}, nil)
	if err != nil {
		return nil, err
	}
	return n.Context(ctx), nil
}

func echoOneByOne(driver context.Context, s *Stage) (Timed, error) {
	call, err := newEcho(driver, s.calls)
	if err != nil {
		return nil, err
	}
	return callsOneByOne(s.calls, func() error {
		_, err := call.Call(driver, 7)
		return err
	})
}

// callsOneByOne measures something done n times, after as many that are not measured.
func callsOneByOne(n int, do func() error) (Timed, error) {
	if _, err := oneByOne(n, do); err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		took, err := oneByOne(n, do)
		return latencies(took, 0.50), err
	}, nil
}

func actorLocalAsync(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := s.alone(ctx)
	if err != nil {
		return nil, err
	}
	call, err := newEcho(driver, s.warm)
	if err != nil {
		return nil, err
	}
	return callsByMap(driver, call, s.backlog), nil
}

// callsByMap measures n calls that are made at once and read by GetAll.
func callsByMap(driver context.Context, call echoCall, n int) Timed {
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		_, err := objstore.GetAll(driver, call.Map(driver, numbers(n)))
		return rate(n, time.Since(begun)), err
	}
}

func actorConcurrent(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := pair(ctx, s)
	if err != nil {
		return nil, err
	}
	call := actor.Method(crowds.New(driver, crowd{}), (*crowd).Echo)
	if _, err := objstore.GetAll(driver, call.Map(driver, numbers(s.warm))); err != nil {
		return nil, err
	}
	return callsByMap(driver, call, s.backlog), nil
}

// An argument is what the calls of a driver get: it makes so many of them.
type argument func(driver context.Context, call echoCall, n int) []objstore.Ref[int]

func byValue(driver context.Context, call echoCall, n int) []objstore.Ref[int] {
	return call.Map(driver, numbers(n))
}

func byRef(driver context.Context, call echoCall, n int) []objstore.Ref[int] {
	arg := objstore.Put(driver, 0)
	refs := make([]objstore.Ref[int], n)
	for i := range refs {
		refs[i] = call.On(driver, arg)
	}
	return refs
}

// actorsAsync measures a backlog of calls. One driver on one worker has one actor, others have four each, which it calls in turns of
// 100.
func actorsAsync(ctx context.Context, s *Stage, callers, workers int, with argument) (Timed, error) {
	at, err := s.Server()
	if err != nil {
		return nil, err
	}
	for range workers {
		if err := s.Worker(ctx, at); err != nil {
			return nil, err
		}
	}
	each := servers
	if callers*workers == 1 {
		each = 1
	}
	var all []context.Context
	calls := make(map[context.Context][]echoCall)
	for range callers {
		driver, err := s.Driver(ctx, at)
		if err != nil {
			return nil, err
		}
		all = append(all, driver)
		for range each {
			call, err := newEcho(driver, s.warm/each/callers)
			if err != nil {
				return nil, err
			}
			calls[driver] = append(calls[driver], call)
		}
	}
	n := s.backlog / callers
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		err := atOnce(all, func(driver context.Context) error { return callInTurns(driver, calls[driver], n, with) })
		return rate(n*callers, time.Since(begun)), err
	}, nil
}

// turn is how many calls a driver makes to an actor before it goes on to the next one.
const turn = 100

func callInTurns(driver context.Context, calls []echoCall, n int, with argument) error {
	refs := make([]objstore.Ref[int], 0, n)
	for i := 0; len(refs) < n; i++ {
		refs = append(refs, with(driver, calls[i%len(calls)], min(turn, n-len(refs)))...)
	}
	_, err := objstore.GetAll(driver, refs)
	return err
}

func actorsCreate(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := pair(ctx, s)
	if err != nil {
		return nil, err
	}
	if _, err := populate(driver, s.created/10); err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		_, err := populate(driver, s.created)
		return rate(s.created, time.Since(begun)), err
	}, nil
}

// populate makes n actors and calls each once.
func populate(driver context.Context, n int) ([]echoCall, error) {
	calls, refs := make([]echoCall, n), make([]objstore.Ref[int], n)
	for i := range calls {
		calls[i] = actor.Method(echoers.New(driver, echoer{}), (*echoer).Echo)
		refs[i] = calls[i].Go(driver, i)
	}
	_, err := objstore.GetAll(driver, refs)
	return calls, err
}

// inhabit makes the actors of a measure that has very many, a part at a time.
func inhabit(driver context.Context, s *Stage) (calls []echoCall, err error) {
	for len(calls) < s.inhabitants {
		more, err := populate(driver, min(s.created, s.inhabitants-len(calls)))
		if err != nil {
			return nil, err
		}
		calls = append(calls, more...)
	}
	return calls, nil
}

func actorBytes(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := pair(ctx, s)
	if err != nil {
		return nil, err
	}
	if _, err := newEcho(driver, s.warm); err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		before := live()
		calls, err := inhabit(driver, s)
		after := live()
		runtime.KeepAlive(calls)
		return Sample{Value: (float64(after) - float64(before)) / float64(s.inhabitants)}, err
	}, nil
}

func actorRandom(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := pair(ctx, s)
	if err != nil {
		return nil, err
	}
	calls, err := inhabit(driver, s)
	if err != nil {
		return nil, err
	}
	return callsOneByOne(s.calls, func() error {
		_, err := calls[rand.IntN(len(calls))].Call(driver, 7)
		return err
	})
}
