package objstore_test

import (
	"bytes"
	"errors"
	"testing"

	"manta/bus"
	"manta/objstore"
)

func FuzzQuestionForAChunk(f *testing.F) {
	frame := append(bus.AppendFrame(nil, 'c'), make([]byte, 24)...)
	f.Add(bus.AppendUint(bus.AppendUint(bus.AppendString(frame, "owner.blob"), 7), 1))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		again, err := objstore.ReadChunkQuestion(data)
		if err != nil {
			return
		}
		if twice, err := objstore.ReadChunkQuestion(again); err != nil || !bytes.Equal(twice, again) {
			t.Errorf("%x is read and written as %x, %v", again, twice, err)
		}
	})
}

func FuzzRefusalOfAChunk(f *testing.F) {
	for _, kind := range "gsneo" {
		f.Add(append(bus.AppendFrame(nil, 'o'), byte(kind), 'e', 1, 2, 3, 4, 5, 6, 7, 8))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if objstore.ReadRefusal(data) == nil {
			t.Error("a refusal without a reason: the read would never end")
		}
	})
}

// FuzzQuestions reads what nodes ask each other about objects, and answer. An answer is an outcome, or that there is none yet.
func FuzzQuestions(f *testing.F) {
	for _, kind := range "asflxgn" {
		f.Add(bus.AppendString(append(bus.AppendFrame(nil, byte(kind)), make([]byte, 24)...), "blob"))
	}
	for _, answer := range "pgdo" {
		f.Add(objstore.Outcome{Value: bus.Value{Format: bus.Text, Data: []byte("x")}}.AppendTo(append(bus.AppendFrame(nil, 'o'), byte(answer))))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := objstore.ReadQuestion(data); err != nil && !errors.Is(err, bus.ErrMalformed) {
			t.Fatalf("refused with %v", err)
		}
		out, there := objstore.ReadAnswer(data)
		if !there || out.Err == nil && data[3] != 'o' { // done
			return
		}
		r, _ := bus.ReadFrame(out.AppendTo(bus.AppendFrame(nil, 'o')))
		if again := objstore.ReadOutcome(&r); r.Err() != nil || (again.Err == nil) != (out.Err == nil) || !bytes.Equal(again.Value.Data, out.Value.Data) {
			t.Fatalf("%+v was read back as %+v, %v", out, again, r.Err())
		}
	})
}

// FuzzRefs reads refs as plain clients and nodes write them.
func FuzzRefs(f *testing.F) {
	id := objstore.ID{1, 2, 3}
	f.Add([]byte(`{"$ref":"` + id.String() + `"}`))
	f.Add(append([]byte{0xd8, 77}, id[:]...))
	f.Add([]byte(`[{"$ref":"x"},{"$ref" : "` + id.String() + `"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, format := range []bus.Format{bus.JSON, bus.Msgpack} {
			ref, err := bus.Decode[objstore.Ref[int]](bus.Value{Format: format, Data: data})
			if err != nil || ref.Object() == nil {
				continue
			}
			again, err := bus.Encode(ref)
			if err != nil {
				t.Fatal(err)
			}
			if other, err := bus.Decode[objstore.Ref[int]](again); err != nil || other != ref {
				t.Fatalf("%v was read back as %v, %v", ref, other, err)
			}
			if parsed, err := objstore.ParseID(ref.Object().ID().String()); err != nil || parsed != ref.Object().ID() {
				t.Fatalf("%v was read back as %v, %v", ref, parsed, err)
			}
		}
	})
}
