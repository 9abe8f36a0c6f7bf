package task

import (
	"fmt"
	"slices"

	"manta/bus"
	"manta/internal/call"
	"manta/objstore"
)

// handlePing answers with what is here of the lane. Replies that its owner lacks come before that.
func (d *desk) handlePing(function, reply string, r bus.Reader, now moment) error {
	m, err := readPing(r)
	if err != nil {
		return err
	}
	if reply == "" {
		return bus.ErrNoReply
	}
	if late, err := d.late(m.laneHeader, now); late || err != nil {
		return err
	}
	g := d.guests[guestKey{m.owner, m.lane}]
	if g == nil {
		g = &guest{guestKey: guestKey{m.owner, m.lane}, function: function, reply: reply}
		d.publish(g, appendPong(guestHeader{host: d.id, lane: m.lane}, m.tick, &g.jobs))
		return nil
	}
	if g.function != function {
		return errOtherFunction
	}
	g.touched, g.reply = now, reply // where its owner hears, whatever a frame in its name has said
	g.outbox.confirm(m.epoch, m.confirmed)
	d.repeat(g, m)
	d.send(g, now)
	for j := g.jobs.first; j != nil; j = j.after {
		j.untold = false
	}
	d.publish(g, appendPong(d.header(g, d.slots.window(g)), m.tick, &g.jobs))
	return nil
}

// repeat sends replies again that did not arrive, or says that they are not kept.
func (d *desk) repeat(g *guest, m pingMessage) {
	if m.epoch != g.outbox.epoch {
		return
	}
	for _, s := range m.missing {
		for seq := s.from; seq <= min(s.to, g.outbox.seq); seq++ {
			if frame := g.outbox.find(seq); frame != nil {
				d.publish(g, frame)
				continue
			}
			head := d.header(g, 0)
			head.seq = seq
			if first := g.outbox.oldest(); first > seq+1 { // none between is kept
				seq = min(first-1, s.to)
			}
			d.publish(g, bus.AppendUint(head.frame(goneFrame), seq))
		}
	}
}

// handleCancel ends tasks: those that wait here never run, the ctx of those that run ends.
func (d *desk) handleCancel(r bus.Reader, now moment) error {
	head, numbers, err := readCancel(r)
	if err != nil {
		return err
	}
	g := d.guests[guestKey{head.owner, head.lane}]
	if g == nil {
		return nil
	}
	slices.Sort(numbers)
	for j, after := g.jobs.first, (*job)(nil); j != nil; j = after {
		after = j.after
		if _, found := slices.BinarySearch(numbers, j.entry.Number); !found {
			continue
		}
		if d.slots.queues(j) {
			d.slots.forget(j)
			d.answer(j, call.Done, &objstore.Outcome{Err: fmt.Errorf("%s: %w", g.function, call.ErrCancelled)})
			continue
		}
		j.cancel(call.ErrCancelled)
	}
	d.send(g, now)
	return nil
}
