package actor_test

import (
	"encoding/json"
	"errors"
	"testing"

	"manta/actor"
	"manta/task"
)

func TestAnActorIsMadeCalledAndKilledByNames(t *testing.T) {
	c := clientAndHosts(t, 2)
	ctx := timeout(t, c.Context(0))
	born, err := actor.NewJSON(ctx, "counter", json.RawMessage(`{"From": 40}`), "visits", false)
	if err != nil || born.ID != "visits" || born.Name != "visits" || len(born.Ref) == 0 {
		t.Fatalf("made %+v, %v", born, err)
	}
	if got, err := actor.CallJSON(ctx, "visits", "Add", json.RawMessage("2"), nil); string(got) != "42" || err != nil {
		t.Errorf("a call: %s, %v", got, err)
	}
	if got, err := actor.CallJSON(ctx, "visits", "AddProduct", json.RawMessage("[2, 4]"), nil); string(got) != "50" || err != nil {
		t.Errorf("a call of two arguments: %s, %v", got, err)
	}
	if _, err := actor.NewJSON(ctx, "counter", nil, "visits", false); !errors.Is(err, actor.ErrExists) {
		t.Errorf("a name that is taken: %v", err)
	}
	if born, err := actor.NewJSON(ctx, "counter", nil, "visits", true); born.ID != "visits" || err != nil {
		t.Errorf("a name that may be taken: %+v, %v", born, err)
	}
	if err := actor.KillByID(ctx, "visits"); err != nil {
		t.Fatal(err)
	}
	if _, err := actor.CallJSON(ctx, "visits", "Value", nil, nil); !errors.Is(err, actor.ErrNotFound) && !errors.Is(err, actor.ErrDead) {
		t.Errorf("a call of one that was killed: %v", err)
	}
	if err := actor.KillByID(ctx, "visits"); !errors.Is(err, actor.ErrNotFound) {
		t.Errorf("killing it again: %v", err)
	}
}

func TestAnActorInNoDirectoryIsCalledAndStoppedByItsID(t *testing.T) {
	c := clientAndHosts(t, 1)
	ctx := timeout(t, c.Context(0))
	r := counters.New(ctx, counter{From: 1})
	if v, err := actor.Method0(r, (*counter).Value).Call(ctx); v != 1 || err != nil {
		t.Fatal(v, err)
	}
	if got, err := actor.CallJSON(ctx, r.ID(), "Value", nil, nil); string(got) != "1" || err != nil {
		t.Errorf("a call: %s, %v", got, err)
	}
	if err := actor.StopByID(ctx, r.ID()); err != nil {
		t.Errorf("a stop: %v", err)
	}
	if err := actor.StopByID(ctx, r.ID()); !errors.Is(err, actor.ErrNotFound) {
		t.Errorf("another one: %v", err)
	}
}

func TestWhatCannotBeCalledByNamesIsSaid(t *testing.T) {
	c := clientAndHosts(t, 1)
	ctx := timeout(t, c.Context(0))
	if _, err := actor.NewJSON(ctx, "nobodys", nil, "", false); !errors.Is(err, actor.ErrNotRegistered) {
		t.Errorf("a class that nobody hosts: %v", err)
	}
	if _, err := actor.NewJSON(ctx, "counter", json.RawMessage(`"x"`), "", false); !errors.Is(err, task.ErrArgument) {
		t.Errorf("a start value that does not fit: %v", err)
	}
	if _, err := actor.CallJSON(ctx, "nobody", "Add", json.RawMessage("1"), nil); !errors.Is(err, actor.ErrNotFound) {
		t.Errorf("an actor that is not there: %v", err)
	}
	if _, err := actor.CallJSON(ctx, "*", "Add", nil, nil); !errors.Is(err, task.ErrArgument) {
		t.Errorf("an id that is none: %v", err)
	}
	if _, err := actor.NewJSON(ctx, "counter", nil, "there", false); err != nil {
		t.Fatal(err)
	}
	if _, err := actor.CallJSON(ctx, "there", "Fly", nil, nil); !errors.Is(err, task.ErrArgument) {
		t.Errorf("a method that it has not: %v", err)
	}
	if _, err := actor.CallJSON(ctx, "there", "Add", json.RawMessage("{"), nil); !errors.Is(err, task.ErrArgument) {
		t.Errorf("a payload that is no JSON: %v", err)
	}
}
