package actor_test

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"manta/actor"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// later waits at a gate of a stage and returns what it was told to.
var later = task.Define2("later", func(ctx context.Context, stage, line string) (string, error) {
	if _, err := stageNamed(stage).hold(ctx, line); err != nil {
		return "", err
	}
	return line, nil
})

func TestCallsOfOneCallerRunInTheOrderTheyWereMade(t *testing.T) {
	ctx, s := setup(t), newStage(t)
	var lines []string
	for i := range 2000 {
		lines = append(lines, strconv.Itoa(i))
	}
	refs := actor.Method(soloists.New(ctx, s.soloist()), (*soloist).Say).Map(ctx, lines)
	if _, err := objstore.GetAll(ctx, refs); err != nil {
		t.Fatal(err)
	}
	if got := s.read(); !slices.Equal(got, append([]string{"start"}, lines...)) {
		t.Errorf("the calls ran in another order: %q", got)
	}
}

func TestCallsOfOneCallerThroughTwoHandlesAndMethodsKeepTheirOrder(t *testing.T) {
	ctx := setup(t)
	made := counters.New(ctx, counter{}, actor.Name("in-order"))
	if _, err := actor.Method0(made, (*counter).Value).Call(ctx); err != nil {
		t.Fatal(err)
	}
	found, err := counters.Lookup(ctx, "in-order")
	if err != nil {
		t.Fatal(err)
	}
	var refs []objstore.Ref[int]
	var want []int
	for i := range 200 {
		refs = append(refs,
			actor.Method(made, (*counter).Add).Go(ctx, 1),
			actor.Method2(found, (*counter).AddProduct).Go(ctx, 1, 1),
			actor.Method0(found, (*counter).Value).Go(ctx))
		want = append(want, 2*i+1, 2*i+2, 2*i+2)
	}
	if got, err := objstore.GetAll(ctx, refs); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestLaterCallsWaitBehindAnArgumentThatIsNotReady(t *testing.T) {
	c, s := nodetest.Start(t, 2), newStage(t)
	ctx, other := timeout(t, c.Context(0)), timeout(t, c.Context(1))
	server := soloists.New(ctx, s.soloist())
	say := actor.Method(server, (*soloist).Say)
	if _, err := say.Call(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	waiting := []objstore.Ref[string]{
		say.On(ctx, later.Go(ctx, s.name, "two")),
		say.Go(ctx, "three"),
		actor.Method(server, (*soloist).Hold).Go(ctx, "four"),
	}
	s.open("four")
	s.await("two begins")
	if _, err := say.Call(other, "another node's"); err != nil {
		t.Fatalf("a call of another node waits too: %v", err)
	}
	s.open("two")
	if _, err := objstore.GetAll(ctx, waiting); err != nil {
		t.Fatal(err)
	}
	want := []string{"start", "one", "two begins", "another node's", "two ends", "two", "three", "four begins", "four ends"}
	if got := s.read(); !slices.Equal(got, want) {
		t.Errorf("the diary is %q, want %q", got, want)
	}
}

func TestCallsBehindAnArgumentThatFailsGoOn(t *testing.T) {
	ctx, s := setup(t), newStage(t)
	say := actor.Method(soloists.New(ctx, s.soloist()), (*soloist).Say)
	failing, cancel := context.WithCancel(ctx)
	failed := say.On(ctx, later.Go(failing, s.name, "never"))
	next := say.Go(ctx, "next")
	s.await("never begins")
	cancel()
	if _, err := failed.Get(ctx); err == nil {
		t.Error("a call whose argument failed has a value")
	}
	if _, err := next.Get(ctx); err != nil {
		t.Errorf("the call behind it failed: %v", err)
	}
}

func TestAConcurrentActorRunsWhatIsReadyFirst(t *testing.T) {
	ctx, s := setup(t), newStage(t)
	say := actor.Method(trios.New(ctx, s.trio()), (*trio).Say)
	slow := say.On(ctx, later.Go(ctx, s.name, "slow"))
	if _, err := say.Call(ctx, "quick"); err != nil {
		t.Fatalf("a call waits behind an argument that is not its own: %v", err)
	}
	s.open("slow")
	if _, err := slow.Get(ctx); err != nil {
		t.Error(err)
	}
}
