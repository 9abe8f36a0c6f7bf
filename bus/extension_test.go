package bus

import (
	"bytes"
	"testing"
)

func TestExtensionsAreFoundAtAnyDepthAndNotInsideStrings(t *testing.T) {
	id := bytes.Repeat([]byte{7}, 16)
	ext := append([]byte{0xd8, 77}, id...)
	list := append(append([]byte{0x92, 0x91}, ext...), ext...)                // [[ext], ext]
	text := append([]byte{0x91, 0xb2}, ext...)                                // [a string of 18 bytes]
	other := append([]byte{0xd8, 78}, append([]byte{0xd8, 77}, id[2:]...)...) // another kind, with the bytes in it
	tests := []struct {
		name string
		data []byte
		want int
	}{{"nested", list, 2}, {"in a string", text, 0}, {"of another kind", other, 0}, {"cut short", list[:30], 1}, {"none", []byte{0x01}, 0}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			found := Extensions(Value{Format: Msgpack, Data: test.data}, 77)
			if len(found) != test.want || len(found) > 0 && !bytes.Equal(found[0], id) {
				t.Errorf("found %v, want %d", found, test.want)
			}
		})
	}
	if found := Extensions(Value{Format: Bytes, Data: list}, 77); found != nil {
		t.Errorf("found %v in bytes", found)
	}
}
