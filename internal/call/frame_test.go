package call_test

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// drawValue draws an encoded value; its bytes mean nothing here.
func drawValue(t *rapid.T) bus.Value {
	return bus.Value{
		Format: bus.Format(rapid.ByteRange(1, byte(bus.Structs)-1).Draw(t, "format")),
		Data:   rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "data"),
	}
}

// mostAttempts is the largest attempt that travels.
const mostAttempts = 1<<16 - 1

func drawRequest(t *rapid.T) call.Request {
	q := call.Request{
		Owner: rapid.Make[member.ID]().Draw(t, "owner"),
		Entry: call.Entry{
			Number:  rapid.Uint64().Draw(t, "number"),
			Attempt: rapid.Uint16Min(1).Draw(t, "attempt"),
			Plain:   rapid.Bool().Draw(t, "plain"),
			Args:    call.WireArgs{},
		},
	}
	if need := rapid.MapOfN(rapid.String(), rapid.Int64Min(1), 0, 3).Draw(t, "need"); len(need) > 0 {
		q.Need = need
	}
	if ns := rapid.Int64().Draw(t, "deadline"); ns != 0 {
		q.Deadline = ns
	}
	for range rapid.IntRange(0, 4).Draw(t, "args") {
		if rapid.Bool().Draw(t, "is an object") {
			q.Args = q.Args.AppendArg(call.WireArg{Object: rapid.Make[objstore.ID]().Draw(t, "object")})
		} else {
			q.Args = q.Args.AppendArg(call.WireArg{Value: drawValue(t)})
		}
	}
	return q
}

func drawReply(t *rapid.T) call.Reply {
	p := call.Reply{
		Host:    rapid.Make[member.ID]().Draw(t, "host"),
		Number:  rapid.Uint64().Draw(t, "number"),
		Attempt: rapid.IntRange(1, mostAttempts).Draw(t, "attempt"),
		Status:  rapid.SampledFrom([]call.Status{call.Accepted, call.Busy, call.Moved, call.Done, call.Refused}).Draw(t, "status"),
	}
	if p.Status != call.Done && p.Status != call.Refused {
		return p
	}
	switch rapid.IntRange(0, 2).Draw(t, "outcome") {
	case 0:
		p.Outcome.Value = drawValue(t)
	case 1:
		blob := bus.Blob{ID: rapid.StringMatching(`[a-z2-7]{13}\.[A-Za-z0-9]{22}`).Draw(t, "blob"), Size: rapid.Int64Min(0).Draw(t, "size"), Chunk: 1}
		p.Outcome.Blob = &objstore.StoredBlob{Blob: blob, Format: bus.Msgpack}
	default:
		p.Outcome.Err = bus.Failure{Code: "cancelled", Message: rapid.String().Draw(t, "message")}.Err()
	}
	return p
}

func TestARequestIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawRequest(t)
		got, err := call.ReadRequest(want.AppendTo(nil))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v was read as %+v, %v", want, got, err)
		}
	})
}

func TestAReplyIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawReply(t)
		got, err := call.ReadReply(want.AppendTo(nil))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v was read as %+v, %v", want, got, err)
		}
		if want.Outcome.Err != nil && !errors.Is(got.Outcome.Err, call.ErrCancelled) {
			t.Fatalf("the error was read as %v", got.Outcome.Err)
		}
	})
}

func TestAFrameThatIsCutShortAnywhereIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		request, reply := drawRequest(t), drawReply(t)
		cut := func(frame []byte) []byte { return frame[:rapid.IntRange(0, len(frame)-1).Draw(t, "cut")] }
		if _, err := call.ReadRequest(cut(request.AppendTo(nil))); !errors.Is(err, bus.ErrMalformed) {
			t.Fatalf("request: %v", err)
		}
		if _, err := call.ReadReply(cut(reply.AppendTo(nil))); !errors.Is(err, bus.ErrMalformed) {
			t.Fatalf("reply: %v", err)
		}
	})
}

func TestAFrameOfAnotherKindIsRefused(t *testing.T) {
	request, reply := (&call.Request{}).AppendTo(nil), (&call.Reply{Status: call.Busy}).AppendTo(nil)
	for _, frame := range [][]byte{reply, nil, []byte("{}"), bus.AppendFrame(nil, 0)} {
		if _, err := call.ReadRequest(frame); !errors.Is(err, bus.ErrMalformed) {
			t.Errorf("%q as a request: %v", frame, err)
		}
	}
	for _, frame := range [][]byte{request, nil, []byte("{}"), bus.AppendFrame(nil, 0)} {
		if _, err := call.ReadReply(frame); !errors.Is(err, bus.ErrMalformed) {
			t.Errorf("%q as a reply: %v", frame, err)
		}
	}
}

func TestANeedThatIsNotPositiveIsRefused(t *testing.T) {
	for _, n := range []int64{0, -1} {
		q := call.Request{Need: member.Amounts{"CPU": n}}
		if _, err := call.ReadRequest(q.AppendTo(nil)); !errors.Is(err, bus.ErrMalformed) {
			t.Errorf("a need of %d: %v", n, err)
		}
	}
}

func TestAnAttemptThatAFrameNamesIsBounded(t *testing.T) {
	entry := bus.AppendUint(append(bus.AppendUint(nil, 1), 1<<2), 1<<40) // number, the flag that an attempt follows, the attempt
	r := bus.ReadFields(bus.AppendBytes(entry, nil))
	if got := call.ReadEntry(&r); r.Err() != nil || got.Attempt != mostAttempts {
		t.Errorf("an entry of attempt %d, %v", got.Attempt, r.Err())
	}
	p := call.Reply{Status: call.Busy, Attempt: 1 << 40}
	if got, err := call.ReadReply(p.AppendTo(nil)); err != nil || got.Attempt != mostAttempts {
		t.Errorf("a reply to attempt %d, %v", got.Attempt, err)
	}
}

func TestArgumentsAreListedAsTheyWereAppended(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := call.WireArgs{}
		want := make([]call.WireArg, rapid.IntRange(0, 4).Draw(t, "args"))
		for i := range want {
			if want[i].Object = rapid.Make[objstore.ID]().Draw(t, "object"); rapid.Bool().Draw(t, "is a value") {
				want[i] = call.WireArg{Value: drawValue(t)}
			}
			w = w.AppendArg(want[i])
		}
		got, err := w.List()
		if err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v were listed as %+v, %v", want, got, err)
		}
	})
}

func TestMalformedArgumentsAreRefusedWithTheirFrame(t *testing.T) {
	for name, args := range map[string]call.WireArgs{
		"a value without a format": {'v', 0, 0},
		"a value cut short":        {'v', byte(bus.Text), 2, 'x'},
		"a name cut short":         {'r', 1, 2, 3},
		"an unknown kind":          {'?', 1, 2, 3},
	} {
		q := call.Request{Entry: call.Entry{Args: args}}
		if _, err := call.ReadRequest(q.AppendTo(nil)); !errors.Is(err, bus.ErrMalformed) {
			t.Errorf("%s in a request: %v", name, err)
		}
		if _, err := args.List(); !errors.Is(err, bus.ErrMalformed) {
			t.Errorf("%s in a list: %v", name, err)
		}
	}
}

func FuzzReadRequest(f *testing.F) {
	full := call.Request{
		Owner: member.ID{1}, Need: member.Amounts{"CPU": 1}, Entry: call.Entry{
			Number: 2, Attempt: 3, Deadline: 1e9, Plain: true,
			Args: wire(call.WireArg{Value: bus.Value{Format: bus.Text, Data: []byte("x")}}, call.WireArg{Object: objstore.ID{2}}),
		},
	}
	f.Add(full.AppendTo(nil))
	f.Add((&call.Request{}).AppendTo(nil))
	f.Fuzz(func(t *testing.T, frame []byte) {
		q, err := call.ReadRequest(frame)
		if err != nil {
			return
		}
		for name, amount := range q.Need {
			if amount <= 0 {
				t.Fatalf("%d of %q is needed", amount, name)
			}
		}
		if _, err := q.Args.List(); err != nil {
			t.Fatalf("its arguments: %v", err)
		}
		again, err := call.ReadRequest(q.AppendTo(nil))
		if err != nil || !reflect.DeepEqual(again, q) {
			t.Fatalf("%+v was read back as %+v, %v", q, again, err)
		}
	})
}

func FuzzReadReply(f *testing.F) {
	f.Add((&call.Reply{Status: call.Busy}).AppendTo(nil))
	f.Add((&call.Reply{Status: call.Done, Outcome: objstore.Outcome{Value: bus.Value{Format: bus.Text, Data: []byte("x")}}}).AppendTo(nil))
	f.Add((&call.Reply{Status: call.Refused, Outcome: objstore.Outcome{Err: call.ErrDeadline}}).AppendTo(nil))
	f.Fuzz(func(t *testing.T, frame []byte) {
		p, err := call.ReadReply(frame)
		if err != nil {
			return
		}
		again, err := call.ReadReply(p.AppendTo(nil))
		if err != nil || again.Host != p.Host || again.Number != p.Number || again.Status != p.Status || again.Attempt != p.Attempt {
			t.Fatalf("%+v was read back as %+v, %v", p, again, err)
		}
	})
}
