package shared

import "context"

// TakeInHand takes n items as Get does, and does not say that they have come.
func TakeInHand[T any](ctx context.Context, q Queue[T], n int) ([]T, error) {
	_, got, err := take(ctx, q.part, n, true)
	if err != nil {
		return nil, err
	}
	return unpack[T](got.Items)
}
