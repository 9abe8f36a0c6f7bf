package actor

import "context"

// turns bounds how many do something at a time: it has room for one value each.
type turns chan struct{}

// take waits for a turn, which lasts until end is called. The error is the cause of the end of ctx.
func (t turns) take(ctx context.Context) (end func(), err error) {
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
