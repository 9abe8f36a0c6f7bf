package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// ackWait is how long JetStream waits for a word about a message that it has delivered before it delivers the message again. Whoever holds
	// one says so every [ExtendEvery]; so a worker that dies costs what it held at most ackWait.
	ackWait     = 5 * time.Second
	ExtendEvery = ackWait / 3
	// heldLimit bounds the messages of one consumer that workers have and have not acknowledged, over all nodes.
	heldLimit = 1 << 16
)

// Queue is a work queue: a JetStream stream that keeps each message until a worker has acknowledged it. A consumer, which all workers of
// its subjects share, hands each message to one of them. A subject holds one message at most.
type Queue struct {
	conn   *Conn
	name   string
	stream jetstream.Stream
}

// OpenQueue opens a work queue, and creates it if it is not there. It takes all subjects beneath prefix.
func (c *Conn) OpenQueue(ctx context.Context, name, prefix string) (*Queue, error) {
	return ask(ctx, c, func(ctx context.Context) (*Queue, error) { return c.openQueue(ctx, name, prefix) })
}

func (c *Conn) openQueue(ctx context.Context, name, prefix string) (*Queue, error) {
	stream, err := c.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		storage, replicas := c.asObjects(ctx)
		stream, err = c.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: name, Subjects: []string{prefix + ">"}, Retention: jetstream.WorkQueuePolicy, Storage: storage, Replicas: replicas,
			Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: 1, // what is sent again after a reconnect is refused while the first copy is there
		})
	}
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another was faster, and wants another number of replicas
		stream, err = c.js.Stream(ctx, name)
	}
	if err != nil {
		return nil, cannotOpen(name, c.replicas, err)
	}
	c.raiseReplicas(ctx, name)
	return &Queue{conn: c, name: name, stream: stream}, nil
}

// asObjects is how what must not be lost is kept: as large objects are, whose bucket every node opens. The first durable task may be a client's,
// which is not configured as the nodes are.
func (c *Conn) asObjects(ctx context.Context) (storage jetstream.StorageType, replicas int) {
	objects, err := c.js.Stream(ctx, "OBJ_"+c.ObjectsBucket())
	if err != nil {
		return c.storage, c.replicas
	}
	config := objects.CachedInfo().Config
	return config.Storage, max(c.replicas, config.Replicas)
}

// FindQueue opens a work queue if it is there; else it returns nil.
func (c *Conn) FindQueue(ctx context.Context, name string) (*Queue, error) {
	stream, err := c.js.Stream(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &Queue{conn: c, name: name, stream: stream}, nil
}

// OnConsumer calls hear with the name of each consumer that is created in a queue, which need not exist yet. JetStream tells it at most once.
func (c *Conn) OnConsumer(queue string, hear func(consumer string)) (*Subscription, error) {
	return c.Subscribe("$JS.EVENT.ADVISORY.CONSUMER.CREATED."+queue+".*", "", func(msg *Msg) { hear(LastToken(msg.Subject)) })
}

// Consumers returns the names of the queue's consumers.
func (q *Queue) Consumers(ctx context.Context) (names []string, err error) {
	list := q.stream.ConsumerNames(ctx)
	for name := range list.Name() {
		names = append(names, name)
	}
	return names, list.Err()
}

// Share makes a consumer of all that comes to a subject, for every worker of it. That it is there already is no error.
func (q *Queue) Share(ctx context.Context, consumer, subject string) error {
	_, err := ask(ctx, q.conn, func(ctx context.Context) (jetstream.Consumer, error) {
		return q.stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
			Durable: consumer, FilterSubject: subject, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait,
			MaxDeliver: -1, MaxAckPending: heldLimit, MaxWaiting: 4096,
		})
	})
	if err != nil {
		return fmt.Errorf("cannot make consumer %s of stream %s: %w", consumer, q.name, err)
	}
	return nil
}

// Find returns the message that waits in the queue, or is with a worker, on a subject, which may have wildcards; nil if there is none.
func (q *Queue) Find(ctx context.Context, subject string) (*Msg, error) {
	raw, err := q.stream.GetLastMsgForSubject(ctx, subject)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &Msg{Subject: raw.Subject, Data: raw.Data, Header: raw.Header}, nil
}

// Purge removes what is on a subject, which may have wildcards, wherever it is.
func (q *Queue) Purge(ctx context.Context, subject string) error {
	return q.stream.Purge(ctx, jetstream.WithPurgeSubject(subject))
}

// Held is how many messages of a consumer workers have and have not acknowledged, and how many wait.
func (q *Queue) Held(ctx context.Context, consumer string) (held, waiting int, err error) {
	c, err := q.stream.Consumer(ctx, consumer)
	if err != nil {
		return 0, 0, err
	}
	info := c.CachedInfo()
	return info.NumAckPending, int(info.NumPending), nil
}

// Delivery is a message of a queue that this process has and nobody else, as long as it says so in time.
type Delivery struct {
	conn    *Conn
	Msg     *Msg
	Attempt int // how often it was delivered, this time included
}

// deliveryOf reads what the reply subject of a delivered message says: $JS.ACK, stream, consumer, how often, …; newer servers put a domain and
// an account before the stream.
func (c *Conn) deliveryOf(msg *Msg) (Delivery, error) {
	skip := 4
	if strings.Count(msg.Reply, ".") > 8 {
		skip = 6
	}
	rest, ok := strings.CutPrefix(msg.Reply, "$JS.ACK.")
	token := ""
	for i := 2; ok && i <= skip; i++ {
		token, rest, ok = strings.Cut(rest, ".")
	}
	n, err := strconv.Atoi(token)
	if !ok || err != nil {
		return Delivery{}, fmt.Errorf("%w: a message on %s with the reply subject %q", ErrMalformed, msg.Subject, msg.Reply)
	}
	return Delivery{conn: c, Msg: msg, Attempt: n}, nil
}

// Repeated says whether the message was sent to the queue more than once, so that there may have been an earlier copy.
func (d *Delivery) Repeated() bool { return d.Msg.Header.Get(repeatedHeader) != "" }

// Ack removes the message from the queue. A word that is lost has it delivered again.
func (d *Delivery) Ack() error { return d.conn.Publish(d.Msg.Reply, "", ackWord) }

// Extend says that the message is still held.
func (d *Delivery) Extend() error { return d.conn.Publish(d.Msg.Reply, "", extendWord) }

// GiveBack has the message delivered again, to whoever asks for one, after a pause.
func (d *Delivery) GiveBack(after time.Duration) error {
	return d.conn.Publish(d.Msg.Reply, "", fmt.Appendf(nil, `-NAK {"delay":%d}`, max(0, after.Nanoseconds())))
}

var ackWord, extendWord = []byte("+ACK"), []byte("+WPI")
