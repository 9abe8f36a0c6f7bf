package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
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

// storeFailed is the code with which JetStream refuses a message that a stream cannot take; its description has the reason.
const storeFailed jetstream.ErrorCode = 10077

// overQuota makes the server's word that a bucket is full ErrQuota.
func overQuota(err error) error {
	refused, ok := errors.AsType[*jetstream.APIError](err)
	if ok && refused.ErrorCode == storeFailed && refused.Description == "maximum bytes exceeded" {
		return ErrQuota
	}
	return err
}
