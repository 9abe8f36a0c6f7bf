package task

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// world is lanes and desks in virtual time, with a network between them that keeps the order of each connection and may lose frames.
// Everything but goroutines and NATS is the code that runs outside of tests.
type world struct {
	rng    *rand.Rand
	now    moment
	events eventHeap
	count  int

	hosts  []*simHost
	owners []*simOwner
	drop   float64 // of all frames, in both directions
	delay  func() time.Duration
	broken []string // what must never be
}

type occurrence struct {
	at    moment
	order int // of those at the same time
	do    func()
}

type eventHeap []occurrence

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(e any)   { *h = append(*h, e.(occurrence)) }
func (h *eventHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}

func newWorld(seed uint64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, seed)), now: time.Second}
	w.delay = func() time.Duration { return 20*time.Microsecond + time.Duration(w.rng.IntN(100_000)) }
	return w
}

func (w *world) after(d time.Duration, do func()) {
	w.count++
	heap.Push(&w.events, occurrence{w.now + d, w.count, do})
}

// run goes on until nothing is left to do or the time is over.
func (w *world) run(until moment) {
	for len(w.events) > 0 && w.events[0].at <= until {
		e := heap.Pop(&w.events).(occurrence)
		w.now = e.at
		e.do()
		for _, h := range w.hosts {
			h.check()
		}
	}
}

// runUntilDone runs until every task of every owner has its outcome, or for at most limit.
func (w *world) runUntilDone(limit time.Duration) bool {
	for end := w.now + limit; len(w.events) > 0 && w.events[0].at <= end; {
		w.run(w.events[0].at)
		done := true
		for _, o := range w.owners {
			done = done && o.open == 0
		}
		if done {
			return true
		}
	}
	return false
}

func (w *world) fail(format string, args ...any) {
	w.broken = append(w.broken, fmt.Sprintf("at %v: ", w.now)+fmt.Sprintf(format, args...))
}

// link carries frames one way; what is sent first arrives first.
type link struct{ free moment }

func (w *world) carry(l *link, deliver func()) {
	if w.rng.Float64() < w.drop {
		return
	}
	l.free = max(l.free, w.now+w.delay())
	w.after(l.free-w.now, deliver)
}

type run struct {
	number  uint64
	attempt int
}

// simHost is a node.
type simHost struct {
	*desk
	w        *world
	total    member.Amounts
	labels   map[string]string
	dead     bool // what is sent there, or from there, is lost
	paused   bool // nothing happens there: it piles up
	piled    []func()
	left     bool // what is sent there is told that nobody is there
	ticking  bool
	flushing bool
	to       map[member.ID]*link
	ran      map[run]int // how often each attempt of a task ran here
}

func (w *world) addHost(quantities map[string]float64) *simHost {
	total, err := member.NewAmounts(quantities)
	if err != nil {
		panic(err)
	}
	id := member.ID{1, byte(len(w.hosts) >> 8), byte(len(w.hosts))}
	h := &simHost{
		w: w, desk: newDesk(id, member.NewCapacity(total), 64), total: total, to: make(map[member.ID]*link), ran: make(map[run]int),
	}
	h.lookup = func(string) (call.Handler, bool) {
		return func(context.Context, []bus.Value, bool, []byte) (bus.Value, error) { return bus.Value{}, nil }, true
	}
	h.publish = h.publishFrame
	h.rouse = h.flushSoon
	h.alarm = h.tickSoon
	w.hosts = append(w.hosts, h)
	return h
}

func (h *simHost) publishFrame(g *guest, frame []byte) {
	if h.dead {
		return
	}
	frame = append([]byte(nil), frame...)
	h.w.carry(h.linkTo(g.owner), func() { h.w.owners[g.owner[2]].hear(frame) })
}

func (h *simHost) linkTo(owner member.ID) *link {
	l := h.to[owner]
	if l == nil {
		l = &link{}
		h.to[owner] = l
	}
	return l
}

func (h *simHost) flushSoon() {
	if !h.flushing {
		h.flushing = true
		h.w.after(5*time.Microsecond, func() {
			h.awake(func() {
				h.flushing = false
				h.sendAll(h.w.now)
				h.slots.fill(h.w.now)
				h.begin(nil)
			})
		})
	}
}

func (h *simHost) tickSoon() {
	if h.ticking {
		return
	}
	h.ticking = true
	h.w.after(tickEvery, func() {
		h.awake(func() {
			h.ticking = false
			if h.tick(h.w.now) {
				h.tickSoon()
			}
			h.begin(nil)
		})
	})
}

// awake does something once the host is not paused.
func (h *simHost) awake(do func()) {
	if h.paused {
		h.piled = append(h.piled, do)
		return
	}
	do()
}

// pause stops a host as SIGSTOP does. After a while the others take it for gone, and then it goes on and is there again.
func (w *world) pause(h *simHost, gone, back time.Duration) {
	h.paused = true
	w.after(gone, func() { h.tell(func(l *lane) { l.leave(h.id, w.now) }) })
	w.after(back, func() {
		h.paused = false
		for len(h.piled) > 0 {
			do := h.piled[0]
			h.piled = h.piled[1:]
			do()
		}
	})
	w.after(back+time.Duration(w.rng.IntN(1000))*time.Microsecond, func() {
		h.announce()
	})
}

// announce has every lane learn that the host is there.
func (h *simHost) announce() { h.tell(func(l *lane) { h.introduce(l) }) }

// introduce makes the host a peer of a lane that it suits.
func (h *simHost) introduce(l *lane) {
	if l.suits(&server{id: h.id, total: h.total, labels: h.labels}) {
		l.join(h.id, h.total.Times(l.need, firstWindow), h.w.now)
	}
}

// actor is somebody who holds capacity of a host from then on for so long, without slots knowing of it.
func (w *world) actor(h *simHost, need member.Amounts, then, long time.Duration) {
	w.after(then, func() {
		if !h.slots.capacity.Take(need) {
			return
		}
		w.after(long, func() {
			h.awake(func() { // as the next tick does
				h.slots.capacity.Give(need)
				h.slots.fill(w.now)
				h.begin(nil)
			})
		})
	})
}

// tell has every lane hear of the host.
func (h *simHost) tell(hear func(l *lane)) {
	for _, o := range h.w.owners {
		for _, l := range o.lanes {
			hear(l)
			l.pump(h.w.now)
			o.look()
		}
	}
}

// begin runs what is to run, and then next.
func (h *simHost) begin(next *job) {
	jobs := h.starting
	h.starting = nil
	if next != nil {
		jobs = append(jobs, next)
	}
	for _, j := range jobs {
		h.ran[run{j.entry.Number, int(j.entry.Attempt)}]++
		if l := h.w.owners[j.guest.owner[2]].lanes[j.guest.lane]; !l.placing.Allows(h.id, h.labels) {
			h.w.fail("a task runs on a host with %v, and wants one %v", h.labels, l.placing.String())
		}
		took := h.w.owners[j.guest.owner[2]].duration[j.entry.Number]
		h.w.after(took, func() {
			h.awake(func() {
				next := h.finished(j, j.guest.need, took, 1, h.w.now)
				h.answerSoon(j, h.outcome(j), next == nil, h.w.now)
				h.begin(next)
			})
		})
	}
}

// outcome is what a task returns here: an error as often as its owner says that it fails, counted over all hosts.
func (h *simHost) outcome(j *job) *objstore.Outcome {
	if o := h.w.owners[j.guest.owner[2]]; o.fails[j.entry.Number] > 0 {
		o.fails[j.entry.Number]--
		return &objstore.Outcome{Err: &call.Failure{Func: "f", Attempt: int(j.entry.Attempt), Code: bus.UnknownCode}}
	}
	return &objstore.Outcome{Value: bus.Value{Format: bus.Msgpack, Data: []byte{1}}}
}

// check holds the invariants.
func (h *simHost) check() {
	used := member.Amounts{}
	for _, g := range h.guests {
		for range g.running {
			used = used.Plus(g.need)
		}
	}
	if !h.total.Covers(used) {
		h.w.fail("a host of %v runs %v", h.total, used)
	}
	lacking := h.slots.lacking(h.w.now)
	for _, g := range h.slots.line {
		if !h.slots.closed && h.slots.fits(g) && !overlaps(lacking, g.need) {
			h.w.fail("a slot is free and unoffered while a lane waits")
		}
	}
}

// simOwner is a process that submits.
type simOwner struct {
	w        *world
	id       member.ID
	lanes    []*lane
	to       map[member.ID]*link
	last     uint64
	duration map[uint64]time.Duration
	begun    map[uint64]moment
	ended    map[uint64]moment
	results  map[uint64]int
	failed   map[uint64]bool
	fails    map[uint64]int // how often each is still to fail
	setbacks map[uint64]int // how often an attempt failed or was lost, as far as it knows
	losses   map[uint64]int // how many of them were lost
	attempts map[uint64]int // which one has the outcome
	open     int
	looking  bool
	pinged   int
}

func (w *world) addOwner() *simOwner {
	o := &simOwner{
		w: w, id: member.ID{2, 0, byte(len(w.owners))}, to: make(map[member.ID]*link), duration: make(map[uint64]time.Duration),
		begun: make(map[uint64]moment), ended: make(map[uint64]moment), results: make(map[uint64]int), failed: make(map[uint64]bool),
		fails: make(map[uint64]int), setbacks: make(map[uint64]int), losses: make(map[uint64]int), attempts: make(map[uint64]int),
	}
	w.owners = append(w.owners, o)
	return o
}

// lane makes a lane that knows all hosts.
func (o *simOwner) lane(need member.Amounts) *lane { return o.placed(need, call.Placing{}) }

// placed is lane with a strategy.
func (o *simOwner) placed(need member.Amounts, placing call.Placing) *lane {
	l := newLane("f", uint64(len(o.lanes)), need, o, 64)
	l.placing = placing
	o.lanes = append(o.lanes, l)
	for _, h := range o.w.hosts {
		h.introduce(l)
	}
	return l
}

func named(id objstore.ID) *objstore.Object {
	var r objstore.Ref[int]
	if err := r.UnmarshalJSON([]byte(`{"$ref":"` + id.String() + `"}`)); err != nil {
		panic(err)
	}
	return r.Object()
}

func (o *simOwner) submit(l *lane, took time.Duration, retries int) uint64 {
	o.last++
	s := &submission{}
	s.Target, s.Attempt = &call.Target{Name: "f", Options: call.Options{
		Retries: retries, RetryOn: call.RetryOn{Any: true}, Backoff: call.Backoff{First: time.Millisecond, Max: 5 * time.Millisecond},
	}}, 1
	s.Object = named(objstore.NewID(o.id, o.last))
	s.lane = l
	o.duration[o.last], o.begun[o.last] = took, o.w.now
	o.open++
	switch {
	case !l.add(s):
	case l.inflight < promptly:
		l.pump(o.w.now)
	default:
		o.w.after(10*time.Microsecond, func() { l.pump(o.w.now) })
	}
	o.look()
	return o.last
}

func (o *simOwner) look() {
	if o.looking {
		return
	}
	o.looking = true
	o.w.after(lookEvery, func() {
		o.looking = false
		for _, l := range o.lanes {
			if l.restless() {
				l.look(o.w.now, 0)
				o.look()
			}
		}
	})
}

func (o *simOwner) hear(frame []byte) {
	m, err := readGuestMessage(frame, nil)
	if err != nil {
		o.w.fail("a frame does not decode: %v", err)
		return
	}
	l := o.lanes[m.lane]
	p := l.peers[m.host]
	if p == nil && l.door == nil {
		return
	}
	if p == nil {
		p = l.join(m.host, 0, o.w.now)
	}
	l.hear(p, &m, o.w.now)
	for _, p := range l.order {
		if !l.backlog.empty() && p.room() > 1 && l.door == nil {
			o.w.fail("a peer has room for %d while %d wait", p.room(), l.backlog.len())
		}
	}
}

func (o *simOwner) frame(l *lane, p *peer, isPing bool, kind func(laneHeader) []byte) {
	head := laneHeader{owner: o.id, generation: 1, lane: l.number}
	var h *simHost
	reply := "reply"
	if p != nil {
		if p.vouched {
			reply = ""
		}
		head.epoch, head.confirmed = p.receipts.epoch, p.receipts.confirmed()
		p.receipts.acked = head.confirmed
		for _, candidate := range o.w.hosts {
			if candidate.id == p.id {
				h = candidate
			}
		}
	} else {
		if !l.placing.Anywhere() {
			o.w.fail("a lane %s knocks where any host may answer", l.placing.String())
		}
		var alive []*simHost
		for _, candidate := range o.w.hosts {
			if !candidate.dead && !candidate.slots.closed && candidate.total.Covers(l.need) {
				alive = append(alive, candidate)
			}
		}
		if len(alive) == 0 {
			o.w.after(o.w.delay(), func() { o.nobodyHome(l) })
			return
		}
		h = alive[o.w.rng.IntN(len(alive))]
	}
	unserved := func() {
		if reply != "" {
			l.unserved(p, isPing, o.w.now)
		}
	}
	if h.dead {
		o.w.after(o.w.delay(), unserved)
		return
	}
	way := o.to[h.id]
	if way == nil {
		way = &link{}
		o.to[h.id] = way
	}
	data := kind(head)
	o.w.carry(way, func() {
		if h.left {
			o.w.carry(h.linkTo(o.id), unserved)
		}
		if h.dead || h.left {
			return
		}
		h.awake(func() {
			if err := h.handle("f", reply, p != nil, data, o.w.now); err != nil {
				o.w.fail("a frame is malformed: %v", err)
			}
			h.begin(nil)
		})
	})
}

// nobodyHome gives up on a lane whose function nobody serves.
func (o *simOwner) nobodyHome(l *lane) {
	if s := l.nobodyHome(); s != nil {
		l.backlog.pushFront(s)
	}
	for _, s := range l.backlog.drain() {
		o.failed[s.Number()] = true
		o.finish(s, nil)
	}
}

func (o *simOwner) send(l *lane, p *peer, tasks []*submission, more bool) {
	o.frame(l, p, false, func(h laneHeader) []byte {
		b := appendTasks(nil, h, more, l.needWire, len(tasks))
		for _, s := range tasks {
			b = s.AppendTo(b)
		}
		return b
	})
}

func (o *simOwner) ping(l *lane, p *peer, tick uint32) {
	o.pinged++
	o.frame(l, p, true, func(h laneHeader) []byte {
		m := pingMessage{laneHeader: h, tick: uint64(tick), missing: p.receipts.missing}
		return m.append(nil)
	})
}

func (o *simOwner) cancelled(p *peer, s *submission) {
	o.frame(p.lane, p, false, func(h laneHeader) []byte { return appendCancel(nil, h, s.Number()) })
}

func (o *simOwner) finish(s *submission, out *objstore.Outcome) {
	var failure *Error
	if out != nil {
		failure, _ = errors.AsType[*Error](out.Err)
	}
	if failure != nil {
		o.setbacks[s.Number()]++
		if wait, ok := again(&s.Target.Options, int(s.Attempt), failure, o.w.rng.Float64()); ok {
			s.Attempt++
			o.w.after(wait, func() {
				s.lane.backlog.pushFront(s)
				s.lane.pump(o.w.now)
				o.look()
			})
			return
		}
		o.failed[s.Number()] = true
	}
	s.ended = true
	o.open--
	o.ended[s.Number()] = o.w.now
	o.results[s.Number()]++
	o.attempts[s.Number()] = int(s.Attempt)
}

func (o *simOwner) stray(uint64, *objstore.Outcome) {}

func (o *simOwner) lost(s *submission, _ *peer) bool {
	o.setbacks[s.Number()]++
	o.losses[s.Number()]++
	if _, ok := again(&s.Target.Options, int(s.Attempt), nil, 0); ok {
		s.Attempt++
		return true
	}
	o.failed[s.Number()] = true
	o.finish(s, nil)
	return false
}

// leave drains a host, which then says goodbye to everybody and ends. Between the moment when it is empty and the end of its subject
// frames still come.
func (w *world) leave(h *simHost) {
	emptied := h.close()
	var look func()
	look = func() {
		select {
		case <-emptied:
			if !h.left {
				w.after(time.Duration(w.rng.IntN(300))*time.Microsecond, func() {
					h.left = true
					look()
				})
				return
			}
			if again := h.sayLeft(); again != nil {
				emptied = again
				w.after(50*time.Microsecond, look)
				return
			}
			for _, o := range w.owners {
				w.after(time.Duration(w.rng.IntN(300))*time.Microsecond, func() {
					for _, l := range o.lanes {
						l.leave(h.id, w.now)
						l.pump(w.now)
						o.look()
					}
				})
			}
		default:
			w.after(50*time.Microsecond, look)
		}
	}
	look()
}

// kill ends a host: nothing that it has or sends counts any more.
func (w *world) kill(h *simHost) { h.dead = true }

// ranOnce returns how many tasks ran, and how many of them more than once, over all hosts.
func (w *world) ranOnce() (all, more int) {
	times := make(map[uint64]int)
	for _, h := range w.hosts {
		for r, k := range h.ran {
			times[r.number] += k
		}
	}
	for _, k := range times {
		if k > 1 {
			more++
		}
	}
	return len(times), more
}
