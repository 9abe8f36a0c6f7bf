package bus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Journal is a bounded stream of what was said on some subjects: the oldest goes first. Any NATS client can read it.
type Journal struct {
	conn   *Conn
	name   string
	stream jetstream.Stream
}

// JournalLimits bound a journal. A zero bound is the default for a journal that is made, and leaves one that is there as it is.
type JournalLimits struct {
	Bytes int64         // in JetStream. Default 64 MiB
	Age   time.Duration // of a message. Default 24 h
}

const (
	journalBytes = 64 << 20
	journalAge   = 24 * time.Hour
	// journalRead is how many messages of a journal are asked for at a time.
	journalRead = 256
)

// OpenJournal opens a journal of all subjects beneath prefix, and creates it if it is not there.
func (c *Conn) OpenJournal(ctx context.Context, name, prefix string, limits JournalLimits) (*Journal, error) {
	return ask(ctx, c, func(ctx context.Context) (*Journal, error) { return c.openJournal(ctx, name, prefix, limits) })
}

func (c *Conn) openJournal(ctx context.Context, name, prefix string, limits JournalLimits) (*Journal, error) {
	stream, err := c.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		storage, replicas := c.asObjects(ctx)
		config := jetstream.StreamConfig{
			Name: name, Subjects: []string{prefix + ">"}, Storage: storage, Replicas: replicas, Discard: jetstream.DiscardOld,
			MaxBytes: journalBytes, MaxAge: journalAge, AllowDirect: true,
		}
		if storage == jetstream.FileStorage {
			config.Compression = jetstream.S2Compression
		}
		limits.put(&config)
		stream, err = c.js.CreateStream(ctx, config)
	} else if err == nil {
		config := stream.CachedInfo().Config
		if limits.put(&config) {
			stream, err = c.js.UpdateStream(ctx, config)
		}
	}
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another was faster, and wants other bounds
		stream, err = c.js.Stream(ctx, name)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open stream %s: %w", name, err)
	}
	c.raiseReplicas(ctx, name)
	return &Journal{conn: c, name: name, stream: stream}, nil
}

// put puts the bounds that are given into a stream's configuration, and says whether that changes it.
func (l JournalLimits) put(config *jetstream.StreamConfig) (changed bool) {
	if l.Bytes > 0 && config.MaxBytes != l.Bytes {
		config.MaxBytes, changed = l.Bytes, true
	}
	if l.Age > 0 && config.MaxAge != l.Age {
		config.MaxAge, changed = l.Age, true
	}
	return changed
}

// FindJournal opens a journal if it is there; else it returns nil.
func (c *Conn) FindJournal(ctx context.Context, name string) (*Journal, error) {
	stream, err := c.js.Stream(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read stream %s: %w", name, err)
	}
	return &Journal{conn: c, name: name, stream: stream}, nil
}

// Append stores a message, and returns once it is stored.
func (j *Journal) Append(ctx context.Context, subject string, data []byte) error {
	_, err := j.conn.js.Publish(ctx, subject, data, jetstream.WithRetryAttempts(0))
	return err
}

// Read returns what was said on some subjects, which may have wildcards, since a moment, the oldest first. It ends with what was there
// when it began.
func (j *Journal) Read(ctx context.Context, since time.Time, subjects ...string) iter.Seq2[*Msg, error] {
	return j.hand(ctx, since, func() bool { return false }, subjects)
}

// Follow is Read that goes on until ctx ends, without an error. It calls caughtUp once, when what was there when it began has been handed out; if that
// returns false it ends.
func (j *Journal) Follow(ctx context.Context, since time.Time, caughtUp func() bool, subjects ...string) iter.Seq2[*Msg, error] {
	return func(yield func(*Msg, error) bool) {
		for msg, err := range j.hand(ctx, since, caughtUp, subjects) {
			if err != nil && ctx.Err() != nil || !yield(msg, err) {
				return
			}
		}
	}
}

// hand hands out messages, and then an error if there is one. It goes on for ever if caughtUp says so when what was there has been handed out.
func (j *Journal) hand(ctx context.Context, since time.Time, caughtUp func() bool, subjects []string) iter.Seq2[*Msg, error] {
	return func(yield func(*Msg, error) bool) {
		if err := j.read(ctx, since, caughtUp, subjects, func(msg *Msg) bool { return yield(msg, nil) }); err != nil {
			yield(nil, fmt.Errorf("cannot read stream %s: %w", j.name, err))
		}
	}
}

func (j *Journal) read(ctx context.Context, since time.Time, caughtUp func() bool, subjects []string, yield func(*Msg) bool) error {
	consumer, err := j.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since,
	})
	if err != nil {
		return err
	}
	left := consumer.CachedInfo().NumPending
	if left == 0 && !caughtUp() {
		return nil
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(journalRead))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for read := uint64(0); ; read++ {
		next, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		if !yield(&Msg{Subject: next.Subject(), Data: next.Data(), Header: next.Headers()}) {
			return nil
		}
		if meta, err := next.Metadata(); left > 0 && (read+1 == left || err == nil && meta.NumPending == 0) { // some may have expired meanwhile
			if left = 0; !caughtUp() {
				return nil
			}
		}
	}
}
