package member_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"manta/internal/member"
)

type key struct{}

func TestAGroupsGoroutinesHaveItsValuesAndNotItsCancellation(t *testing.T) {
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	cancel()
	g := member.NewGroup(ctx)
	got := make(chan any, 1)
	g.Go(func(ctx context.Context) {
		if err := ctx.Err(); err != nil {
			got <- err
			return
		}
		got <- ctx.Value(key{})
	})
	if v := receive(t, got); v != "value" {
		t.Errorf("got %v", v)
	}
	g.Stop(nil)
	g.Wait()
}

func TestAStoppedGroupSaysWhyAndStartsNothingMore(t *testing.T) {
	g := member.NewGroup(t.Context())
	why := errors.New("closing time")
	got := make(chan error, 1)
	if !g.Go(func(ctx context.Context) { <-ctx.Done(); got <- context.Cause(ctx) }) {
		t.Fatal("a new group refuses")
	}
	g.Stop(why)
	g.Stop(errors.New("a later reason"))
	if err := receive(t, got); err != why {
		t.Errorf("its goroutine was told %v", err)
	}
	if g.Go(func(context.Context) { t.Error("a stopped group ran something") }) {
		t.Error("a stopped group accepts")
	}
	g.Wait()
	if context.Cause(g.Context()) != why {
		t.Errorf("its ctx says %v", context.Cause(g.Context()))
	}
}

func TestAGroupWaitsForItsLastGoroutine(t *testing.T) {
	g := member.NewGroup(t.Context())
	release, ended := make(chan struct{}), make(chan struct{})
	g.Go(func(context.Context) { <-release; close(ended) })
	g.Stop(nil)
	if g.WaitFor(time.Millisecond) {
		t.Error("WaitFor did not wait")
	}
	close(release)
	if !g.WaitFor(10 * time.Second) {
		t.Error("WaitFor gave up")
	}
	g.Wait()
	select {
	case <-ended:
	default:
		t.Error("Wait did not wait")
	}
}

func TestAPauseEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	paused := make(chan struct{})
	go func() { member.Pause(ctx, time.Hour); close(paused) }()
	receive(t, paused)
	member.Pause(t.Context(), time.Microsecond)
}
