package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"manta/actor"
	"manta/integration/process/line"
	"manta/node"
	"manta/objstore"
	"manta/task"
)

// obey does what the commands say, each beside the others, until there are no more; then it closes the node, which ends the
// process.
func obey(ctx context.Context, n *node.Node, commands io.Reader) {
	for decoder := json.NewDecoder(commands); ; {
		var c line.Command
		err := decoder.Decode(&c)
		switch {
		case err == io.EOF, c.Do == "quit":
			_ = n.Close() // Run returns the same error
			return
		case err != nil:
			fmt.Fprintln(os.Stderr, "process: not a command:", err)
			os.Exit(2)
		case c.Do == "submit":
			go submit(ctx, c)
		case c.Do == "fetch":
			go fetch(ctx, c)
		case c.Do == "put":
			go put(ctx, c)
		case c.Do == "read":
			go read(ctx, c)
		case c.Do == "free":
			go free(ctx, c)
		case c.Do == "enough":
			close(enoughOf(c.Tag))
		case c.Do == "members":
			go awaitMembers(ctx, c.Count)
		case c.Do == "echo":
			here.say(line.Event{Event: line.Echo})
		case c.Do == "count":
			go keepCounting(ctx, c)
		case c.Do == "ledgers":
			go keepLedgers(ctx, c)
		case c.Do == "fleet":
			go fleet(ctx, c)
		case c.Do == "muster":
			go muster(ctx, c)
		case c.Do == "lend":
			go lend(ctx, c)
		case c.Do == "churn":
			go churn(ctx, c)
		case c.Do == "clear":
			clearShelf()
			forgetGuests()
		case c.Do == "memory":
			go sayMemory(n)
		case c.Do == "drain":
			go drain(ctx, n)
		default:
			fmt.Fprintf(os.Stderr, "process: there is no command %q\n", c.Do)
			os.Exit(2)
		}
	}
}

func awaitMembers(ctx context.Context, count int) {
	err := node.AwaitMembers(ctx, func(members []node.Info) bool {
		serving := 0
		for _, m := range members {
			if len(m.Functions) > 0 {
				serving++
			}
		}
		return serving == count
	})
	here.say(line.Event{Event: line.Members, Error: text(err)})
}

func drain(ctx context.Context, n *node.Node) {
	here.say(line.Event{Event: line.Drained, Error: text(n.Drain(ctx))})
}

// submit submits the tasks and says what becomes of them.
func submit(ctx context.Context, c line.Command) {
	f, ok := functions[c.Func]
	if !ok {
		fmt.Fprintf(os.Stderr, "process: there is no function %q\n", c.Func)
		os.Exit(2)
	}
	if c.Retries != nil {
		f = f.With(task.Retries(*c.Retries))
	}
	if len(c.Resources) > 0 {
		f = f.With(task.Resources(c.Resources))
	}
	if c.Durable {
		f = f.With(task.Durable())
	}
	s := submission{Command: c, begun: time.Now()}
	switch {
	case c.Width > 0:
		s.steadily(ctx, f)
	case c.InTurn:
		s.inTurn(ctx, f)
	default:
		s.atOnce(ctx, f)
	}
	here.say(line.Event{Event: line.Done, Tag: c.Tag, TookMS: millis(time.Since(s.begun)), OK: s.ok, Failed: s.failed})
}

type submission struct {
	line.Command
	begun time.Time

	mu         sync.Mutex
	ok, failed int
}

// enough is closed, for each tag of a submission that goes on, when it is to end.
var enough sync.Map // tag → chan struct{}

func enoughOf(tag string) chan struct{} {
	c, _ := enough.LoadOrStore(tag, make(chan struct{}))
	return c.(chan struct{})
}

// steadily keeps as many tasks under way as are asked for.
func (s *submission) steadily(ctx context.Context, f task.Func[job, int]) {
	var submitting sync.WaitGroup
	var last atomic.Int64
	for range s.Width {
		submitting.Go(func() {
			for {
				select {
				case <-enoughOf(s.Tag):
					return
				default:
				}
				n, begun := int(last.Add(1)-1), time.Now()
				ref := f.Go(ctx, s.job(n))
				v, err := ref.Get(ctx)
				s.result(ref.ID(), n, v, err, begun)
			}
		})
	}
	submitting.Wait()
}

func (s *submission) job(n int) job { return job{Tag: s.Tag, N: n, Micros: s.Micros, Depth: s.Depth} }

func (s *submission) inTurn(ctx context.Context, f task.Func[job, int]) {
	for n := range s.Count {
		begun := time.Now()
		ref := f.Go(ctx, s.job(n))
		v, err := ref.Get(ctx)
		s.result(ref.ID(), n, v, err, begun)
	}
}

func (s *submission) atOnce(ctx context.Context, f task.Func[job, int]) {
	jobs := make([]job, s.Count)
	for n := range jobs {
		jobs[n] = s.job(n)
	}
	refs := f.Map(ctx, jobs)
	if s.Durable {
		s.stored(ctx, refs)
	}
	numbers := make(map[objstore.Ref[int]]int, len(refs))
	for n, ref := range refs {
		numbers[ref] = n
	}
	for ref := range objstore.Ready(ctx, refs) {
		v, err := ref.Get(ctx)
		s.result(ref.ID(), numbers[ref], v, err, s.begun)
	}
}

func (s *submission) result(id objstore.ID, n, value int, err error, begun time.Time) {
	s.mu.Lock()
	if err == nil {
		s.ok++
	} else {
		s.failed++
	}
	s.mu.Unlock()
	if !s.Quiet {
		here.say(line.Event{
			Event: line.Result, Task: id.String(), Func: s.Func, Tag: s.Tag, N: n, Value: value, Error: text(err), Code: code(err),
			TookMS: millis(time.Since(begun)),
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// code names the kinds of errors that tests ask for.
func code(err error) string {
	if err == nil {
		return ""
	}
	if _, ok := errors.AsType[*task.Error](err); ok {
		return "failed"
	}
	for sentinel, code := range map[error]string{
		task.ErrWorkerLost: "worker_lost", task.ErrNotRegistered: "not_registered", task.ErrInfeasible: "infeasible",
		task.ErrCancelled: "cancelled", task.ErrDeadline: "deadline", objstore.ErrFreed: "freed", actor.ErrUnavailable: "unavailable",
	} {
		if errors.Is(err, sentinel) {
			return code
		}
	}
	return "other"
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
