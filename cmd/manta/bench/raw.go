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
		Setup: rawOnOneServer(replySubjects),
	},
	{
		Name: "raw_request_pipelined_slots", Unit: "requests/s", Baseline: "raw_request_pipelined",
		About: "the same with 1,000 reply subjects used again and again, which the server finds in its cache",
		Setup: rawOnOneServer(replySlots),
	},
	{
		Name: "raw_request_sync", Unit: "us",
		About: "plain NATS: the median of nats.go's Request, one after the other",
		Setup: rawSync,
	},
}

func rawOnOneServer(subjects func(inbox string) replySubject) func(context.Context, *Stage) (Timed, error) {
	return func(_ context.Context, s *Stage) (Timed, error) {
		at, err := s.Server()
		if err != nil {
			return nil, err
		}
		return rawPipelined(s, at, at, subjects)
	}
}

// rawPipelined measures requests from one place to a responder at another.
func rawPipelined(s *Stage, from, to Place, subjects func(inbox string) replySubject) (Timed, error) {
	requester, subject, err := echo(s, from, to)
	if err != nil {
		return nil, err
	}
	mux, err := newReplyMux(requester, subjects)
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
	if _, err := oneByOne(s.calls, request); err != nil {
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

// A replySubject returns the subject at which the request that has a slot is answered. Its last token, modulo outstanding,
// is the slot.
type replySubject func(slot int) string

// replySubjects gives every request a subject of its own, as nats.go's Request does: a late reply is never taken for another's.
func replySubjects(inbox string) replySubject {
	round := 0
	return func(slot int) string {
		round += outstanding
		return inbox + strconv.Itoa(round+slot)
	}
}

// replySlots gives every slot a subject.
func replySlots(inbox string) replySubject {
	var subjects [outstanding]string
	for slot := range subjects {
		subjects[slot] = inbox + strconv.Itoa(slot)
	}
	return func(slot int) string { return subjects[slot] }
}

// A replyMux has one wildcard subscription for the replies to everything that it asks, and a slot for each request under way.
type replyMux struct {
	nc      *nats.Conn
	subject replySubject
	free    chan int
}

func newReplyMux(nc *nats.Conn, subjects func(inbox string) replySubject) (*replyMux, error) {
	inbox := nats.NewInbox() + "."
	mux := &replyMux{nc: nc, subject: subjects(inbox), free: make(chan int, outstanding)}
	for slot := range outstanding {
		mux.free <- slot
	}
	_, err := nc.Subscribe(inbox+"*", func(m *nats.Msg) {
		if n, err := strconv.Atoi(m.Subject[len(inbox):]); err == nil {
			mux.free <- n % outstanding
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
		if err := mux.nc.PublishRequest(subject, mux.subject(slot), data); err != nil {
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
