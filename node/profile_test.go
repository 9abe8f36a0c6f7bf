package node_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/nats-io/nats.go"

	"manta/actor"
	"manta/bus"
	"manta/node"
	"manta/node/nodetest"
	"manta/task"
)

// spin keeps a CPU busy until the gate opens, here and in a goroutine of its own.
func spin(g *gate) {
	other := make(chan struct{})
	go func() {
		defer close(other)
		burn(g)
	}()
	burn(g)
	<-other
}

func burn(g *gate) {
	for !g.isOpen() {
	}
}

func (g *gate) isOpen() bool {
	select {
	case <-g.opened:
		return true
	default:
		return false
	}
}

var spinning = task.Define("spinning", func(_ context.Context, name string) (task.None, error) {
	g, err := enter(name)
	if err == nil {
		spin(g)
	}
	return task.None{}, err
})

type spinner struct{}

func (*spinner) Spin(_ context.Context, name string) (task.None, error) {
	g, err := enter(name)
	if err == nil {
		spin(g)
	}
	return task.None{}, err
}

var spinners = actor.Define[spinner]("spinner")

// profileOf takes a profile that must be one.
func profileOf(t *testing.T, ctx context.Context, n *node.Node, kind string, d time.Duration) *profile.Profile {
	t.Helper()
	data, err := node.Profile(ctx, n.ID(), kind, d)
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	p, err := profile.Parse(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	return p
}

// samplesWith counts the samples of a profile with a label, by the functions in their stacks whose names contain a word.
func samplesWith(p *profile.Profile, label, value, word string) (n int64) {
	for _, s := range p.Sample {
		for _, v := range s.Label[label] {
			if v == value && strings.Contains(fmt.Sprint(stack(s)), word) {
				n += s.Value[0]
			}
		}
	}
	return n
}

func stack(s *profile.Sample) (functions []string) {
	for _, l := range s.Location {
		for _, line := range l.Line {
			functions = append(functions, line.Function.Name)
		}
	}
	return functions
}

func TestAProfileTellsWhichTasksAndMethodsTakeTheTime(t *testing.T) {
	c := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
	ctx, worker, g := c.Context(0), c.Node(1), newGate(t)
	run := spinning.Go(ctx, g.name)
	call := actor.Method(spinners.New(ctx, spinner{}), (*spinner).Spin).Go(ctx, g.name)
	await(t, g.came, "the task")
	await(t, g.came, "the method")
	for kind, d := range map[string]time.Duration{"cpu": time.Second, "goroutine": 0} {
		p := profileOf(t, ctx, worker, kind, d)
		for label, value := range map[string]string{"manta_task": "spinning", "manta_actor": "spinner", "manta_method": "Spin"} {
			if n := samplesWith(p, label, value, "burn"); n == 0 {
				t.Errorf("%s: no sample of %s=%s:\n%v", kind, label, value, p)
			}
		}
	}
	g.open()
	if _, err := run.Get(ctx); err != nil {
		t.Error(err)
	}
	if _, err := call.Get(ctx); err != nil {
		t.Error(err)
	}
	c.Await("no goroutine to have labels any more", func() bool {
		p := profileOf(t, ctx, worker, "goroutine", 0)
		return samplesWith(p, "manta_task", "spinning", "")+samplesWith(p, "manta_actor", "spinner", "") == 0
	})
}

func TestEveryKindOfProfileCanBeTaken(t *testing.T) {
	c := nodetest.Start(t, 2)
	for kind, sample := range map[string]string{
		"heap": "inuse_space", "allocs": "alloc_space", "goroutine": "goroutine", "mutex": "contentions", "block": "delay",
	} {
		t.Run(kind, func(t *testing.T) {
			p := profileOf(t, c.Context(0), c.Node(1), kind, time.Second)
			var types []string
			for _, s := range p.SampleType {
				types = append(types, s.Type)
			}
			if !strings.Contains(strings.Join(types, " "), sample) {
				t.Errorf("it has %q, want %q", types, sample)
			}
			if kind == "block" && len(p.Sample) == 0 {
				t.Error("no goroutine has waited for a second")
			}
		})
	}
}

func TestAProfileLargerThanAMessageComesThroughTheObjectStore(t *testing.T) {
	const maxPayload, goroutines = 96 << 10, 1000
	srv := serveConfig(t, fmt.Sprint("max_payload: ", maxPayload))
	c := nodetest.Start(t, 2, nodetest.At(srv.ClientURL()))
	opened := make(chan struct{})
	var waiting sync.WaitGroup
	for range goroutines {
		words := make([]byte, 200)
		_, _ = rand.Read(words) // never fails
		waiting.Go(func() {
			pprof.Do(t.Context(), pprof.Labels("words", hex.EncodeToString(words)), func(context.Context) { <-opened })
		})
	}
	defer waiting.Wait()
	defer close(opened)
	data, err := node.Profile(c.Context(0), c.Node(1).ID(), "goroutine", 0)
	if err != nil || len(data) <= maxPayload {
		t.Fatalf("%d bytes, %v, want more than %d", len(data), err, maxPayload)
	}
	if _, err := profile.Parse(bytes.NewReader(data)); err != nil {
		t.Error(err)
	}
	c.Await("it to be freed", func() bool { return c.Node(1).Stats().Objects.Owned == 0 })
}

func TestAWrongQuestionForAProfileIsRefused(t *testing.T) {
	c := nodetest.Start(t, 2)
	ctx, other := c.Context(0), c.Node(1).ID()
	for name, test := range map[string]struct {
		node, kind string
		d          time.Duration
		want       error
		words      string
	}{
		"another kind":      {other, "threads", 0, task.ErrArgument, "cpu, heap"},
		"too short":         {other, "cpu", time.Millisecond, task.ErrArgument, "1s to 1m0s"},
		"too long":          {other, "cpu", time.Hour, task.ErrArgument, "1s to 1m0s"},
		"no id":             {"node-1", "heap", 0, node.ErrUnknownNode, "node-1"},
		"the id of nobody":  {"0000000000000", "heap", 0, node.ErrUnknownNode, "0000000000000"},
		"a time of nothing": {other, "block", -time.Second, task.ErrArgument, "-1"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := node.Profile(ctx, test.node, test.kind, test.d); !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %v, want %v with %q", err, test.want, test.words)
			}
		})
	}
	if _, err := node.Profile(t.Context(), other, "heap", 0); !errors.Is(err, bus.ErrNoNode) {
		t.Errorf("without a node: %v", err)
	}
}

// profileSoon takes a CPU profile as soon as no other is taken.
func profileSoon(ctx context.Context, n *node.Node, d time.Duration) <-chan error {
	over := make(chan error, 1)
	go func() {
		_, err := node.Profile(ctx, n.ID(), "cpu", d)
		for errors.Is(err, node.ErrProfiling) {
			_, err = node.Profile(ctx, n.ID(), "cpu", d)
		}
		over <- err
	}()
	return over
}

// awaitProfiling waits until a node refuses to take a profile because one is taken over a time.
func awaitProfiling(c *nodetest.Cluster, i int) {
	c.Await("another profile to be refused", func() bool {
		_, err := node.Profile(c.Context(0), c.Node(i).ID(), "goroutine", 0)
		return errors.Is(err, node.ErrProfiling)
	})
}

func TestANodeThatOnlyCallsTakesNoProfiles(t *testing.T) {
	srv := serve(t)
	n, _ := start(t, on(srv, node.Config{}))
	_, ctx := start(t, on(srv, node.Config{Caller: "alice"}))
	if _, err := node.Profile(ctx, n.ID(), "heap", 0); !errors.Is(err, bus.ErrConfined) {
		t.Errorf("got %v, want ErrConfined", err)
	}
}

func TestAProcessTakesOneProfileAtATime(t *testing.T) {
	c := nodetest.Start(t, 3)
	first := profileSoon(c.Context(0), c.Node(1), 2*time.Second)
	awaitProfiling(c, 2) // the nodes of a test are one process
	if err := await(t, first, "the first profile"); err != nil {
		t.Error(err)
	}
}

func TestANodeThatClosesEndsItsProfile(t *testing.T) {
	c := nodetest.Start(t, 2)
	profiled := profileSoon(c.Context(0), c.Node(1), time.Minute)
	awaitProfiling(c, 0)
	begun := time.Now()
	closeNode(t, c.Node(1))
	if err := await(t, profiled, "the profile"); !errors.Is(err, bus.ErrClosed) || time.Since(begun) > patience {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
}

func TestAPlainClientWithTheRightsOfAWorkerGetsProfiles(t *testing.T) {
	c := nodetest.Start(t, 1)
	nc := c.Connect()
	subject := "manta.default.node." + c.Node(0).ID() + ".profile"
	msg, err := nc.Request(subject, []byte(`{"kind":"heap"}`), patience)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := profile.Parse(bytes.NewReader(msg.Data)); err != nil {
		t.Error(err)
	}
	for payload, code := range map[string]string{
		"": "argument", "cpu": "argument", `{"kind":1}`: "argument", `{"kind":"cpu","seconds":1e9}`: "argument", `{"kind":"cpu","seconds":-1}`: "argument",
	} {
		msg, err := nc.Request(subject, []byte(payload), patience)
		if err != nil || msg.Header.Get("Manta-Error") != code {
			t.Errorf("%q: %v, %v, want %s", payload, msg, err, code)
		}
	}
	if err := nc.PublishMsg(&nats.Msg{Subject: subject, Reply: "manta.default.task.where", Data: []byte(`{"kind":"heap"}`)}); err != nil {
		t.Fatal(err)
	}
	c.Await("a question that is to be answered elsewhere to be rejected", func() bool { return c.Node(0).Stats().Rejected == 1 })
}
