package actor_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"manta/actor"
)

type (
	startOfNothing struct{}
	startWithValue struct{}
	startWithout   struct{}
	closeWithCtx   struct{}
	closeOfNothing struct{}
	number         int
)

func (startOfNothing) Start(context.Context)              {}
func (startWithValue) Start(context.Context, int) error   { return nil }
func (*startWithout) Start() error                        { return nil }
func (closeWithCtx) Close(context.Context) error          { return nil }
func (*closeOfNothing) Close()                            {}
func (number) Twice(context.Context, int) (number, error) { return 0, nil }

func TestDefinePanicsAtWhatCannotBeAClass(t *testing.T) {
	for _, test := range []struct {
		name   string
		define func()
		says   []string
	}{
		{"Start without an error", func() { actor.Define[startOfNothing]("wrong") }, []string{"Start", "want Start(context.Context) error"}},
		{"Start with an argument", func() { actor.Define[startWithValue]("wrong") }, []string{"want Start(context.Context) error"}},
		{"Start without a ctx", func() { actor.Define[startWithout]("wrong") }, []string{"startWithout", "want Start(context.Context) error"}},
		{"Close with a ctx", func() { actor.Define[closeWithCtx]("wrong") }, []string{"Close", "want Close() error"}},
		{"Close without an error", func() { actor.Define[closeOfNothing]("wrong") }, []string{"want Close() error"}},
		{"no struct", func() { actor.Define[number]("wrong") }, []string{"actor_test.number", "want a struct"}},
		{"a pointer", func() { actor.Define[*counter]("wrong") }, []string{"want a struct"}},
		{"an interface", func() { actor.Define[error]("wrong") }, []string{"want a struct"}},
		{"an empty name", func() { actor.Define[counter]("") }, []string{"class name is empty"}},
		{"a dot in the name", func() { actor.Define[counter]("a.b") }, []string{`"a.b"`, "letters, digits"}},
		{"a star as the name", func() { actor.Define[counter]("*") }, []string{`"*"`}},
		{"a concurrency of none", func() { actor.Define[counter]("wrong", actor.Concurrency(0)) }, []string{`"wrong"`, "concurrency of 0"}},
		{"negative CPUs", func() { actor.Define[counter]("wrong", actor.CPUs(-1)) }, []string{`"wrong"`, "CPU", "-1"}},
		{"a negative resource", func() { actor.Define[counter]("wrong", actor.Resources(map[string]float64{"gpu": -2})) }, []string{"gpu", "-2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			said := panicOf(test.define)
			for _, want := range append(test.says, "class_test.go:") {
				if !strings.Contains(said, want) {
					t.Errorf("it panics with %q, want it to say %q", said, want)
				}
			}
		})
	}
}

func TestAClassNameIsUniqueAndTheErrorNamesBothPlaces(t *testing.T) {
	said := panicOf(func() { actor.Define[soloist]("counter") })
	for _, want := range []string{`"counter"`, "players_test.go:", "class_test.go:"} {
		if !strings.Contains(said, want) {
			t.Errorf("it panics with %q, want it to say %q", said, want)
		}
	}
}

// panicOf returns what f panics with, empty if it does not.
func panicOf(f func()) (said string) {
	defer func() {
		if r := recover(); r != nil {
			said = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}
