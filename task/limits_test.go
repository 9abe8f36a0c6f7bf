package task

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// A frame may cost memoryPerByte bytes of memory for each of its own, and memoryPerFrame beside that: a task of 3 bytes becomes
// a job, a number of one byte takes 8.
const (
	memoryPerByte  = 256
	memoryPerFrame = 64 << 10
)

// allocated is how many bytes f allocates.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// wantCheap checks that taking in a frame of so many bytes takes no more than it may.
func wantCheap(t *testing.T, size int, f func()) {
	t.Helper()
	begun := time.Now()
	if got := allocated(f); got > memoryPerFrame+memoryPerByte*int64(size) {
		t.Errorf("%d bytes allocated %d", size, got)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("%d bytes took %v", size, took)
	}
}

// openDesk is a desk that serves everything, and counts what it publishes.
func openDesk(t testing.TB, n float64) (d *desk, published *int) {
	published = new(int)
	d = newDesk(member.ID{1}, member.NewCapacity(needs(n)), 64)
	d.lookup = func(string) (call.Handler, bool) {
		return func(context.Context, []bus.Value, bool, []byte) (bus.Value, error) { return bus.Value{}, nil }, true
	}
	d.publish = func(_ *guest, frame []byte) {
		if _, err := readGuestMessage(frame, nil); err != nil {
			t.Fatalf("what a desk says cannot be read: %v", err)
		}
		*published++
	}
	d.rouse, d.alarm = func() {}, func() {}
	return d, published
}

// tasksOf makes a tasksFrame of so many tasks without arguments.
func tasksOf(head laneHeader, n int) []byte {
	m := tasks{laneHeader: head, need: needs(1), entries: make([]call.Entry, n)}
	for i := range m.entries {
		m.entries[i] = call.Entry{Number: uint64(i) + 1, Attempt: 1}
	}
	return m.frame()
}

func TestACountOfTasksThatIsALieCostsNothing(t *testing.T) {
	d, _ := openDesk(t, 1)
	for name, n := range map[string]int{"more than there are bytes": math.MaxInt, "one a byte": 1 << 20} {
		frame := append(appendTasks(nil, laneHeader{}, true, nil, n), make([]byte, 1<<20)...)
		if got := allocated(func() {
			if err := d.handle("f", "reply", true, frame, 0); !errors.Is(err, bus.ErrMalformed) {
				t.Errorf("%s: %v", name, err)
			}
		}); got > memoryPerFrame {
			t.Errorf("%s: %d bytes were allocated", name, got)
		}
	}
	if len(d.guests) > 0 {
		t.Error("a lane was made of it")
	}
}

func TestAFrameOfManyTasksCostsWhatTheyDo(t *testing.T) {
	d, _ := openDesk(t, 1)
	frame := tasksOf(laneHeader{}, 100_000)
	wantCheap(t, len(frame), func() {
		if err := d.handle("f", "reply", true, frame, 0); err != nil {
			t.Error(err)
		}
	})
}

// deskWithReplies returns a desk with a lane of which so many replies were sent.
func deskWithReplies(t *testing.T, n int) (*desk, *guest, *int) {
	d, published := openDesk(t, 1)
	if err := d.handle("f", "reply", true, tasksOf(laneHeader{}, 0), 0); err != nil {
		t.Fatal(err)
	}
	g := d.guests[guestKey{}]
	for i := range n {
		g.outbox.add(&result{number: uint64(i), status: call.Busy})
		seq, frame := g.outbox.next()
		guestHeader{epoch: g.outbox.epoch, seq: seq}.put(frame, replyFrame)
	}
	return d, g, published
}

func TestAPingForRepliesThatWereNeverSentIsAnsweredAtOnce(t *testing.T) {
	d, g, published := deskWithReplies(t, 10)
	g.outbox.confirm(g.outbox.epoch, 5)
	ping := pingMessage{laneHeader: laneHeader{epoch: g.outbox.epoch}, tick: 1, missing: []span{{1, 1 << 63}, {1<<63 + 1, math.MaxUint64}}}
	wantCheap(t, 100, func() {
		if err := d.handle("f", "reply", true, ping.append(nil), 0); err != nil {
			t.Error(err)
		}
	})
	if *published != 5+1+1 {
		t.Errorf("%d frames were sent, want 5 replies, that those before are gone, and a pong", *published)
	}
}

func TestNoPingHasAReplySentTwice(t *testing.T) {
	d, g, published := deskWithReplies(t, 1000)
	ping := pingMessage{laneHeader: laneHeader{epoch: g.outbox.epoch}}
	for i := range uint64(100_000) {
		ping.missing = append(ping.missing, span{1 + i, 1 + i})
	}
	if err := d.handle("f", "reply", true, ping.append(nil), 0); err != nil || *published != 1000+1 {
		t.Errorf("%d frames were sent, %v, want 1000 replies and a pong", *published, err)
	}
	for i := range ping.missing {
		ping.missing[i] = span{1, 1000}
	}
	*published = 0
	if err := d.handle("f", "reply", true, ping.append(nil), 0); !errors.Is(err, bus.ErrMalformed) || *published > 0 {
		t.Errorf("%d frames were sent, %v", *published, err)
	}
}

func TestACancellationOfManyTasksCostsNoMoreThanItsBytes(t *testing.T) {
	d, _ := openDesk(t, 1)
	if err := d.handle("f", "reply", true, tasksOf(laneHeader{}, 1), 0); err != nil {
		t.Fatal(err)
	}
	g := d.guests[guestKey{}]
	g.pace.note(time.Microsecond, 1)
	if err := d.handle("f", "reply", true, tasksOf(laneHeader{}, 2000), 0); err != nil || g.queue.len() != 2000 {
		t.Fatalf("%d tasks wait, %v", g.queue.len(), err)
	}
	numbers := make([]uint64, 1<<20)
	for i := range numbers {
		numbers[i] = 100 + 1<<20 - uint64(i)
	}
	frame := appendCancel(nil, laneHeader{}, numbers...)
	wantCheap(t, len(frame), func() {
		if err := d.handle("f", "reply", true, frame, 0); err != nil {
			t.Error(err)
		}
	})
	if g.queue.len() != 100 {
		t.Errorf("%d tasks wait, want the 100 that were not named", g.queue.len())
	}
}

// idleActions is nothing done for a lane.
type idleActions struct{ pings, sent int }

func (a *idleActions) send(*lane, *peer, []*submission, bool)    { a.sent++ }
func (a *idleActions) ping(*lane, *peer, uint32)                 { a.pings++ }
func (a *idleActions) cancelled(*peer, *submission)              {}
func (a *idleActions) finish(s *submission, _ *objstore.Outcome) { s.ended = true }
func (a *idleActions) stray(uint64, *objstore.Outcome)           {}
func (a *idleActions) lost(*submission, *peer) bool              { return true }

func TestAPongOfManyNumbersCostsNoMoreThanItsBytes(t *testing.T) {
	l := newLane("f", 0, nil, &idleActions{}, 64)
	m := guestMessage{kind: pongFrame, tick: 1, held: make([]uint64, 1<<20)}
	for i := range m.held {
		m.held[i] = uint64(i)
	}
	frame := m.frame()
	wantCheap(t, len(frame), func() {
		m, err := readGuestMessage(frame, nil)
		if err != nil {
			t.Fatal(err)
		}
		l.hear(l.join(m.host, 0, 0), &m, 0)
	})
}

func TestHugeRangesOfRepliesAreOneSpan(t *testing.T) {
	do := &idleActions{}
	l := newLane("f", 0, nil, do, 64)
	p := l.join(member.ID{1}, 0, 0)
	for _, m := range []guestMessage{
		{kind: replyFrame, guestHeader: guestHeader{epoch: 1, seq: math.MaxUint64}, results: []result{{status: call.Busy}}},
		{kind: goneFrame, guestHeader: guestHeader{epoch: 1, seq: 0}, to: math.MaxUint64 - 1},
		{kind: pongFrame, guestHeader: guestHeader{epoch: 2, seq: math.MaxUint64}, tick: 1},
		{kind: goneFrame, guestHeader: guestHeader{epoch: 2, seq: 2}, to: math.MaxUint64 - 1},
	} {
		frame := m.frame()
		wantCheap(t, len(frame), func() {
			m, err := readGuestMessage(frame, nil)
			if err != nil {
				t.Fatal(err)
			}
			l.hear(p, &m, 0)
		})
	}
	if got := p.receipts.confirmed(); got != 0 || len(p.receipts.missing) != 2 {
		t.Errorf("%v are missing, %d is confirmed", p.receipts.missing, got)
	}
	if do.pings > 4 {
		t.Errorf("it was pinged %d times", do.pings)
	}
}
