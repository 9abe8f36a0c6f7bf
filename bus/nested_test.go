package bus_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"

	"manta/bus"
)

// name encodes as the name of an object does.
type name struct{ id byte }

func (n name) EncodeMsgpack(enc *msgpack.Encoder) error {
	id := bus.RefID{n.id}
	if value, ok := enc.Writer().(bus.Nester); ok {
		value.Nest(id, n)
	}
	if err := enc.EncodeExtHeader(77, len(id)); err != nil {
		return err
	}
	_, err := enc.Writer().Write(id[:])
	return err
}

func TestAValueSaysWhichNamesAreInIt(t *testing.T) {
	type parcel struct {
		One  name
		Many []name
		Any  any
	}
	v, err := bus.Encode(parcel{name{1}, []name{{2}, {3}}, map[string]any{"k": name{4}}})
	if err != nil {
		t.Fatal(err)
	}
	want := []bus.RefID{{1}, {2}, {3}, {4}}
	if v.Refs == nil || !slices.Equal(v.Refs.IDs, want) || len(v.Refs.Held) != len(want) {
		t.Errorf("got %+v, want %v and what keeps each", v.Refs, want)
	}
	var scanned []bus.RefID
	bus.Extensions(v.Data, 77, func(data []byte) { scanned = append(scanned, bus.RefID(data)) })
	if !slices.Equal(scanned, want) {
		t.Errorf("in its bytes there are %v, want %v", scanned, want)
	}
	if plain, err := bus.Encode([]any{1, "x"}); err != nil || plain.Refs != nil {
		t.Errorf("a value without names: %+v, %v", plain.Refs, err)
	}
}

func TestAValueOfTooManyNamesIsRefused(t *testing.T) {
	many := make([]name, 32_769)
	for i := range many {
		many[i].id = byte(i)
	}
	if _, err := bus.Encode(many); err == nil || !strings.Contains(err.Error(), "32769 refs") {
		t.Errorf("got %v", err)
	}
	if _, err := bus.Encode(many[1:]); err != nil {
		t.Errorf("one less: %v", err)
	}
}

func TestNamesTravelBesideTheirValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := bus.Value{Format: bus.Msgpack, Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data")}
		if n := rapid.IntRange(0, 5).Draw(t, "refs"); n > 0 {
			want.Refs = &bus.Refs{Loan: rapid.Uint64().Draw(t, "loan")}
			for range n {
				want.Refs.IDs = append(want.Refs.IDs, bus.RefID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")))
			}
			if want.Refs.Loan > 0 {
				want.Refs.Lender = [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
			}
		}
		r := bus.ReadFields(want.AppendTo(nil))
		got := r.ReadValue()
		if r.Err() != nil || r.Left() > 0 || got.Format != want.Format || !bytes.Equal(got.Data, want.Data) {
			t.Fatalf("%+v was read as %+v, %v", want, got, r.Err())
		}
		if (got.Refs == nil) != (want.Refs == nil) {
			t.Fatalf("%+v was read as %+v", want.Refs, got.Refs)
		}
		if got.Refs != nil && (!slices.Equal(got.Refs.IDs, want.Refs.IDs) || got.Refs.Loan != want.Refs.Loan || got.Refs.Lender != want.Refs.Lender) {
			t.Fatalf("%+v was read as %+v", want.Refs, got.Refs)
		}
	})
}

func TestMalformedNamesAreRefused(t *testing.T) {
	for what, frame := range map[string][]byte{
		"none":       {'m' | 0x80, 0, 0, 1, 0},
		"cut short":  {'m' | 0x80, 2, 1, 2, 3},
		"a huge one": {'m' | 0x80, 0xff, 0xff, 0xff, 0xff, 0x7f},
	} {
		r := bus.ReadFields(frame)
		if v := r.ReadValue(); r.Err() == nil {
			t.Errorf("%s: read as %+v", what, v)
		}
	}
}
