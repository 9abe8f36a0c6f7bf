package bus_test

import (
	"strings"
	"testing"
	"unsafe"

	"manta/bus"
)

type (
	tree struct {
		Name string
		Kids []*tree
		Note any
	}
	circle   []any
	selfMap  map[string]selfMap
	pipeline struct {
		Stages []struct{ Out chan<- int }
	}
)

func TestWhatHasNoEncodingIsRefusedWithItsTypeAndThePathToIt(t *testing.T) {
	loop := &tree{Name: "root"}
	loop.Kids = []*tree{{}, {Kids: []*tree{loop}}}
	round := circle{0, nil}
	round[1] = round
	ring := selfMap{}
	ring["again"] = selfMap{"back": ring}
	var self any
	self = &self

	tests := []struct {
		name   string
		encode func() error
		want   []string // in the error
	}{
		{"channel", encoding(make(chan int)), []string{"chan int"}},
		{"function", encoding(func() {}), []string{"func()"}},
		{"unsafe pointer", encoding(unsafe.Pointer(nil)), []string{"unsafe.Pointer"}},
		{"complex number", encoding(struct{ Z complex128 }{}), []string{".Z", "complex128"}},
		{"complex numbers in a field", encoding(struct{ Z []complex64 }{}), []string{".Z[]", "complex64"}},
		{"address as a number", encoding(struct{ P uintptr }{}), []string{".P", "uintptr"}},
		{"channel in a field", encoding(pipeline{}), []string{"bus_test.pipeline.Stages[].Out", "chan<- int"}},
		{"channel in a pointer's field", encoding(&pipeline{}), []string{"*bus_test.pipeline.Stages[].Out"}},
		{"function in a map", encoding(map[string]func(){}), []string{"map[string]func()[]"}},
		{"channel as a key", encoding(map[chan int]int{}), []string{"map[chan int]int key"}},
		{"channel in an array", encoding([2]chan int{}), []string{"[2]chan int[]"}},
		{"function in an any", encoding(tree{Note: map[string]any{"f": []any{1, func() {}}}}), []string{"bus_test.tree.Note[f][1]", "func()"}},
		{"channel as a key in an any", encoding(any(map[any]int{make(chan int): 1})), []string{"interface {} key", "chan int"}},
		{"complex number in an any", encoding([]any{1i}), []string{"[]interface {}[0]", "complex128"}},
		{"cycle of pointers", encoding(loop), []string{"*bus_test.tree.Kids[1].Kids[0]", "leads back to itself"}},
		{"cycle of slices", encoding(round), []string{"bus_test.circle[1]", "leads back to itself"}},
		{"cycle of maps", encoding(ring), []string{"bus_test.selfMap[again][back]", "leads back to itself"}},
		{"cycle of an interface", encoding(self), []string{"leads back to itself"}},
		{"cycle in an any", encoding(tree{Note: round}), []string{"bus_test.tree.Note[1]", "leads back to itself"}},
		{"a list that is too deep", encoding(listOf(100_001)), []string{"*bus_test.list.Next.Next", "deeper than 100000 levels"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.encode()
			if err == nil {
				t.Fatal("it was encoded")
			}
			for _, want := range append(test.want, "cannot encode") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error is %q: want %q in it", err, want)
				}
			}
			if len(err.Error()) > 400 {
				t.Errorf("the error has %d characters", len(err.Error()))
			}
		})
	}
}

func encoding[T any](v T) func() error {
	return func() error {
		_, err := bus.Encode(v)
		return err
	}
}

func TestWhatOnlyLooksLikeACycleIsEncoded(t *testing.T) {
	shared := &tree{Name: "shared"}
	type head struct {
		First  tree
		Itself *tree // points at First, which has head's own address
		Any    any
	}
	atTheSamePlace := &head{}
	atTheSamePlace.Itself = &atTheSamePlace.First
	shorter := circle{1, nil}
	shorter[1] = shorter[:1]

	tests := map[string]func() error{
		"shared pointers":             encoding(tree{Kids: []*tree{shared, shared, {Kids: []*tree{shared}}}}),
		"shared maps":                 encoding(map[string]any{"a": selfMap{}, "b": []any{selfMap{}}}),
		"a pointer to a first field":  encoding(atTheSamePlace),
		"a slice with its own prefix": encoding(shorter),
		"empty slices within slices":  encoding(circle{circle{}, circle{circle{}}}),
		"nothing in an interface":     encoding([]any{nil}),
	}
	for name, encode := range tests {
		t.Run(name, func(t *testing.T) {
			if err := encode(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestADeepListComesBack(t *testing.T) {
	n := 0
	for l := trip(t, listOf(50_000)); l != nil; l = l.Next {
		n++
	}
	if n != 50_000 {
		t.Errorf("%d of 50000 links came back", n)
	}
}

func listOf(n int) (l *list) {
	for range n {
		l = &list{1, l}
	}
	return l
}
