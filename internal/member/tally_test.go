package member_test

import (
	"context"
	"errors"
	"testing"

	"manta/internal/member"
)

func TestATallyIsAwaitedUntilNothingIsUnderWay(t *testing.T) {
	var tally member.Tally
	if err := tally.Await(t.Context()); err != nil {
		t.Fatalf("nothing is under way: %v", err)
	}
	tally.Add()
	tally.Add()
	ended := make(chan error, 2)
	for range 2 {
		go func() { ended <- tally.Await(t.Context()) }()
	}
	tally.Done()
	if left := tally.Left(); left != 1 || len(ended) > 0 {
		t.Fatalf("%d are left and %d waits have ended", left, len(ended))
	}
	tally.Done()
	for range 2 {
		if err := receive(t, ended); err != nil {
			t.Error(err)
		}
	}
}

func TestAwaitingATallyEndsWithItsContext(t *testing.T) {
	var tally member.Tally
	tally.Add()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("not wanted any more")
	cancel(why)
	if err := tally.Await(ctx); err != why {
		t.Errorf("got %v", err)
	}
}
