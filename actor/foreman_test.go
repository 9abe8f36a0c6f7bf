package actor_test

import (
	"context"

	"manta/actor"
)

// foreman makes actors of its own when it starts.
type foreman struct {
	Workers int

	workers []actor.Ref[counter]
}

func (f *foreman) Start(ctx context.Context) error {
	for i := range f.Workers {
		f.workers = append(f.workers, counters.New(ctx, counter{From: i}))
	}
	_, err := f.Sum(ctx)
	return err
}

// Sum asks every worker.
func (f *foreman) Sum(ctx context.Context) (sum int, err error) {
	for _, w := range f.workers {
		n, err := actor.Method0(w, (*counter).Value).Call(ctx)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// First hands out a worker.
func (f *foreman) First(context.Context) (actor.Ref[counter], error) { return f.workers[0], nil }

var foremen = actor.Define[foreman]("foreman")
