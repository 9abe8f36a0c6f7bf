package shared

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"manta/internal/member"
	"manta/objstore"
)

// play is a fifo under random calls of three processes, and what it is to come to.
type play struct {
	*fifo
	t       *rapid.T
	tickets uint64
	puts    map[ticket]*waiter
	takes   map[ticket]*waiter
	away    map[member.ID]bool
	got     []string
	told    map[ticket]bool // that the queue was shut down, before the last call
}

func (p *play) ticket(label string) ticket {
	p.tickets++
	return objstore.NewID(member.ID{byte(rapid.IntRange(1, 3).Draw(p.t, label))}, p.tickets)
}

func (p *play) someone(label string, calls map[ticket]*waiter) (ticket, bool) {
	if len(calls) == 0 {
		return ticket{}, false
	}
	tickets := make([]ticket, 0, len(calls))
	for t := range calls {
		tickets = append(tickets, t)
	}
	slices.SortFunc(tickets, func(a, b ticket) int { return int(a.Number()) - int(b.Number()) })
	return rapid.SampledFrom(tickets).Draw(p.t, label), true
}

func (w *waiter) decided() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

func TestAFIFOLosesNothingAndNobodyWaitsInVain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &play{
			fifo: newFIFO(rapid.IntRange(0, 4).Draw(t, "capacity")), t: t,
			puts: map[ticket]*waiter{}, takes: map[ticket]*waiter{}, away: map[member.ID]bool{}, told: map[ticket]bool{},
		}
		t.Repeat(map[string]func(*rapid.T){
			"put":      p.doPut,
			"take":     p.doTake,
			"confirm":  p.doConfirm,
			"withdraw": p.doWithdraw,
			"leave":    p.doLeave,
			"shutdown": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "really") == 0 {
					p.shutdown()
				}
			},
			"": p.check,
		})
	})
}

func (p *play) doPut(*rapid.T) {
	w := newWaiter(p.ticket("putter"), rapid.IntRange(1, 5).Draw(p.t, "items"))
	for i := range w.need {
		w.items = append(w.items, item{Data: fmt.Appendf(nil, "%d/%d", w.ticket.Number(), i)})
	}
	p.puts[w.ticket] = w
	p.fifo.put(w, rapid.Bool().Draw(p.t, "waits"))
}

func (p *play) doTake(*rapid.T) {
	w := newWaiter(p.ticket("taker"), rapid.IntRange(1, 5).Draw(p.t, "wants"))
	p.takes[w.ticket] = w
	p.take(w, rapid.Bool().Draw(p.t, "waits"))
}

func (p *play) doConfirm(*rapid.T) {
	ticket, ok := p.someone("confirms", p.takes)
	if !ok {
		return
	}
	entries := p.hand[ticket]
	if held := p.confirm(ticket); held != (len(entries) > 0) {
		p.t.Fatalf("confirm says %v of %d items", held, len(entries))
	}
	for _, e := range entries {
		p.got = append(p.got, string(e.item.Data))
	}
}

func (p *play) doWithdraw(*rapid.T) {
	if ticket, ok := p.someone("taker withdraws", p.takes); ok && rapid.Bool().Draw(p.t, "take") {
		p.withdraw(ticket)
		if len(p.hand[ticket]) > 0 || !p.takes[ticket].decided() {
			p.t.Fatal("a call that is withdrawn has items in hand, or waits")
		}
	} else if ticket, ok := p.someone("putter withdraws", p.puts); ok {
		p.withdraw(ticket)
		if !p.puts[ticket].decided() {
			p.t.Fatal("a call that is withdrawn waits")
		}
	}
}

func (p *play) doLeave(*rapid.T) {
	node := member.ID{byte(rapid.IntRange(1, 3).Draw(p.t, "node"))}
	if p.away[node] = !p.away[node]; p.away[node] {
		p.left(node)
	} else {
		p.joined(node)
	}
}

// check holds what is to be true between any two calls.
func (p *play) check(*rapid.T) {
	var all []string
	for _, w := range p.puts {
		if w.decided() && w.verdict == granted {
			for _, it := range w.items {
				all = append(all, string(it.Data))
			}
		}
	}
	there := slices.Clone(p.got)
	for _, e := range p.entries {
		there = append(there, string(e.item.Data))
	}
	for ticket, entries := range p.hand {
		if p.away[ticket.Owner()] {
			p.t.Fatal("a process that is gone has items in hand")
		}
		for _, e := range entries {
			there = append(there, string(e.item.Data))
		}
	}
	slices.Sort(all)
	slices.Sort(there)
	if !slices.Equal(all, there) {
		p.t.Fatalf("put were %q, in the queue, in hands and got are %q", all, there)
	}
	if !slices.IsSortedFunc(p.entries, func(a, b entry) int { return int(a.number) - int(b.number) }) {
		p.t.Fatal("the queue is out of order")
	}
	p.checkWaiters()
}

func (p *play) checkWaiters() {
	for _, w := range slices.Concat(p.putters, p.takers) {
		if w.decided() || p.away[w.ticket.Owner()] {
			p.t.Fatal("somebody waits who has his verdict, or is gone")
		}
	}
	taker, putter := p.takers.first(), p.putters.first()
	switch {
	case taker != nil && putter != nil:
		p.t.Fatal("takers and putters wait for each other")
	case taker != nil && taker.need <= len(p.entries):
		p.t.Fatal("somebody waits for what there is")
	case taker != nil && p.shut && len(p.hand) == 0:
		p.t.Fatal("somebody waits for what will never come")
	case putter != nil && (p.shut || p.capacity == 0 || len(p.entries)+putter.need <= p.capacity):
		p.t.Fatal("somebody waits for room that there is")
	}
	left := len(p.entries)
	for _, entries := range p.hand {
		left += len(entries)
	}
	for ticket, w := range p.takes {
		if w.decided() && w.verdict == ended && !p.told[ticket] {
			if p.told[ticket] = true; w.need <= left {
				p.t.Fatal("somebody was told that nothing comes any more, and as much as he wants may come back")
			}
		}
	}
	undecided := 0
	for _, w := range p.puts {
		if !w.decided() {
			undecided++
		}
	}
	for _, w := range p.takes {
		if !w.decided() {
			undecided++
		}
	}
	if undecided != len(p.putters)+len(p.takers) {
		p.t.Fatalf("%d calls have no verdict, %d wait", undecided, len(p.putters)+len(p.takers))
	}
}

func TestWhatATicketHadInHandGoesBackToItsPlace(t *testing.T) {
	f := newFIFO(0)
	data := func(entries []entry) (s string) {
		for _, e := range entries {
			s += string(e.item.Data)
		}
		return s
	}
	node := func(n byte) ticket { return objstore.NewID(member.ID{n}, uint64(n)) }
	p := newWaiter(node(9), 4)
	for _, s := range []string{"a", "b", "c", "d"} {
		p.items = append(p.items, item{Data: []byte(s)})
	}
	f.put(p, true)
	for n := range byte(3) {
		f.take(newWaiter(node(n+1), 1), true)
	}
	f.withdraw(node(2))
	f.left(node(1).Owner())
	if data(f.entries) != "abd" {
		t.Errorf("the queue has %s, want a and b before d", data(f.entries))
	}
	if !f.confirm(node(3)) || f.confirm(node(2)) || f.confirm(node(1)) {
		t.Error("only the third still has what it took")
	}
}

func TestACallThatWasWithdrawnBeforeItCameIsNotHeard(t *testing.T) {
	f, early := newFIFO(0), objstore.NewID(member.ID{1}, 1)
	f.withdraw(early)
	for _, want := range []verdict{withdrawn, granted} { // the second one cannot be: it shows that the first is forgotten
		w := newWaiter(early, 1)
		w.items = []item{{}}
		if f.put(w, true); !w.decided() || w.verdict != want {
			t.Errorf("verdict %d, want %d", w.verdict, want)
		}
	}
	for n := range uint64(2 * mostWithdrawn) {
		f.withdraw(objstore.NewID(member.ID{1}, n))
	}
	if len(f.withdrawn) > mostWithdrawn {
		t.Errorf("%d tickets are remembered, want at most %d", len(f.withdrawn), mostWithdrawn)
	}
}
