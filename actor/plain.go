package actor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/plain"
)

// What a plain client's request for an actor may say in its headers.
const (
	nameHeader     = "Manta-Name"
	getOrNewHeader = "Manta-Get-Or-New" // an actor that has the name already will do
)

// plainDoor is where a node takes what plain clients ask of actors. It does so as a process that calls: each request is a call by somebody
// new, so that calls of one client run in the order in which they came only if it awaits each.
type plainDoor struct {
	engine *Engine
	desk   *plain.Desk
}

// called takes a call of an actor that may be anywhere.
func (d *plainDoor) called(msg *bus.Msg) {
	tokens := strings.Split(msg.Subject, ".")
	class, id, method := tokens[len(tokens)-3], tokens[len(tokens)-2], tokens[len(tokens)-1]
	if err := bus.CheckName("actor id", id); err != nil { // '*' and '>' are what a client may publish to
		d.refuse(msg, fmt.Errorf("%w: %w", call.ErrArgument, err))
		return
	}
	if c, ok := lookupClass(d.engine.host.classes, class); ok {
		d.call(msg, c, id, method)
	}
}

// call makes a call for a client. It does not block.
func (d *plainDoor) call(msg *bus.Msg, c *class, id, method string) {
	if msg.Reply == "" {
		return
	}
	m, err := c.method(method)
	var values []bus.Value
	if err == nil {
		values, err = plain.Args("method", len(m.args), msg)
	}
	var r *plain.Request
	if err == nil {
		r, err = d.desk.Admit(msg)
	}
	if err != nil {
		d.desk.Refuse(msg, fmt.Errorf("actor %s: %s.%s: %w", id, c.name, method, err))
		return
	}
	made := call.New(d.engine.node, &call.Target{Name: m.name}, call.ArgsOf(d.desk.Arguments(values)...))
	made.Plain = plain.Format(msg) == bus.JSON
	whoever := &handle{id: id, class: c} // has the name
	r.AnswerWhenDone(d.engine.callers.submit(r.Context(), whoever, method, made))
}

// method returns the method of that name.
func (c *class) method(name string) (*method, error) {
	if m := c.methods[name]; m != nil {
		return m, nil
	}
	methods := strings.Join(slices.Sorted(maps.Keys(c.methods)), ", ")
	return nil, fmt.Errorf("%w: class %s has no method %s that can be called from elsewhere: it has %s", call.ErrArgument, c.name, name, methods)
}

// refuse answers a client with an error, if it waits for an answer.
func (d *plainDoor) refuse(msg *bus.Msg, err error) {
	if msg.Reply != "" {
		d.desk.Refuse(msg, err)
	}
}

// create takes a request for an actor of a class. Nobody holds it then, so it is detached.
func (d *plainDoor) create(msg *bus.Msg, className string) {
	c, ok := lookupClass(d.engine.host.classes, className)
	if !ok || msg.Reply == "" {
		return
	}
	refuse := func(err error) { d.desk.Refuse(msg, fmt.Errorf("actor of class %s: %w", c.name, err)) }
	r, err := d.desk.Admit(msg)
	if err != nil {
		refuse(err)
		return
	}
	if !d.engine.host.group.Go(func(context.Context) { // decoding may be user code
		defer r.End()
		if cr, err := d.creation(msg, c); err != nil {
			refuse(err)
		} else {
			d.born(r.Context(), msg, d.engine.create(c, cr), cr)
		}
	}) {
		r.End()
		refuse(bus.ErrClosed)
	}
}

// creation reads a request for an actor: its payload is the start value, or nothing for the zero value.
func (d *plainDoor) creation(msg *bus.Msg, c *class) (cr *creation, err error) {
	cr = &creation{name: msg.Header.Get(nameHeader), shared: msg.Header.Get(getOrNewHeader) != "", life: life{Detached: true}}
	switch {
	case cr.name != "":
		err = bus.CheckName("actor name", cr.name)
	case cr.shared:
		err = fmt.Errorf("the header %s without %s: which actor?", getOrNewHeader, nameHeader)
	}
	start := reflect.New(c.typ)
	if len(msg.Data) > 0 {
		cr.start = bus.Value{Format: plain.Format(msg), Data: msg.Data}
		d.desk.Capture(&cr.start)
		err = errors.Join(err, bus.DecodeTo(cr.start, start))
	} else if err == nil {
		cr.start, err = bus.Encode(start.Elem().Interface())
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", call.ErrArgument, err)
	}
	return cr, err
}

// born answers a request for an actor once its Start has run.
func (d *plainDoor) born(ctx context.Context, msg *bus.Msg, h *handle, cr *creation) {
	err := h.err
	if err == nil {
		err = d.engine.callers.awaitStarted(ctx, h)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("actor %s of class %s is not there yet, and may come: %w", h.id, h.class.name, call.ErrDeadline)
	}
	if err != nil {
		d.desk.Refuse(msg, err)
		return
	}
	answer, err := json.Marshal(struct {
		ID   string  `json:"id"`
		Name string  `json:"name,omitempty"`
		Ref  wireRef `json:"ref"`
	}{h.id, cr.name, h.wire()})
	if err != nil {
		d.desk.Refuse(msg, err)
		return
	}
	d.desk.Answer(msg, bus.Value{Format: bus.JSON, Data: answer})
}
