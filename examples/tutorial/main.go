// Tutorial walks through Manta in sixteen short cells: tasks, actors, objects, the patterns made of them,
// and a Monte Carlo estimate of π that puts them to work and ends in a figure.
//
//	go run ./examples/tutorial            # about twenty seconds; up to 2 GB of memory for the 800 MB array
//	go run ./examples/tutorial -quick     # every cell, with less in it
//	go run ./examples/tutorial -out /tmp  # where convergence.png and convergence.svg go
//
// It follows the Ray Core tutorial cell by cell, so that the two can be read side by side.
// Every cell checks what it claims, and the first claim that does not hold ends the run with status 1.
// Read the files in the order of the parts: tasks.go, actors.go, objects.go, patterns.go, montecarlo.go.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"time"

	"manta/node"
)

func main() {
	var cfg config
	flag.BoolVar(&cfg.quick, "quick", false, "do less in every cell")
	flag.StringVar(&cfg.out, "out", ".", "the `folder` for the figure")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, cfg, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tutorial:", err)
		os.Exit(1)
	}
}

// config is what the flags say.
type config struct {
	quick bool
	out   string
}

// A tutorial is one walk through the cells: the node they share, and what one cell leaves for another.
type tutorial struct {
	*screen
	size       sizes
	out        string
	goroutines int // before the node was started

	node       *node.Node
	sequential time.Duration // cell 2, for cell 3
	array      []float64     // cell 7, for cell 8
	runs       []estimate    // cell 14, for cell 15
}

var cells = []struct {
	title string
	run   func(*tutorial, context.Context) error
}{
	{"Start a node", (*tutorial).start},
	{"Files, one after the other", (*tutorial).loadInTurn},
	{"Files, as tasks", (*tutorial).loadAsTasks},
	{"A graph of tasks", (*tutorial).dependencyGraph},
	{"An actor keeps state", (*tutorial).modelServer},
	{"An actor does several things at once", (*tutorial).concurrentFetcher},
	{"A large array, and how not to pass it", (*tutorial).makeArray},
	{"Put once, pass the ref", (*tutorial).putOnce},
	{"Results as they come", (*tutorial).resultsAsTheyCome},
	{"A pool of actors", (*tutorial).workerPool},
	{"π on one CPU", (*tutorial).sequentialPi},
	{"π as twenty tasks", (*tutorial).distributedPi},
	{"One CPU against Manta", (*tutorial).comparePi},
	{"Convergence, and the figure", (*tutorial).convergence},
	{"What the runs say", (*tutorial).summary},
	{"Stop the node", (*tutorial).stop},
}

// run does all the cells in order and writes what they say to out.
func run(ctx context.Context, cfg config, out io.Writer) error {
	t := &tutorial{screen: newScreen(out), size: full, out: cfg.out, goroutines: runtime.NumGoroutine()}
	if cfg.quick {
		t.size = quick
	}
	defer t.close()
	for i, cell := range cells {
		t.heading(i+1, cell.title)
		if err := cell.run(t, t.context(ctx)); err != nil {
			return fmt.Errorf("cell %d, %q: %w", i+1, cell.title, err)
		}
	}
	return nil
}

// context adds the node to ctx, from the moment that there is one.
// An interrupt thus reaches every task and call that a cell is waiting for.
func (t *tutorial) context(ctx context.Context) context.Context {
	if t.node == nil {
		return ctx
	}
	return t.node.Context(ctx)
}

// close stops the node of a tutorial that ended early; after cell 16 it does nothing.
func (t *tutorial) close() {
	if t.node != nil {
		_ = t.node.Close() // the run has an error to tell already
	}
}
