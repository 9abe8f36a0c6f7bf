package bus

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// PurgeOwner deletes all that an owner has in the bucket: the chunks by one wildcard, and the meta messages of objects whose names are
// said to be his.
func (b *Bucket) PurgeOwner(ctx context.Context, owner string, named func(object string) bool) error {
	err := b.stream.Purge(ctx, jetstream.WithPurgeSubject(b.chunkSubject(Blob{ID: owner + ".>"})))
	described, listed := b.subjects(ctx, b.metaPrefix()+">")
	err = errors.Join(err, listed)
	for _, subject := range described {
		name, wrong := base64.URLEncoding.DecodeString(strings.TrimPrefix(subject, b.metaPrefix()))
		if wrong == nil && named(string(name)) {
			err = errors.Join(err, b.stream.Purge(ctx, jetstream.WithPurgeSubject(subject)))
		}
	}
	return err
}

// Owners returns everybody who has chunks in the bucket.
func (b *Bucket) Owners(ctx context.Context) (owners map[string]bool, err error) {
	prefix := b.chunkSubject(Blob{})
	subjects, err := b.subjects(ctx, prefix+">")
	owners = make(map[string]bool)
	for _, subject := range subjects {
		if owner, _, ok := strings.Cut(strings.TrimPrefix(subject, prefix), "."); ok {
			owners[owner] = true
		}
	}
	return owners, err
}

// subjects lists the subjects of the bucket's messages that match a filter.
func (b *Bucket) subjects(ctx context.Context, filter string) (all []string, err error) {
	info, err := b.stream.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, err
	}
	for subject := range info.State.Subjects {
		all = append(all, subject)
	}
	return all, nil
}

func (b *Bucket) metaPrefix() string { return b.metaSubject("") }
