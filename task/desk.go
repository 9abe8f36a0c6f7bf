package task

import (
	"fmt"
	"maps"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

const (
	// guestFor is how long a lane of which nothing is here is remembered.
	guestFor = time.Minute
	// maxGuests bounds the lanes that a desk knows: each owner has one for each function, need and strategy.
	maxGuests = 1 << 16
	// sweepAgain is how long a desk that knows too many waits before it looks again whether some can be forgotten.
	sweepAgain = time.Second
)

// desk is a node's side of the conversation with owners: it takes in their frames, has slots decide, and gathers the replies. It has no
// clock, goroutine or network of its own; its host, which locks it, gives it what it needs.
type desk struct {
	id       member.ID
	maxBatch int // results in one reply

	maxGuests int
	slots     slots
	lookup    func(name string) (call.Handler, bool)
	publish   func(g *guest, frame []byte) // to the owner; frames keep their order
	rouse     func()                       // have sendAll called soon
	alarm     func()                       // have tick called from now on

	host        *host // of the jobs; nil in tests
	guests      map[guestKey]*guest
	runs        map[string]*runs    // by function, of those that are served here
	generations *member.Generations // of the owners' connections
	starting    []*job              // to be run
	dirty       []*guest            // with results to send
	untold      []*job              // that knocked and whose owners do not know where they are
	epoch       uint64              // of the newest guest's replies
	held        int                 // jobs that are here
	emptied     chan struct{}       // closed when held is 0; nil unless somebody waits for that
	swept       moment
}

func newDesk(id member.ID, capacity *member.Capacity, maxBatch int) *desk {
	d := &desk{id: id, maxBatch: maxBatch, maxGuests: maxGuests, guests: make(map[guestKey]*guest), runs: make(map[string]*runs), generations: &member.Generations{}}
	d.slots = newSlots(capacity, d)
	return d
}

// handle takes in a frame. direct says that it was sent to this node, and did not come through a queue group.
func (d *desk) handle(function, reply string, direct bool, data []byte, now moment) error {
	r, kind := bus.ReadFrame(data)
	switch kind {
	case tasksFrame:
		return d.handleTasks(function, reply, direct, r, now)
	case pingFrame:
		return d.handlePing(function, reply, r, now)
	case cancelFrame:
		return d.handleCancel(r, now)
	}
	r.Fail("a frame for something else")
	return r.Err()
}

// handleTasks takes in tasks of a lane, and its word on whether it has more.
func (d *desk) handleTasks(function, reply string, direct bool, r bus.Reader, now moment) error {
	m, err := readTasks(r)
	if err != nil {
		return err
	}
	jobs, err := m.jobs()
	if err != nil {
		return err
	}
	if late, err := d.late(m.laneHeader, now); late || err != nil {
		return err
	}
	g, err := d.guestOf(&m, function, reply, now)
	if g == nil || err != nil {
		return err
	}
	g.outbox.confirm(m.epoch, m.confirmed)
	d.slots.endOffer(g)
	for i := range jobs {
		j := &jobs[i]
		j.host, j.guest = d.host, g
		g.jobs.add(j)
		d.held++
		d.take(j, !direct, now)
	}
	d.slots.wants(g, m.more && d.slots.capacity.Could(g.need), now)
	d.slots.fill(now)
	d.send(g, now)
	if d.slots.restless() {
		d.alarm()
	}
	return nil
}

// take gives a task to slots, if its function is served here.
func (d *desk) take(j *job, knocked bool, now moment) {
	g := j.guest
	if g.handler == nil {
		err := fmt.Errorf("task %q: %w by node %s", g.function, ErrNotRegistered, d.id)
		d.answer(j, call.Refused, &objstore.Outcome{Err: err})
		return
	}
	if knocked {
		j.untold = true
		d.untold = append(d.untold, j)
		d.alarm()
	}
	d.slots.came(j, now)
}

// late says whether a frame was sent before its owner's connection broke.
func (d *desk) late(head laneHeader, now moment) (bool, error) {
	return d.generations.Late(head.owner, head.generation, now)
}

// guestOf returns the guest that a frame is about. It is nil if the frame says nobody to reply to and the lane's first one, which did,
// was lost: its owner will miss what is in it.
func (d *desk) guestOf(m *tasksMessage, function, reply string, now moment) (*guest, error) {
	key := guestKey{m.owner, m.lane}
	g := d.guests[key]
	if g == nil && reply == "" {
		return nil, nil
	}
	if g != nil && g.function != function {
		return nil, errOtherFunction
	}
	if g == nil {
		need, err := readMarked(m.need, function, m.lane)
		if err != nil {
			return nil, err
		}
		g = &guest{guestKey: key, function: function, own: m.owner == d.id, need: need}
		if len(d.guests) >= d.maxGuests && now-d.swept > sweepAgain {
			d.sweep(now)
		}
		if len(d.guests) >= d.maxGuests {
			return nil, fmt.Errorf("%w: node %s knows %d lanes, and takes no more", call.ErrOverload, d.id, d.maxGuests)
		}
		if g.handler, _ = d.lookup(function); g.handler != nil {
			g.runs = d.runsOf(function)
		}
		d.epoch++
		g.outbox.epoch = d.epoch
		d.guests[key] = g
	}
	if g.touched = now; reply != "" {
		g.reply = reply
	}
	return g, nil
}

// errOtherFunction is the error of a frame about a lane that came to the subject of another function.
var errOtherFunction = fmt.Errorf("%w: the lane is of another task", bus.ErrMalformed)

// answer puts a task's result into its owner's next reply.
func (d *desk) answer(j *job, status call.Status, out *objstore.Outcome) {
	j.guest.jobs.remove(j)
	j.untold = false
	j.guest.outbox.add(&result{number: j.entry.Number, attempt: int(j.entry.Attempt), status: status, outcome: out})
	d.let(1)
}

// finished takes note of a task that has returned, with what it still held of its need, and returns the one that its goroutine is to
// run next, nil if none.
func (d *desk) finished(j *job, held member.Amounts, took time.Duration, size int, now moment) (next *job) {
	j.guest.pace.note(took, len(j.entry.Args)+size)
	next = d.slots.finished(j.guest, held, now)
	if next == nil && len(d.starting) > 0 {
		next, d.starting = d.starting[0], d.starting[1:]
	}
	return next
}

// answerSoon answers a task that has returned: at once if nothing follows that could travel with it.
func (d *desk) answerSoon(j *job, out *objstore.Outcome, last bool, now moment) {
	g := j.guest
	d.answer(j, call.Done, out)
	if last || g.outbox.full(d.maxBatch) {
		d.send(g, now)
		return
	}
	d.sendSoon(g)
}

func (d *desk) sendSoon(g *guest) {
	if !g.outbox.dirty {
		g.outbox.dirty = true
		d.dirty = append(d.dirty, g)
		d.rouse()
	}
}

// let notes that n jobs are not here any more.
func (d *desk) let(n int) {
	if d.held -= n; d.held == 0 && d.emptied != nil {
		for _, g := range d.guests {
			d.send(g, 0)
		}
		close(d.emptied)
		d.emptied = nil
	}
}

// close makes the desk take no more. The channel is closed when nothing is here any more.
func (d *desk) close() <-chan struct{} {
	emptied := make(chan struct{})
	d.slots.close()
	if d.held == 0 {
		close(emptied)
	} else if d.emptied == nil {
		d.emptied = emptied
	} else {
		return d.emptied
	}
	return emptied
}

// sayLeft tells every owner that what it has sent here and has no reply to did not run. It is for a desk that is closed and gets no more
// frames. If something is here still it says nothing and returns when to call it again: what this node submitted itself may have come
// until the end.
func (d *desk) sayLeft() (again <-chan struct{}) {
	if d.held > 0 {
		return d.close()
	}
	for _, g := range d.guests {
		d.send(g, 0)
		d.publish(g, d.header(g, 0).frame(leftFrame))
	}
	return nil
}

// send sends what is gathered for a guest. Frames to an owner leave while the desk is locked, so that windows, replies
// and pongs keep their order.
func (d *desk) send(g *guest, now moment) {
	if g.outbox.count == 0 {
		return
	}
	window := d.slots.window(g)
	seq, frame := g.outbox.next()
	head := d.header(g, window)
	head.seq = seq
	head.put(frame, replyFrame)
	d.publish(g, frame)
	d.slots.told(g, window, now)
	if d.slots.restless() {
		d.alarm()
	}
}

func (d *desk) header(g *guest, window int) guestHeader {
	return guestHeader{host: d.id, lane: g.lane, epoch: g.outbox.epoch, seq: g.outbox.seq, window: uint32(window)}
}

// run implements slotActions.
func (d *desk) run(j *job) {
	d.starting = append(d.starting, j)
}

// back implements slotActions.
func (d *desk) back(j *job) {
	j.guest.runs.refused++
	d.answer(j, call.Busy, nil)
	d.sendSoon(j.guest)
}

// offer implements slotActions.
func (d *desk) offer(g *guest) {
	d.publish(g, d.header(g, d.slots.window(g)).frame(offerFrame))
	d.alarm()
}

func (d *desk) sendAll(now moment) {
	for i := 0; i < len(d.dirty); i++ { // sending may add
		d.send(d.dirty[i], now)
	}
	d.dirty = d.dirty[:0]
}

// tick does what the clock asks for, and says whether something still waits.
func (d *desk) tick(now moment) bool {
	d.slots.tick(now)
	d.sendAll(now)
	for _, j := range d.untold {
		if j.untold {
			j.untold = false
			d.publish(j.guest, appendPong(d.header(j.guest, d.slots.window(j.guest)), 0, &j.guest.jobs))
		}
	}
	d.untold = d.untold[:0]
	if now-d.swept > guestFor {
		d.sweep(now)
	}
	return d.slots.restless()
}

// sweep forgets lanes of which nothing is here, and owners of which no lane is.
func (d *desk) sweep(now moment) {
	d.swept = now
	owners := make(map[member.ID]bool)
	for key, g := range d.guests {
		if g.idle() && now-g.touched > guestFor {
			delete(d.guests, key)
		} else {
			owners[key.owner] = true
		}
	}
	none := func(_ string, n int64) bool { return n == 0 } // of bundles that are not here any more
	maps.DeleteFunc(d.slots.taken, none)
	maps.DeleteFunc(d.slots.kept, none)
	for owner := range d.generations.Owners() {
		if !owners[owner] {
			d.generations.Forget(owner)
		}
	}
}

// ownerLeft forgets what an owner that is gone has waiting here. What it has running goes on: it may only seem to be gone.
func (d *desk) ownerLeft(id member.ID, now moment) {
	for key, g := range d.guests {
		if key.owner == id {
			d.slots.wants(g, false, now)
			for g.queue.len() > 0 {
				j := g.queue.first()
				d.slots.forget(j)
				g.jobs.remove(j)
				d.let(1)
			}
		}
	}
	d.slots.fill(now)
}

// repeatAll sends unconfirmed replies again after a reconnect.
func (d *desk) repeatAll() {
	for _, g := range d.guests {
		for _, frame := range g.outbox.unconfirmed() {
			d.publish(g, frame)
		}
	}
}
