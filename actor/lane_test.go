package actor

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// correspondence is a lane, its visitor and what is on its way between them, with nothing else: calls are their numbers.
type correspondence struct {
	t       *rapid.T
	lane    *lane
	visitor *visitor // nil: it is forgotten
	toCell  []any    // letters and pings
	back    []any    // answers and pongs

	calls []*outgoing // all, by number from 1
	here  []*visit    // taken and not answered
	taken []uint64

	forged bool // somebody else speaks in the caller's name

	failing map[uint64]bool // calls that are made again when they have been answered
	again   map[uint64]bool // those that were
}

type letters struct {
	head  mailHeader
	calls []uint64
}

func (c *correspondence) submit(ready bool) {
	n := uint64(len(c.calls) + 1)
	var store *objstore.Store // of another process
	out := &outgoing{ready: ready, Call: call.Call{Object: store.PromiseAgain(objstore.NewID(member.ID{1}, n))}}
	c.calls = append(c.calls, out)
	if c.lane.ordered || ready {
		c.lane.push(out)
	}
}

func (c *correspondence) makeReady(out *outgoing) {
	if out.ready || out.ended {
		return
	}
	out.ready = true
	if !out.queued {
		c.lane.push(out)
	}
}

func (c *correspondence) send(most int) {
	m := letters{head: c.lane.mailHeader()}
	for out := c.lane.next(); out != nil && len(m.calls) < most; out = c.lane.next() {
		c.lane.give(out)
		m.calls = append(m.calls, out.Number())
	}
	if len(m.calls) > 0 || c.lane.unanswered() == 0 {
		c.toCell = append(c.toCell, m)
	}
}

func (c *correspondence) ping() { c.toCell = append(c.toCell, c.lane.known()) }

// arriveAtCell has the first message to the cell arrive.
func (c *correspondence) arriveAtCell() {
	if len(c.toCell) == 0 {
		return
	}
	message := c.toCell[0]
	c.toCell = c.toCell[1:]
	if l, ok := message.(lanePing); ok {
		c.pinged(l)
		return
	}
	m := message.(letters)
	if c.visitor == nil {
		c.visitor = &visitor{}
	}
	v := c.visitor
	ok, hole := v.enter(&m.head)
	if hole {
		c.back = append(c.back, lanePong{stream: v.stream, taken: v.taken, upTo: m.head.first})
	}
	if ok {
		for i, n := range m.calls {
			if place := m.head.first + uint64(i); place > v.taken {
				call := &visit{place: place, entry: call.Entry{Number: n}}
				v.take(call)
				c.here = append(c.here, call)
				c.taken = append(c.taken, n)
			}
		}
	}
	c.forget()
}

func (c *correspondence) pinged(l lanePing) {
	p := lanePong{upTo: l.upTo, gone: l.asked}
	if v := c.visitor; v != nil {
		v.settle(l.settled)
		p.gone = v.repeat(member.ID{}, l.asked, c.reply)
		p.stream, p.taken = v.stream, v.taken
		c.forget()
	}
	c.back = append(c.back, p)
}

func (c *correspondence) forget() {
	if c.visitor.idle() {
		c.visitor = nil
	}
}

func (c *correspondence) reply(frame []byte) { c.back = append(c.back, frame) }

// run answers one of the calls at the cell.
func (c *correspondence) run(i int) {
	if len(c.here) == 0 {
		return
	}
	i %= len(c.here)
	h := c.here[i]
	c.here = slices.Delete(c.here, i, i+1)
	h.answered = true
	c.visitor.let()
	c.visitor.answer(member.ID{}, h.place, h.entry.Number, &objstore.Outcome{Err: ErrDead})
	c.reply(c.visitor.next())
}

// arriveAtCaller has the first message to the caller arrive.
func (c *correspondence) arriveAtCaller() {
	if len(c.back) == 0 {
		return
	}
	message := c.back[0]
	c.back = c.back[1:]
	if p, ok := message.(lanePong); ok {
		foreign := c.lane.isForeign(p)
		if foreign && !(c.forged && c.lane.outrun(p.stream)) {
			c.t.Fatalf("the lane is at stream %d, place %d, and the cell at %d, %d", c.lane.stream, c.lane.last, p.stream, p.taken)
		}
		c.lane.arrived(p.stream, p.taken, p.upTo)
		for _, place := range p.gone {
			if c.lane.at(place) != nil && (place <= p.taken || place <= c.lane.origin) {
				if !c.forged {
					c.t.Fatalf("the answer to the call at %d is said to be lost for good", place)
				}
				c.end(c.lane.at(place))
			}
		}
		return
	}
	_, r, err := readAnswers(message.([]byte))
	if err != nil {
		c.t.Fatal(err)
	}
	for r.Left() > 0 {
		place, _, _ := readAnswer(&r)
		switch out := c.lane.at(place); {
		case out == nil:
		case c.failing[out.Number()] && !c.again[out.Number()]:
			c.again[out.Number()] = true
			c.lane.retract(out)
			c.makeAgain(out)
		default:
			c.end(out)
		}
	}
}

// move ends an epoch: what is on its way is for nobody, calls that were taken fail, and the others go to a cell that knows nothing.
func (c *correspondence) move() {
	c.toCell, c.back, c.here, c.visitor = nil, nil, nil, nil
	for out := range c.lane.underway {
		if slices.Contains(c.taken, out.Number()) {
			c.end(out)
		}
	}
	c.lane.again(0)
}

func (c *correspondence) makeAgain(out *outgoing) {
	delete(c.lane.unready, out)
	c.lane.push(out)
}

func (c *correspondence) end(out *outgoing) {
	if !out.ended {
		out.ended = true
		c.lane.forget(out)
	}
}

func TestEveryCallIsTakenOnceAndInOrderWhateverGetsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ordered := rapid.Bool().Draw(t, "ordered")
		c := &correspondence{t: t, lane: &lane{stream: 1, ordered: ordered}, failing: make(map[uint64]bool), again: make(map[uint64]bool)}
		cancelled := make(map[uint64]bool)
		some := rapid.IntRange(0, 1000)
		lose := func(messages *[]any) {
			if len(*messages) > 0 {
				*messages = slices.Delete(*messages, 0, 1)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"submit": func(t *rapid.T) {
				c.submit(some.Draw(t, "ready") > 300)
				c.failing[uint64(len(c.calls))] = some.Draw(t, "fails") > 700
			},
			"send":           func(t *rapid.T) { c.send(1 + some.Draw(t, "most")%4) },
			"ping":           func(t *rapid.T) { c.ping() },
			"arriveAtCell":   func(t *rapid.T) { c.arriveAtCell() },
			"arriveAtCaller": func(t *rapid.T) { c.arriveAtCaller() },
			"run":            func(t *rapid.T) { c.run(some.Draw(t, "which") * (1 - map[bool]int{true: 1}[ordered])) },
			"move":           func(t *rapid.T) { c.move() },
			"loseToCell":     func(t *rapid.T) { lose(&c.toCell) },
			"loseToCaller":   func(t *rapid.T) { lose(&c.back) },
			"makeReady": func(t *rapid.T) {
				if n := len(c.calls); n > 0 {
					c.makeReady(c.calls[some.Draw(t, "which")%n])
				}
			},
			"cancel": func(t *rapid.T) {
				if n := len(c.calls); n > 0 {
					out := c.calls[some.Draw(t, "which")%n]
					cancelled[out.Number()] = true
					c.end(out)
				}
			},
		})
		for _, out := range c.calls {
			c.makeReady(out)
		}
		for range 3 * (len(c.calls) + 1) { // nothing gets lost any more
			c.send(batchCalls)
			c.ping()
			for len(c.toCell)+len(c.back)+len(c.here) > 0 {
				c.arriveAtCell()
				c.run(0)
				c.arriveAtCaller()
			}
		}
		once := make(map[uint64]bool)
		for _, n := range c.taken {
			if once[n] && !c.again[n] {
				t.Fatalf("call %d was taken twice: %v", n, c.taken)
			}
			once[n] = true
		}
		c.taken = slices.DeleteFunc(c.taken, func(n uint64) bool { return c.again[n] })
		for _, out := range c.calls {
			if n := out.Number(); !out.ended || !once[n] && !cancelled[n] {
				t.Fatalf("call %d has an outcome: %v, was taken: %v", n, out.ended, once[n])
			}
		}
		if ordered && !slices.IsSorted(c.taken) {
			t.Fatalf("taken out of order: %v", c.taken)
		}
	})
}

func TestEveryCallEndsWhateverIsSaidInItsCallersName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &correspondence{t: t, lane: &lane{stream: 1, ordered: true}, forged: true}
		some := rapid.IntRange(0, 1000)
		number := rapid.Uint64Max(20)
		t.Repeat(map[string]func(*rapid.T){
			"submit":         func(t *rapid.T) { c.submit(true) },
			"send":           func(t *rapid.T) { c.send(1 + some.Draw(t, "most")%4) },
			"ping":           func(t *rapid.T) { c.ping() },
			"arriveAtCell":   func(t *rapid.T) { c.arriveAtCell() },
			"arriveAtCaller": func(t *rapid.T) { c.arriveAtCaller() },
			"run":            func(t *rapid.T) { c.run(0) },
			"forge": func(t *rapid.T) {
				head := mailHeader{stream: number.Draw(t, "stream"), origin: number.Draw(t, "origin"), settled: number.Draw(t, "settled"), first: number.Draw(t, "first")}
				c.toCell = append(c.toCell, letters{head, rapid.SliceOfN(rapid.Uint64Min(1000), 0, 3).Draw(t, "calls")})
			},
			"forgePing": func(t *rapid.T) {
				c.toCell = append(c.toCell, lanePing{stream: number.Draw(t, "stream"), upTo: number.Draw(t, "upTo"), settled: number.Draw(t, "settled")})
			},
		})
		for range 3 * (len(c.calls) + 1) { // nobody forges any more
			c.send(batchCalls)
			c.ping()
			for len(c.toCell)+len(c.back)+len(c.here) > 0 {
				c.arriveAtCell()
				c.run(0)
				c.arriveAtCaller()
			}
		}
		for _, out := range c.calls {
			if !out.ended {
				t.Fatalf("call %d has no outcome", out.Number())
			}
		}
	})
}
