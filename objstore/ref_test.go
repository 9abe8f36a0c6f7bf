package objstore_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"manta/node/nodetest"
	"manta/objstore"
)

func TestRefsAreEqualWhenTheyNameTheSameObject(t *testing.T) {
	c := nodetest.Start(t, 1)
	a, b := objstore.Put(c.Context(0), 1), objstore.Put(c.Context(0), 1)
	copied := a
	if a != copied || a == b {
		t.Errorf("a == a: %v, a == b: %v", a == copied, a == b)
	}
	names := map[objstore.Ref[int]]string{a: "a", b: "b"}
	if names[copied] != "a" || names[b] != "b" {
		t.Errorf("as map keys: %v", names)
	}
	if a.ID() == b.ID() || a.ID().String() == b.ID().String() {
		t.Error("two objects have one ID")
	}
	if id, err := objstore.ParseID(a.ID().String()); err != nil || id != a.ID() {
		t.Errorf("ParseID: %v, %v", id, err)
	}
	if a.Any() != copied.Any() || a.Any().ID() != a.ID() {
		t.Error("Any names another object")
	}
	if want := fmt.Sprintf("Ref[int](%s)", a.ID()); a.String() != want {
		t.Errorf("String: %s, want %s", a, want)
	}
}

func TestARefThatTravelledIsTheSameRef(t *testing.T) {
	type parcel struct {
		Ref  objstore.Ref[string]
		Many []objstore.Ref[string]
		Keys map[objstore.Ref[string]]int
		Zero objstore.Ref[string]
	}
	c := nodetest.Start(t, 1)
	r := objstore.Put(c.Context(0), "hello")
	sent := parcel{Ref: r, Many: []objstore.Ref[string]{r, r}, Keys: map[objstore.Ref[string]]int{r: 1}}
	data, err := msgpack.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	var got parcel
	if err := msgpack.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Ref != r || got.Many[1] != r || got.Keys[r] != 1 || got.Zero != (objstore.Ref[string]{}) {
		t.Errorf("got %v, sent %v", got, sent)
	}
	if v := get(t, c.Context(0), got.Ref); v != "hello" {
		t.Errorf("its value is %q", v)
	}
}

func TestARefIsADollarRefInJSON(t *testing.T) {
	c := nodetest.Start(t, 1)
	r := objstore.Put(c.Context(0), "hello")
	data, err := json.Marshal([]objstore.Ref[string]{r, {}})
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(`[{"$ref":"%s"},null]`, r.ID()); string(data) != want {
		t.Errorf("got %s, want %s", data, want)
	}
	var back []objstore.Ref[string]
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if back[0] != r || back[1] != (objstore.Ref[string]{}) {
		t.Errorf("got %v back", back)
	}
}

func TestWhatIsNoRefDoesNotDecode(t *testing.T) {
	for _, data := range []string{`{"$ref":"short"}`, `{"$ref":1}`, `{}`, `7`, `"text"`} {
		var r objstore.Ref[int]
		if err := json.Unmarshal([]byte(data), &r); err == nil {
			t.Errorf("%s decodes to %v", data, r)
		}
	}
	for _, data := range [][]byte{{0x07}, {0xd4, 77, 1}, {0xd8, 76, 15: 0}, {0xd8, 77, 1}, {}} {
		var r objstore.Ref[int]
		if err := msgpack.Unmarshal(data, &r); err == nil {
			t.Errorf("% x decodes to %v", data, r)
		}
	}
}

func TestARefOfAFailedPutDoesNotTravel(t *testing.T) {
	c := nodetest.Start(t, 1)
	failed := objstore.Put(c.Context(0), make(chan int))
	if _, err := json.Marshal(failed); err == nil {
		t.Error("it encodes as JSON")
	}
	if _, err := msgpack.Marshal(failed); err == nil {
		t.Error("it encodes as MessagePack")
	}
}
