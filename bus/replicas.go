package bus

import (
	"context"
	"fmt"

	"go.uber.org/zap"
)

// raiseReplicas gives a bucket's stream as many replicas as the connection is configured for, if it has fewer. It never takes any
// away: one node with a smaller number must not weaken what others rely on. A bucket that cannot be raised yet stays of use.
func (c *Conn) raiseReplicas(ctx context.Context, stream string) {
	if c.replicas == 1 {
		return
	}
	found, err := c.js.Stream(ctx, stream)
	if err == nil {
		config := found.CachedInfo().Config
		if config.Replicas >= c.replicas {
			return
		}
		config.Replicas = c.replicas
		_, err = c.js.UpdateStream(ctx, config)
	}
	if err != nil {
		c.log.Warn("a bucket keeps fewer replicas than wanted: the next node that opens it tries again",
			zap.String("stream", stream), zap.Int("want", c.replicas), zap.Error(err))
	}
}

// cannotOpen is the error of opening a bucket. The server's own words for too few servers do not say what to do.
func cannotOpen(name string, replicas int, err error) error {
	if replicas > 1 {
		return fmt.Errorf("cannot open bucket %s with %d replicas, which need as many JetStream servers in one cluster: %w", name, replicas, err)
	}
	return fmt.Errorf("cannot open bucket %s: %w", name, err)
}
