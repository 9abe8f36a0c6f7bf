package task

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

func drawLaneHeader(t *rapid.T) laneHeader {
	return laneHeader{
		owner: rapid.Make[member.ID]().Draw(t, "owner"), generation: rapid.Uint64Max(1<<40).Draw(t, "generation"),
		lane: rapid.Uint64().Draw(t, "lane"), epoch: rapid.Uint64().Draw(t, "epoch"), confirmed: rapid.Uint64().Draw(t, "confirmed"),
	}
}

// drawValue draws an encoded value; its bytes mean nothing here.
func drawValue(t *rapid.T) bus.Value {
	return bus.Value{
		Format: bus.Format(rapid.ByteRange(1, byte(bus.Structs)-1).Draw(t, "format")), Data: rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "data"),
	}
}

func drawEntry(t *rapid.T) call.Entry {
	e := call.Entry{
		Number: rapid.Uint64().Draw(t, "number"), Attempt: rapid.Uint16Min(1).Draw(t, "attempt"),
		Plain: rapid.Bool().Draw(t, "plain"), Args: call.WireArgs{},
	}
	if ns := rapid.Int64().Draw(t, "deadline"); ns != 0 {
		e.Deadline = ns
	}
	for range rapid.IntRange(0, 2).Draw(t, "args") {
		a := call.WireArg{Object: rapid.Make[objstore.ID]().Draw(t, "object")}
		if rapid.Bool().Draw(t, "is a value") {
			a = call.WireArg{Value: drawValue(t)}
		}
		e.Args = e.Args.AppendArg(a)
	}
	return e
}

// tasks is a tasksFrame and what it says.
type tasks struct {
	laneHeader
	more    bool
	need    member.Amounts
	entries []call.Entry
}

func drawTasks(t *rapid.T) tasks {
	m := tasks{
		laneHeader: drawLaneHeader(t), more: rapid.Bool().Draw(t, "more"),
		entries: make([]call.Entry, rapid.IntRange(0, 4).Draw(t, "tasks")),
	}
	if need := rapid.MapOfN(rapid.String(), rapid.Int64Min(1), 0, 3).Draw(t, "need"); len(need) > 0 {
		m.need = need
	}
	for i := range m.entries {
		m.entries[i] = drawEntry(t)
	}
	return m
}

func (m *tasks) frame() []byte {
	b := appendTasks(nil, m.laneHeader, m.more, call.AppendNeed(nil, m.need), len(m.entries))
	for i := range m.entries {
		b = m.entries[i].AppendTo(b)
	}
	return b
}

// drawPing draws a ping; the replies that are missing are in order.
func drawPing(t *rapid.T) pingMessage {
	m := pingMessage{laneHeader: drawLaneHeader(t), tick: rapid.Uint64().Draw(t, "tick")}
	ends := slices.Sorted(slices.Values(rapid.SliceOfNDistinct(rapid.Uint64Min(1), 0, 8, rapid.ID).Draw(t, "ends of spans")))
	for ; len(ends) > 1; ends = ends[2:] {
		m.missing = append(m.missing, span{ends[0], ends[1]})
	}
	if len(ends) > 0 {
		m.missing = append(m.missing, span{ends[0], ends[0]})
	}
	return m
}

// readOwnerFrame reads a frame of an owner as a desk does.
func readOwnerFrame(frame []byte) error {
	r, kind := bus.ReadFrame(frame)
	switch kind {
	case tasksFrame:
		m, err := readTasks(r)
		if err != nil {
			return err
		}
		_, err = m.jobs()
		return err
	case pingFrame:
		_, err := readPing(r)
		return err
	case cancelFrame:
		_, _, err := readCancel(r)
		return err
	}
	return r.Err()
}

func TestTasksAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawTasks(t)
		r, kind := bus.ReadFrame(want.frame())
		m, err := readTasks(r)
		if err != nil || kind != tasksFrame {
			t.Fatal(err)
		}
		jobs, err := m.jobs()
		need := bus.ReadFields(m.need)
		got := tasks{m.laneHeader, m.more, call.ReadNeed(&need), make([]call.Entry, len(jobs))}
		for i := range jobs {
			got.entries[i] = jobs[i].entry
		}
		if err != nil || need.Err() != nil || !reflect.DeepEqual(got, want) || m.rest.Left() > 0 {
			t.Fatalf("%+v was read as %+v, %v, and %d bytes are left", want, got, err, m.rest.Left())
		}
	})
}

func TestAPingIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawPing(t)
		r, kind := bus.ReadFrame(want.append(nil))
		if got, err := readPing(r); err != nil || kind != pingFrame || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v was read as %+v, %v", want, got, err)
		}
	})
}

func TestACancellationIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, numbers := drawLaneHeader(t), rapid.SliceOf(rapid.Uint64()).Draw(t, "numbers")
		r, kind := bus.ReadFrame(appendCancel(nil, want, numbers...))
		if got, n, err := readCancel(r); err != nil || kind != cancelFrame || got != want || !slices.Equal(n, numbers) {
			t.Fatalf("%+v of %v was read as %+v of %v, %v", want, numbers, got, n, err)
		}
	})
}

// drawGuestMessage draws what a host says of a lane.
func drawGuestMessage(t *rapid.T) guestMessage {
	m := guestMessage{
		guestHeader: guestHeader{
			host: rapid.Make[member.ID]().Draw(t, "host"), lane: rapid.Uint64().Draw(t, "lane"),
			epoch: rapid.Uint64().Draw(t, "epoch"), seq: rapid.Uint64().Draw(t, "seq"),
			window: rapid.Uint32Range(0, maxWindow).Draw(t, "window"),
		},
		kind: rapid.SampledFrom([]byte{replyFrame, offerFrame, leftFrame, pongFrame, goneFrame}).Draw(t, "kind"),
	}
	switch m.kind {
	case replyFrame:
		for range rapid.IntRange(1, 4).Draw(t, "results") {
			m.results = append(m.results, drawResult(t))
		}
	case pongFrame:
		m.tick = rapid.Uint64().Draw(t, "tick")
		if held := rapid.SliceOf(rapid.Uint64()).Draw(t, "held"); len(held) > 0 {
			m.held = held
		}
	case goneFrame:
		m.to = rapid.Uint64Min(m.seq).Draw(t, "to")
	}
	return m
}

func drawResult(t *rapid.T) result {
	p := result{
		number: rapid.Uint64().Draw(t, "number"), attempt: rapid.IntMin(1).Draw(t, "attempt"),
		status: rapid.SampledFrom([]call.Status{call.Done, call.Busy, call.Refused}).Draw(t, "status"),
	}
	switch {
	case p.status == call.Busy:
	case rapid.Bool().Draw(t, "failed"):
		p.outcome = &objstore.Outcome{Err: bus.Failure{Code: "cancelled", Message: rapid.String().Draw(t, "message")}.Err()}
	default:
		p.outcome = &objstore.Outcome{Value: drawValue(t)}
	}
	return p
}

// frame makes the frame that a desk makes.
func (m *guestMessage) frame() []byte {
	switch m.kind {
	case replyFrame:
		var o outbox
		for i := range m.results {
			o.add(&m.results[i])
		}
		_, b := o.next()
		m.put(b, replyFrame)
		return b
	case pongFrame:
		var jobs jobList
		for _, n := range m.held {
			jobs.add(&job{entry: call.Entry{Number: n}})
		}
		return appendPong(m.guestHeader, m.tick, &jobs)
	case goneFrame:
		return bus.AppendUint(m.guestHeader.frame(goneFrame), m.to)
	}
	return m.guestHeader.frame(m.kind)
}

func TestWhatAHostSaysIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawGuestMessage(t)
		if got, err := readGuestMessage(want.frame(), nil); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v was read as %+v, %v", want, got, err)
		}
	})
}

func TestAnAnnouncedWindowIsBounded(t *testing.T) {
	m := guestMessage{guestHeader: guestHeader{window: 1<<32 - 1}, kind: offerFrame}
	if got, err := readGuestMessage(m.frame(), nil); err != nil || got.window != maxWindow {
		t.Errorf("a window of %d, %v", got.window, err)
	}
}

func TestAnOwnersFrameThatIsCutShortAnywhereIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, ping := drawTasks(t), drawPing(t)
		for name, frame := range map[string][]byte{
			"tasks": m.frame(), "a ping": ping.append(nil),
			"a cancellation": appendCancel(nil, drawLaneHeader(t), rapid.SliceOf(rapid.Uint64()).Draw(t, "numbers")...),
		} {
			for n := range frame {
				if err := readOwnerFrame(frame[:n]); !errors.Is(err, bus.ErrMalformed) {
					t.Fatalf("%d of the %d bytes of %s: %v", n, len(frame), name, err)
				}
			}
		}
	})
}

// The results of a reply and the numbers of a pong end with the frame, so a cut between two of them is a shorter list. A frame comes
// whole or not at all: NATS counts its bytes.
func TestAHostsFrameThatIsCutShortIsRefusedOrAShorterList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawGuestMessage(t)
		frame := want.frame()
		for n := range frame {
			got, err := readGuestMessage(frame[:n], nil)
			if errors.Is(err, bus.ErrMalformed) {
				continue
			}
			shorter := false
			switch want.kind {
			case replyFrame:
				k := len(got.results)
				shorter = k < len(want.results) && (k == 0 || reflect.DeepEqual(got.results, want.results[:k]))
			case pongFrame:
				k := len(got.held)
				shorter = got.tick == want.tick && k < len(want.held) && slices.Equal(got.held, want.held[:k])
			}
			if err != nil || !shorter || got.guestHeader != want.guestHeader {
				t.Fatalf("%d of the %d bytes of %+v were read as %+v, %v", n, len(frame), want, got, err)
			}
		}
	})
}

func TestAFrameOfAnotherKindIsRefused(t *testing.T) {
	d := newDesk(member.ID{1}, member.NewCapacity(needs(1)), 64)
	offer := guestMessage{kind: offerFrame}
	for _, frame := range [][]byte{nil, []byte("{}"), bus.AppendFrame(nil, 0), offer.frame()} {
		if err := d.handle("f", "reply", true, frame, 0); !errors.Is(err, bus.ErrMalformed) {
			t.Errorf("%q from an owner: %v", frame, err)
		}
	}
	for _, frame := range [][]byte{nil, []byte("{}"), bus.AppendFrame(nil, 0), (&tasks{}).frame()} {
		if _, err := readGuestMessage(frame, nil); !errors.Is(err, bus.ErrMalformed) {
			t.Errorf("%q from a host: %v", frame, err)
		}
	}
}

func TestSpansOfRepliesThatNoOwnerCouldMissAreRefused(t *testing.T) {
	for name, missing := range map[string][]span{
		"a reply before the first": {{0, 3}},
		"an end before its start":  {{3, 2}},
		"the same twice":           {{1, 3}, {1, 3}},
		"one inside another":       {{1, 9}, {2, 3}},
		"a later one first":        {{5, 6}, {1, 2}},
	} {
		m := pingMessage{missing: missing}
		if err := readOwnerFrame(m.append(nil)); !errors.Is(err, bus.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone := guestMessage{guestHeader: guestHeader{seq: 8}, kind: goneFrame, to: 3}
	if _, err := readGuestMessage(gone.frame(), nil); !errors.Is(err, bus.ErrMalformed) {
		t.Errorf("replies 8 to 3 that are not kept: %v", err)
	}
}

func TestTasksOfAMalformedNeedAreRefused(t *testing.T) {
	for name, need := range map[string][]byte{
		"none": {}, "cut short": {1, 3, 'C'}, "nothing of a resource": {1, 1, 'C', 0}, "a count that is a lie": {200, 1, 1, 'C', 1},
	} {
		d, _ := openDesk(t, 1)
		frame := appendTasks(nil, laneHeader{}, true, need, 0)
		if err := d.handle("f", "reply", true, frame, 0); !errors.Is(err, bus.ErrMalformed) || len(d.guests) > 0 {
			t.Errorf("a need of %s: %v, and %d lanes are known", name, err, len(d.guests))
		}
	}
}
