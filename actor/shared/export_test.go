package shared

import "context"

// TakeInHand takes n items as Get does, but for saying that they have come, which confirm does.
func TakeInHand[T any](ctx context.Context, q Queue[T], n int) (vs []T, confirm func() bool, err error) {
	t, got, err := take(ctx, q.part, n, true)
	if err != nil {
		return nil, nil, err
	}
	vs, err = unpack[T](got.Items)
	return vs, func() bool { return confirmed(ctx, q.part, t) }, err
}
