package objstore

import (
	"context"
	"fmt"
	"time"
	"weak"
)

// Option says how a value is kept.
type Option func(*options)

type options struct {
	ttl time.Duration // 0 is for ever
	err error         // of the first option that makes no sense
}

// TTL has the object freed after a while, whoever still has its ref: reads fail with ErrFreed from then on. It is for what would be
// forgotten otherwise, such as refs that are given to plain NATS clients.
func TTL(d time.Duration) Option {
	return func(o *options) {
		if d <= 0 && o.err == nil {
			o.err = fmt.Errorf("objstore.TTL(%v): want a duration above 0", d)
		}
		o.ttl = d
	}
}

func collectOptions(opts []Option) (o options) {
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// freeAfter frees an object after a while, if there still is one.
func (s *Store) freeAfter(o *Object, d time.Duration) {
	pointer := weak.Make(o)
	time.AfterFunc(d, func() {
		s.group.Go(func(ctx context.Context) {
			if o := pointer.Value(); o != nil {
				s.freeUnasked(ctx, o)
			}
		})
	})
}
