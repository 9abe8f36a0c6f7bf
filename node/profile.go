package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/logs"
	"manta/internal/member"
	"manta/internal/plain"
	"manta/objstore"
	"manta/task"
)

var (
	// ErrUnknownNode is returned by Profile, DrainNode and ReadClock for a node that is not there.
	ErrUnknownNode = errors.New("no such node")

	// ErrProfiling is returned by Profile when the node's process takes a profile already, or another CPU profile is taken in it. Ask again
	// when that is over.
	ErrProfiling = bus.RegisterError("profiling", errors.New("a profile is being taken already"))
)

const (
	// profileTime is for how long a profile is taken if nothing else is said; it is at least shortestProfile and at most longestProfile.
	profileTime     = 10 * time.Second
	shortestProfile = time.Second
	longestProfile  = time.Minute
	// profilePatience is how much longer than that the answer may take.
	profilePatience = 10 * time.Second

	// blockRate is of how many nanoseconds of waiting one event is sampled, on average, and mutexRate of how many contended locks one is, where
	// the program has not set a rate itself.
	blockRate = 10_000
	mutexRate = 10
)

// The kinds of profiles, and whether one is taken over a time.
var profileKinds = map[string]bool{"cpu": true, "mutex": true, "block": true, "heap": false, "allocs": false, "goroutine": false}

// Profile has a node of the cluster, of which ctx carries one, take a profile of its process, and returns it as `go tool pprof` reads it.
//
// The kind is cpu, heap, allocs, goroutine, mutex or block. A cpu profile is taken for d, from 1 s to 1 min; 0 means 10 s. So are mutex and
// block, which need Go to sample what they show: unless the program has it do so all the time, it does while the profile is taken. The
// others are of the moment, and d means nothing.
//
// Goroutines that run tasks have the label manta_task, those that run methods of actors manta_actor and manta_method: `go tool pprof -tagfocus
// manta_task=square` shows one function alone. What they start has the same labels.
//
// It fails with [ErrUnknownNode], with [ErrProfiling], since a process takes one profile at a time, with task.ErrArgument for another kind or
// time, and with bus.ErrConfined in a ctx of a node that only calls functions.
func Profile(ctx context.Context, nodeID string, kind string, d time.Duration) ([]byte, error) {
	scope, err := member.Unconfined(ctx)
	if err != nil {
		return nil, err
	}
	id, err := member.ParseID(nodeID)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnknownNode, err)
	}
	if !scope.Node.Members.Alive(id) {
		return nil, fmt.Errorf("%w: %s", ErrUnknownNode, id)
	}
	q := profileQuestion{Kind: kind, Seconds: d.Seconds()}
	took, err := q.check()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, took+profilePatience, fmt.Errorf("node %s has not answered with a profile", id))
	defer cancel()
	return askProfile(ctx, scope.Node, id, q)
}

// profileQuestion is what a node is asked for, as JSON.
type profileQuestion struct {
	Kind    string  `json:"kind"`
	Seconds float64 `json:"seconds,omitempty"`
}

// check says for how long the profile is to be taken.
func (q profileQuestion) check() (time.Duration, error) {
	timed, known := profileKinds[q.Kind]
	switch {
	case !known:
		return 0, fmt.Errorf("%w: a profile of kind %q: want cpu, heap, allocs, goroutine, mutex or block", task.ErrArgument, bus.Clip(q.Kind, 64))
	case !timed:
		return 0, nil
	case q.Seconds == 0:
		return profileTime, nil
	case math.IsNaN(q.Seconds) || q.Seconds < shortestProfile.Seconds() || q.Seconds > longestProfile.Seconds():
		return 0, fmt.Errorf("%w: a profile of %v s: want %v to %v, or 0 for %v", task.ErrArgument, q.Seconds, shortestProfile, longestProfile, profileTime)
	}
	return time.Duration(q.Seconds * float64(time.Second)), nil
}

// askProfile asks a node. What does not fit into a message comes as a ref, and is freed once it was read.
func askProfile(ctx context.Context, self *member.Node, id member.ID, q profileQuestion) ([]byte, error) {
	question, err := bus.EncodeJSON(q)
	if err != nil {
		return nil, err
	}
	msg, err := self.Conn.Request(ctx, self.Conn.NodeProfile(id.String()), question.Data)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, bus.ErrNoResponders):
		return nil, fmt.Errorf("%w: nobody answers for %s", ErrUnknownNode, id)
	case err != nil:
		return nil, fmt.Errorf("node %s: %w", id, err)
	case msg.Header.Get(plain.ResultHeader) != plain.ResultRef:
		return msg.Data, nil
	}
	ref, err := bus.Decode[objstore.Ref[[]byte]](bus.Value{Format: bus.JSON, Data: msg.Data})
	if err != nil {
		return nil, fmt.Errorf("%w: the answer of node %s: %w", bus.ErrMalformed, id, err)
	}
	profile, err := ref.Get(ctx)
	if err != nil {
		return nil, fmt.Errorf("the profile of node %s: %w", id, err)
	}
	if err := objstore.Free(ctx, ref); err != nil { // its node frees it in a while
		self.Log.Info("a profile that was read is not freed yet", logs.Peer(id), zap.Error(err))
	}
	return profile, nil
}

// profileAsked takes a profile for somebody who may publish to this node's subjects.
func (n *Node) profileAsked(msg *bus.Msg) {
	if msg.Reply == "" {
		n.self.Reject(msg, bus.ErrNoReply)
		return
	}
	payload, err := plain.Payload(msg)
	if err != nil {
		n.refuseProfile(msg, "400", err)
		return
	}
	q, err := bus.Decode[profileQuestion](payload)
	if err != nil {
		n.refuseProfile(msg, "400", fmt.Errorf("%w: %w", task.ErrArgument, err))
		return
	}
	d, err := q.check()
	if err != nil {
		n.refuseProfile(msg, "400", err)
		return
	}
	if !n.group.Go(func(ctx context.Context) { n.answerProfile(ctx, msg, q.Kind, d) }) {
		n.refuseProfile(msg, "500", bus.ErrClosed)
	}
}

func (n *Node) answerProfile(ctx context.Context, msg *bus.Msg, kind string, d time.Duration) {
	profile, err := takeProfile(ctx, kind, d)
	if err != nil {
		n.refuseProfile(msg, "500", err)
		return
	}
	answer := bus.NewMsg(msg.Reply, profile)
	if int64(len(profile)) > n.self.Conn.MaxPayload() {
		ref, err := bus.EncodeJSON(objstore.Put(n.Context(ctx), profile)) // which gives the name away
		if err != nil {
			n.refuseProfile(msg, "500", err)
			return
		}
		answer.Data = ref.Data
		answer.Header.Set(plain.ResultHeader, plain.ResultRef)
	}
	if err := n.self.Conn.PublishMsg(answer); err != nil {
		n.self.Log.Info("a profile was not sent", zap.Error(err))
	}
}

func (n *Node) refuseProfile(msg *bus.Msg, status string, err error) {
	if err := n.self.Conn.PublishMsg(bus.NewRefusal(msg.Reply, status, bus.ErrorCode(err), err)); err != nil {
		n.self.Log.Debug("who asked for a profile was not told that there is none", zap.Error(err))
	}
}

// profiling is held while a profile is taken: the nodes of a process share what it is taken of. blocksSampled says that nobody but takeProfile
// has had Go sample where goroutines wait, and is under it.
var (
	profiling     sync.Mutex
	blocksSampled bool
)

// takeProfile takes a profile of this process, for d or until ctx ends, which is an error.
func takeProfile(ctx context.Context, kind string, d time.Duration) ([]byte, error) {
	if !profiling.TryLock() {
		return nil, ErrProfiling
	}
	defer profiling.Unlock()
	var out bytes.Buffer
	switch kind {
	case "cpu":
		if err := pprof.StartCPUProfile(&out); err != nil { // the program itself takes one
			return nil, fmt.Errorf("%w: %w", ErrProfiling, err)
		}
		member.Pause(ctx, d)
		pprof.StopCPUProfile()
		return out.Bytes(), context.Cause(ctx)
	case "mutex":
		if runtime.SetMutexProfileFraction(-1) == 0 {
			runtime.SetMutexProfileFraction(mutexRate)
			defer runtime.SetMutexProfileFraction(0)
		}
	case "block":
		if blocksSampled || pprof.Lookup(kind).Count() == 0 { // else the program does it, at a rate that Go does not tell
			blocksSampled = true
			runtime.SetBlockProfileRate(blockRate)
			defer runtime.SetBlockProfileRate(0)
		}
	}
	member.Pause(ctx, d)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	err := pprof.Lookup(kind).WriteTo(&out, 0)
	return out.Bytes(), err
}
