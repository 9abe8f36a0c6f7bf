package task

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// What a fuzz target is given is a conversation: steps, each a byte that says what happens around a frame, the frame's length, and
// the frame.
const (
	stepDoor     = 1 << iota // the frame came through the queue group, or from a host that is not known
	stepFinish               // the task that has run longest returns first, or a task is submitted
	stepLater                // some time passes first
	stepMuchMore             // a lot of time
)

func appendStep(b []byte, flags byte, frame []byte) []byte {
	return append(binary.AppendUvarint(append(b, flags), uint64(len(frame))), frame...)
}

// nextStep takes a step off a conversation; a length that is too large means the rest.
func nextStep(b []byte) (flags byte, frame, rest []byte) {
	n, size := binary.Uvarint(b[1:])
	if size <= 0 {
		return b[0], nil, nil
	}
	rest = b[1+size:]
	n = min(n, uint64(len(rest)))
	return b[0], rest[:n:n], rest[n:]
}

// passed is how much time passes before a step.
func passed(flags byte) (d time.Duration) {
	if flags&stepLater != 0 {
		d += 6 * time.Millisecond
	}
	if flags&stepMuchMore != 0 {
		d += 2 * guestFor
	}
	return d
}

// conversation joins frames to a conversation.
func conversation(frames ...[]byte) (b []byte) {
	for i, frame := range frames {
		b = appendStep(b, byte(i), frame)
	}
	return b
}

func FuzzDesk(f *testing.F) {
	head := laneHeader{owner: member.ID{2}, generation: 1}
	ping := pingMessage{laneHeader: head, tick: 1, missing: []span{{1, 1}, {3, math.MaxUint64}}}
	ping.epoch = 1
	full := tasks{laneHeader: head, more: true, need: needs(0.5), entries: []call.Entry{
		{Number: 1, Attempt: 2, Deadline: 1e9, Plain: true},
		{Number: 2, Attempt: 1, Args: call.WireArgs{}.AppendArg(call.WireArg{Object: objstore.ID{1}}).AppendArg(call.WireArg{Value: bus.Value{Format: bus.Text}})},
	}}
	confirmed := head
	confirmed.epoch, confirmed.confirmed = 1, 1
	late := head
	late.generation = 0
	f.Add(conversation(full.frame(), tasksOf(confirmed, 3), ping.append(nil), appendCancel(nil, head, 1, 2, 3)))
	f.Add(conversation(tasksOf(head, 5), tasksOf(head, 5), tasksOf(head, 5), tasksOf(late, 1), ping.append(nil), ping.append(nil)))
	f.Add(conversation(tasksOf(head, 1), ping.append(nil), (&pingMessage{}).append(nil), appendCancel(nil, head), tasksOf(laneHeader{lane: 1}, 9)))
	f.Fuzz(func(t *testing.T, input []byte) {
		d, published := openDesk(t, 2)
		now := time.Second
		var running []*job
		for len(input) > 0 {
			flags, frame, rest := nextStep(input)
			input = rest
			if now += passed(flags); flags&stepFinish != 0 && len(running) > 0 {
				j := running[0]
				running = running[1:]
				next := d.finished(j, j.guest.need, 20*time.Microsecond, 1, now)
				d.answerSoon(j, &objstore.Outcome{Value: bus.Value{Format: bus.Bytes}}, next == nil, now)
				if next != nil {
					running = append(running, next)
				}
			}
			kept := 0
			for _, g := range d.guests {
				kept += g.outbox.kept()
			}
			*published = 0
			took := allocated(func() {
				if err := d.handle("f", "reply", flags&stepDoor == 0, frame, now); err != nil && !errors.Is(err, bus.ErrMalformed) {
					t.Fatalf("a frame was refused with %v", err)
				}
			})
			if most := int64(memoryPerFrame + memoryPerByte*(len(frame)+*published)); took > most {
				t.Fatalf("a frame of %d bytes allocated %d", len(frame), took)
			}
			if *published > kept+len(frame)+2 {
				t.Fatalf("%d frames answer one of %d bytes, and %d were kept", *published, len(frame), kept)
			}
			if flags&stepLater != 0 {
				d.tick(now)
			}
			running = append(running, d.starting...)
			d.starting = nil
			checkDesk(t, d, running)
		}
	})
}

// checkDesk holds what is true of a desk between events.
func checkDesk(t *testing.T, d *desk, running []*job) {
	t.Helper()
	here, runs := 0, 0
	used := member.Amounts{}
	for _, g := range d.guests {
		for j := g.jobs.first; j != nil; j = j.after {
			here++
		}
		runs += g.running
		for range g.running {
			used = used.Plus(g.need)
		}
		if got := g.jobs.first != nil; got != (g.running+g.queue.len() > 0) {
			t.Fatalf("a lane has tasks: %v, of which %d run and %d wait", got, g.running, g.queue.len())
		}
	}
	if here != d.held || runs != len(running) {
		t.Fatalf("%d tasks are counted and %d are here; %d of %d run", d.held, here, runs, len(running))
	}
	if !d.slots.capacity.Total().Covers(used) {
		t.Fatalf("%v run on %v", used, d.slots.capacity.Total())
	}
}

func FuzzGuestMessage(f *testing.F) {
	head := guestHeader{host: member.ID{1}, epoch: 7, seq: 1, window: 4}
	second, other, huge := head, head, head
	second.seq = 2
	other.host, huge.seq = member.ID{3}, math.MaxUint64
	done := result{number: 1, attempt: 1, status: call.Done, outcome: &objstore.Outcome{Value: bus.Value{Format: bus.Text, Data: []byte("x")}}}
	failed := result{number: 2, attempt: 1, status: call.Refused, outcome: &objstore.Outcome{Err: call.ErrDeadline}}
	busy := result{number: 3, attempt: 1, status: call.Busy}
	frames := func(all ...guestMessage) (b [][]byte) {
		for i := range all {
			b = append(b, all[i].frame())
		}
		return b
	}
	f.Add(conversation(frames(
		guestMessage{guestHeader: head, kind: pongFrame, held: []uint64{1}},
		guestMessage{guestHeader: head, kind: replyFrame, results: []result{done, failed, busy}},
		guestMessage{guestHeader: second, kind: pongFrame, tick: 1, held: []uint64{4}},
		guestMessage{guestHeader: second, kind: replyFrame, results: []result{busy}},
	)...))
	f.Add(conversation(frames(
		guestMessage{guestHeader: head, kind: offerFrame}, guestMessage{guestHeader: other, kind: offerFrame}, guestMessage{guestHeader: head, kind: leftFrame},
		guestMessage{guestHeader: huge, kind: replyFrame, results: []result{done}},
		guestMessage{guestHeader: second, kind: goneFrame, to: math.MaxUint64},
		guestMessage{guestHeader: head, kind: pongFrame, tick: math.MaxUint64},
	)...))
	f.Fuzz(func(t *testing.T, input []byte) {
		do := &idleActions{}
		l := newLane("f", 0, needs(1), do, 64)
		now := time.Second
		l.join(member.ID{1}, 4, now)
		l.join(member.ID{2}, 1, now)
		var all []*submission
		submit := func() {
			s := &submission{lane: l}
			s.Target, s.Attempt = &call.Target{Name: "f"}, 1
			s.Object = named(objstore.NewID(member.ID{9}, uint64(len(all)+1)))
			all = append(all, s)
			l.backlog.push(s)
			l.pump(now)
		}
		for range 8 {
			submit()
		}
		for len(input) > 0 {
			flags, frame, rest := nextStep(input)
			input = rest
			if now += passed(flags); flags&stepFinish != 0 {
				submit()
			}
			pinged, sent := do.pings, do.sent
			took := allocated(func() {
				m, err := readGuestMessage(frame, nil)
				if err != nil {
					if !errors.Is(err, bus.ErrMalformed) {
						t.Fatalf("a frame was refused with %v", err)
					}
					return
				}
				p := l.peers[m.host]
				if p == nil && flags&stepDoor == 0 { // most frames are to be of peers that have something
					p = l.order[0]
				}
				if p == nil {
					p = l.join(m.host, 0, now)
				}
				l.hear(p, &m, now)
			})
			if most := int64(memoryPerFrame + memoryPerByte*len(frame)); took > most {
				t.Fatalf("a frame of %d bytes allocated %d", len(frame), took)
			}
			if do.pings-pinged > 2 || do.sent-sent > 2*(len(all)+len(l.order)) {
				t.Fatalf("a frame had %d pings and %d frames sent", do.pings-pinged, do.sent-sent)
			}
			if flags&stepLater != 0 {
				l.look(now, 0)
			}
			checkLane(t, l, all)
		}
	})
}

// checkLane holds that every task is in one place, and what is under way is counted.
func checkLane(t *testing.T, l *lane, all []*submission) {
	t.Helper()
	places := make(map[*submission]int)
	for _, s := range append(append([]*submission(nil), l.backlog.front...), l.backlog.rest[l.backlog.head:]...) {
		places[s]++
	}
	inflight := 0
	for _, p := range l.order {
		for n, s := range p.flight {
			if places[s]++; s.at != p || s.Number() != n {
				t.Fatalf("task %d is not where it is said to be", n)
			}
			inflight++
		}
		for last, missing := uint64(0), p.receipts.missing; len(missing) > 0; missing = missing[1:] {
			if s := missing[0]; s.from <= last || s.to < s.from || s.to > p.receipts.newest {
				t.Fatalf("replies %v are missing of %d", p.receipts.missing, p.receipts.newest)
			}
			last = missing[0].to
		}
	}
	if l.door != nil {
		places[l.door.task]++
	}
	if inflight != l.inflight {
		t.Fatalf("%d tasks are under way, and %d are counted", inflight, l.inflight)
	}
	for _, s := range all {
		if want := 1; places[s] != want && !(s.ended && places[s] == 0) {
			t.Fatalf("task %d, ended: %v, is in %d places", s.Number(), s.ended, places[s])
		}
	}
}
