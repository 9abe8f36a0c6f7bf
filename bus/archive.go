package bus

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Archive is a bucket of records that are written once each, live for a while, and are announced: JetStream publishes each to a core NATS
// subject when it is stored. It is a NATS key-value bucket, for any client to read.
type Archive struct {
	conn   *Conn
	name   string
	stream jetstream.Stream
}

// OpenArchive opens an archive, and creates it if it is not there. A record under a key is announced at announce + key.
func (c *Conn) OpenArchive(ctx context.Context, name, announce string) (*Archive, error) {
	return ask(ctx, c, func(ctx context.Context) (*Archive, error) { return c.openArchive(ctx, name, announce) })
}

func (c *Conn) openArchive(ctx context.Context, name, announce string) (*Archive, error) {
	stream, err := c.js.Stream(ctx, "KV_"+name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		storage, replicas := c.asObjects(ctx)
		_, err = c.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: name, History: 1, Storage: storage, LimitMarkerTTL: markerTTL, Replicas: replicas,
			RePublish: &jetstream.RePublish{Source: "$KV." + name + ".>", Destination: announce + ">"},
		})
		if err == nil || errors.Is(err, jetstream.ErrBucketExists) {
			stream, err = c.js.Stream(ctx, "KV_"+name)
		}
	}
	if err != nil {
		return nil, cannotOpen(name, c.replicas, err)
	}
	c.raiseReplicas(ctx, "KV_"+name)
	return &Archive{conn: c, name: name, stream: stream}, nil
}

// FindArchive opens an archive if it is there; else it returns nil.
func (c *Conn) FindArchive(ctx context.Context, name string) (*Archive, error) {
	stream, err := c.js.Stream(ctx, "KV_"+name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &Archive{conn: c, name: name, stream: stream}, nil
}

// First returns the message that writes a record unless its key has one, for a [Publisher]: the later one is refused with ErrExists. ttl is at
// least a second, in whole seconds.
func (a *Archive) First(key string, data []byte, ttl time.Duration) *Msg {
	msg := a.Put(key, data, ttl)
	msg.Header[jetstream.ExpectedLastSubjSeqHeader] = never
	return msg
}

var never = []string{"0"} // shared, and not changed

// Put returns the message that writes a record, whatever its key has.
func (a *Archive) Put(key string, data []byte, ttl time.Duration) *Msg {
	msg := NewMsg("$KV."+a.name+"."+key, data)
	expire(msg, ttl)
	return msg
}

// Get returns a record, or nil if there is none, or none any more.
func (a *Archive) Get(ctx context.Context, key string) (*Msg, error) {
	raw, err := a.stream.GetLastMsgForSubject(ctx, "$KV."+a.name+"."+key)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	msg := &Msg{Subject: raw.Subject, Data: raw.Data, Header: raw.Header}
	if Ended(msg) {
		return nil, nil
	}
	return msg, nil
}

// Ended says whether a message of an archive, or its announcement, is no record but the marker of one that was deleted or has expired.
func Ended(msg *Msg) bool {
	return msg.Header.Get("KV-Operation") != "" || msg.Header.Get(jetstream.MarkerReasonHeader) != ""
}

// expire has a message removed by the server after a while; 0 is never.
func expire(msg *Msg, ttl time.Duration) {
	if ttl > 0 {
		msg.Header[jetstream.MsgTTLHeader] = []string{strconv.FormatInt(int64(math.Ceil(ttl.Seconds())), 10)}
	}
}

// allowTTL lets messages of a stream say how long they are kept, if that is not so yet.
func (c *Conn) allowTTL(ctx context.Context, stream jetstream.Stream) (jetstream.Stream, error) {
	config := stream.CachedInfo().Config
	if config.AllowMsgTTL {
		return stream, nil
	}
	config.AllowMsgTTL = true
	return c.js.UpdateStream(ctx, config)
}
