package bus_test

import (
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"manta/bus"
)

type (
	celsius float64
	names   []string
	ages    map[string]int64

	point struct{ X, Y int }

	base struct {
		ID   int
		Name string
	}
	derived struct {
		base
		Extra string
	}
	Base struct {
		ID   int
		Name string
	}
	linked struct {
		*Base
		Extra string
	}
	list struct {
		Value int
		Next  *list
	}
	record struct {
		Text   string `json:"text"`
		Count  uint64 `json:"n,omitempty"`
		When   time.Duration
		Signal []float64
		Tags   map[string][]string
		Origin *point
		Path   []point
		Grid   [2][3]int8
		Raw    []byte
		ByKey  map[point]bool
		Any    any
	}
)

func TestAValueOfEveryKindComesBackEqual(t *testing.T) {
	origin := point{1, -1}
	pointer := &origin
	tests := map[string]func(*testing.T){
		"bool":                    same(true),
		"int":                     same(-42),
		"the smallest int64":      same(int64(math.MinInt64)),
		"the largest int64":       same(int64(math.MaxInt64)),
		"the largest uint64":      same(uint64(math.MaxUint64)),
		"int8":                    same(int8(-128)),
		"uint8":                   same(uint8(255)),
		"rune":                    same('💡'),
		"float32":                 same(float32(0.1)),
		"float64":                 same(math.SmallestNonzeroFloat64),
		"infinity":                same(math.Inf(-1)),
		"empty string":            same(""),
		"unicode":                 same("naïve 日本語 \x00 🐟"),
		"no unicode":              same("\xff\xfe"),
		"named number":            same(celsius(36.6)),
		"named slice":             same(names{"a", ""}),
		"named map":               same(ages{"x": math.MinInt64}),
		"duration":                same(time.Duration(math.MaxInt64)),
		"weekday":                 same(time.Friday),
		"empty struct":            same(struct{}{}),
		"struct":                  same(point{3, 4}),
		"nested struct":           same(record{Text: "t", Count: 1, When: time.Hour, Signal: []float64{1, 2}, Tags: map[string][]string{"a": {"b"}, "c": {}, "d": nil}, Origin: &point{5, 6}, Path: []point{{1, 2}}, Grid: [2][3]int8{{1}, {-1}}, Raw: []byte{0, 255}, ByKey: map[point]bool{{1, 1}: true}, Any: "x"}),
		"zero struct":             same(record{}),
		"embedded struct":         same(derived{base{1, "n"}, "e"}),
		"embedded pointer":        same(linked{&Base{1, "n"}, "e"}),
		"nil pointer":             same((*point)(nil)),
		"pointer":                 same(&point{1, 2}),
		"pointer to pointer":      same(&pointer),
		"linked list":             same(&list{1, &list{2, nil}}),
		"nil slice":               same([]string(nil)),
		"empty slice":             same([]string{}),
		"slice of nil and empty":  same([][]int{nil, {}, {1}}),
		"slice of pointers":       same([]*point{nil, {1, 2}}),
		"slice of bools":          same([]bool{true, false}),
		"array":                   same([3]string{"a"}),
		"array of bytes":          same([4]byte{1, 2}),
		"nil map":                 same(map[string]int(nil)),
		"empty map":               same(map[string]int{}),
		"map of maps":             same(map[string]map[int]string{"a": {1: "x"}, "b": {}, "c": nil}),
		"map with struct keys":    same(map[point]string{{1, 2}: "x"}),
		"map with array keys":     same(map[[2]int]string{{1, 2}: "x"}),
		"nil bytes":               same([]byte(nil)),
		"empty bytes":             same([]byte{}),
		"bytes":                   same([]byte{0, 1, 255}),
		"type that writes itself": same(netip.MustParseAddrPort("[::1]:80")),
		"slices of such":          same([]netip.Addr{netip.IPv4Unspecified()}),
	}
	for name, test := range tests {
		t.Run(name, test)
	}
}

// same says that a value comes back equal, and with the same static type.
func same[T any](want T) func(*testing.T) {
	return func(t *testing.T) {
		if got := trip(t, want); !reflect.DeepEqual(got, want) {
			t.Errorf("%#v came back as %#v", want, got)
		}
	}
}

// trip sends a value through a frame, as it travels between processes.
func trip[T any](t rapid.TB, v T) T {
	t.Helper()
	value, err := bus.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := bus.ReadFrame(value.AppendTo(bus.AppendFrame(nil, 'v')))
	got, err := bus.Decode[T](r.ReadValue())
	if err != nil || r.Err() != nil {
		t.Fatalf("%v, %v", err, r.Err())
	}
	return got
}

func TestATimeComesBackAsTheSameInstant(t *testing.T) {
	for _, want := range []time.Time{
		{}, time.Unix(0, 0), time.Unix(-1, 999_999_999), time.Now(),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.FixedZone("far", 14*3600)),
	} {
		if got := trip(t, want); !got.Equal(want) {
			t.Errorf("%v came back as %v", want, got)
		}
		if got := trip(t, []*time.Time{&want, nil}); !got[0].Equal(want) || got[1] != nil {
			t.Errorf("[%v nil] came back as %v", want, got)
		}
	}
}

func TestFieldsThatAreTaggedAwayOrUnexportedStayBehind(t *testing.T) {
	type partial struct {
		Kept    int
		Dropped chan int `json:"-"`
		Hidden  func()   `msgpack:"-"`
		secret  chan int
	}
	got := trip(t, partial{Kept: 1, Dropped: make(chan int), Hidden: func() {}, secret: make(chan int)})
	if want := (partial{Kept: 1}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTheJSONTagsNameTheFields(t *testing.T) {
	value, err := bus.Encode(record{Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	fields, err := bus.Decode[map[string]any](value)
	if err != nil {
		t.Fatal(err)
	}
	if _, there := fields["n"]; fields["text"] != "x" || there {
		t.Errorf("the fields are %v: want text, and no n because it is empty", fields)
	}
}

func TestAnyValueOfATypeComesBackEqual(t *testing.T) {
	values := rapid.Make[struct {
		Text   string `json:"text"`
		Number int64
		Count  uint64 `json:"n,omitempty"`
		When   time.Duration
		Tags   map[string][]string
		Origin *point
		Path   []point
		Grid   [2][3]int8
		Raw    []byte
		Names  names
		ByKey  map[point]*bool
	}]()
	rapid.Check(t, func(t *rapid.T) {
		want := values.Draw(t, "value")
		if got := trip(t, want); !reflect.DeepEqual(got, want) {
			t.Fatalf("%#v came back as %#v", want, got)
		}
	})
}

func TestANilEmbeddedPointerComesBackAsAPointerToZero(t *testing.T) {
	if got, want := trip(t, linked{Extra: "e"}), (linked{&Base{}, "e"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func encoded[T any](t *testing.T, v T) bus.Value {
	t.Helper()
	value, err := bus.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return value
}
