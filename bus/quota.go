package bus

import (
	"context"
	"fmt"
)

// setQuota bounds the bytes of an object store bucket, if the connection is configured to.
func (c *Conn) setQuota(ctx context.Context, stream string) error {
	if c.quota == 0 {
		return nil
	}
	found, err := c.js.Stream(ctx, stream)
	if err == nil && found.CachedInfo().Config.MaxBytes != c.quota {
		config := found.CachedInfo().Config
		config.MaxBytes = c.quota // a bucket discards what is new, not what is old
		_, err = c.js.UpdateStream(ctx, config)
	}
	if err != nil {
		return fmt.Errorf("cannot bound %s to %d bytes: %w", stream, c.quota, err)
	}
	return nil
}
