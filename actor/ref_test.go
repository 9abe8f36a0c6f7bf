package actor_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"manta/actor"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

type counterRef = actor.Ref[counter]

// crew holds handles in every place that a struct has.
type crew struct {
	Lead  counterRef
	Team  []counterRef
	Roles map[string]*counterRef
	None  counterRef
}

var (
	addVia = task.Define2("add_via", func(ctx context.Context, r counterRef, k int) (int, error) {
		return actor.Method(r, (*counter).Add).Call(ctx, k)
	})
	echoCounter = task.Define("echo_counter", func(_ context.Context, r counterRef) (counterRef, error) { return r, nil })
	echoCrew    = task.Define("echo_crew", func(_ context.Context, c crew) (crew, error) { return c, nil })
	echoAny     = task.Define("echo_any", func(_ context.Context, v any) (any, error) { return v, nil })
)

func TestAHandleWorksInATaskOnAnotherNodeAtOnce(t *testing.T) {
	c := clientAndHosts(t, 3)
	ctx := timeout(t, c.Context(0))
	for range 20 { // the task may begin before the actor lives
		made := counters.New(ctx, counter{})
		if n, err := addVia.Call(ctx, made, 2); err != nil || n != 2 {
			t.Fatalf("got %d, %v, want 2", n, err)
		}
	}
}

// sayVia writes what a player says, from wherever the task runs.
var sayVia = task.Define2("say_via", func(ctx context.Context, r actor.Ref[resident], line string) (string, error) {
	say := actor.Method(r, (*resident).Say).Go(ctx, line)
	stageNamed(line).write("asked")
	return say.Get(ctx)
}, task.CPUs(0))

func TestAHandleOfAnActorThatStillWaitsForRoomWorksInATask(t *testing.T) {
	c, s := clientAndHosts(t, 2, nodetest.CPUs(1)), newStage(t)
	ctx := timeout(t, c.Context(0))
	rooms := fill(ctx, t, s, 2)
	waiting := residents.New(ctx, s.resident(" late"))
	said := sayVia.Map(ctx, []actor.Ref[resident]{waiting, waiting}, []string{s.name, s.name})
	s.await("asked")
	if err := rooms[0].Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := objstore.GetAll(ctx, said); err != nil {
		t.Error(err)
	}
}

func TestATravelledHandleEqualsTheOneThatWasMade(t *testing.T) {
	ctx := timeout(t, clientAndHosts(t, 2).Context(0))
	for name, opts := range map[string][]actor.NewOption{"without a name": nil, "with a name": {actor.Name("traveller")}} {
		t.Run(name, func(t *testing.T) {
			made := counters.New(ctx, counter{}, opts...)
			back, err := echoCounter.Call(ctx, made)
			if err != nil || back != made {
				t.Errorf("got %v, %v, want %v", back, err, made)
			}
			if n, err := actor.Method(back, (*counter).Add).Call(ctx, 1); err != nil || n != 1 {
				t.Errorf("a call through it: %d, %v", n, err)
			}
			if back, err = echoCounter.Call(ctx, made); err != nil || back != made {
				t.Errorf("once the actor lives: got %v, %v, want %v", back, err, made)
			}
		})
	}
}

func TestHandlesTravelInsideStructsSlicesAndMaps(t *testing.T) {
	ctx := timeout(t, clientAndHosts(t, 2).Context(0))
	a, b, c := counters.New(ctx, counter{}), counters.New(ctx, counter{}), counters.New(ctx, counter{})
	got, err := echoCrew.Call(ctx, crew{Lead: a, Team: []counterRef{b, c}, Roles: map[string]*counterRef{"cook": &c}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Lead != a || len(got.Team) != 2 || got.Team[0] != b || got.Team[1] != c || *got.Roles["cook"] != c || got.None != (counterRef{}) {
		t.Errorf("got %+v", got)
	}
}

func TestHandlesTravelInResultsOfMethodsAndInStartValues(t *testing.T) {
	ctx := timeout(t, clientAndHosts(t, 2).Context(0))
	first, err := actor.Method0(foremen.New(ctx, foreman{Workers: 1}), (*foreman).First).Call(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := actor.Method(delegates.New(ctx, delegate{To: first}), (*delegate).Add).Call(ctx, 3); err != nil || n != 3 {
		t.Errorf("got %d, %v, want 3", n, err)
	}
}

// delegate has a handle in its start value.
type delegate struct{ To counterRef }

func (d *delegate) Add(ctx context.Context, k int) (int, error) {
	return actor.Method(d.To, (*counter).Add).Call(ctx, k)
}

var delegates = actor.Define[delegate]("delegate")

func TestAHandleInsideAnAnyComesBackAsItsJSONForm(t *testing.T) {
	ctx := setup(t)
	made := counters.New(ctx, counter{}, actor.Name("inside-any"))
	if _, err := actor.Method0(made, (*counter).Value).Call(ctx); err != nil {
		t.Fatal(err)
	}
	got, err := echoAny.Call(ctx, made)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var back counterRef
	if err := json.Unmarshal(text, &back); err != nil || back != made {
		t.Errorf("%s is %v, %v, want %v", text, back, err, made)
	}
}

func TestAHandleIsPlainJSON(t *testing.T) {
	ctx := setup(t)
	made := counters.New(ctx, counter{}, actor.Name("plain"))
	if _, err := actor.Method0(made, (*counter).Value).Call(ctx); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(crew{Lead: made})
	if err != nil || !strings.Contains(string(text), `"Lead":{"class":"counter","$actor":"plain"`) || !strings.Contains(string(text), `"None":null`) {
		t.Errorf("got %s, %v", text, err)
	}
	var back crew
	if err := json.Unmarshal(text, &back); err != nil || back.Lead != made || back.None != (counterRef{}) {
		t.Errorf("%s is %+v, %v", text, back, err)
	}
}

func TestAHandleOfAnotherClassDoesNotDecode(t *testing.T) {
	for text, says := range map[string]string{
		`{"class":"soloist","$actor":"x"}`: "class soloist",
		`{"class":"nobody","$actor":"x"}`:  "class nobody",
		`{"class":"counter","$actor":""}`:  "actor id is empty",
		`{"class":"counter","$actor":">"}`: `">"`,
		`7`:                                "number",
	} {
		var r counterRef
		if err := json.Unmarshal([]byte(text), &r); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want an error that says %q", text, err, says)
		}
	}
}

func TestAHandleThatCouldNotBeMadeDoesNotTravel(t *testing.T) {
	ctx := setup(t)
	if _, err := echoCounter.Call(ctx, counters.New(ctx, counter{}, actor.Name("a b"))); err == nil || !strings.Contains(err.Error(), `"a b"`) {
		t.Errorf("got %v, want the error of the name", err)
	}
}

func TestHandlesAreMapKeysAndHaveAText(t *testing.T) {
	ctx := setup(t)
	a, b := counters.New(ctx, counter{}, actor.Name("prod")), counters.New(ctx, counter{})
	places := map[counterRef]string{a: "a", b: "b"}
	if places[a] != "a" || places[b] != "b" || a == b {
		t.Errorf("got %v", places)
	}
	if a.String() != "actor.Ref[actor_test.counter](prod)" || a.ID() != "prod" || (counterRef{}).ID() != "" {
		t.Errorf("got %s, %s", a, a.ID())
	}
}

func TestARefOfAResultTravelsToAnotherActor(t *testing.T) {
	ctx := timeout(t, clientAndHosts(t, 2).Context(0))
	from, to := counters.New(ctx, counter{From: 5}), counters.New(ctx, counter{From: 10})
	value := actor.Method0(from, (*counter).Value).Go(ctx)
	if n, err := actor.Method(to, (*counter).Add).On(ctx, value).Get(ctx); err != nil || n != 15 {
		t.Errorf("got %d, %v, want 15", n, err)
	}
	if n, err := actor.Method2(to, (*counter).AddProduct).On(ctx, objstore.Put(ctx, 2), value).Get(ctx); err != nil || n != 25 {
		t.Errorf("got %d, %v, want 25", n, err)
	}
}
