package actor_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// stage is what a test shares with its actors. They live in the same process and find it by the name in their start value.
type stage struct {
	t    *testing.T
	name string

	mu      sync.Mutex
	diary   []string
	changed chan struct{} // closed at the next entry
	gates   map[string]chan struct{}
}

var stages sync.Map // name → *stage

func newStage(t *testing.T) *stage {
	s := &stage{t: t, name: t.Name(), changed: make(chan struct{}), gates: make(map[string]chan struct{})}
	stages.Store(s.name, s)
	t.Cleanup(func() { stages.Delete(s.name) })
	return s
}

func stageNamed(name string) *stage {
	s, ok := stages.Load(name)
	if !ok {
		return &stage{changed: make(chan struct{}), gates: make(map[string]chan struct{})} // its test has ended
	}
	return s.(*stage)
}

// write adds an entry to the diary.
func (s *stage) write(entry string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.diary = append(s.diary, entry)
	close(s.changed)
	s.changed = make(chan struct{})
}

// read returns the diary.
func (s *stage) read() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.diary)
}

// await waits until the diary has all entries.
func (s *stage) await(entries ...string) {
	s.t.Helper()
	for _, entry := range entries {
		s.awaits(1, entry)
	}
}

// awaits waits until the diary has an entry n times.
func (s *stage) awaits(n int, entry string) {
	s.t.Helper()
	timeout := time.After(patience)
	for {
		s.mu.Lock()
		changed, have := s.changed, 0
		for _, e := range s.diary {
			if e == entry {
				have++
			}
		}
		s.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			s.t.Fatalf("%q was written %d times, want %d; the diary is %q", entry, have, n, s.read())
		}
	}
}

// gate is what actors wait at until the test opens it.
func (s *stage) gate(name string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gates[name] == nil {
		s.gates[name] = make(chan struct{})
	}
	return s.gates[name]
}

func (s *stage) open(name string) { close(s.gate(name)) }

// hold writes "name begins", waits at the gate of that name, and writes "name ends", or "name stops" if ctx ends first.
func (s *stage) hold(ctx context.Context, name string) (string, error) {
	s.write(name + " begins")
	select {
	case <-s.gate(name):
		s.write(name + " ends")
		return name, nil
	case <-ctx.Done():
		s.write(name + " stops")
		return "", context.Cause(ctx)
	}
}

// timeout returns ctx with an end, so that what should not hang fails.
func timeout(t *testing.T, ctx context.Context) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%s waits for ever", t.Name()))
	t.Cleanup(cancel)
	return ctx
}

// setup starts one node and returns a ctx that carries it.
func setup(t *testing.T) context.Context {
	t.Helper()
	return timeout(t, nodetest.Start(t, 1).Context(0))
}

// clientAndHosts starts a node 0 that hosts nothing, and others that do.
func clientAndHosts(t *testing.T, hosts int, opts ...nodetest.Option) *nodetest.Cluster {
	t.Helper()
	client := nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 })
	return nodetest.Start(t, 1+hosts, append(opts, client)...)
}
