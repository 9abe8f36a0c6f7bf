package bench

import (
	"context"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// outstanding is how many requests the pipelined baseline keeps under way.
const outstanding = 1_000

// payload is what a raw request carries, in bytes.
const payload = 16

var rawMeasures = []Measure{
	{
		Name: "raw_request_pipelined", Unit: "requests/s",
		About: "plain NATS: 1,000 requests of 16 B under way, one wildcard subscription for all replies",
		Setup: func(_ context.Context, s *Stage) (Timed, error) {
			at, err := s.Server()
			if err != nil {
				return nil, err
			}
			return rawPipelined(s, at, at)
		},
	},
	{
		Name: "raw_request_sync", Unit: "us",
		About: "plain NATS: the median of nats.go's Request, one after the other",
		Setup: rawSync,
	},
}

// rawPipelined measures requests from one place to a responder at another.
func rawPipelined(s *Stage, from, to Place) (Timed, error) {
	requester, subject, err := echo(s, from, to)
	if err != nil {
		return nil, err
	}
	mux, err := newReplyMux(requester)
	if err != nil {
		return nil, err
	}
	if err := mux.send(subject, s.warm); err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		err := mux.send(subject, s.requests)
		return rate(s.requests, time.Since(begun)), err
	}, nil
}

func rawSync(_ context.Context, s *Stage) (Timed, error) {
	at, err := s.Server()
	if err != nil {
		return nil, err
	}
	nc, subject, err := echo(s, at, at)
	if err != nil {
		return nil, err
	}
	request := func() error {
		_, err := nc.Request(subject, make([]byte, payload), replyPatience)
		return err
	}
	if _, err := oneByOne(s.warm, request); err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		took, err := oneByOne(s.calls, request)
		return latencies(took, 0.50), err
	}, nil
}

// replyPatience bounds the wait for a plain reply.
const replyPatience = 10 * time.Second

// echo puts a responder on a connection of its own and returns the connection of who asks, and the subject.
func echo(s *Stage, from, to Place) (requester *nats.Conn, subject string, err error) {
	responder, err := s.Connect(to)
	if err != nil {
		return nil, "", err
	}
	if requester, err = s.Connect(from); err != nil {
		return nil, "", err
	}
	subject = s.namespace + ".echo"
	if _, err := responder.QueueSubscribe(subject, "workers", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		return nil, "", err
	}
	if err := responder.Flush(); err != nil {
		return nil, "", err
	}
	return requester, subject, awaitEcho(requester, subject)
}

// awaitEcho waits until requests find the responder: across routes its interest takes a moment to spread.
func awaitEcho(nc *nats.Conn, subject string) (err error) {
	deadline := time.Now().Add(replyPatience)
	for time.Now().Before(deadline) {
		if _, err = nc.Request(subject, make([]byte, payload), time.Second); err == nil {
			return nil
		}
	}
	return err
}

// A replyMux has one wildcard subscription for the replies to everything that it asks, and a slot for each request under
// way: the last token of the reply subject is the slot.
type replyMux struct {
	nc       *nats.Conn
	subjects [outstanding]string
	free     chan int
}

func newReplyMux(nc *nats.Conn) (*replyMux, error) {
	mux := &replyMux{nc: nc, free: make(chan int, outstanding)}
	inbox := nats.NewInbox() + "."
	for slot := range mux.subjects {
		mux.subjects[slot] = inbox + strconv.Itoa(slot)
		mux.free <- slot
	}
	_, err := nc.Subscribe(inbox+"*", func(m *nats.Msg) {
		if slot, err := strconv.Atoi(m.Subject[len(inbox):]); err == nil {
			mux.free <- slot
		}
	})
	return mux, err
}

// send sends n requests as fast as slots become free, and returns when all are answered.
func (mux *replyMux) send(subject string, n int) error {
	data := make([]byte, payload)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	take := func() (int, error) {
		select {
		case slot := <-mux.free:
			return slot, nil
		default:
		}
		select {
		case slot := <-mux.free:
			return slot, nil
		case <-limit.C:
			return 0, nats.ErrTimeout
		}
	}
	for range n {
		slot, err := take()
		if err != nil {
			return err
		}
		if err := mux.nc.PublishRequest(subject, mux.subjects[slot], data); err != nil {
			return err
		}
	}
	for range outstanding { // all slots are free: all is answered
		if _, err := take(); err != nil {
			return err
		}
	}
	for slot := range outstanding {
		mux.free <- slot
	}
	return nil
}
