package actor

import (
	"context"
	"testing"

	"manta/internal/member"
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
