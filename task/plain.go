package task

import (
	"context"
	"fmt"
	"sync"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/plain"
	"manta/objstore"
)

// plainDoor is where a node takes what plain clients ask for.
type plainDoor struct {
	host      *host
	desk      *plain.Desk
	timeout   time.Duration // of what waits for room; negative: none
	endpoints []*plain.Endpoint
	endpoint  map[string]*plain.Endpoint // by function
	doors     []*bus.Subscription
	relays    sync.Map          // streams of clients, by the secret that each is told
	answers   *bus.Subscription // of clients to the items of their streams
}

func openPlainDoor(h *host, limit int, timeout time.Duration) (*plainDoor, error) {
	d := &plainDoor{host: h, timeout: timeout, endpoint: make(map[string]*plain.Endpoint)}
	var err error
	if d.desk, err = plain.NewDesk(h.node, h.group, limit, "task"); err != nil {
		return nil, err
	}
	if d.answers, err = h.node.Conn.Subscribe(h.node.Conn.Ear(takenToken+"*.*"), "", d.taken); err != nil {
		return nil, err
	}
	for _, name := range h.served.names() {
		f, _ := h.served.lookup(name)
		d.endpoint[name] = &plain.Endpoint{Name: name, Subject: h.node.Conn.Task(name), Metadata: f.metadata}
		d.endpoints = append(d.endpoints, d.endpoint[name])
		door, err := h.node.Conn.Subscribe(h.node.Conn.Task(name), bus.Workers, d.asked)
		if err != nil {
			d.close()
			return nil, err
		}
		d.doors = append(d.doors, door)
	}
	return d, nil
}

// metadata describes a function to plain clients.
func (f function) metadata() map[string]string {
	kind := "task"
	if f.streams {
		kind = "streaming task"
	}
	return map[string]string{"kind": kind, "signature": plain.Text(plain.Describe(f.args, f.result))}
}

func (d *plainDoor) close() {
	for _, door := range append(d.doors, d.answers) {
		_ = door.Unsubscribe() // its one error is that the connection is closed, or the subscription drained
	}
}

// asked takes on a plain request as an owner would: the task runs here when there is room, else wherever there is.
func (d *plainDoor) asked(msg *bus.Msg) {
	name := bus.LastToken(msg.Subject)
	f, ok := d.host.served.lookup(name)
	if !ok {
		return
	}
	r := d.desk.Take(msg, d.endpoint[name])
	if r == nil {
		return
	}
	values, err := plain.Args("function", len(f.args), msg)
	if err == nil {
		err = r.Admit()
	}
	if err != nil {
		r.Refuse(fmt.Errorf("task %q: %w", name, err))
		return
	}
	args := r.Arguments(values)
	if msg.Header.Get(streamHeaderName) != "" {
		d.stream(r, f, args)
		return
	}
	r.Once(func() {
		ctx := r.Context()
		s := d.host.owner.submission(ctx, f.target, call.ArgsOf(args...).Traced(call.TraceOf(ctx)), plain.Format(msg) == bus.JSON)
		d.host.owner.launch(ctx, s)
		d.bound(ctx, s)
		r.AnswerWhenDone(s.Object)
	})
}

// bound ends a task that waits for room for too long, unless the client has said how long it may.
func (d *plainDoor) bound(ctx context.Context, s *submission) {
	if _, says := ctx.Deadline(); says || d.timeout <= 0 {
		return
	}
	overdue := time.AfterFunc(d.timeout, func() { d.host.owner.overdue(s, d.timeout) })
	d.host.owner.store.When(s.Object, func(objstore.Outcome) { overdue.Stop() })
}

// overdue ends a task that no node has had room for, and that was never run.
func (o *owner) overdue(s *submission, after time.Duration) {
	o.mu.Lock()
	defer o.unlock()
	l := s.lane
	switch {
	case l == nil || s.ended || s.at != nil || s == l.knocking.task || s.Attempt > 1:
	case !o.feasible(l):
		o.drop(s, fmt.Errorf("task %q needs %s: %w: %s", l.function, l.wants(), ErrInfeasible, o.obstacle(l)))
	default:
		o.drop(s, fmt.Errorf("task %q: %w: no node has had room for it in %v: try later, or say with the header Manta-Deadline how long to wait",
			l.function, call.ErrOverload, after))
	}
}
