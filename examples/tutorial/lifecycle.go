package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"go.uber.org/zap"

	"manta/node"
	"manta/node/embedded"
)

// cpus is how many tasks that need one CPU run at a time. The number is a promise that the node keeps,
// not a count of this machine's cores: four tasks that sleep fit on one core, four that compute do not.
const cpus = 4

// start is cell 1: a node of its own, with the NATS server inside this process.
func (t *tutorial) start(ctx context.Context) error {
	n, _, err := embedded.Start(ctx, embedded.Config{Config: node.Config{CPUs: cpus, Logger: warnings()}})
	if err != nil {
		return err
	}
	t.node = n

	total, free := n.Resources()
	t.printf("Manta %s", node.Version)
	t.printf("CPUs: %g (this machine has %d)", total["CPU"], runtime.NumCPU())
	t.printf("Free: %s", free)
	t.printf("NATS: %s", n.Server())
	if total["CPU"] != cpus {
		return fmt.Errorf("the node has %g CPUs, not %d", total["CPU"], cpus)
	}
	return nil
}

// stop is cell 16: finish what runs, close, and look whether anything was left behind.
func (t *tutorial) stop(ctx context.Context) error {
	if err := t.node.Drain(ctx); err != nil {
		return err
	}
	if err := t.node.Close(); err != nil {
		return err
	}
	t.printf("✓ drained and closed")

	left := settle(ctx, t.goroutines, 5*time.Second)
	t.printf("Goroutines: %d before the node was started, %d after it was closed", t.goroutines, left)
	if left > t.goroutines {
		return fmt.Errorf("%d goroutines are still running", left-t.goroutines)
	}
	t.printf("✓ nothing is left running")
	return nil
}

// settle waits until no more than want goroutines run, but not longer than the limit, and returns how many do.
func settle(ctx context.Context, want int, limit time.Duration) int {
	for deadline := time.Now().Add(limit); runtime.NumGoroutine() > want && time.Now().Before(deadline); {
		if pause(ctx, 10*time.Millisecond) != nil {
			break
		}
	}
	return runtime.NumGoroutine()
}

// warnings is a logger for what a reader of the tutorial should not miss. It writes to stderr.
func warnings() *zap.Logger {
	cfg := zap.NewDevelopmentConfig()
	cfg.Level.SetLevel(zap.WarnLevel)
	cfg.DisableStacktrace = true
	return zap.Must(cfg.Build())
}
