package bus

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
)

// Msg is a NATS message.
type Msg = nats.Msg

// NewMsg returns a message with an empty header.
func NewMsg(subject string, data []byte) *Msg {
	msg := nats.NewMsg(subject)
	msg.Data = data
	return msg
}

// Subscription is interest in a subject; Unsubscribe ends it, Drain ends it after what has arrived was handled.
type Subscription = nats.Subscription

// Config says how to connect.
type Config struct {
	URL       string        // of the NATS server or servers, comma-separated; may be empty if Options bring a server
	Name      string        // shown in the server's connection list
	Namespace string        // the prefix of every subject and bucket
	User      string        // the token in its reply subjects, which the server's permissions name. Default "node"
	Options   []nats.Option // credentials, TLS, an in-process server: applied last
	Storage   jetstream.StorageType
	Plain     bool  // messages are all that is used, so JetStream need not be there
	Replicas  int   // of each bucket, 1 to 5; 0 means 1. More than 1 needs as many JetStream servers in one cluster
	Quota     int64 // bytes that an object store bucket may hold; 0 leaves it as it is, which is without bound at first
	Log       *zap.Logger

	// UploadWindow bounds the bytes of blobs that were sent and not acknowledged, of all writes of the connection together. 0 means 64 MiB.
	UploadWindow int64
}

// Conn is a connection to NATS within one namespace. Its methods are safe for concurrent use.
type Conn struct {
	Subjects

	nc            *nats.Conn
	js            jetstream.JetStream
	storage       jetstream.StorageType
	replicas      int
	quota         int64
	log           *zap.Logger
	inbox         string
	ear           string
	inboxes       atomic.Int64
	interruptions *interruptions
	denials       denials
	uploads       *window
	downloads     *window
	reject        atomic.Pointer[func(*Msg, error)]
	closed        chan struct{} // closed by nats.go when the connection has ended for good
}

// secretChars is how many random characters of base 32 nobody guesses: 65 bits, and short, since NATS reads a subject byte by byte at every hop.
const secretChars = 13

// Secret returns a token of a subject that only those can name who were told.
func Secret() string { return strings.ToLower(rand.Text()[:secretChars]) }

// Connect connects and makes sure that JetStream answers. The error of a server that cannot be reached names its URL;
// one without JetStream gives [ErrNoJetStream].
func Connect(ctx context.Context, cfg Config) (*Conn, error) {
	c := &Conn{
		Subjects: NewSubjects(cfg.Namespace), storage: cfg.Storage, replicas: max(1, cfg.Replicas), quota: cfg.Quota, log: cfg.Log,
		interruptions: newInterruptions(), uploads: newWindow(defaultUploadWindow), downloads: newWindow(downloadWindow),
		closed: make(chan struct{}),
	}
	if cfg.UploadWindow > 0 {
		c.uploads = newWindow(cfg.UploadWindow)
	}
	c.inbox, c.ear = c.Reply(cmp.Or(cfg.User, "node"), Secret()), c.Reply(cmp.Or(cfg.User, "node"), Secret())
	nc, err := nats.Connect(cfg.URL, append(append(c.options(ctx, cfg), cfg.Options...), c.heed, c.noteClosed)...)
	if errors.Is(err, nats.ErrAuthorization) {
		err = fmt.Errorf("%w: give the credentials of one of the server's users in Config.Options, for example nats.UserInfo", err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot connect to NATS at %q: %w", redacted(cfg.URL), withoutURL(err, cfg.URL))
	}
	c.nc = nc
	c.interruptions.served.Go(func() { c.interruptions.serve(c.closed) })
	if cfg.Plain {
		return c, nil
	}
	if err := c.requireJetStream(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("NATS at %q: %w", redacted(cfg.URL), err)
	}
	return c, nil
}

// options never lets nats.go buffer across a reconnect: what a buffer would send late, the layers above send again by
// their own rules.
func (c *Conn) options(ctx context.Context, cfg Config) []nats.Option {
	timeout := 2 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	return []nats.Option{
		nats.Name(cfg.Name),
		nats.CustomInboxPrefix(c.Inbox("nats")), // of what nats.go itself asks: all replies come beneath one root
		nats.Timeout(timeout),
		nats.ReconnectBufSize(-1),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.PingInterval(time.Second),
		nats.MaxPingsOutstanding(2),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			c.log.Error("NATS reports an error", zap.String("subject", subject), zap.Error(err))
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				c.log.Warn("NATS connection lost, reconnecting", zap.Error(err))
			}
		}),
	}
}

// noteClosed is the option that tells Close when nats.go is done, after the handler that the user's options may have set.
func (c *Conn) noteClosed(opts *nats.Options) error {
	theirs := opts.ClosedCB
	opts.ClosedCB = func(nc *nats.Conn) {
		defer close(c.closed)
		if theirs != nil {
			theirs(nc)
		}
	}
	opts.NoCallbacksAfterClientClose = false
	return nil
}

func (c *Conn) requireJetStream(ctx context.Context) error {
	js, err := jetstream.New(c.nc)
	if err != nil {
		return err
	}
	_, err = ask(ctx, c, js.AccountInfo)
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount),
		errors.Is(err, nats.ErrNoResponders):
		return ErrNoJetStream
	case err != nil:
		return fmt.Errorf("JetStream does not answer: %w", err)
	}
	c.js = js
	return nil
}

// Inbox returns a subject beneath this connection's root of reply subjects, which nobody else uses.
func (c *Conn) Inbox(token string) string { return c.inbox + "." + token }

// Ear returns a subject like Inbox, beneath another root: for clients, who answer there and are not to learn where this process has its own answers.
// Beneath that root one of them could name the subjects of another, but for a Secret in it.
func (c *Conn) Ear(token string) string { return c.ear + "." + token }

// freshInbox returns an Inbox that was never used before.
func (c *Conn) freshInbox(token string) string {
	return c.Inbox(token + "." + strconv.FormatInt(c.inboxes.Add(1), 10))
}

// MaxPayload is the largest message in bytes that the server takes.
func (c *Conn) MaxPayload() int64 { return c.nc.MaxPayload() }

// Server returns the URL at which others reach the connected server; "in process" if it is inside and opens no port.
func (c *Conn) Server() string {
	if c.nc.Opts.InProcessServer == nil {
		return redacted(c.nc.ConnectedUrl())
	}
	if inside, ok := c.nc.Opts.InProcessServer.(interface{ URL() string }); ok && inside.URL() != "" {
		return inside.URL()
	}
	return "in process"
}

// Publish sends data to a subject; reply, if not empty, is where an answer goes. At-most-once.
func (c *Conn) Publish(subject, reply string, data []byte) error {
	if reply == "" {
		return c.wordFor(c.nc.Publish(subject, data))
	}
	return c.wordFor(c.nc.PublishRequest(subject, reply, data))
}

// PublishMsg sends a message with headers. At-most-once.
func (c *Conn) PublishMsg(msg *Msg) error {
	return c.wordFor(c.nc.PublishMsg(msg))
}

// wordFor gives an error of nats.go this project's word. A server that takes the credentials no more has nats.go close the connection for good, and
// that is said too.
func (c *Conn) wordFor(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %d bytes, headers included", ErrMessageSize, c.MaxPayload())
	case !errors.Is(err, nats.ErrConnectionClosed):
		return err
	}
	last := c.nc.LastError()
	for _, refusal := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired} {
		if errors.Is(last, refusal) {
			return fmt.Errorf("%w: %w", ErrClosed, refusal)
		}
	}
	return ErrClosed
}

// Subscribe calls handle for every message on subject, one at a time, in order; handle must not block. With a queue each
// message goes to one of the queue's members. A message whose answer would go where none may is not handled: see OnReject. Beneath the connection's own
// inbox come answers, and those are handled whatever they say.
func (c *Conn) Subscribe(subject, queue string, handle func(*Msg)) (*Subscription, error) {
	if strings.HasPrefix(subject, c.inbox) {
		return c.subscribe(subject, queue, handle)
	}
	return c.subscribe(subject, queue, func(msg *Msg) {
		if err := c.CheckReply(msg); err != nil {
			c.rejected(msg, err)
			return
		}
		handle(msg)
	})
}

// CheckReply returns ErrNoReply for a message that is to be answered at a subject where no answers go.
func (c *Conn) CheckReply(msg *Msg) error {
	if msg.Reply == "" || c.Answerable(msg.Reply) {
		return nil
	}
	return fmt.Errorf("%w: %q is a subject of NATS or of Manta", ErrNoReply, Clip(msg.Reply, shownReply))
}

// shownReply is how much of a reply subject stands in an error, in bytes.
const shownReply = 64

// OnReject has hear called with messages that Subscribe does not handle. Without it they are dropped unheard.
func (c *Conn) OnReject(hear func(msg *Msg, err error)) { c.reject.Store(&hear) }

func (c *Conn) rejected(msg *Msg, err error) {
	if hear := c.reject.Load(); hear != nil {
		(*hear)(msg, err)
	}
}

func (c *Conn) subscribe(subject, queue string, handle func(*Msg)) (*Subscription, error) {
	sub, err := c.nc.QueueSubscribe(subject, queue, handle)
	if err != nil {
		return nil, fmt.Errorf("cannot subscribe to %s: %w", subject, err)
	}
	return sub, sub.SetPendingLimits(-1, -1) // what may be outstanding is bounded by windows, not by dropping
}

// SubscribeChan sends every message on subject to ch: several subscriptions that share one keep the order of the connection. NATS
// drops what finds ch full, so its reader must never block; it is the reader, too, who asks CheckReply. With a queue each message goes to one of the
// queue's members.
func (c *Conn) SubscribeChan(subject, queue string, ch chan *Msg) (*Subscription, error) {
	sub, err := c.nc.ChanQueueSubscribe(subject, queue, ch)
	if err != nil {
		return nil, fmt.Errorf("cannot subscribe to %s: %w", subject, err)
	}
	return sub, nil
}

// Request sends data and waits for one answer. ErrNoResponders and ErrDenied mean that it reached nobody. An answer that is a refusal is its error.
func (c *Conn) Request(ctx context.Context, subject string, data []byte) (*Msg, error) {
	ctx, stop := c.untilDenied(ctx, func(denied string) bool { return denied == subject })
	defer stop()
	msg, err := c.nc.RequestWithContext(ctx, subject, data)
	switch cause := context.Cause(ctx); {
	case err != nil && errors.Is(cause, ErrDenied):
		return nil, cause
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("%s: %w", subject, ErrNoResponders)
	case err != nil:
		return nil, c.wordFor(err)
	}
	if err := RefusalOf(msg); err != nil {
		return nil, err
	}
	return msg, nil
}

// lookAgain is how often a wait for a message looks whether the connection was interrupted meanwhile.
const lookAgain = 250 * time.Millisecond

// nextMsg waits for a message that answers what was sent in a generation. It fails with errSilent when nothing has come for so
// long, and with errInterrupted when the connection was lost: then nothing will come.
func (c *Conn) nextMsg(ctx context.Context, sub *Subscription, generation uint64, silence time.Duration) (*Msg, error) {
	for begun := time.Now(); ; {
		bounded, cancel := context.WithTimeout(ctx, lookAgain)
		msg, err := sub.NextMsgWithContext(bounded)
		late := bounded.Err() != nil
		cancel()
		switch {
		case err == nil:
			return msg, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, nats.ErrNoResponders):
			return nil, errUnserved
		case !late:
			return nil, c.wordFor(err)
		case c.Generation() != generation:
			return nil, errInterrupted
		case time.Since(begun) >= silence:
			return nil, errSilent
		}
	}
}

// Unserved returns the subject that a message could not be delivered to, if msg is the server's word that nobody serves it.
func Unserved(msg *Msg) (subject string, ok bool) {
	if len(msg.Data) > 0 || msg.Header.Get("Status") != "503" {
		return "", false
	}
	return strings.TrimSpace(msg.Header.Get("Nats-Subject")), true
}

// Flush waits until the server has seen everything sent so far.
func (c *Conn) Flush(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
	}
	return c.nc.FlushWithContext(ctx)
}

// Close ends the connection at once and waits for nats.go's last callback and that of OnReconnect. It is safe to call twice.
func (c *Conn) Close() {
	c.nc.Close()
	<-c.closed
	c.interruptions.served.Wait()
}
