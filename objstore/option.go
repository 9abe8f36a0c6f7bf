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
	durable bool
	ttl     time.Duration // 0 is for ever
	err     error         // of the first option that makes no sense
}

// Durable has the object outlive its owner and every node's process: it is in JetStream when Put returns, which waits for that, and lends the
// CPUs of the task that calls it to others meanwhile. If it cannot be stored, because ctx ended or JetStream has no room ([ErrFull]), that is
// the error of the ref, and nothing is kept.
//
// The ref works in any process of the cluster, also one that starts after all others have ended: keep it as JSON, or inside another durable value.
// Nobody counts such refs. The object is there until somebody calls [Free], whoever that is, or until its [TTL] is over. A value may hold
// refs to durable objects and to results of durable tasks; with any other, whose object could be gone before it, Put fails.
func Durable() Option { return func(o *options) { o.durable = true } }

// TTL has the object freed after a while, whoever still has its ref: reads fail with ErrFreed from then on. It is for what would be
// forgotten otherwise, such as refs that are given to plain NATS clients. JetStream ends a [Durable] object, after whole seconds, rounded up: who
// reads it then for the first time gets ErrExpired, and who has read it elsewhere keeps what it has.
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
