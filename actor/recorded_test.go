package actor

import (
	"encoding/json"
	"testing"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/internal/recorded"
	"manta/objstore"
)

func TestRecordedFramesOfActorsAreReadAsTheyWereMeant(t *testing.T) {
	from := sender{member.ID{1, 2, 3}, 4}
	type mail struct {
		mailHeader
		method string
		entry  call.Entry
	}
	recorded.Play(t, bus.FrameVersion, "mail", mail{
		mailHeader{sender: from, birth: objstore.ID{5}, epoch: 6, generation: 7, lane: 8, stream: 9, origin: 10, settled: 11, first: 12}, "Add",
		call.Entry{Number: 13, Attempt: 1, Args: call.WireArgs{}.AppendArg(text("x"))},
	}, func(m mail) []byte { return mailOf(m.mailHeader, m.method, m.entry) }, func(frame []byte) (m mail, err error) {
		h, r, err := readMail(frame)
		method, entry := readCall(&r)
		return mail{h, string(method), entry}, err
	})
	type answer struct {
		answersHeader
		place, number uint64
		out           objstore.Outcome
	}
	recorded.Play(t, bus.FrameVersion, "answers", answer{answersHeader{member.ID{1}, 2, 3, 1}, 4, 5, objstore.Outcome{Value: bus.Value{Format: bus.Msgpack, Data: []byte{6}}}},
		func(a answer) []byte {
			b := appendAnswer(appendAnswers(nil, a.host, a.epoch, a.lane), a.place, a.number, &a.out)
			b[answersHead-1] = byte(a.count)
			return b
		}, func(frame []byte) (a answer, err error) {
			h, r, err := readAnswers(frame)
			a.answersHeader = h
			a.place, a.number, a.out = readAnswer(&r)
			return a, err
		})
	recorded.Play(t, bus.FrameVersion, "ping", ping{sender: from, birth: objstore.ID{3}, lanes: []lanePing{{1, 2, 3, 4, []uint64{5, 6}}}},
		func(p ping) []byte { return p.append(nil) }, readPing)
	recorded.Play(t, bus.FrameVersion, "pong", pong{host: member.ID{1}, epoch: 6, status: call.Moved, lanes: []lanePong{{1, 2, 3, 4, []uint64{5}}}},
		func(p pong) []byte { return p.append(nil) }, readPong)
	recorded.Play(t, bus.FrameVersion, "pong_class", pong{host: member.ID{1}, epoch: 6, status: call.Busy, class: "counter"},
		func(p pong) []byte { return p.append(nil) }, readPong)
	type cancelled struct {
		visitorKey
		place uint64
	}
	recorded.Play(t, bus.FrameVersion, "cancel", cancelled{visitorKey{from, 3}, 4},
		func(c cancelled) []byte { return appendCancel(nil, c.sender, c.lane, c.place) },
		func(frame []byte) (c cancelled, err error) {
			c.visitorKey, c.place, err = readCancel(frame)
			return c, err
		})
	recorded.Play(t, bus.FrameVersion, "inquiry", inquiry{attempt{objstore.ID{1}, 2}, "visits"}, func(q inquiry) []byte { return q.append(nil) }, readInquiry)
}

func TestARecordedRecordOfAnActorIsReadAsItWasMeant(t *testing.T) {
	recorded.Play(t, bus.FrameVersion, "actor", record{
		Class: "counter", State: recordRestarting, Node: member.ID{1}, Birth: objstore.ID{2}, Epoch: 3, Detached: true, Cause: "why", Snapshot: []byte{4},
		lifespan: lifespan{Limit: 5, Restarts: 1, Weight: 0.5, LostAt: time.Unix(1e9, 0).UTC()},
	}, func(r record) []byte { b, _ := json.Marshal(r); return b }, func(data []byte) (record, error) { return readRecord("x", data) })
	rec, err := readRecord("x", []byte(`{"class":"counter","state":"alive","epoch":3,"colour":{"of":["the","next","version"]}}`))
	if err != nil || rec.State != recordAlive || rec.Epoch != 3 {
		t.Errorf("with fields of a later version: %+v, %v", rec, err)
	}
}
