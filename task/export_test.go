package task

import (
	"context"

	"manta/internal/member"
)

// Pausing is how many tasks of the node that ctx belongs to wait to be tried again.
func Pausing(ctx context.Context) int {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return -1
	}
	o := part.Of(scope.Node).owner
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.pauses.of)
}
