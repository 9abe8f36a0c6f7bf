package task

import "slices"

const (
	// replyBytes is the size at which a reply is sent at the latest.
	replyBytes = 16 << 10
	// keptBytes bounds the replies of a lane that are kept until they are confirmed, to be sent again if one got lost.
	keptBytes = 16 << 20
)

// outbox is a guest's results on their way to their owner: those that are gathered for the next reply, and replies that
// were sent and not confirmed. Replies are numbered without gaps, so an owner knows which ones it lacks.
type outbox struct {
	epoch uint64 // tells one counting from another
	seq   uint64 // of the newest reply that was sent
	count int    // of results in frame
	frame []byte // the next reply
	dirty bool   // somebody will send it
	sent  []sentReply
	bytes int // of sent
}

type sentReply struct {
	seq   uint64
	frame []byte
}

// add puts a result into the next reply.
func (o *outbox) add(p *result) {
	if o.frame == nil {
		o.frame = make([]byte, guestHeaderSize, guestHeaderSize+256)
	}
	o.frame = p.appendTo(o.frame)
	o.count++
}

// full says whether the next reply is to be sent at once.
func (o *outbox) full(maxBatch int) bool { return o.count >= maxBatch || len(o.frame) >= replyBytes }

// next takes the next reply, which is kept until it is confirmed. Its header is the caller's to fill in.
func (o *outbox) next() (seq uint64, frame []byte) {
	o.seq++
	frame = o.frame
	o.sent = append(o.sent, sentReply{o.seq, frame})
	o.bytes += len(frame)
	o.count, o.frame, o.dirty = 0, nil, false
	for o.bytes > keptBytes && len(o.sent) > 1 {
		o.drop(1)
	}
	return o.seq, frame
}

// confirm lets go of replies up to seq.
func (o *outbox) confirm(epoch, seq uint64) {
	if epoch != o.epoch {
		return
	}
	n := 0
	for n < len(o.sent) && o.sent[n].seq <= seq {
		n++
	}
	o.drop(n)
}

func (o *outbox) drop(n int) {
	for _, r := range o.sent[:n] {
		o.bytes -= len(r.frame)
	}
	o.sent = slices.Delete(o.sent, 0, n)
}

// find returns a reply that was sent, nil if it is not kept.
func (o *outbox) find(seq uint64) []byte {
	i, ok := slices.BinarySearchFunc(o.sent, seq, func(r sentReply, seq uint64) int { return int(int64(r.seq - seq)) })
	if !ok {
		return nil
	}
	return o.sent[i].frame
}

// span is replies by number, both ends included.
type span struct{ from, to uint64 }

// receipts is the other end of an outbox: which replies of one host have come. The host may begin to count anew, in another epoch.
type receipts struct {
	epoch   uint64
	newest  uint64 // of those that have come, or are known to have been sent
	missing []span // those before it that have not come
	acked   uint64 // what the host was last told
}

// came notes a reply. It returns false if that has come before.
func (c *receipts) came(epoch, seq uint64) bool {
	if epoch != c.epoch {
		c.restart(epoch, seq)
		return true
	}
	if seq > c.newest {
		if seq > c.newest+1 {
			c.missing = append(c.missing, span{c.newest + 1, seq - 1})
		}
		c.newest = seq
		return true
	}
	return c.forget(epoch, seq, seq)
}

// forget does not wait any more for replies from..to. It returns false if none of them was missing.
func (c *receipts) forget(epoch, from, to uint64) (some bool) {
	if epoch != c.epoch {
		return false
	}
	var rest []span
	for _, s := range c.missing {
		if s.to < from || s.from > to {
			rest = append(rest, s)
			continue
		}
		some = true
		if s.from < from {
			rest = append(rest, span{s.from, from - 1})
		}
		if s.to > to {
			rest = append(rest, span{to + 1, s.to})
		}
	}
	if some {
		c.missing = rest
	}
	return some
}

// restart begins to count with an epoch whose first reply this process heard of is seq.
func (c *receipts) restart(epoch, seq uint64) {
	*c = receipts{epoch: epoch, newest: seq}
	if seq > 1 {
		c.missing = []span{{1, seq - 1}}
	}
}

// sent notes that replies up to seq were sent. It returns false if some of them have not come.
func (c *receipts) sent(epoch, seq uint64) bool {
	if epoch != c.epoch {
		c.restart(epoch, 0)
	}
	if seq > c.newest {
		c.missing = append(c.missing, span{c.newest + 1, seq})
		c.newest = seq
	}
	return len(c.missing) == 0
}

// confirmed is the number of the last reply before the first one that is missing.
func (c *receipts) confirmed() uint64 {
	if len(c.missing) > 0 {
		return c.missing[0].from - 1
	}
	return c.newest
}
