package task_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

var twice = task.Define("twice", func(_ context.Context, n int) (int, error) { return 2 * n, nil })

func TestADurableTaskHasItsResultInTheRefAndUnderItsID(t *testing.T) {
	c := nodetest.Start(t, 2)
	ctx, cancel := context.WithTimeout(c.Context(0), 20*time.Second)
	defer cancel()
	ref := twice.With(task.Durable()).Go(ctx, 21)
	if got, err := ref.Get(ctx); err != nil || got != 42 {
		t.Fatalf("the ref has %d, %v", got, err)
	}
	elsewhere, cancel := context.WithTimeout(c.Context(1), 20*time.Second)
	defer cancel()
	if got, err := task.Result[int](elsewhere, ref.ID()); err != nil || got != 42 {
		t.Errorf("its id has %d, %v", got, err)
	}
	_ = errors.Is
	_ = objstore.ErrExpired
}
