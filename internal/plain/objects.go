package plain

import (
	"context"
	"fmt"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// Objects is where a node answers plain clients' requests for objects, whoever owns them.
type Objects struct {
	desk     *Desk
	endpoint *Endpoint
	door     *bus.Subscription
}

// OpenObjects begins to answer. Up to limit requests may wait for their objects.
func OpenObjects(node *member.Node, group *member.Group, limit int) (*Objects, error) {
	desk, err := NewDesk(node, group, limit, "object")
	if err != nil {
		return nil, err
	}
	o := &Objects{
		desk: desk,
		endpoint: &Endpoint{
			Name: "object", Subject: node.Conn.Object("*"),
			Metadata: func() map[string]string { return map[string]string{"kind": "object"} },
		},
	}
	o.door, err = node.Conn.Subscribe(o.endpoint.Subject, bus.Workers, o.asked)
	return o, err
}

// Endpoint is the door as part of a service.
func (o *Objects) Endpoint() *Endpoint { return o.endpoint }

// Retire leaves the queue group, once what has come is taken up.
func (o *Objects) Retire() error {
	if !o.door.IsValid() {
		return nil
	}
	if err := o.door.Drain(); err != nil {
		return fmt.Errorf("leaving the queue group of %s: %w", o.door.Subject, err)
	}
	return nil
}

// Close answers no more.
func (o *Objects) Close() {
	_ = o.door.Unsubscribe() // its one error is that the connection is closed, or the subscription drained
}

// asked answers with an object's value once it has one.
func (o *Objects) asked(msg *bus.Msg) {
	r := o.desk.Take(msg, o.endpoint)
	if r == nil {
		return
	}
	id, err := objstore.ParseID(bus.LastToken(msg.Subject))
	if err != nil {
		err = fmt.Errorf("%w: %w", call.ErrArgument, err)
	} else {
		err = r.Admit()
	}
	if err != nil {
		r.Refuse(err)
		return
	}
	object := objstore.Named(id)
	if !o.desk.group.Go(func(ctx context.Context) {
		defer r.End()
		value, err := o.desk.store.Fetch(r.Context(), object, r.most())
		if err != nil {
			r.Refuse(ending(r, err))
			return
		}
		r.Answer(value)
	}) {
		r.End()
		r.Refuse(bus.ErrClosed)
	}
}
