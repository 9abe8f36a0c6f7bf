package task

import (
	"testing"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/internal/recorded"
	"manta/objstore"
)

func TestRecordedFramesOfTasksAreReadAsTheyWereMeant(t *testing.T) {
	head := laneHeader{owner: member.ID{1, 2, 3, 4, 5, 6, 7, 8}, generation: 2, lane: 3, epoch: 1 << 40, confirmed: 5}
	type sent struct {
		laneHeader
		more    bool
		need    member.Amounts
		entries []call.Entry
	}
	recorded.Play(t, bus.FrameVersion, "tasks", sent{head, true, needs(0.5), []call.Entry{
		{Number: 1, Attempt: 2, Deadline: 1e18, Plain: true, Args: call.WireArgs{}.AppendArg(call.WireArg{Value: bus.Value{Format: bus.Text, Data: []byte("x")}})},
		{Number: 300, Attempt: 1, Args: call.WireArgs{}.AppendArg(call.WireArg{Object: objstore.ID{9}})},
	}}, func(s sent) []byte { m := tasks(s); return m.frame() }, func(frame []byte) (s sent, err error) {
		r, _ := bus.ReadFrame(frame)
		m, err := readTasks(r)
		if err != nil {
			return s, err
		}
		jobs, err := m.jobs()
		for i := range jobs {
			s.entries = append(s.entries, jobs[i].entry)
		}
		need := bus.ReadFields(m.need)
		s.laneHeader, s.more, s.need = m.laneHeader, m.more, call.ReadNeed(&need)
		return s, err
	})
	recorded.Play(t, bus.FrameVersion, "ping", pingMessage{head, 7, []span{{1, 1}, {3, 1 << 50}}},
		func(m pingMessage) []byte { return m.append(nil) },
		func(frame []byte) (pingMessage, error) { r, _ := bus.ReadFrame(frame); return readPing(r) })
	type cancelled struct {
		laneHeader
		numbers []uint64
	}
	recorded.Play(t, bus.FrameVersion, "cancel", cancelled{head, []uint64{1, 300}},
		func(c cancelled) []byte { return appendCancel(nil, c.laneHeader, c.numbers...) },
		func(frame []byte) (c cancelled, err error) {
			r, _ := bus.ReadFrame(frame)
			c.laneHeader, c.numbers, err = readCancel(r)
			return c, err
		})

	guest := guestHeader{host: member.ID{8, 7, 6}, lane: 3, epoch: 1 << 60, seq: 9, window: 64}
	for name, m := range map[string]guestMessage{
		"reply": {guestHeader: guest, kind: replyFrame, results: []result{
			{number: 1, attempt: 1, status: call.Done, outcome: &objstore.Outcome{Value: bus.Value{Format: bus.Msgpack, Data: []byte{7}}}},
			{number: 2, attempt: 3, status: call.Busy},
		}},
		"gone":  {guestHeader: guest, kind: goneFrame, to: 12},
		"offer": {guestHeader: guest, kind: offerFrame},
		"left":  {guestHeader: guest, kind: leftFrame},
		"pong":  {guestHeader: guest, kind: pongFrame, tick: 4, held: []uint64{1, 1 << 33}},
	} {
		recorded.Play(t, bus.FrameVersion, name, m, func(m guestMessage) []byte { return m.frame() },
			func(frame []byte) (guestMessage, error) { return readGuestMessage(frame, nil) })
	}
}

func TestRecordedFramesOfStreamsAreReadAsTheyWereMeant(t *testing.T) {
	head := streamHeader{host: member.ID{1}, attempt: 2}
	recorded.Play(t, bus.FrameVersion, "item", producerMessage{streamHeader: head, kind: itemFrame, item: item{
		seq: 5, outcome: objstore.Outcome{Value: bus.Value{Format: bus.Text, Data: []byte("token")}},
	}}, func(m producerMessage) []byte { return m.item.appendTo(m.appendTo(nil, itemFrame)) }, readProducerMessage)
	recorded.Play(t, bus.FrameVersion, "question", producerMessage{streamHeader: head, kind: questionFrame, sent: 6},
		func(m producerMessage) []byte { return bus.AppendUint(m.appendTo(nil, questionFrame), m.sent) }, readProducerMessage)
	type word struct {
		producerKey
		credit
	}
	recorded.Play(t, bus.FrameVersion, "credit", word{producerKey{member.ID{1}, 2, 3}, credit{received: 9, taken: 4, buffered: 77, again: true}},
		func(w word) []byte { return w.appendTo(nil, w.producerKey) },
		func(frame []byte) (w word, err error) {
			w.producerKey, w.credit, err = readCredit(frame)
			return w, err
		})
	recorded.Play(t, bus.FrameVersion, "descriptor", descriptor{window{16, 1 << 20}, 7, "manta.default.reply.node.x.stream.7"},
		func(d descriptor) []byte { return d.value().Data },
		func(data []byte) (descriptor, error) {
			return readDescriptor(bus.Value{Format: streamFormat, Data: data})
		})
}

func TestRecordedDurableTasksAreReadAsTheyWereMeant(t *testing.T) {
	p := policy{
		need: needs(2), retries: 3, backoff: call.Backoff{First: time.Second, Max: time.Minute}, any: true, codes: []string{"sold_out"}, keep: time.Hour,
		placing: call.Placing{Node: member.ID{1}, Soft: true},
	}
	recorded.Play(t, bus.FrameVersion, "policy", p, func(p policy) []byte { return p.appendTo(nil) }, readPolicy)
	args := call.WireArgs{}.AppendKeep(call.Keep{ID: objstore.ID{1, 2}, For: time.Hour}).AppendArg(call.WireArg{Value: bus.Value{Format: bus.JSON, Data: []byte("7")}})
	recorded.Play(t, bus.FrameVersion, "deposit", deposit{deadline: 1e18, policy: p.appendTo(nil), args: args}, func(d deposit) []byte { return d.frame() }, readDeposit)
	recorded.Play(t, bus.FrameVersion, "record", objstore.Outcome{Value: bus.Value{Format: bus.Msgpack, Data: []byte{42}}},
		func(out objstore.Outcome) []byte { return recordOf(&out) },
		func(data []byte) (objstore.Outcome, error) { return readRecord(&bus.Msg{Data: data}), nil })
	type word struct {
		kind byte
		key  string
	}
	recorded.Play(t, bus.FrameVersion, "ended", word{endFrame, "orders.42"},
		func(w word) []byte { return append(bus.AppendFrame(nil, w.kind), w.key...) },
		func(frame []byte) (w word, err error) { w.kind, w.key, err = readHolderWord(frame); return w, err })
}
