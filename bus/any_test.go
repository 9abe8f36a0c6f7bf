package bus_test

import (
	"math"
	"reflect"
	"testing"
	"time"
)

func TestInsideAnAnyValuesComeBackInTheWidestTypeOfTheirKind(t *testing.T) {
	moment := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	tests := []struct {
		name     string
		in, want any
	}{
		{"nil", nil, nil},
		{"bool", true, true},
		{"int", 7, int64(7)},
		{"int8", int8(-7), int64(-7)},
		{"the smallest int64", int64(math.MinInt64), int64(math.MinInt64)},
		{"int that needs two bytes", 200, int64(200)},
		{"int that needs five bytes", -1 << 31, int64(-1 << 31)},
		{"uint8", uint8(7), int64(7)},
		{"uint64", uint64(math.MaxInt64), int64(math.MaxInt64)},
		{"the largest uint64", uint64(math.MaxUint64), uint64(math.MaxUint64)},
		{"named number", celsius(1.5), 1.5},
		{"float32", float32(0.5), 0.5},
		{"string", "x", "x"},
		{"bytes", []byte{1}, []byte{1}},
		{"slice", []int{1, 2}, []any{int64(1), int64(2)}},
		{"empty slice", []any{}, []any{}},
		{"map", map[string]any{"a": float32(1.5), "b": nil}, map[string]any{"a": 1.5, "b": nil}},
		{"slices in maps in slices", []any{map[string]any{"a": []any{uint16(500)}}}, []any{map[string]any{"a": []any{int64(500)}}}},
		{"struct", point{1, 2}, map[string]any{"X": int64(1), "Y": int64(2)}},
		{"pointer", &point{1, 2}, map[string]any{"X": int64(1), "Y": int64(2)}},
		{"time", moment, moment.Local()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := trip(t, test.in); !reflect.DeepEqual(got, test.want) {
				t.Errorf("%#v came back as %#v, want %#v", test.in, got, test.want)
			}
			if got := trip(t, record{Any: test.in}).Any; !reflect.DeepEqual(got, test.want) {
				t.Errorf("%#v in a field came back as %#v, want %#v", test.in, got, test.want)
			}
		})
	}
}

func TestNumbersInsideAnysAreWidenedWhereverTheAnyIs(t *testing.T) {
	type holder struct {
		Slice  []any
		Map    map[string]any
		Keys   map[any]bool
		Deep   map[int][]*any
		Nested *holder
		Named  []struct{ base }
	}
	number := any(uint8(200))
	want := any(int64(200))
	got := trip(t, holder{
		Slice: []any{number}, Map: map[string]any{"a": number}, Keys: map[any]bool{number: true},
		Deep: map[int][]*any{1: {&number, nil}}, Nested: &holder{Slice: []any{number}},
	})
	if wanted := (holder{
		Slice: []any{want}, Map: map[string]any{"a": want}, Keys: map[any]bool{want: true},
		Deep: map[int][]*any{1: {&want, nil}}, Nested: &holder{Slice: []any{want}},
	}); !reflect.DeepEqual(got, wanted) {
		t.Errorf("got %+v, want %+v", got, wanted)
	}
}
