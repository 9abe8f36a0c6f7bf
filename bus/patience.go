package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// tryFor bounds one try of what is asked of JetStream when a node starts: a request that meets a change of leaders is never
	// answered. patienceFor bounds all tries.
	tryFor      = 2 * time.Second
	patienceFor = 20 * time.Second
	tryAgain    = 100 * time.Millisecond
)

// The codes of what a JetStream cluster says that has just formed, or elects a leader.
const (
	codeNoPeers     = 10005 // it knows of too few servers yet
	codeUnavailable = 10008
	codeNotLeader   = 10009
	codeOffline     = 10118
)

// patiently does what may be done twice until it succeeds, fails for good, or ctx ends.
func patiently[T any](ctx context.Context, do func(ctx context.Context) (T, error)) (v T, err error) {
	for begun := time.Now(); ; {
		try, cancel := context.WithTimeout(ctx, tryFor)
		v, err = do(try)
		unanswered := try.Err() != nil
		cancel()
		if err == nil || ctx.Err() != nil || !unanswered && !passing(err) || time.Since(begun) > patienceFor {
			return v, err
		}
		select {
		case <-time.After(tryAgain):
		case <-ctx.Done():
			return v, err
		}
	}
}

// passing says whether an error says that the cluster is not ready yet.
func passing(err error) bool {
	if failure, ok := errors.AsType[*jetstream.APIError](err); ok {
		switch failure.ErrorCode {
		case codeNoPeers, codeUnavailable, codeNotLeader, codeOffline:
			return true
		}
	}
	return errors.Is(err, jetstream.ErrStreamNotFound) || // by a server that has not heard of what another has just made
		errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded)
}
