package task

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/logs"
	"manta/internal/member"
	"manta/objstore"
	"manta/placement"
)

const (
	// mailRoom is how many frames may wait for the goroutine that takes them in. What NATS drops beyond it is found lost by pings.
	mailRoom = 1 << 16
	// tickEvery is how often a host that has something waiting looks at the clock; it goes on for tickOn after the last time.
	tickEvery = 5 * time.Millisecond
	tickOn    = time.Second
	// yieldEvery is how long a goroutine runs task after task before it gives way: without that those that read from NATS would wait
	// for Go's preemption, 10 ms for each slot that is busy.
	yieldEvery = 100 * time.Microsecond
	// idleLimit is how many goroutines may wait for a task.
	idleLimit = 64
	// smallRoom is how many bytes of a result need no memory of their own.
	smallRoom = 64
)

// host is the serving half of a node: the goroutines, the clock and the connection around its desk. All frames come through one
// channel, so that they keep the order of the connection whatever their subjects.
type host struct {
	node    *member.Node
	store   *objstore.Store
	served  *Registry
	owner   *owner // takes on what plain clients ask for
	group   *member.Group
	origin  time.Time
	mail    chan *bus.Msg
	shut    chan struct{} // closed when takeIn has come to the end of the mail
	leaving sync.Once
	last    sync.Once           // mail, which is nil
	own     *bus.Subscription   // this node's own subject
	doors   []*bus.Subscription // queue groups for frames, left when the node drains
	plain   *plainDoor
	streams *producers
	woken   chan struct{} // holds one token when serve is to look after the desk
	ticking atomic.Bool   // serve looks at the clock by itself
	breath  *breath
	text    string // the node's id

	mu   sync.Mutex
	desk *desk
	idle []chan *job // of goroutines that wait for a job, the latest one last
}

func startHost(ctx context.Context, node *member.Node, o *owner, cfg Config) (*host, error) {
	h := &host{
		node: node, store: objstore.StoreOf(node), served: cfg.Registry, owner: o, group: member.NewGroup(ctx), origin: time.Now(),
		text: node.ID.String(), mail: make(chan *bus.Msg, mailRoom), shut: make(chan struct{}), woken: make(chan struct{}, 1),
	}
	h.desk = newDesk(node.ID, node.Capacity, cfg.MaxBatch)
	h.desk.lookup, h.desk.publish, h.desk.rouse, h.desk.alarm = h.served.handler, h.publish, h.rouse, h.alarm
	h.desk.host = h
	h.desk.epoch = uint64(h.origin.UnixNano()) // no other incarnation of a lane at this node counts from here
	var err error
	if h.breath, err = newBreath(h.group); err != nil {
		return nil, err
	}
	h.streams = newProducers(h)
	h.group.Go(h.streams.serve)
	h.group.Go(h.takeIn)
	h.group.Go(h.serve)
	if h.own, err = node.Conn.SubscribeChan(node.Conn.NodeTasks(node.ID.String()), "", h.mail); err != nil {
		return nil, errors.Join(err, h.close())
	}
	node.Members.Watch(member.Watcher{Joined: func(member.Info) {}, Left: h.ownerLeft})
	node.Conn.OnReconnect(h.repeatAll)
	placement.OnWithdraw(node, h.withdrawn)
	return h, nil
}

// openDoors joins the queue groups.
func (h *host) openDoors(maxPending int, pendingTimeout time.Duration) (err error) {
	for _, name := range h.served.names() {
		door, err := h.node.Conn.SubscribeChan(h.node.Conn.Work(name), bus.Workers, h.mail)
		if err != nil {
			return err
		}
		h.doors = append(h.doors, door)
	}
	h.plain, err = openPlainDoor(h, maxPending, pendingTimeout)
	return err
}

func (h *host) now() moment { return time.Since(h.origin) }

// unlock starts what is to run, on goroutines that have nothing to do or on more of them, and unlocks the desk.
func (h *host) unlock() {
	for i, j := range h.desk.starting {
		h.desk.starting[i] = nil
		if n := len(h.idle); n > 0 {
			h.idle[n-1] <- j // there is room: it is idle
			h.idle = h.idle[:n-1]
			continue
		}
		h.group.Go(func(ctx context.Context) { h.serveSlot(ctx, j) }) // a stopped group runs nothing more: owners send it elsewhere
	}
	h.desk.starting = h.desk.starting[:0]
	h.mu.Unlock()
}

// serveSlot runs tasks, and waits for more while not too many others do: a goroutine that has run one has a stack of the right size.
func (h *host) serveSlot(ctx context.Context, j *job) {
	more := make(chan *job, 1)
	w := call.Work{Room: make([]byte, 0, smallRoom)}
	for {
		h.work(&w, j)
		h.mu.Lock()
		if len(h.idle) >= idleLimit {
			h.mu.Unlock()
			return
		}
		h.idle = append(h.idle, more)
		h.mu.Unlock()
		select {
		case j = <-more:
		case <-ctx.Done():
			return
		}
	}
}

// takeIn handles the frames of owners, one after the other. It never waits for user code.
func (h *host) takeIn(ctx context.Context) {
	for {
		select {
		case msg := <-h.mail:
			if msg == nil {
				close(h.shut)
				continue
			}
			if err := h.handle(msg); err != nil {
				h.node.Reject(msg, err)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (h *host) handle(msg *bus.Msg) error {
	if ours, err := h.streams.heard(msg); ours {
		return err
	}
	h.mu.Lock()
	defer h.unlock()
	return h.desk.handle(bus.LastToken(msg.Subject), msg.Reply, h.node.Conn.IsNodeTask(msg.Subject), msg.Data, h.now())
}

// work runs tasks on one slot, one after the other.
func (h *host) work(w *call.Work, j *job) {
	yielded := h.now()
	for begun := yielded; j != nil; {
		j.guest.runs.labels.Set()
		w.Function, w.Handler, w.Entry = j.guest.function, j.guest.handler, &j.entry
		if j.entry.Told {
			w.Fetched = time.Time{}
			h.tellStarted(j, begun)
		}
		value, err := w.Run(j, h.store)
		ended := h.now()
		if j.entry.Told {
			h.tellReturned(j, w.Fetched, ended)
		}
		j = h.returned(j, value, err, w.Arrival, ended-begun, ended)
		w.Arrival = nil
		if begun = ended; begun-yielded > yieldEvery {
			runtime.Gosched()
			h.breath.take(h.now)
			begun = h.now()
			yielded = begun
		}
	}
	call.Unlabel()
	*w = call.Work{Room: w.Room} // an idle goroutine holds no arguments
}

// returned answers a task that has returned, and gives its slot to the next one.
func (h *host) returned(j *job, value bus.Value, err error, a *objstore.Arrival, took time.Duration, now moment) (next *job) {
	held := j.end()
	later := err == nil && len(value.Data) > objstore.InlineLimit || a.Pending()
	switch {
	case err != nil && h.group.Context().Err() != nil: // cut short by Close: that is no outcome, its owner sends it elsewhere
		later = true
	case later: // its slot is free while it is stored, and while its arguments' refs are registered
		defer h.answerOnceStored(j, value, err, a)
	}
	out := objstore.Outcome{Value: value, Err: err}
	if !later {
		h.store.Lend(&out, j.guest.owner)
	}
	h.mu.Lock()
	defer h.unlock()
	j.guest.runs.note(took, err != nil)
	next = h.desk.finished(j, held, took, len(value.Data), now)
	if !later {
		h.desk.answerSoon(j, &out, next == nil, now)
	}
	return next
}

// answerOnceStored has answerLater called, on a goroutine of its own.
func (h *host) answerOnceStored(j *job, value bus.Value, err error, a *objstore.Arrival) {
	if len(value.Data) <= smallRoom {
		value = value.Clone() // it lies in the room of the next result
	}
	out := objstore.Outcome{Value: value, Err: err}
	h.group.Go(func(ctx context.Context) { h.answerLater(ctx, j, out, a) })
}

// answerLater stores a result if it is large, waits until what the arguments name is registered, and answers.
func (h *host) answerLater(ctx context.Context, j *job, out objstore.Outcome, a *objstore.Arrival) {
	if out.Err == nil {
		if keep, durable, _ := j.entry.Args.Keep(); durable {
			out = h.store.SealDurable(ctx, keep.ID, out.Value, keep.For+blobGrace)
		} else {
			out = h.store.Seal(ctx, j.id(), out.Value)
		}
		if j.entry.Told {
			h.tellStored(j)
		}
	}
	select {
	case <-a.Done():
	case <-ctx.Done():
	}
	if ctx.Err() != nil && (out.Err != nil || a.Pending()) {
		h.store.Discard(j.id(), out)
		return
	}
	h.store.Lend(&out, j.guest.owner)
	h.mu.Lock()
	defer h.unlock()
	h.desk.answerSoon(j, &out, true, h.now())
}

func (h *host) publish(g *guest, frame []byte) {
	if err := h.node.Conn.Publish(g.reply, "", frame); err != nil { // its owner will ask for it
		h.node.Log.Debug("a reply was not sent", logs.Task(g.function), zap.Error(err))
	}
}

// freed uses what has become free. The host must not be locked.
func (h *host) freed() {
	h.mu.Lock()
	defer h.unlock()
	h.desk.slots.fill(h.now())
}

// rouse makes serve look after the host.
func (h *host) rouse() {
	select {
	case h.woken <- struct{}{}:
	default:
	}
}

// alarm makes serve look at the clock.
func (h *host) alarm() {
	if !h.ticking.Load() {
		h.ticking.Store(true)
		h.rouse()
	}
}

// serve sends what workers have gathered, and looks at the clock while something waits.
func (h *host) serve(ctx context.Context) {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for last := h.now(); ; {
		clock := tick.C
		if !h.ticking.Load() {
			clock = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-h.woken:
			h.mu.Lock()
			h.desk.sendAll(h.now())
			h.desk.slots.fill(h.now())
			h.unlock()
		case <-clock:
			now := h.now()
			h.mu.Lock()
			if h.desk.tick(now) {
				last = now
			}
			h.ticking.Store(now-last < tickOn)
			h.unlock()
		}
	}
}

// ownerLeft forgets what an owner that is gone has waiting here.
func (h *host) ownerLeft(id member.ID) {
	h.mu.Lock()
	defer h.unlock()
	h.desk.ownerLeft(id, h.now())
}

// repeatAll sends unconfirmed replies again after a reconnect.
func (h *host) repeatAll() {
	h.mu.Lock()
	defer h.unlock()
	h.desk.repeatAll()
}
