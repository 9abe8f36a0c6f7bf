package call_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
)

// bound is a call that notes what it is ended with.
type bound struct {
	*call.Call
	ended chan error
}

func (b *bound) Ended(err error) { b.ended <- err }

// bind makes a call that may take so long, and ties it to ctx.
func bind(ctx context.Context, ws *call.Watches, node *member.Node, timeout time.Duration) *bound {
	target := &call.Target{Name: "add", Options: call.Options{Timeout: timeout}}
	b := &bound{call.New(node, target, call.Args{}), make(chan error, 2)}
	ws.Bind(ctx, b)
	return b
}

// wantNothingWatched checks that every watch has been forgotten.
func wantNothingWatched(t *testing.T, ws *call.Watches) {
	t.Helper()
	if n := ws.Live(); n != 0 {
		t.Errorf("%d ctxs are watched, want none", n)
	}
}

// foreign is a ctx that package context does not know: watching it takes a goroutine, until the watch is stopped.
type foreign struct {
	context.Context
	done <-chan struct{}
}

func (f foreign) Done() <-chan struct{} { return f.done }

func (f foreign) Err() error {
	select {
	case <-f.done:
		return context.Canceled
	default:
		return nil
	}
}

func TestWhatEndsACallsContextIsItsOutcome(t *testing.T) {
	node, _ := startNode(t)
	tests := []struct {
		name    string
		timeout time.Duration
		ctx     func() context.Context
		want    []error
	}{
		{"cancellation", 0, cancelled(nil), []error{call.ErrCancelled, context.Canceled}},
		{"cancellation with a cause", 0, cancelled(errors.New("enough")), []error{call.ErrCancelled}},
		{"the end of its node", 0, cancelled(bus.ErrClosed), []error{bus.ErrClosed}},
		{"a deadline", 0, expired, []error{call.ErrDeadline, context.DeadlineExceeded}},
		{"its own timeout", time.Nanosecond, t.Context, []error{call.ErrDeadline}},
		{"cancellation before its timeout", time.Hour, cancelled(nil), []error{call.ErrCancelled}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ws := call.NewWatches(node.Closing)
			c := bind(test.ctx(), ws, node, test.timeout)
			err := receive(t, c.ended)
			for _, want := range test.want {
				if !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			}
			c.Fail(err)
			wantNothingWatched(t, ws)
		})
	}
}

func cancelled(cause error) func() context.Context {
	return func() context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(cause)
		return ctx
	}
}

func expired() context.Context {
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	cancel()
	return ctx
}

func TestACallOutlivesTheReturnOfTheOneThatMadeIt(t *testing.T) {
	node, _ := startNode(t)
	synctest.Test(t, func(t *testing.T) {
		ws := call.NewWatches(node.Closing)
		ctx, cancel := context.WithCancelCause(context.Background())
		c := bind(ctx, ws, node, 0)
		cancel(call.ErrReturned)
		synctest.Wait() // until what the end of ctx set off is over
		if len(c.ended) > 0 {
			t.Errorf("it was ended: %v", <-c.ended)
		}
		wantNothingWatched(t, ws)
		c.Fail(call.ErrCancelled)
	})
}

func TestATimeoutHoldsAfterTheReturnOfTheTaskThatMadeTheCall(t *testing.T) {
	node, _ := startNode(t)
	synctest.Test(t, func(t *testing.T) {
		ws := call.NewWatches(node.Closing)
		ctx, cancel := context.WithCancelCause(context.Background())
		begun := time.Now()
		late, done := bind(ctx, ws, node, time.Minute), bind(ctx, ws, node, time.Minute)
		cancel(call.ErrReturned)
		synctest.Wait()
		if len(late.ended) > 0 || ws.Live() != 2 {
			t.Errorf("%d calls were ended by the return, and %d ctxs are watched", len(late.ended), ws.Live())
		}
		done.Fail(errors.New("finished by itself"))
		if err := <-late.ended; !errors.Is(err, call.ErrDeadline) {
			t.Errorf("got %v, want %v", err, call.ErrDeadline)
		}
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("it was ended after %v", took)
		}
		late.Fail(call.ErrDeadline)
		wantNothingWatched(t, ws)
		if len(done.ended) > 0 {
			t.Error("the one that had finished was ended too")
		}
	})
}

func TestACallTravelsWithItsDeadline(t *testing.T) {
	node, _ := startNode(t)
	ws := call.NewWatches(node.Closing)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for name, timeout := range map[string]time.Duration{"of its ctx": 0, "of its own": time.Hour, "whichever is first": 2 * time.Hour} {
		c := bind(ctx, ws, node, timeout)
		e, _ := sent(t, c.Call)
		deadline, _ := e.Until()
		if left := time.Until(deadline); left <= 59*time.Minute || left > time.Hour {
			t.Errorf("%s: the deadline is in %v, want in 1h", name, left)
		}
		if e.Number != c.Number() || e.Number != c.Object.ID().Number() || e.Attempt != 1 {
			t.Errorf("it travels as attempt %d of %d", e.Attempt, e.Number)
		}
		c.Fail(call.ErrCancelled)
	}
	wantNothingWatched(t, ws)
}

func TestWhatCannotEndBeforeItsNodeIsNotWatched(t *testing.T) {
	node, _ := startNode(t)
	ws := call.NewWatches(node.Closing)
	of := foreign{context.Background(), node.Closing}
	for _, ctx := range []context.Context{context.Background(), of} {
		c := bind(ctx, ws, node, 0)
		wantNothingWatched(t, ws)
		c.Fail(call.ErrCancelled)
	}
}

func TestCallsOfOneContextShareAWatchAndEndWithIt(t *testing.T) {
	node, _ := startNode(t)
	synctest.Test(t, func(t *testing.T) {
		ws := call.NewWatches(node.Closing)
		ctx, cancel := context.WithCancel(context.Background())
		calls := make([]*bound, 1000)
		for i := range calls {
			calls[i] = bind(context.WithValue(ctx, t, i), ws, node, 0) // other ctxs, which end as one
		}
		other, cancelOther := context.WithCancel(context.Background())
		defer cancelOther()
		apart := bind(other, ws, node, 0)
		if ws.Live() != 2 {
			t.Errorf("%d ctxs are watched, want 2", ws.Live())
		}
		cancel()
		synctest.Wait()
		for i, c := range calls {
			if len(c.ended) != 1 {
				t.Fatalf("call %d was ended %d times", i, len(c.ended))
			}
			err := <-c.ended
			if !errors.Is(err, call.ErrCancelled) {
				t.Errorf("call %d: %v", i, err)
			}
			c.Fail(err)
		}
		if len(apart.ended) > 0 || ws.Live() != 1 {
			t.Errorf("the call of another ctx was ended %d times, %d ctxs are watched", len(apart.ended), ws.Live())
		}
		apart.Fail(call.ErrCancelled)
		wantNothingWatched(t, ws)
	})
}

func TestACallThatFinishesIsForgottenAndTheLastOneStopsTheWatch(t *testing.T) {
	node, _ := startNode(t)
	synctest.Test(t, func(t *testing.T) { // which fails if the goroutine that watches a foreign ctx is left
		ws := call.NewWatches(node.Closing)
		end := make(chan struct{})
		ctx := foreign{context.Background(), end}
		var calls []*bound
		for range 5 {
			calls = append(calls, bind(ctx, ws, node, 0))
		}
		for _, i := range []int{2, 4, 0, 3, 1} { // from the middle, the end and the front
			if ws.Live() != 1 {
				t.Errorf("%d ctxs are watched before call %d finishes", ws.Live(), i)
			}
			calls[i].Fail(call.ErrCancelled)
			calls[i].Fail(call.ErrCancelled) // does no harm
		}
		wantNothingWatched(t, ws)
		synctest.Wait()

		again := bind(ctx, ws, node, 0) // the same ctx is watched anew
		gone := bind(ctx, ws, node, 0)
		gone.Fail(call.ErrCancelled)
		close(end)
		synctest.Wait()
		for i, c := range append(calls, gone) {
			if len(c.ended) > 0 {
				t.Errorf("call %d had finished, and was ended", i)
			}
		}
		if len(again.ended) != 1 {
			t.Errorf("the one that was left was ended %d times", len(again.ended))
		}
		again.Fail(call.ErrCancelled)
		wantNothingWatched(t, ws)
	})
}

func TestACallBoundToAContextThatHasEndedIsEnded(t *testing.T) {
	node, _ := startNode(t)
	synctest.Test(t, func(t *testing.T) {
		ws := call.NewWatches(node.Closing)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		for range 3 {
			c := bind(ctx, ws, node, 0)
			synctest.Wait()
			if len(c.ended) != 1 {
				t.Errorf("it was ended %d times", len(c.ended))
			}
			c.Fail(call.ErrCancelled)
		}
		wantNothingWatched(t, ws)
	})
}

func TestAContextMayEndWhileCallsAreBoundAndFinish(t *testing.T) {
	node, _ := startNode(t)
	for range 50 {
		ws := call.NewWatches(node.Closing)
		ctx, cancel := context.WithCancel(context.Background())
		var busy sync.WaitGroup
		for worker := range 8 {
			busy.Go(func() {
				var timeout time.Duration
				if worker == 0 {
					timeout = 50 * time.Microsecond
				}
				for i := range 50 {
					c := bind(ctx, ws, node, timeout)
					if i%2 == 0 {
						c.Fail(call.ErrCancelled)
						continue
					}
					defer func() { // when the ctx has ended: every one of them hears of it, once
						if err := <-c.ended; err == nil {
							t.Error("it was ended with nothing")
						}
						c.Fail(call.ErrCancelled)
						if len(c.ended) > 0 {
							t.Errorf("it was ended twice: %v", <-c.ended)
						}
					}()
				}
			})
		}
		busy.Go(cancel)
		busy.Wait()
		wantNothingWatched(t, ws)
	}
}
