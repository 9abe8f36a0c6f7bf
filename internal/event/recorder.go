package event

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"manta/bus"
)

const (
	// gatherFor is how long facts are gathered before they are stored: as long as a person hardly notices, and long enough to store most tasks
	// in one piece.
	gatherFor = 250 * time.Millisecond
	// failureShare is by how much fewer failures are told beside the budget.
	failureShare = 10
	// mostGathered bounds the facts of a kind that are told in that time.
	mostGathered = 1 << 17
	// mostWaiting bounds the messages that wait for a connection.
	mostWaiting = 256
	// storeFor bounds the storing of a message, and againAfter is when a message that could not be stored is tried again.
	storeFor   = 2 * time.Second
	againAfter = time.Second
	// lastFor bounds what Close waits for the last messages.
	lastFor = time.Second
)

// Config says what a recorder tells.
type Config struct {
	Node   string            // whose events these are
	Rate   int               // of how many tasks a second everything is told
	Limits bus.JournalLimits // of the stream
	Log    *zap.Logger
}

// Recorder stores what a node tells. A nil Recorder tells nothing. Its methods may be called from anywhere, with any lock held; they never wait for
// the network.
type Recorder struct {
	*Budget
	failures *Budget // of tasks of which nothing else is told
	config   Config
	conn     *bus.Conn
	journal  *bus.Journal // serve's alone

	woken chan struct{} // holds one token when there is something to tell
	end   context.CancelFunc
	ended sync.WaitGroup

	mu      sync.Mutex
	tasks   []Task // as they were told: serve merges them
	actors  []Actor
	objects []Object
	nodes   []Node

	waiting []message // serve's alone
	failing bool      // serve's alone: the last message was not stored, and the log told so
	unsaid  int64     // serve's alone: what messages that were given up said was left out
	told    atomic.Int64
	lost    atomic.Int64
}

// Start starts a recorder. The stream is made when there is something to tell.
func Start(ctx context.Context, conn *bus.Conn, cfg Config) *Recorder {
	r := &Recorder{Budget: newBudget(cfg.Rate, time.Now()), failures: newBudget(max(1, cfg.Rate/failureShare), time.Now()), config: cfg, conn: conn, woken: make(chan struct{}, 1)}
	ctx, r.end = context.WithCancel(context.WithoutCancel(ctx))
	r.ended.Go(func() { r.serve(ctx) })
	return r
}

// Take says whether everything is to be told of one more task.
func (r *Recorder) Take() bool { return r != nil && r.Budget.Take() }

// Retake is Take for a task that was left out when it began.
func (r *Recorder) Retake() bool { return r != nil && r.Budget.Retake() }

// TakeFailure says whether it is to be told that a task failed of which nothing else is.
func (r *Recorder) TakeFailure() bool { return r != nil && r.failures.Retake() }

// Task tells of a task's attempt.
func (r *Recorder) Task(t Task) {
	if r != nil {
		tell(r, &r.tasks, t)
	}
}

// Actor tells of an actor.
func (r *Recorder) Actor(a Actor) {
	if r != nil {
		tell(r, &r.actors, a)
	}
}

// Object tells of an object.
func (r *Recorder) Object(o Object) {
	if r != nil {
		tell(r, &r.objects, o)
	}
}

// Node tells of a node.
func (r *Recorder) Node(n Node) {
	if r != nil {
		tell(r, &r.nodes, n)
	}
}

func tell[T any](r *Recorder, to *[]T, t T) {
	r.mu.Lock()
	first, room := len(*to) == 0, len(*to) < mostGathered
	if room {
		*to = append(*to, t)
	}
	r.mu.Unlock()
	if !room {
		r.left.Add(1)
	}
	if first {
		r.wake()
	}
}

// Counts are how many facts were stored, and how many things were left out: tasks beyond the budget, and what could not be stored.
func (r *Recorder) Counts() (told, left int64) {
	if r == nil {
		return 0, 0
	}
	return r.told.Load(), r.lost.Load() + r.left.Load()
}

// Close stores what was gathered, and ends the recorder.
func (r *Recorder) Close() {
	if r == nil {
		return
	}
	r.end()
	r.ended.Wait()
}

func (r *Recorder) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			r.flush(context.WithoutCancel(ctx), lastFor)
			return
		case <-r.woken:
		}
		pause(ctx, gatherFor)
		if ctx.Err() != nil {
			continue
		}
		if !r.flush(ctx, storeFor) {
			pause(ctx, againAfter)
			r.wake()
		}
	}
}

func (r *Recorder) wake() {
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// flush stores what was gathered; false: not all of it could be.
func (r *Recorder) flush(ctx context.Context, limit time.Duration) bool {
	r.gather()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for len(r.waiting) > 0 {
		m := r.waiting[0]
		if err := r.store(ctx, m); err != nil {
			if !r.failing {
				r.config.Log.Warn("events are not stored", zap.Error(err))
			}
			r.failing = true
			return false
		}
		r.failing = false
		r.told.Add(m.n)
		r.waiting = r.waiting[1:]
	}
	return true
}

func (r *Recorder) store(ctx context.Context, m message) (err error) {
	if r.journal == nil {
		if r.journal, err = r.conn.OpenJournal(ctx, r.conn.Events(), r.conn.EventPrefix(), r.config.Limits); err != nil {
			return err
		}
	}
	err = r.journal.Append(ctx, r.conn.Event(string(m.kind), r.config.Node), m.data)
	if err != nil {
		r.journal = nil // its server may have lost it
	}
	return err
}

// gather makes messages of what was gathered.
func (r *Recorder) gather() {
	r.refill(time.Now())
	r.failures.refill(time.Now())
	left, node := r.takeLeft(), r.config.Node
	r.lost.Add(left)
	left += r.unsaid
	r.unsaid = 0
	r.mu.Lock()
	tasks, actors, objects, nodes := r.tasks, r.actors, r.objects, r.nodes
	r.tasks, r.actors, r.objects, r.nodes = nil, nil, nil, nil
	r.mu.Unlock()
	w := appendBatches(r.waiting, Tasks, node, left, merge(tasks), func(b *Batch, some []*Task) { b.Tasks = some })
	w = appendBatches(w, Actors, node, 0, merge(actors), func(b *Batch, some []*Actor) { b.Actors = some })
	w = appendBatches(w, Objects, node, 0, merge(objects), func(b *Batch, some []*Object) { b.Objects = some })
	w = appendBatches(w, Nodes, node, 0, merge(nodes), func(b *Batch, some []*Node) { b.Nodes = some })
	for ; len(w) > mostWaiting; w = w[1:] {
		r.left.Add(w[0].n)
		r.unsaid += w[0].left
	}
	r.waiting = w
}
