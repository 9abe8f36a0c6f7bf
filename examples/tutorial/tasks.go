package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"manta/objstore"
	"manta/task"
)

// A File is what is known of a file once it was loaded.
type File struct {
	Name string
	Size int
}

// loadFile is an ordinary function: Manta asks for a context, a value and an error, nothing else.
func loadFile(ctx context.Context, name string) (File, error) {
	err := pause(ctx, 500*time.Millisecond)
	return File{Name: name, Size: 1000 + rand.IntN(4001)}, err
}

// Each of these is a function that any node of the cluster may run.
var (
	load = task.Define("load_file", loadFile)

	stepOne = task.Define("step_one", func(ctx context.Context, x int) (int, error) {
		return x + 1, pause(ctx, stepTime)
	})
	stepTwo = task.Define("step_two", func(ctx context.Context, y int) (int, error) {
		return y * 2, pause(ctx, stepTime)
	})
	stepThree = task.Define2("step_three", func(ctx context.Context, a, b int) (int, error) {
		return a + b, pause(ctx, stepTime)
	})
)

const stepTime = 500 * time.Millisecond

func (t *tutorial) files() []string {
	names := make([]string, t.size.files)
	for i := range names {
		names[i] = fmt.Sprintf("data_%d.csv", i)
	}
	return names
}

// loadInTurn is cell 2: the plain loop that the next cell is compared with.
func (t *tutorial) loadInTurn(ctx context.Context) error {
	started := time.Now()
	for _, name := range t.files() {
		if _, err := loadFile(ctx, name); err != nil {
			return err
		}
	}
	t.sequential = time.Since(started)
	t.printf("%d files in %.2f s", t.size.files, t.sequential.Seconds())
	return nil
}

// loadAsTasks is cell 3: the same function on every file at once, as far as the CPUs go.
func (t *tutorial) loadAsTasks(ctx context.Context) error {
	started := time.Now()
	refs := load.Map(ctx, t.files()) // sends the tasks and returns at once
	watch(ctx, t.screen, refs)
	files, err := objstore.GetAll(ctx, refs) // waits for the results, in the order of the files
	if err != nil {
		return err
	}
	took := time.Since(started)

	speedup := t.sequential.Seconds() / took.Seconds()
	t.printf("%d files in %.2f s", len(files), took.Seconds())
	t.printf("Speed-up: %.2f×, which is %.0f%% of what %d CPUs could give", speedup, 100*speedup/cpus, cpus)
	for i, name := range t.files() {
		if files[i].Name != name {
			return fmt.Errorf("result %d is %q, not %q", i, files[i].Name, name)
		}
	}
	return nil
}

// dependencyGraph is cell 4: refs are handed on before their values exist, and Manta sees to the order.
//
//	10 ─ stepOne ─ stepTwo ─┐
//	                        stepThree ─ 43
//	20 ─ stepOne ───────────┘
func (t *tutorial) dependencyGraph(ctx context.Context) error {
	started := time.Now()
	eleven := stepOne.Go(ctx, 10)
	twentyTwo := stepTwo.On(ctx, eleven)
	twentyOne := stepOne.Go(ctx, 20) // beside the two above
	sum := stepThree.On(ctx, twentyTwo, twentyOne)
	built := time.Since(started)

	result, err := sum.Get(ctx) // the only line that waits
	if err != nil {
		return err
	}
	t.printf("The graph was built in %.2g ms", 1e3*built.Seconds())
	t.printf("(10+1)×2 + (20+1) = %d", result)
	t.printf("Four steps of %.1f s took %.2f s, because two of them ran side by side", stepTime.Seconds(), time.Since(started).Seconds())
	if result != 43 {
		return fmt.Errorf("the graph gave %d, not 43", result)
	}
	if built > stepTime {
		return fmt.Errorf("building the graph took %v: something in it waited", built)
	}
	return nil
}
