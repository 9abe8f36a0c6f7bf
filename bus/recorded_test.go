package bus_test

import (
	"errors"
	"strings"
	"testing"

	"manta/bus"
	"manta/internal/recorded"
)

func TestRecordedValuesAreReadAsTheyWereMeant(t *testing.T) {
	for name, v := range map[string]bus.Value{
		"text": {Format: bus.Text, Data: []byte("héllo")}, "map": encodedAny(t, map[string]any{"a": []any{int64(1), 2.5, nil, true, []byte{3}}}),
		"numbers": encodedAny(t, []float64{0, -1.5}),
		"refs":    {Format: bus.Msgpack, Data: []byte{0xc0}, Refs: &bus.Refs{IDs: []bus.RefID{{1}, {2}}, Loan: 3}},
	} {
		recorded.Play(t, bus.FrameVersion, name, v, func(v bus.Value) []byte { return v.AppendTo(nil) },
			func(data []byte) (bus.Value, error) { r := bus.ReadFields(data); return r.ReadValue(), r.Err() })
	}
	recorded.Play(t, bus.FrameVersion, "failure", bus.Failure{Code: "failed", Message: "sold out", Detail: []byte{1}}, func(f bus.Failure) []byte { return f.AppendTo(nil) },
		func(data []byte) (bus.Failure, error) { r := bus.ReadFields(data); return r.ReadFailure(), r.Err() })
	type refusal struct{ Error, Status, Code, Body string }
	recorded.Play(t, bus.FrameVersion, "refusal", refusal{"it is closed", "500", "closed", `{"error":"it is closed"}`}, func(r refusal) []byte {
		msg := bus.NewRefusal("x", r.Status, r.Code, errors.New(r.Error))
		return []byte(msg.Header.Get("Nats-Service-Error") + "\n" + msg.Header.Get("Nats-Service-Error-Code") + "\n" + msg.Header.Get("Manta-Error") + "\n" + string(msg.Data))
	}, func(data []byte) (refusal, error) {
		parts := strings.SplitN(string(data), "\n", 4)
		return refusal{parts[0], parts[1], parts[2], parts[3]}, nil
	})
}

func encodedAny(t *testing.T, v any) bus.Value {
	t.Helper()
	value, err := bus.EncodeFrom(addressable(v), nil)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestAFrameOfAnotherVersionIsRefusedWithBothVersions(t *testing.T) {
	for _, version := range []byte{bus.FrameVersion - 1, bus.FrameVersion + 1, 255} {
		r, kind := bus.ReadFrame([]byte{bus.FrameMark, version})
		if err := r.Err(); kind != 0 || !errors.Is(err, bus.ErrVersion) || !errors.Is(err, bus.ErrMalformed) || !bus.IsFrame([]byte{bus.FrameMark, version}) {
			t.Errorf("version %d: %v", version, err)
		}
	}
	r, _ := bus.ReadFrame([]byte{bus.FrameMark, 7, 'x'})
	if want := "it is of version 7, this process reads version 1"; r.Err() == nil || r.Err().Error() != "malformed frame: another version of frames: "+want {
		t.Errorf("got %v", r.Err())
	}
}
