package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"manta/actor"
	"manta/node"
	"manta/node/embedded"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// patience bounds what must come, and comes much sooner unless something is broken.
const patience = 20 * time.Second

// stage is a cluster of three nodes, on a server that listens, and the command line that is to see it.
type stage struct {
	*nodetest.Cluster
	t      *testing.T
	server *embedded.Server
}

// deeds are what its nodes serve.
var deeds = task.NewRegistry()

// Functions of every kind.
var (
	_ = task.Define("square", func(_ context.Context, x int) (int, error) { return x * x, nil }, task.In(deeds))
	_ = task.Define2("add", func(_ context.Context, a, b int) (int, error) { return a + b, nil }, task.In(deeds))
	_ = task.Define0("hello", func(context.Context) (string, error) { return "hello", nil }, task.In(deeds))
	_ = task.Define("refuse", func(_ context.Context, why string) (int, error) { return 0, errors.New(why) }, task.In(deeds))
	_ = task.Define("bill", func(_ context.Context, total int) (map[string]int, error) { return map[string]int{"paid": total}, nil }, task.In(deeds), task.Durable())
	_ = task.Define("sum", func(ctx context.Context, of objstore.Ref[[]float64]) (sum float64, err error) {
		values, err := of.Get(ctx)
		for _, v := range values {
			sum += v
		}
		return sum, err
	}, task.In(deeds))
	_ = task.DefineStream("count", func(_ context.Context, to int, yield func(map[string]int) error) error {
		for i := range to {
			if err := yield(map[string]int{"item": i + 1}); err != nil {
				return err
			}
		}
		return nil
	}, task.In(deeds))
	hold = task.Define("hold", func(ctx context.Context, gate string) (string, error) { return gate, enter(ctx, gate) }, task.In(deeds), task.CPUs(0))
	_    = task.Define("train", func(context.Context, int) (int, error) { return 0, nil }, task.In(deeds), task.Resources(map[string]float64{"gpu": 1}))
)

type counter struct {
	From int

	n int
}

func (c *counter) Start(context.Context) error { c.n = c.From; return nil }

func (c *counter) Add(_ context.Context, by int) (int, error) { c.n += by; return c.n, nil }

func (c *counter) Value(context.Context) (int, error) { return c.n, nil }

var counters = actor.Define[counter]("counter", actor.In(deeds))

// gates are where tasks wait, by their names.
var gates sync.Map

type gate struct {
	name         string
	came, opened chan struct{}
	open         func()
}

func newGate(t *testing.T) *gate {
	g := &gate{name: t.Name(), came: make(chan struct{}, 100), opened: make(chan struct{})}
	g.open = sync.OnceFunc(func() { close(g.opened) })
	gates.Store(g.name, g)
	t.Cleanup(func() {
		g.open()
		gates.Delete(g.name)
	})
	return g
}

func enter(ctx context.Context, name string) error {
	g, ok := gates.Load(name)
	if !ok {
		return errors.New("the test is over")
	}
	g.(*gate).came <- struct{}{}
	select {
	case <-g.(*gate).opened:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// await waits for a signal.
func await[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
	}
	return v
}

// setup starts the cluster. No setting of the machine reaches the command line.
func setup(t *testing.T) *stage {
	t.Helper()
	alone(t)
	server, err := embedded.RunServer(embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	c := nodetest.Start(t, 3, nodetest.At(server.URL()), nodetest.Configure(func(i int, cfg *node.Config) {
		cfg.Registry, cfg.Name, cfg.InfeasibleAfter = deeds, fmt.Sprintf("worker-%d", i), time.Second
		cfg.Labels = map[string]string{"zone": fmt.Sprint("z", i)}
	}))
	t.Setenv("NATS_URL", server.URL())
	return &stage{Cluster: c, t: t, server: server}
}

// alone takes away what the machine says of NATS and Manta.
func alone(t *testing.T) {
	t.Helper()
	for _, name := range variable {
		t.Setenv(name, "")
	}
	for _, name := range startVariable {
		t.Setenv(name, "")
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
}

// outcome is what a command came to.
type outcome struct {
	t              *testing.T
	args           []string
	code           int
	stdout, stderr string
}

// manta runs the command line, as a process would be run.
func manta(t *testing.T, args ...string) outcome { return mantaWith(t, t.Context(), "", args...) }

func mantaWith(t *testing.T, ctx context.Context, stdin string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, strings.NewReader(stdin), &stdout, &stderr)
	return outcome{t, args, code, stdout.String(), stderr.String()}
}

// ok wants it to have succeeded, and returns what is on stdout.
func (o outcome) ok() string {
	o.t.Helper()
	if o.code != 0 {
		o.t.Fatalf("manta %q ended with %d: %s", o.args, o.code, o.stderr)
	}
	return o.stdout
}

// fails wants an exit code, nothing on stdout, and words on stderr.
func (o outcome) fails(code int, words ...string) {
	o.t.Helper()
	if o.code != code || o.stdout != "" {
		o.t.Errorf("manta %q ended with %d, want %d; it wrote %q, and said %q", o.args, o.code, code, o.stdout, o.stderr)
	}
	for _, want := range words {
		if !strings.Contains(o.stderr, want) {
			o.t.Errorf("manta %q says %q, without %q", o.args, o.stderr, want)
		}
	}
}

var update = flag.Bool("update", false, "write the golden files")

// golden holds the shape of JSON, its keys and types, against a file of testdata. A key that ends with ? may be missing; -update adds to a file what it
// lacks, and marks so what it has and the output lacks.
func golden(t *testing.T, name, text string) {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%s: %v in %s", name, err, text)
	}
	got, path := shape(value), filepath.Join("testdata", name+".golden")
	var want any
	file, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(file, &want)
	}
	if *update {
		merged, _ := json.MarshalIndent(extend(want, got), "", "  ") // it is of what came as JSON
		err = os.WriteFile(path, append(merged, '\n'), 0o600)
		want = got
	}
	if err != nil {
		t.Fatal(err)
	}
	if wrong := misfit(want, got, "$"); wrong != "" {
		shown, _ := json.MarshalIndent(got, "", "  ")
		t.Errorf("%s does not have the shape of %s: %s; it has\n%s", name, path, wrong, shown)
	}
}

// shape is what a value is: a type's name for each of its leaves, and of an array what its elements are, all of them together.
func shape(value any) any {
	switch value := value.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case float64:
		return "number"
	case string:
		return "string"
	case []any:
		var merged any
		for _, v := range value {
			merged = extend(merged, shape(v))
		}
		if merged == nil {
			return []any{}
		}
		return []any{merged}
	}
	keys := make(map[string]any)
	for key, v := range value.(map[string]any) {
		keys[key] = shape(v)
	}
	return keys
}

// extend is a shape that fits whatever fits one of two.
func extend(a, b any) any {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	one, ok := a.([]any)
	other, both := b.([]any)
	if ok && both {
		if len(one) == 0 || len(other) == 0 {
			return append(one, other...)
		}
		return []any{extend(one[0], other[0])}
	}
	keys, ok := a.(map[string]any)
	more, both := b.(map[string]any)
	if !ok || !both {
		return b
	}
	merged := make(map[string]any)
	for _, of := range []map[string]any{keys, more} {
		for key := range of {
			key = strings.TrimSuffix(key, "?")
			name := key
			if keys[key] == nil || more[key] == nil { // one of them lacks it, or may
				name += "?"
			}
			merged[name] = extend(firstOf(keys, key), firstOf(more, key))
		}
	}
	return merged
}

// firstOf is what stands under a key, or under the same one that may be missing.
func firstOf(keys map[string]any, key string) any {
	if v, ok := keys[key]; ok {
		return v
	}
	return keys[key+"?"]
}

// misfit says where a shape differs from one that is wanted; "" if nowhere.
func misfit(want, got any, at string) string {
	array, ok := want.([]any)
	elements, both := got.([]any)
	if ok && both {
		if len(array) == 0 || len(elements) == 0 {
			return ""
		}
		return misfit(array[0], elements[0], at+"[]")
	}
	keys, ok := want.(map[string]any)
	have, both := got.(map[string]any)
	if !ok || !both {
		if want != got {
			return fmt.Sprintf("%s is %v, want %v", at, got, want)
		}
		return ""
	}
	for key := range have {
		plain := strings.TrimSuffix(key, "?")
		if firstOf(keys, plain) == nil {
			return at + "." + plain + " is there and not wanted"
		}
		if wrong := misfit(firstOf(keys, plain), have[key], at+"."+plain); wrong != "" {
			return wrong
		}
	}
	for key := range keys {
		if !strings.HasSuffix(key, "?") && have[key] == nil {
			return at + "." + key + " is missing"
		}
	}
	return ""
}

// sortedLines are the lines of a text in order.
func sortedLines(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(lines)
	return lines
}
