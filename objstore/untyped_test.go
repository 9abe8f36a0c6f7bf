package objstore_test

import (
	"errors"
	"testing"

	"manta/node/nodetest"
	"manta/objstore"
)

func TestAValueIsReadWithoutItsType(t *testing.T) {
	c := nodetest.Start(t, 2)
	ctx := c.Context(0)
	for _, test := range []struct {
		id         objstore.ID
		json, kind string
		bytes      string
	}{
		{objstore.Put(ctx, []byte("abc")).ID(), `"YWJj"`, "[]byte", "abc"},
		{objstore.Put(ctx, "abc").ID(), `"abc"`, "string", "abc"},
		{objstore.Put(ctx, []float64{1, 0.5}).ID(), `[1,0.5]`, "[]float64", ""},
		{objstore.Put(ctx, map[string]int{"a": 1}).ID(), `{"a":1}`, "MessagePack", ""},
		{objstore.Put(ctx, 7).ID(), `7`, "MessagePack", ""},
	} {
		v, err := objstore.Read(c.Context(1), test.id)
		if err != nil {
			t.Error(err)
			continue
		}
		text, err := v.JSON()
		bytes, isBytes := v.Bytes()
		if string(text) != test.json || err != nil || v.Type() != test.kind || v.Size() == 0 {
			t.Errorf("got %s %v of type %s with %d bytes, want %s %s", text, err, v.Type(), v.Size(), test.json, test.kind)
		}
		if string(bytes) != test.bytes || isBytes != (test.bytes != "") {
			t.Errorf("%s: its bytes are %q, %v", test.json, bytes, isBytes)
		}
	}
	ref := objstore.Put(ctx, 1)
	if err := objstore.Free(ctx, ref); err != nil {
		t.Fatal(err)
	}
	if _, err := objstore.Read(ctx, ref.ID()); !errors.Is(err, objstore.ErrFreed) {
		t.Errorf("one that was freed: %v", err)
	}
}
