package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"manta/objstore"
	"manta/task"
)

// Functions of no argument, one and two, and the ways in which one fails.
func init() {
	task.Define("note", func(ctx context.Context, text string) (string, error) {
		task.Logger(ctx).Info(text)
		return text, nil
	})
	task.Define0("hello", func(context.Context) (string, error) { return "hello", nil })
	task.Define("square", func(_ context.Context, x int) (int, error) { return x * x, nil })
	task.Define2("add", func(_ context.Context, a, b int) (int, error) { return a + b, nil })
	task.Define("root", func(_ context.Context, x float64) (float64, error) {
		if x < 0 {
			return 0, fmt.Errorf("%v has no real root", x)
		}
		return math.Sqrt(x), nil
	})
	task.Define("first", func(_ context.Context, of []string) (string, error) { return of[0], nil }) // panics if there is none
	task.Define("train", func(context.Context, int) (int, error) { return 0, nil }, task.Resources(map[string]float64{"gpu": 1}))
	task.Define("text", func(_ context.Context, n int) (string, error) { return strings.Repeat("x", n), nil })
}

// attempts are those of lucky, whose every third succeeds.
var attempts atomic.Int64

var _ = task.Define0("lucky", func(context.Context) (int64, error) {
	n := attempts.Add(1)
	if n%3 != 0 {
		return 0, errors.New("no luck")
	}
	return n, nil
}, task.Retries(2), task.RetryOn(), task.Backoff(time.Millisecond, time.Millisecond))

// tickets is how many were drawn.
var tickets atomic.Int64

// Functions that tell how often they ran, which trace they belong to, and what a worker of another language makes of a number.
func init() {
	task.Define0("ticket", func(context.Context) (int64, error) { return tickets.Add(1), nil })
	task.Define0("trace", func(ctx context.Context) (string, error) {
		return trace.SpanContextFromContext(ctx).TraceID().String(), nil
	})
	thrice := task.Declare[int, int]("thrice")
	task.Define("relay", func(ctx context.Context, x int) (int, error) { return thrice.Call(ctx, x) })
}

// cancelled is how many calls of wait have ended before their time.
var cancelled atomic.Int64

func init() {
	task.Define("wait", func(ctx context.Context, seconds float64) (string, error) {
		if err := wait(ctx, seconds); err != nil {
			cancelled.Add(1)
			return "", err
		}
		return "done", nil
	}, task.CPUs(0))
	task.Define0("cancelled", func(context.Context) (int64, error) { return cancelled.Load(), nil })
}

// wait is over when ctx is.
func wait(ctx context.Context, seconds float64) error {
	select {
	case <-time.After(time.Duration(seconds * float64(time.Second))):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A series names numbers in the object store.
type series struct {
	Name   string                  `json:"name"`
	Values objstore.Ref[[]float64] `json:"values"`
}

// A point holds numbers alone: a slice of them is stored as it lies in memory.
type point struct {
	ID uint16     `json:"id"`
	At [2]float64 `json:"at"`
}

// Functions that return refs, and take them.
func init() {
	task.Define("poem", func(ctx context.Context, lines int) (objstore.Ref[string], error) {
		r := objstore.Put(ctx, strings.Repeat("a rose is a rose\n", lines))
		return r, r.Stored(ctx)
	})
	task.Define("ramp", func(ctx context.Context, n int) (objstore.Ref[[]float64], error) {
		values := make([]float64, n)
		for i := range values {
			values[i] = float64(i)
		}
		return objstore.Put(ctx, values), nil
	})
	task.Define("orbit", func(ctx context.Context, n int) (objstore.Ref[[]point], error) {
		points := make([]point, n)
		for i := range points {
			points[i] = point{ID: uint16(i), At: [2]float64{float64(i), float64(-i)}}
		}
		return objstore.Put(ctx, points), nil
	})
	task.Define("squares", func(ctx context.Context, n int) (objstore.Ref[map[string]int], error) {
		squares := make(map[string]int, n)
		for i := range n {
			squares[strconv.Itoa(i)] = i * i
		}
		return objstore.Put(ctx, squares), nil
	})
	task.Define("sum", func(ctx context.Context, of objstore.Ref[[]float64]) (sum float64, err error) {
		values, err := of.Get(ctx)
		for _, v := range values {
			sum += v
		}
		return sum, err
	})
	task.Define2("scale", func(ctx context.Context, s series, by float64) (series, error) {
		values, err := s.Values.Get(ctx)
		scaled := make([]float64, len(values))
		for i, v := range values {
			scaled[i] = by * v
		}
		return series{Name: s.Name + " scaled", Values: objstore.Put(ctx, scaled)}, err
	})
}

// counting is how many calls of count are under way.
var counting atomic.Int64

// Streaming functions: one that ends well, and one that may not.
func init() {
	task.DefineStream("count", func(_ context.Context, to int, yield func(int) error) error {
		counting.Add(1)
		defer counting.Add(-1)
		for i := range to {
			if err := yield(i + 1); err != nil {
				return err
			}
		}
		return nil
	})
	task.Define0("counting", func(context.Context) (int64, error) { return counting.Load(), nil })
	task.DefineStream("parse", func(_ context.Context, texts []string, yield func(int) error) error {
		for _, text := range texts {
			n, err := strconv.Atoi(text)
			if err != nil {
				return err
			}
			if err := yield(n); err != nil {
				return err
			}
		}
		return nil
	})
}

type order struct {
	Total int `json:"total"`
}

type receipt struct {
	Paid int `json:"paid"`
}

// Durable functions, so this node has made the stream and the bucket.
func init() {
	task.Define("bill", func(_ context.Context, o order) (receipt, error) {
		if o.Total <= 0 {
			return receipt{}, fmt.Errorf("a total of %d cannot be paid", o.Total)
		}
		return receipt{Paid: o.Total}, nil
	}, task.Durable())
	task.Define("ship", func(ctx context.Context, seconds float64) (string, error) {
		return "shipped", wait(ctx, seconds)
	}, task.Durable(), task.CPUs(0))
}
