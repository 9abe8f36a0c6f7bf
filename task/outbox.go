package task

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
	sent  [][]byte
	head  int      // of sent: those before it were let go of
	bytes int      // of sent
	spare [][]byte // frames that can be used again
	room  int      // bytes of spare
}

// spareBytes is how much memory is kept to be used again, spareFrame the largest frame of it.
const (
	spareBytes = 64 << 10
	spareFrame = 4 << 10
)

// add puts a result into the next reply.
func (o *outbox) add(p *result) {
	if o.frame == nil {
		if n := len(o.spare); n > 0 {
			o.frame, o.spare = o.spare[n-1], o.spare[:n-1]
			o.room -= cap(o.frame)
		} else {
			o.frame = make([]byte, guestHeaderSize, guestHeaderSize+64)
		}
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
	o.sent = append(o.sent, frame)
	o.bytes += len(frame)
	o.count, o.frame, o.dirty = 0, nil, false
	for o.bytes > keptBytes && o.kept() > 1 {
		o.drop()
	}
	return o.seq, frame
}

// kept is how many replies are kept: the newest ones.
func (o *outbox) kept() int { return len(o.sent) - o.head }

// oldest is the number of the oldest reply that is kept, beyond the newest if none is.
func (o *outbox) oldest() uint64 { return o.seq + 1 - uint64(o.kept()) }

// confirm lets go of replies up to seq.
func (o *outbox) confirm(epoch, seq uint64) {
	for epoch == o.epoch && o.kept() > 0 && o.oldest() <= seq {
		o.drop()
	}
}

// drop lets go of the oldest reply.
func (o *outbox) drop() {
	frame := o.sent[o.head]
	o.sent[o.head] = nil
	o.head++
	o.bytes -= len(frame)
	if cap(frame) <= spareFrame && o.room+cap(frame) <= spareBytes {
		o.spare = append(o.spare, frame[:guestHeaderSize])
		o.room += cap(frame)
	}
	if o.head*2 >= len(o.sent) { // more holes than replies: close ranks, at a constant cost each
		n := copy(o.sent, o.sent[o.head:])
		clear(o.sent[n:])
		o.sent, o.head = o.sent[:n], 0
	}
}

// find returns a reply that was sent, nil if it is not kept.
func (o *outbox) find(seq uint64) []byte {
	if seq < o.oldest() || seq > o.seq {
		return nil
	}
	return o.sent[o.head+int(seq-o.oldest())]
}

// unconfirmed returns the replies that are kept, in order.
func (o *outbox) unconfirmed() [][]byte { return o.sent[o.head:] }

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

// atMost takes the host's word on its newest reply: what seemed to come after that, or to be missing there, never was.
func (c *receipts) atMost(epoch, seq uint64) {
	if epoch != c.epoch || c.newest <= seq {
		return
	}
	c.forget(epoch, seq+1, c.newest)
	c.newest = seq
}

// confirmed is the number of the last reply before the first one that is missing.
func (c *receipts) confirmed() uint64 {
	if len(c.missing) > 0 {
		return c.missing[0].from - 1
	}
	return c.newest
}
