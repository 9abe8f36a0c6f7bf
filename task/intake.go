package task

import "manta/internal/member"

// intake is a consumer's end of a stream: which items have come, which are missing, and when to say so. Items come in the order of NATS, so a number
// that is skipped is a loss: nothing after it is kept, and the producer sends from there again. It is a plain state machine without clock,
// goroutine or network.
//
//	an item:  on its way ─► received ─► handed out ─► taken (the producer may send another)
//
// Whoever reads a stream takes an item as it is handed out; a plain client does when it says so.
//
// Invariant: each number is handed out once, in order, whatever attempts there were.
type intake struct {
	window
	attempt  int       // the latest one that was heard of
	host     member.ID // where it runs
	received uint64    // all items up to this one have come
	handed   uint64    // and all up to this one were handed out
	taken    uint64
	items    []parcel // those after taken
	size     int      // of items
	told     uint64   // taken, when the producer was last told
	since    int      // bytes that were taken since then
	missed   uint64   // the last number that was asked for again
}

// late says whether a producer's frame is of an attempt that another one has followed.
func (in *intake) late(h streamHeader) bool { return h.attempt < in.attempt }

// heed notes which attempt there is.
func (in *intake) heed(h streamHeader) {
	if h.attempt > in.attempt {
		in.missed = 0
	}
	in.attempt, in.host = h.attempt, h.host
}

// came takes in an item. again says that items before it got lost and are to be asked for.
func (in *intake) came(i item) (again bool) {
	next := in.received + 1
	switch {
	case i.seq < next:
	case i.seq > next:
		again = in.missed != next
		in.missed = next
	case len(in.items) < in.ahead: // else the producer has no credit for it
		in.received++
		p := parcel{item: i, size: i.size()}
		in.items = append(in.items, p)
		in.size += p.size
	}
	return again
}

// asked answers a producer that has sent items up to a number.
func (in *intake) asked(sent uint64) credit {
	in.missed = 0
	return in.credit(sent > in.received)
}

// credit is what to tell the producer.
func (in *intake) credit(again bool) credit {
	in.told, in.since = in.taken, 0
	return credit{received: in.received, taken: in.taken, buffered: uint64(in.size), again: again}
}

// next hands out an item, nil if none is there.
func (in *intake) next() *item {
	if in.handed == in.received {
		return nil
	}
	p := &in.items[in.handed-in.taken]
	handed := p.item
	p.item = item{}
	in.handed++
	return &handed
}

// take notes that the items up to a number were taken, and says whether to tell the producer: when half of the window is free, or it may have stopped.
func (in *intake) take(upTo uint64) (tell bool) {
	for in.taken < min(upTo, in.handed) {
		in.taken++
		in.since += in.items[0].size
		in.size -= in.items[0].size
		in.items = in.items[1:]
	}
	owed := int(in.taken - in.told)
	return owed > 0 && (2*owed >= in.ahead || 2*in.since >= in.bytes || len(in.items) == 0)
}

// rest returns the items that were never handed out.
func (in *intake) rest() []parcel { return in.items[in.handed-in.taken:] }
