package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"manta/node"
)

func TestAnExitCodeSaysHowARunEnded(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("drain is not complete"), 1},
		{&node.SignalError{Signal: syscall.SIGTERM}, 143},
		{errors.Join(fmt.Errorf("drain is not complete: %w", &node.SignalError{Signal: os.Interrupt}), errors.New("closing")), 130},
		{&node.SignalError{Signal: foreign{}}, 1},
	} {
		if got := node.ExitCode(c.err); got != c.want {
			t.Errorf("%v: got %d, want %d", c.err, got, c.want)
		}
	}
}

// foreign is a signal without a number.
type foreign struct{}

func (foreign) Signal()        {}
func (foreign) String() string { return "foreign" }

func TestTheEndOfCtxDrainsLikeASignal(t *testing.T) {
	srv := serve(t)
	n, _ := start(t, on(srv, node.Config{}))
	_, client := start(t, on(srv, node.Config{ClientOnly: true}))
	g := newGate(t)
	result := hold.Go(client, g.name)
	await(t, g.came, "the task")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.RunUntilSignal(ctx) }()
	cancel()
	g.open()
	if err := await(t, ended, "RunUntilSignal"); err != nil {
		t.Error(err)
	}
	if id, err := result.Get(client); id != n.ID() || err != nil {
		t.Errorf("the task's result: %q, %v", id, err)
	}
}

func TestADrainThatTakesTooLongNamesWhatRunsAndTheLimit(t *testing.T) {
	srv := serve(t)
	n, _ := start(t, on(srv, node.Config{DrainTimeout: 1}))
	_, client := start(t, on(srv, node.Config{ClientOnly: true}))
	g := newGate(t)
	hold.Go(client, g.name)
	await(t, g.came, "the task")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	err := await(t, ended, "Run")
	if err == nil || !strings.Contains(err.Error(), "1 × hold") || !strings.Contains(err.Error(), "Config.DrainTimeout, 1ns, has passed") {
		t.Errorf("got %v, want it to name the task and the timeout", err)
	}
	if code := node.ExitCode(err); code != 1 {
		t.Errorf("its exit code is %d, want 1", code)
	}
}
