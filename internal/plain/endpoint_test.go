package plain

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type tree struct {
	Name     string  `json:"name"`
	Children []*tree `json:"children,omitempty"`
}

type own struct{ A int }

func (o *own) MarshalJSON() ([]byte, error) { return []byte(`"own"`), nil }

type loop *loop

type mixed struct {
	When  time.Time            `json:"when"`
	Data  []byte               `json:"data,omitempty"`
	Addr  netip.Addr           `json:"addr"`
	Own   own                  `json:"own"`
	Later *own                 `json:"later"`
	Raw   json.RawMessage      `json:"raw"`
	By    map[string][]float64 `json:"by"`
}

func TestSchemasSayHowTheJSONLooks(t *testing.T) {
	for _, test := range []struct {
		typ  reflect.Type
		want string
	}{
		{reflect.TypeFor[int](), `{"type":"integer"}`},
		{reflect.TypeFor[[]byte](), `{"type":"string","contentEncoding":"base64"}`},
		{reflect.TypeFor[own](), `{"description":"plain.own"}`},
		{reflect.TypeFor[any](), `true`},
		{reflect.TypeFor[struct{}](), `{"type":"object"}`},
		{reflect.TypeFor[chan int](), `{"description":"chan int"}`},
		{reflect.TypeFor[loop](), `{"description":"plain.loop"}`},
		{reflect.TypeFor[tree](), `{"description":"plain.tree"}`},
		{reflect.TypeFor[mixed](), `{"type":"object","properties":{"when":{"type":"string","description":"time.Time"},"data":{"type":"string","contentEncoding":"base64"},` +
			`"addr":{"type":"string","description":"netip.Addr"},"own":{"description":"plain.own"},"later":{"description":"plain.own"},` +
			`"raw":{"description":"json.RawMessage"},"by":{"type":"object","additionalProperties":{"type":["null","array"],"items":{"type":"number"}}}}}`},
	} {
		if got := Text(SchemaOf(test.typ)); got != test.want {
			t.Errorf("%s: got %s, want %s", test.typ, got, test.want)
		}
	}
}
