package objstore_test

import (
	"bytes"
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
