package bench

import (
	"context"
	"errors"
	"testing"
)

func TestCallsBesideAFloodEndWithItOrWhenThereAreEnough(t *testing.T) {
	for _, c := range []struct {
		name           string
		endsAt, enough int
		want           int
	}{
		{"the flood ends first", 3, 5, 3},
		{"there are enough first", 5, 2, 2},
		{"the flood was over at once", 0, 5, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			ended := make(chan struct{})
			calls := 0
			end := func() {
				if calls == c.endsAt {
					close(ended)
				}
			}
			end()
			took, err := callUntil(ended, func(n int) bool { return n >= c.enough }, func() error {
				calls++
				end()
				return nil
			})
			if err != nil || len(took) != c.want || calls != c.want {
				t.Errorf("timed %d of %d calls, %v, want %d", len(took), calls, err, c.want)
			}
		})
	}
}

func TestACallThatFailsEndsTheCalls(t *testing.T) {
	broken := errors.New("broken")
	_, err := callUntil(make(chan struct{}), func(int) bool { return false }, func() error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestACancelledFloodHasOnlyErrorsOfItsOwn(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		err, want error
	}{
		"it was read to its end":  {nil, nil},
		"it was cancelled":        {errFloodOver, nil},
		"it had failed by itself": {broken, broken},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancelCause(t.Context())
			f := &flood{stop: stop, ended: make(chan struct{})}
			go func() {
				defer close(f.ended)
				<-ctx.Done()
				f.err = c.err
			}()
			if err := f.cancel(); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if cause := context.Cause(ctx); !errors.Is(cause, errFloodOver) {
				t.Errorf("its ctx ended with %v", cause)
			}
		})
	}
}
