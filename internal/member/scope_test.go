package member_test

import (
	"context"
	"errors"
	"testing"

	"manta/bus"
	"manta/internal/member"
)

// lender counts how often it lent its capacity and got it back.
type lender struct{ blocked, unblocked int }

func (l *lender) Block()   { l.blocked++ }
func (l *lender) Unblock() { l.unblocked++ }

func TestAContextWithoutANodeSaysSo(t *testing.T) {
	if _, err := member.FromContext(t.Context()); !errors.Is(err, bus.ErrNoNode) {
		t.Errorf("got %v", err)
	}
	want := &member.Scope{Node: &member.Node{}}
	if got, err := member.FromContext(member.NewContext(t.Context(), want)); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWorkLendsItsCapacityOnlyWhileItWaits(t *testing.T) {
	work := &lender{}
	scope := &member.Scope{Work: work}
	done := make(chan struct{})
	close(done)
	if err := scope.Await(t.Context(), done); err != nil || work.blocked != 0 {
		t.Errorf("what was done already: %v, lent %d times", err, work.blocked)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("not wanted any more")
	cancel(why)
	if err := scope.Await(ctx, make(chan struct{})); err != why || work.blocked != 1 || work.unblocked != 1 {
		t.Errorf("what never ends: %v, lent %d times, got back %d times", err, work.blocked, work.unblocked)
	}
}
