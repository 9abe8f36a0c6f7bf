package node_test

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"manta/actor"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/placement"
	"manta/task"
)

type keeper struct{ Kept []any }

func (k *keeper) Keep(_ context.Context, v any) (int, error) {
	k.Kept = []any{v}
	return len(k.Kept), nil
}

// What strangers are let at, and their victims' own calls.
var (
	besieged = task.NewRegistry()
	echo     = task.Define("echo", func(_ context.Context, v any) (any, error) { return v, nil }, task.In(besieged))
	number   = task.Define("number", func(_ context.Context, n int) (int, error) { return n, nil }, task.In(besieged))
	_        = task.Define2("pair", func(_ context.Context, a, b int) (int, error) { return a + b, nil }, task.In(besieged))
	kept     = task.Define("kept", func(_ context.Context, n int) (int, error) { return n, nil }, task.In(besieged), task.Durable())
	numbers  = task.DefineStream("numbers", func(_ context.Context, n int, yield func(int) error) error {
		for i := range min(n, 100) {
			if err := yield(i); err != nil {
				return err
			}
		}
		return nil
	}, task.In(besieged))
	keepers = actor.Define[keeper]("keeper", actor.In(besieged))
)

// siege is nodes and a stranger on their server.
type siege struct {
	t     *testing.T
	c     *nodetest.Cluster
	nodes int
	nc    *nats.Conn
	id    string // of the first node
}

func besiege(t *testing.T, nodes int, opts ...nodetest.Option) siege {
	t.Helper()
	c := nodetest.Start(t, nodes, append(opts, nodetest.Configure(func(_ int, cfg *node.Config) { cfg.Registry = besieged }))...)
	return siege{t, c, nodes, c.Connect(), c.Node(0).ID()}
}

// rejected is how many messages the nodes have rejected.
func (s siege) rejected() (n int64) {
	for i := range s.nodes {
		n += s.c.Node(i).Stats().Rejected
	}
	return n
}

// idBytes is the first node's id as it stands in frames.
func (s siege) idBytes() []byte {
	id, err := base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding).DecodeString(s.id)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

const (
	// mended is how long what strangers have forged may disturb.
	mended = 30 * time.Second
	// roomAgain is how long a node may have no room for plain requests: a stream that strangers began and nobody reads is one for a minute.
	roomAgain = 90 * time.Second
)

// deed is something that programs, or strangers who mean no harm, do with what is served.
type deed struct {
	name   string
	within time.Duration // it is done, or fails
	do     func(ctx context.Context) error
}

// deeds are done on node i; their tasks run on node j.
func (s siege) deeds(i, j int) []deed {
	there := task.OnNode(s.c.Node(j).ID(), task.Hard)
	return []deed{
		{"a task", mended, func(ctx context.Context) error {
			return is(7)(number.With(there).Call(ctx, 7))
		}},
		{"a durable task", mended, func(ctx context.Context) error {
			return is(8)(kept.Call(ctx, 8))
		}},
		{"a stream", mended, func(ctx context.Context) error {
			n := 0
			for v, err := range numbers.With(there).Stream(ctx, 50) {
				if err != nil || v != n {
					return fmt.Errorf("item %d is %d, %w", n, v, err)
				}
				n++
			}
			return is(50)(n, nil)
		}},
		{"an actor", mended, func(ctx context.Context) error {
			k := keepers.New(ctx, keeper{})
			got, err := actor.Method(k, (*keeper).Keep).Call(ctx, "x")
			return errors.Join(is(1)(got, err), k.Stop(ctx))
		}},
		{"an object", mended, func(ctx context.Context) error {
			large := objstore.Put(ctx, make([]byte, 1<<20))
			got, err := echo.With(there).On(ctx, large.Any()).Get(ctx)
			data, _ := got.([]byte)
			return is(1<<20)(len(data), err)
		}},
		{"a placement group", mended, func(ctx context.Context) error {
			group, err := placement.New(ctx, []placement.Bundle{{"CPU": 1}}, placement.Pack)
			if err != nil {
				return err
			}
			return errors.Join(group.Ready(ctx), group.Remove(ctx))
		}},
		{"a plain request", roomAgain, func(ctx context.Context) error {
			reply, err := s.ask(ctx, "manta.default.task.pair", "[3,4]")
			if err != nil || string(reply.Data) != "7" {
				return fmt.Errorf("got %v, %w", reply, err)
			}
			return nil
		}},
	}
}

// is says whether what a call has returned is what it should be.
func is(want int) func(got int, err error) error {
	return func(got int, err error) error {
		if err == nil && got != want {
			err = fmt.Errorf("got %d, want %d", got, want)
		}
		return err
	}
}

// callAll calls what is served, from all nodes and at all nodes.
func (s siege) callAll() {
	s.t.Helper()
	for i := range s.nodes {
		for j := range s.nodes {
			for _, d := range s.deeds(i, j) {
				ctx, cancel := context.WithTimeout(s.c.Context(i), d.within)
				if err := d.do(ctx); err != nil {
					s.t.Errorf("%s, from node %d at node %d: %v", d.name, i, j, err)
				}
				cancel()
			}
		}
	}
}

// ask makes a plain request, again while the node has too many of strangers.
func (s siege) ask(ctx context.Context, subject, payload string) (*nats.Msg, error) {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		reply, err := s.nc.RequestWithContext(ctx, subject, []byte(payload))
		if err != nil || reply.Header.Get("Manta-Error") != "overload" {
			return reply, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return reply, context.Cause(ctx)
		}
	}
}

// settled waits until the goroutines are as few as they were.
func (s siege) settled(before int) {
	s.t.Helper()
	s.c.Await("goroutines end", func() bool { return runtime.NumGoroutine() <= before+10 })
}
