package bus

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func TestWhatAClusterSaysWhileItFormsIsTriedAgain(t *testing.T) {
	for _, err := range []error{
		&jetstream.APIError{ErrorCode: codeNotLeader}, jetstream.ErrStreamNotFound, jetstream.ErrNoStreamResponse, context.DeadlineExceeded,
	} {
		tries := 0
		got, err := patiently(t.Context(), func(context.Context) (int, error) {
			if tries++; tries == 1 {
				return 0, fmt.Errorf("opening: %w", err)
			}
			return 7, nil
		})
		if got != 7 || err != nil || tries != 2 {
			t.Errorf("%d, %v after %d tries, want 7 after 2", got, err, tries)
		}
	}
}

func TestWhatFailsForGoodIsNotTriedAgain(t *testing.T) {
	tries, denied := 0, errors.New("permissions violation")
	if _, err := patiently(t.Context(), func(context.Context) (int, error) { tries++; return 0, denied }); !errors.Is(err, denied) || tries != 1 {
		t.Errorf("%v after %d tries", err, tries)
	}
}
