package task

import (
	"fmt"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/plain"
)

// plainDoor is where a node takes what plain clients ask for.
type plainDoor struct {
	host    *host
	desk    *plain.Desk
	doors   []*bus.Subscription
	answers *bus.Subscription // of clients to the items of their streams
}

func openPlainDoor(h *host, limit int) (*plainDoor, error) {
	d := &plainDoor{host: h, desk: plain.NewDesk(h.node, h.group, limit)}
	var err error
	if d.answers, err = h.node.Conn.Subscribe(h.node.Conn.Inbox(takenToken+"*.*"), "", d.taken); err != nil {
		return nil, err
	}
	for _, name := range h.served.names() {
		door, err := h.node.Conn.Subscribe(h.node.Conn.Task(name), bus.Workers, d.asked)
		if err != nil {
			d.close()
			return nil, err
		}
		d.doors = append(d.doors, door)
	}
	return d, nil
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
	if !ok || msg.Reply == "" {
		return
	}
	var r *plain.Request
	values, err := plain.Args("function", f.arity, msg)
	if err == nil {
		r, err = d.desk.Admit(msg)
	}
	if err != nil {
		d.desk.Refuse(msg, fmt.Errorf("task %q: %w", name, err))
		return
	}
	args := d.desk.Arguments(values)
	if msg.Header.Get(streamHeaderName) != "" {
		d.stream(r, msg, f, args)
		return
	}
	r.AnswerWhenDone(d.host.owner.submit(r.Context(), f.target, call.ArgsOf(args...), plain.Format(msg) == bus.JSON))
}
