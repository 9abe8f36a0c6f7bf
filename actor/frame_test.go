package actor

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// mailOf is a message of one call.
func mailOf(h mailHeader, method string, e call.Entry) []byte {
	return e.AppendTo(bus.AppendString(h.append(nil), method))
}

func FuzzReadMail(f *testing.F) {
	h := mailHeader{sender: sender{member.ID{1}, 2}, birth: objstore.ID{3}, epoch: 10, generation: 4, lane: 5, stream: 6, origin: 7, settled: 8, first: 9}
	f.Add(h.append(nil))
	f.Add(mailOf(h, "Add", call.Entry{Number: 1, Attempt: 1}))
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, r, err := readMail(frame)
		if err != nil {
			return
		}
		again := h.append(nil)
		for r.Left() > 0 {
			method, e := readCall(&r)
			if r.Err() == nil {
				again = e.AppendTo(bus.AppendBytes(again, method))
			}
		}
		if other, _, err := readMail(again); err != nil || other != h {
			t.Fatalf("%+v was read back as %+v, %v", h, other, err)
		}
	})
}

func FuzzReadAnswers(f *testing.F) {
	frame := appendAnswers(nil, member.ID{1}, 3, 2)
	f.Add(frame)
	f.Add(appendAnswer(frame, 7, 8, &objstore.Outcome{Value: bus.Value{Format: bus.Text, Data: []byte("x")}}))
	f.Add(appendAnswer(frame, 8, 9, &objstore.Outcome{Err: ErrDead}))
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, r, err := readAnswers(frame)
		if err != nil {
			return
		}
		if head := append(appendAnswers(nil, h.host, h.epoch, h.lane)[:answersHead-1], byte(h.count)); !bytes.Equal(head, frame[:answersHead]) {
			t.Fatalf("%v was read of %v", head, frame[:answersHead])
		}
		for r.Left() > 0 {
			readAnswer(&r)
		}
	})
}

func FuzzReadPing(f *testing.F) {
	p := ping{sender: sender{member.ID{1}, 2}, birth: objstore.ID{3}, lanes: []lanePing{{1, 2, 3, 4, []uint64{5, 6}}}}
	f.Add(p.append(nil))
	f.Fuzz(func(t *testing.T, frame []byte) {
		p, err := readPing(frame)
		if err != nil {
			return
		}
		if again, err := readPing(p.append(nil)); err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("%+v was read back as %+v, %v", p, again, err)
		}
	})
}

func TestAPingAsksForEachAnswerOnce(t *testing.T) {
	for name, lanes := range map[string][]lanePing{
		"a place twice":       {{asked: []uint64{1, 2, 2}}},
		"places out of order": {{asked: []uint64{2, 1}}},
		"a lane twice":        {{lane: 1}, {lane: 1}},
	} {
		p := ping{lanes: lanes}
		if _, err := readPing(p.append(nil)); !errors.Is(err, bus.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReadPong(f *testing.F) {
	for _, p := range []pong{
		{host: member.ID{1}, epoch: 6, status: call.Accepted, lanes: []lanePong{{1, 2, 3, 4, []uint64{5}}}},
		{status: call.Refused, err: ErrDead},
		{epoch: 7, status: call.Moved, class: "counter"},
	} {
		f.Add(p.append(nil))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		p, err := readPong(frame)
		if err != nil {
			return
		}
		again, err := readPong(p.append(nil))
		if err != nil || again.host != p.host || again.epoch != p.epoch || again.status != p.status || again.class != p.class || !reflect.DeepEqual(again.lanes, p.lanes) {
			t.Fatalf("%+v was read back as %+v, %v", p, again, err)
		}
	})
}

func TestACancellationIsReadAsItWasWritten(t *testing.T) {
	want := visitorKey{sender{member.ID{1}, 2}, 3}
	frame := appendCancel(nil, want.sender, want.lane, 4)
	if key, place, err := readCancel(frame); err != nil || key != want || place != 4 {
		t.Errorf("got %+v, %d, %v", key, place, err)
	}
	for n := range frame {
		if key, place, err := readCancel(frame[:n]); err == nil {
			t.Errorf("the first %d bytes were read as %+v, %d", n, key, place)
		}
	}
}
