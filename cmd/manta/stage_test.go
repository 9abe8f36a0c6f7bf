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

// golden holds the shape of JSON, its keys and types, against a file of testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%s: %v in %s", name, err, text)
	}
	got, err := json.MarshalIndent(shape(value), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s has the shape\n%s\nwant\n%s", name, got, want)
	}
}

// shape is what a value is: a type's name for each of its leaves, and of an array what its elements have in common, merged.
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
			merged = merge(merged, shape(v))
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

func merge(a, b any) any {
	one, ok := a.(map[string]any)
	other, both := b.(map[string]any)
	if !ok || !both {
		return b
	}
	for key, v := range other {
		one[key] = merge(one[key], v)
	}
	return one
}

// sortedLines are the lines of a text in order.
func sortedLines(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(lines)
	return lines
}
