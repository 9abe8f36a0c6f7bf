package call

import (
	"context"

	"manta/objstore"
)

type workKey struct{}

// IsWorkKey says whether key is the one under which the ctx of a running call has the call's id: for contexts that carry it in themselves.
func IsWorkKey(key any) bool { return key == any(workKey{}) }

// WorkOf returns the id of the call that runs in ctx, and false outside of calls.
func WorkOf(ctx context.Context) (objstore.ID, bool) {
	id, ok := ctx.Value(workKey{}).(objstore.ID)
	return id, ok
}
