package actor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"manta/actor"
	"manta/internal/member"
	"manta/node"
	"manta/node/nodetest"
	"manta/task"
)

// settler says on which node it lives.
type settler struct{}

func (*settler) Home(ctx context.Context) (string, error) {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return "", err
	}
	return scope.Node.ID.String(), nil
}

// stranger is another type.
type stranger struct{}

func (*stranger) Greet(context.Context) (string, error) { return "hello", nil }

func serving(registries ...*task.Registry) nodetest.Option {
	return nodetest.Configure(func(i int, cfg *node.Config) { cfg.Registry = registries[i] })
}

func TestActorsLiveOnNodesWhoseRegistryHasTheirClass(t *testing.T) {
	reds, blues := task.NewRegistry(), task.NewRegistry()
	classes := []actor.Class[settler]{
		actor.Define[settler]("red", actor.In(reds)), actor.Define[settler]("blue", actor.In(blues)),
	}
	c := nodetest.Start(t, 2, serving(reds, blues))
	members, err := node.Members(c.Context(0))
	if err != nil || !slices.Equal(members[0].Classes, []string{"red"}) || !slices.Equal(members[1].Classes, []string{"blue"}) {
		t.Errorf("the nodes serve %+v, %v", members, err)
	}
	for home, class := range classes {
		for from := range 2 {
			ctx := timeout(t, c.Context(from))
			for range 4 {
				r := class.New(ctx, settler{})
				if id, err := actor.Method0(r, (*settler).Home).Call(ctx); id != c.Node(home).ID() || err != nil {
					t.Errorf("class %d made from node %d lives on %q, %v", home, from, id, err)
				}
			}
		}
	}
}

func TestAClassInTheRegistryOfNoNodeIsNotServed(t *testing.T) {
	absent := actor.Define[settler]("absent", actor.In(task.NewRegistry()))
	ctx := setup(t)
	_, err := actor.Method0(absent.New(ctx, settler{}), (*settler).Home).Call(ctx)
	if !errors.Is(err, actor.ErrNotRegistered) {
		t.Errorf("got %v, want ErrNotRegistered", err)
	}
}

func TestAHandleOfAClassInAnyRegistryTravels(t *testing.T) {
	hosts, askers := task.NewRegistry(), task.NewRegistry()
	class := actor.Define[settler]("travelled_to", actor.In(hosts))
	ask := task.Define("ask_home", func(ctx context.Context, r actor.Ref[settler]) (string, error) {
		return actor.Method0(r, (*settler).Home).Call(ctx)
	}, task.In(askers))
	c := nodetest.Start(t, 3, serving(hosts, askers, task.NewRegistry()))
	ctx := timeout(t, c.Context(2))
	if id, err := ask.Call(ctx, class.New(ctx, settler{})); id != c.Node(0).ID() || err != nil {
		t.Errorf("it lives on %q, %v, want %q", id, err, c.Node(0).ID())
	}
}

// Two clusters in one process need not agree on what a name means.
func TestRegistriesMayGiveOneNameToTwoTypes(t *testing.T) {
	here, there := task.NewRegistry(), task.NewRegistry()
	settlers := actor.Define[settler]("somebody", actor.In(here))
	strangers := actor.Define[stranger]("somebody", actor.In(there))
	passSettler := task.Define("pass_settler", func(_ context.Context, r actor.Ref[settler]) (actor.Ref[settler], error) { return r, nil }, task.In(here))
	passStranger := task.Define("pass_stranger", func(_ context.Context, r actor.Ref[stranger]) (actor.Ref[stranger], error) { return r, nil }, task.In(there))

	ctx := timeout(t, nodetest.Start(t, 1, serving(here)).Context(0))
	other := timeout(t, nodetest.Start(t, 1, serving(there)).Context(0))
	r, err := passSettler.Call(ctx, settlers.GetOrNew(ctx, "same_id", settler{}))
	if err != nil {
		t.Fatal(err)
	}
	s, err := passStranger.Call(other, strangers.GetOrNew(other, "same_id", stranger{}))
	if err != nil {
		t.Fatal(err)
	}
	if id, err := actor.Method0(r, (*settler).Home).Call(ctx); id == "" || err != nil {
		t.Errorf("the settler: %q, %v", id, err)
	}
	if said, err := actor.Method0(s, (*stranger).Greet).Call(other); said != "hello" || err != nil {
		t.Errorf("the stranger: %q, %v", said, err)
	}
}

func TestAClassNameIsTakenOnceInEachRegistry(t *testing.T) {
	r := task.NewRegistry()
	actor.Define[settler]("counter", actor.In(r)) // in the default registry too
	said := panicOf(func() { actor.Define[settler]("counter", actor.In(r)) })
	if !strings.Contains(said, `"counter"`) || strings.Count(said, "registry_test.go:") != 2 {
		t.Errorf("it panics with %q", said)
	}
	if said := panicOf(func() { actor.Define[settler]("nowhere", actor.In(nil)) }); !strings.Contains(said, "want a registry") {
		t.Errorf("no registry: it panics with %q", said)
	}
}
