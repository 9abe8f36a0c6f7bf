package bus

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"
)

// Holds says whether every chunk of a blob is in the bucket. It does not read them: one that is damaged counts.
func (b *Bucket) Holds(ctx context.Context, blob Blob) (bool, error) {
	subject := b.chunkSubject(blob)
	info, err := b.stream.Info(ctx, jetstream.WithSubjectFilter(subject))
	if err != nil {
		return false, err
	}
	return info.State.Subjects[subject] >= uint64(blob.chunks()), nil
}
