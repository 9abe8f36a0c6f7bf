package bus_test

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"manta/bus"
)

// fields are one of each that a frame can hold.
type fields struct {
	Uint    uint64
	Int     int64
	Bytes   []byte
	String  string
	Format  bus.Format
	Data    []byte
	Failure bus.Failure
	Blob    bus.Blob
}

func drawFields(t *rapid.T) fields {
	f := rapid.Make[fields]().Draw(t, "fields")
	f.Format = bus.Format(rapid.ByteMax(byte(bus.Structs)-1).Draw(t, "format"))
	f.Blob = bus.Blob{
		ID:    rapid.StringMatching(`[A-Za-z0-9_-]{1,13}\.[A-Za-z0-9_-]{1,22}`).Draw(t, "blob"),
		Size:  rapid.Int64Min(0).Draw(t, "size"),
		Chunk: rapid.IntRange(1, 64<<20).Draw(t, "chunk"),
	}
	return f
}

func (f fields) appendTo(b []byte) []byte {
	b = bus.AppendInt(bus.AppendUint(b, f.Uint), f.Int)
	b = bus.AppendString(bus.AppendBytes(b, f.Bytes), f.String)
	b = bus.Value{Format: f.Format, Data: f.Data}.AppendTo(b)
	return f.Blob.AppendTo(f.Failure.AppendTo(b))
}

func readFields(r *bus.Reader) (f fields) {
	f.Uint, f.Int, f.Bytes, f.String = r.Uint(), r.Int(), r.Bytes(), r.String()
	value := r.ReadValue()
	f.Format, f.Data = value.Format, value.Data
	f.Failure, f.Blob = r.ReadFailure(), r.ReadBlob()
	return f
}

func (f fields) equal(g fields) bool {
	return f.Uint == g.Uint && f.Int == g.Int && bytes.Equal(f.Bytes, g.Bytes) && f.String == g.String &&
		f.Format == g.Format && bytes.Equal(f.Data, g.Data) && f.Failure.Code == g.Failure.Code &&
		f.Failure.Message == g.Failure.Message && bytes.Equal(f.Failure.Detail, g.Failure.Detail) && f.Blob == g.Blob
}

func TestEveryFieldOfAFrameIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind, want := rapid.Byte().Draw(t, "kind"), drawFields(t)
		frame := append(want.appendTo(bus.AppendFrame(nil, kind)), kind, 1, 2)
		r, got := bus.ReadFrame(frame)
		if got != kind {
			t.Fatalf("kind %d was read as %d", kind, got)
		}
		if got := readFields(&r); !got.equal(want) {
			t.Fatalf("%+v was read as %+v", want, got)
		}
		if b, raw := r.Byte(), r.Raw(2); b != kind || !bytes.Equal(raw, []byte{1, 2}) {
			t.Fatalf("the last bytes were read as %d %v", b, raw)
		}
		if r.Err() != nil {
			t.Fatal(r.Err())
		}
	})
}

func TestAFrameThatIsCutShortAnywhereIsMalformed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frame := drawFields(t).appendTo(bus.AppendFrame(nil, 'k'))
		cut := rapid.IntRange(0, len(frame)-1).Draw(t, "cut")
		r, _ := bus.ReadFrame(frame[:cut])
		readFields(&r)
		if !errors.Is(r.Err(), bus.ErrMalformed) {
			t.Fatalf("got %v", r.Err())
		}
	})
}

func TestOnlyFramesOfThisVersionAreRead(t *testing.T) {
	tests := map[string][]byte{
		"nothing":         nil,
		"JSON":            []byte(`{"a":1}`),
		"MessagePack":     encoded(t, point{1, 2}).Data,
		"mark alone":      {bus.FrameMark},
		"without a kind":  {bus.FrameMark, bus.FrameVersion},
		"another version": {bus.FrameMark, bus.FrameVersion + 1, 'k'},
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			if r, kind := bus.ReadFrame(data); !errors.Is(r.Err(), bus.ErrMalformed) || kind != 0 {
				t.Errorf("got kind %d, %v", kind, r.Err())
			}
		})
	}
}

func TestTheFirstMalformedFieldIsTheOneThatIsTold(t *testing.T) {
	r, _ := bus.ReadFrame(bus.AppendUint(bus.AppendFrame(nil, 'k'), math.MaxUint64))
	if n := r.Count(); n != 0 {
		t.Errorf("a count that exceeds the frame was read as %d", n)
	}
	first := r.Err()
	r.Fail("later")
	if r.Uint() != 0 || r.Int() != 0 || r.Byte() != 0 || r.String() != "" || r.Bytes() != nil || r.Raw(1) != nil {
		t.Error("a field was read after the malformed one")
	}
	if first == nil || r.Err() != first {
		t.Errorf("got %v, want %v", r.Err(), first)
	}
}

func TestAViewOfAFrameHasNoRoomToOverwriteWhatFollows(t *testing.T) {
	frame := bus.AppendString(bus.AppendBytes(bus.AppendFrame(nil, 'k'), []byte("a")), "next")
	r, _ := bus.ReadFrame(frame)
	_ = append(r.Bytes(), "overwrite"...)
	if got := r.String(); got != "next" {
		t.Errorf("the next field is %q", got)
	}
}

func TestABlobThatCannotExistIsMalformed(t *testing.T) {
	for name, blob := range map[string]bus.Blob{
		"without a name":      {Size: 1, Chunk: 1},
		"wildcard":            {ID: "a.*", Size: 1, Chunk: 1},
		"without an owner":    {ID: "b", Size: 1, Chunk: 1},
		"of three tokens":     {ID: "a.b.c", Size: 1, Chunk: 1},
		"of a negative size":  {ID: "a.b", Size: -1, Chunk: 1},
		"of empty chunks":     {ID: "a.b", Size: 1, Chunk: 0},
		"of negative chunks":  {ID: "a.b", Size: 1, Chunk: -1},
		"of the largest size": {ID: "a.b", Size: math.MinInt64, Chunk: 1},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := bus.ReadFrame(blob.AppendTo(bus.AppendFrame(nil, 'k')))
			if r.ReadBlob(); !errors.Is(r.Err(), bus.ErrMalformed) {
				t.Errorf("got %v", r.Err())
			}
		})
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{}, []byte("ui"))
	f.Add(fields{Bytes: []byte("b"), String: "s", Blob: bus.Blob{ID: "a.b", Chunk: 1}}.appendTo(bus.AppendFrame(nil, 'k')), []byte("uibsvfl"))
	f.Add([]byte{bus.FrameMark, bus.FrameVersion, 'k', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, []byte("cb"))
	f.Fuzz(func(t *testing.T, frame, script []byte) {
		r, _ := bus.ReadFrame(frame)
		read := 0 // bytes that views and strings hold
		for _, field := range script {
			failed := r.Err() != nil
			switch field {
			case 'u':
				r.Uint()
			case 'i':
				r.Int()
			case 'c':
				if n := r.Count(); n < 0 || n > len(frame) {
					t.Fatalf("a frame of %d bytes counts %d items", len(frame), n)
				}
			case 'b':
				read += len(r.Bytes())
			case 's':
				read += len(r.String())
			case 'v':
				read += len(r.ReadValue().Data)
			case 'f':
				failure := r.ReadFailure()
				read += len(failure.Code) + len(failure.Message) + len(failure.Detail)
			case 'l':
				if blob := r.ReadBlob(); r.Err() == nil && (blob.Size < 0 || blob.Chunk <= 0) {
					t.Fatalf("an impossible blob was read: %+v", blob)
				}
			default:
				read += len(r.Raw(int(int8(field))))
			}
			if failed && r.Err() == nil {
				t.Fatal("a malformed frame became well-formed")
			}
		}
		if read > len(frame) {
			t.Fatalf("%d bytes were read from a frame of %d", read, len(frame))
		}
	})
}
