package task

import "time"

// window is how far a producer may be ahead of what its consumer has taken.
type window struct {
	ahead int // in items
	bytes int // in bytes; one item alone may always be larger
}

const (
	// defaultAhead hides a round trip behind items that take a few µs each to produce.
	defaultAhead = 16
	// defaultAheadBytes is as much as defaultAhead of the largest items that travel inside messages, of 64 KiB.
	defaultAheadBytes = 1 << 20
	// maxAhead and maxAheadBytes bound what a consumer can ask for.
	maxAhead      = 1 << 16
	maxAheadBytes = 1 << 30

	// questionFirst is how long a producer that needs a word of its consumer waits before it asks: many round trips. It waits twice as long each
	// time, up to questionMost.
	questionFirst = 20 * time.Millisecond
	questionMost  = 500 * time.Millisecond
	// consumerSilent is how long a consumer that is asked may say nothing before its producer gives it up: it answers from memory, whatever its
	// loop does. The way to it may be broken for as long as membership takes, three times over.
	consumerSilent = 10 * time.Second
	// consumerAbsent is the same if NATS says meanwhile that nobody is there: its connection may be away for a moment.
	consumerAbsent = 3 * time.Second
)

// emission is a producer's end of a stream: which items may leave, which are to be sent again, and when to ask the consumer. It is a plain state
// machine without clock, goroutine or network.
//
//	asking where to begin (attempts after the first) ─► passing over what has come ─► sending ⇄ out of credit ─► all has come
//
// Invariant: the items after taken are at most ahead, and at most bytes large unless they are one.
type emission struct {
	window
	started  bool
	produced uint64   // by the function, in this attempt
	sent     uint64   // the number of the last item that was sent, in any attempt
	received uint64   // all items up to this one have come
	taken    uint64   // all items up to this one were handed out
	kept     []parcel // those after taken
	size     int      // of kept
	waiting  bool     // for credit, or for the end to come

	heard    moment // when the consumer last spoke, or was first needed
	asked    moment // when it was last asked, or last made progress
	patience time.Duration
	absent   bool // NATS says that nobody is there, since it last spoke
}

// parcel is an item that counts: with its frame while it may have to be sent again.
type parcel struct {
	frame []byte
	item  item
	size  int
}

// newEmission begins an attempt. One after the first needs its consumer at once, to hear where to begin.
func newEmission(w window, attempt int, now moment) emission {
	return emission{window: w, started: attempt == 1, waiting: attempt > 1, heard: now, asked: now, patience: questionFirst}
}

// pass counts an item that the function has produced, and says whether it is to be passed over: an earlier attempt has brought it.
func (e *emission) pass() bool {
	e.produced++
	return e.produced <= e.sent
}

// room says whether an item of that size may leave.
func (e *emission) room(size int) bool {
	return e.started && (len(e.kept) == 0 || len(e.kept) < e.ahead && e.size+size <= e.bytes)
}

// add takes up an item that leaves.
func (e *emission) add(p parcel, now moment) {
	e.need(now)
	e.sent++
	e.kept = append(e.kept, p)
	e.size += p.size
}

// wait notes that the producer waits for a word of the consumer.
func (e *emission) wait(now moment) {
	e.need(now)
	e.waiting = true
}

// need begins to count the consumer's silence, unless it is counted already.
func (e *emission) need(now moment) {
	if !e.needs() {
		e.heard, e.asked, e.patience, e.absent = now, now, questionFirst, false
	}
}

func (e *emission) needs() bool { return e.waiting || !e.complete() }

// complete says whether all that was sent has come.
func (e *emission) complete() bool { return e.started && e.received == e.sent }

// credit takes in what the consumer says, and returns the items to send again.
func (e *emission) credit(c credit, now moment) (again []parcel) {
	e.heard, e.absent = now, false
	if !e.started {
		e.begin(c)
	}
	received, taken := min(max(c.received, e.received), e.sent), min(max(c.taken, e.taken), e.sent)
	if received > e.received || taken > e.taken {
		e.asked, e.patience = now, questionFirst
	}
	for ; e.received < received; e.received++ {
		p := &e.kept[e.received-e.taken]
		p.frame, p.item = nil, item{}
	}
	n := int(min(taken, received) - e.taken)
	for _, p := range e.kept[:n] {
		e.size -= p.size
	}
	e.kept = e.kept[n:]
	e.taken += uint64(n)
	if c.again {
		return e.kept[e.received-e.taken:]
	}
	return nil
}

// begin begins where earlier attempts have brought the stream. What waits at the consumer counts.
func (e *emission) begin(c credit) {
	e.started = true
	n := int(min(c.received-c.taken, maxAhead))
	e.sent, e.received, e.taken = c.received, c.received, c.received-uint64(n)
	if n > 0 {
		e.kept = make([]parcel, n)
		e.size = int(min(c.buffered, maxAheadBytes))
		e.kept[n-1].size = e.size // which of them is how large is not known: the last one stands for all
	}
}

// look says whether to ask the consumer, or that it is gone.
func (e *emission) look(now moment) (ask, gone bool) {
	switch silence := now - e.heard; {
	case !e.needs():
		return false, false
	case silence >= consumerSilent, e.absent && silence >= consumerAbsent:
		return false, true
	case now-e.asked < e.patience:
		return false, false
	}
	e.asked, e.patience = now, min(2*e.patience, questionMost)
	return true, false
}
