package actor

import (
	"context"
	"testing"

	"manta/internal/member"
	"manta/objstore"
)

// SetMailBudget bounds the bytes of calls that wait at the node of ctx.
func SetMailBudget(t *testing.T, ctx context.Context, bytes int64) {
	t.Helper()
	scope, err := member.FromContext(ctx)
	if err != nil {
		t.Fatal(err)
	}
	h := part.Of(scope.Node).host
	h.mu.Lock()
	defer h.mu.Unlock()
	h.budget = bytes
}

// MailBytes is how many bytes of calls wait at the node of ctx.
func MailBytes(ctx context.Context) int64 {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return -1
	}
	return part.Of(scope.Node).host.waiting.Load()
}

// Register gives an actor that the node of ctx is asked for with a frame its record.
func Register(ctx context.Context, id string, frame []byte) error {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return err
	}
	rec := record{Class: "counter", State: recordPending, Node: scope.Node.ID, Birth: objstore.StoreOf(scope.Node).NextID(), lifespan: lifespan{Limit: -1}}
	_, err = part.Of(scope.Node).directory.register(ctx, id, rec, 0, frame)
	return err
}

// Awaiting is how many actors the node of ctx awaits a word of.
func Awaiting(ctx context.Context) int {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return -1
	}
	cs := part.Of(scope.Node).callers
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.waiting)
}
