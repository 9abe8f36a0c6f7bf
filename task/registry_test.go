package task_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// serving gives each node a registry of its own.
func serving(registries ...*task.Registry) nodetest.Option {
	return nodetest.Configure(func(i int, cfg *node.Config) { cfg.Registry = registries[i] })
}

// colour returns what it is called and where it ran.
func colour(name string) func(context.Context) ([2]string, error) {
	return func(ctx context.Context) ([2]string, error) { return [2]string{name, task.Current(ctx).Node}, nil }
}

func TestNodesOfOneProcessServeEachItsOwnRegistry(t *testing.T) {
	reds, blues := task.NewRegistry(), task.NewRegistry()
	red := task.Define0("red", colour("red"), task.In(reds))
	blue := task.Define0("blue", colour("blue"), task.In(blues))
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		c := nodetest.Start(t, 2, append(where, serving(reds, blues))...)
		members, err := node.Members(c.Context(0))
		if err != nil || len(members) != 2 {
			t.Fatalf("members: %+v, %v", members, err)
		}
		for i, want := range []string{"red", "blue"} {
			if got := members[i].Functions; !slices.Equal(got, []string{want}) {
				t.Errorf("%s serves %q, want only %q", members[i].Name, got, want)
			}
		}
		var inRed, inBlue []objstore.Ref[[2]string]
		for i := range 2 {
			for range 20 {
				inRed, inBlue = append(inRed, red.Go(c.Context(i))), append(inBlue, blue.Go(c.Context(i)))
			}
		}
		for i, refs := range [][]objstore.Ref[[2]string]{inRed, inBlue} {
			want := [2]string{[]string{"red", "blue"}[i], c.Node(i).ID()}
			for n, r := range refs {
				if got := get(t, c.Context(n/20), r); got != want {
					t.Errorf("call %d from node %d: got %q, want %q", n, n/20, got, want)
				}
			}
		}
	})
}

func TestAFunctionInTheRegistryOfNoNodeIsNotServed(t *testing.T) {
	served, forgotten := task.NewRegistry(), task.NewRegistry()
	task.Define0("present", colour("present"), task.In(served))
	absent := task.Define0("absent_everywhere", colour("absent"), task.In(forgotten))
	c := nodetest.Start(t, 2, serving(served, served))
	for i := range 2 {
		wantError(t, c.Context(i), absent.Go(c.Context(i)), task.ErrNotRegistered)
		wantError(t, c.Context(i), double.Go(c.Context(i), 1), task.ErrNotRegistered) // of the default registry
	}
}

func TestANodeWithoutARegistryServesTheDefaultOne(t *testing.T) {
	others := task.NewRegistry()
	other := task.Define0("other", colour("other"), task.In(others))
	c := nodetest.Start(t, 2, serving(nil, task.DefaultRegistry))
	if got := get(t, c.Context(0), double.Go(c.Context(0), 21)); got != 42 {
		t.Errorf("got %d", got)
	}
	wantError(t, c.Context(0), other.Go(c.Context(0)), task.ErrNotRegistered)
}

// As two versions of a program do while the nodes of a cluster are replaced.
func TestRegistriesShareANameAndItsTasks(t *testing.T) {
	before, after := task.NewRegistry(), task.NewRegistry()
	g := newGate(t)
	version := func(name string) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) { return name, enter(ctx, g.name) }
	}
	f := task.Define0("shared", version("before"), task.In(before))
	task.Define0("shared", version("after"), task.In(after))
	c := nodetest.Start(t, 2, nodetest.CPUs(4), serving(before, after))
	var refs []objstore.Ref[string]
	for range 8 {
		refs = append(refs, f.Go(c.Context(0)))
	}
	g.await(8)
	g.open()
	count := make(map[string]int)
	for _, name := range getAll(t, c.Context(0), refs) {
		count[name]++
	}
	if count["before"] != 4 || count["after"] != 4 {
		t.Errorf("who ran them: %v, want 4 and 4", count)
	}
}

func TestAPlainClientFindsTheNodeWhoseRegistryHasTheFunction(t *testing.T) {
	reds, blues := task.NewRegistry(), task.NewRegistry()
	task.Define("plain_red", func(_ context.Context, n int) (int, error) { return n + 1, nil }, task.In(reds))
	task.Define2("plain_blue", func(_ context.Context, a, b int) (int, error) { return a * b, nil }, task.In(blues))
	nc := nodetest.Start(t, 2, serving(reds, blues)).Connect()
	for subject, want := range map[string][2]string{"plain_red": {"6", "7"}, "plain_blue": {"[6,7]", "42"}} {
		reply, err := nc.Request("manta.default.task."+subject, []byte(want[0]), patience)
		if err != nil || string(reply.Data) != want[1] {
			t.Errorf("%s of %s: got %s, %v", subject, want[0], reply.Data, err)
		}
	}
}

func TestANameIsTakenOnceInEachRegistry(t *testing.T) {
	r := task.NewRegistry()
	task.Define("taken", same, task.In(r)) // in the default registry too
	got := panicOf(t, func() { task.Define("taken", same, task.In(r)) })
	if !strings.Contains(got, `"taken"`) || strings.Count(got, "registry_test.go:") != 2 {
		t.Errorf("got %q", got)
	}
}

func TestAFunctionIsInTheRegistryOfItsDefinitionForGood(t *testing.T) {
	c := nodetest.Start(t, 1)
	r := task.NewRegistry()
	for what, f := range map[string]task.Func[int, int]{
		"With":     double.With(task.In(r)),
		"a With":   double.With(task.CPUs(1)).With(task.In(r)),
		"Declare":  task.Declare[int, int]("double", task.In(r)),
		"With nil": double.With(task.In(nil)),
	} {
		if err := getError(t, c.Context(0), f.Go(c.Context(0), 1)); !strings.Contains(err.Error(), "double: task.In says where a function is defined") {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if got := panicOf(t, func() { task.Define("nowhere", same, task.In(nil)) }); !strings.Contains(got, "want a registry") {
		t.Errorf("no registry: got %q", got)
	}
}
