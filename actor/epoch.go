package actor

import "context"

type epochKey struct{}

func withEpoch(ctx context.Context, epoch uint64) context.Context {
	if epoch == 0 {
		return ctx
	}
	return context.WithValue(ctx, epochKey{}, epoch)
}

// Epoch tells the lives of an actor apart, in a ctx that its Start or a method was given: each time that it is made again it has a larger
// one. It is for what a method does outside: a node that is taken for lost may run a method to its end after the actor lives elsewhere, and
// what has seen a larger epoch can refuse a smaller one. It is 0 outside of actors, and in one that lives once: that has no name, is not
// [Detached], and whose class has no [Restarts] and no [IdleAfter].
func Epoch(ctx context.Context) uint64 {
	epoch, _ := ctx.Value(epochKey{}).(uint64)
	return epoch
}
