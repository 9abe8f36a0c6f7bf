package shared_test

import (
	"context"
	"errors"
	"testing"

	"manta/actor/shared"
	"manta/node/nodetest"
)

func TestASignalLetsAllWhoWaitGoAndWhoComesLater(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		_, ctx := hostAndClients(t, 2)
		s := shared.GetOrNewSignal(ctx[1], "ready")
		var waiting []*running
		for _, ctx := range ctx {
			waiting = append(waiting, begin(func() error { return s.Wait(ctx) }))
		}
		for i, r := range waiting {
			if !r.waits() {
				t.Errorf("node %d does not wait: %v", i, r.err)
			}
		}
		found, err := shared.LookupSignal(ctx[2], "ready")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(found.Set(ctx[2]), found.Set(ctx[2])); err != nil {
			t.Error(err)
		}
		for _, r := range waiting {
			if err := r.end(); err != nil {
				t.Error(err)
			}
		}
		if err := s.Wait(ctx[1]); err != nil {
			t.Error(err)
		}
		if set, err := s.IsSet(ctx[1]); err != nil || !set {
			t.Errorf("set: %v, %v", set, err)
		}
	})
}

func TestAfterClearASignalIsWaitedForAgain(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		_, ctx := hostAndClients(t, 1)
		s := shared.NewSignal(ctx[1])
		before := begin(func() error { return s.Wait(ctx[1]) })
		if err := errors.Join(s.Set(ctx[1]), s.Clear(ctx[1])); err != nil {
			t.Error(err)
		}
		if err := before.end(); err != nil {
			t.Error(err)
		}
		after := begin(func() error { return s.Wait(ctx[1]) })
		if !after.waits() {
			t.Errorf("nobody has set it: %v", after.err)
		}
		if err := s.Set(ctx[0]); err != nil || after.end() != nil {
			t.Errorf("%v, %v", err, after.err)
		}
	})
}

func TestWaitingForASignalEndsWithCtxAndWithTheSignal(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		_, ctx := hostAndClients(t, 1)
		s := shared.NewSignal(ctx[1])
		ending, cancel := context.WithCancel(ctx[1])
		cut, kept := begin(func() error { return s.Wait(ending) }), begin(func() error { return s.Wait(ctx[1]) })
		cancel()
		if err := cut.end(); !errors.Is(err, context.Canceled) || !kept.waits() {
			t.Errorf("got %v", err)
		}
		if err := s.Kill(ctx[1]); err != nil {
			t.Error(err)
		}
		if kept.end() == nil {
			t.Error("a signal that was killed lets one go")
		}
	})
}
