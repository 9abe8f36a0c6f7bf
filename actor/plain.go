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
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/plain"
	"manta/objstore"
	"manta/task"
)

// What a plain client's request for an actor may say in its headers.
const (
	nameHeader     = "Manta-Name"
	getOrNewHeader = "Manta-Get-Or-New" // an actor that has the name already will do
)

// plainDoor is where a node takes what plain clients ask of actors. It does so as a process that calls: each request is a call by somebody
// new, so that calls of one client run in the order in which they came only if it awaits each.
type plainDoor struct {
	engine    *Engine
	desk      *plain.Desk
	timeout   time.Duration              // of a request that waits for room for an actor, or for an actor that is made again; negative: none
	classes   []string                   // that the node hosts: those that were defined when it started
	makes     map[*class]*plain.Endpoint // requests for actors
	calls     map[*class]*plain.Endpoint
	endpoints []*plain.Endpoint // of both
}

func newPlainDoor(e *Engine, limit int, timeout time.Duration) (*plainDoor, error) {
	desk, err := plain.NewDesk(e.node, e.host.group, limit, "actor")
	if err != nil {
		return nil, err
	}
	d := &plainDoor{
		engine: e, desk: desk, timeout: timeout, classes: classNames(e.host.classes),
		makes: make(map[*class]*plain.Endpoint), calls: make(map[*class]*plain.Endpoint),
	}
	for _, name := range d.classes {
		c, _ := lookupClass(e.host.classes, name)
		d.makes[c] = &plain.Endpoint{Name: "create-" + name, Subject: e.node.Conn.Create(name), Metadata: c.birthMetadata}
		d.calls[c] = &plain.Endpoint{Name: "call-" + name, Subject: e.node.Conn.Call(name, "*", "*"), Metadata: c.metadata}
		d.endpoints = append(d.endpoints, d.makes[c], d.calls[c])
	}
	return d, nil
}

// birthMetadata describes to plain clients how an actor of the class is made.
func (c *class) birthMetadata() map[string]string {
	return map[string]string{"kind": "new actor", "start": plain.Text(plain.SchemaOf(c.typ))}
}

// metadata describes to plain clients what can be called of an actor of the class.
func (c *class) metadata() map[string]string {
	methods := make(map[string]plain.Signature)
	for name, m := range c.methods {
		methods[name] = plain.Describe(m.args, m.fn.Type().Out(0))
	}
	return map[string]string{"kind": "actor", "methods": plain.Text(methods)}
}

// called takes a call of an actor that may be anywhere.
func (d *plainDoor) called(msg *bus.Msg) {
	tokens := strings.Split(msg.Subject, ".")
	class, id, method := tokens[len(tokens)-3], tokens[len(tokens)-2], tokens[len(tokens)-1]
	c, ok := lookupClass(d.engine.host.classes, class)
	if !ok {
		return
	}
	if err := bus.CheckName("actor id", id); err != nil { // '*' and '>' are what a client may publish to
		if r := d.desk.Take(msg, d.calls[c]); r != nil {
			r.Refuse(fmt.Errorf("%w: %w", call.ErrArgument, err))
		}
		return
	}
	d.call(msg, c, id, method)
}

// call makes a call for a client. It does not block.
func (d *plainDoor) call(msg *bus.Msg, c *class, id, method string) {
	r := d.desk.Take(msg, d.calls[c])
	if r == nil {
		return
	}
	m, err := c.method(method)
	var values []bus.Value
	if err == nil {
		values, err = plain.Args("method", len(m.args), msg)
	}
	if err == nil {
		err = r.Admit()
	}
	if err != nil {
		r.Refuse(fmt.Errorf("actor %s: %s.%s: %w", id, c.name, method, err))
		return
	}
	r.Once(func() {
		args := call.ArgsOf(r.Arguments(values)...).Traced(call.TraceOf(r.Context()))
		whoever := &handle{id: id, class: c} // has the name
		out := d.engine.callers.launch(r.Context(), whoever, m, &call.Target{Name: m.name, Actor: id, Options: m.defaults()}, args, plain.Format(msg) == bus.JSON)
		d.bound(r.Context(), out)
		r.AnswerWhenDone(out.Object)
	})
}

// bound ends a call that waits for its actor for too long, unless the client has said how long it may.
func (d *plainDoor) bound(ctx context.Context, out *outgoing) {
	if _, says := ctx.Deadline(); says || d.timeout <= 0 {
		return
	}
	overdue := time.AfterFunc(d.timeout, func() { d.engine.callers.overdue(out, d.timeout) })
	objstore.StoreOf(d.engine.node).When(out.Object, func(objstore.Outcome) { overdue.Stop() })
}

// method returns the method of that name.
func (c *class) method(name string) (*method, error) {
	if m := c.methods[name]; m != nil {
		return m, nil
	}
	methods := strings.Join(slices.Sorted(maps.Keys(c.methods)), ", ")
	return nil, fmt.Errorf("%w: class %s has no method %s that can be called from elsewhere: it has %s", call.ErrArgument, c.name, name, methods)
}

// create takes a request for an actor of a class. Nobody holds it then, so it is detached.
func (d *plainDoor) create(msg *bus.Msg, className string) {
	c, ok := lookupClass(d.engine.host.classes, className)
	if !ok {
		return
	}
	r := d.desk.Take(msg, d.makes[c])
	if r == nil {
		return
	}
	refuse := func(err error) { r.Refuse(fmt.Errorf("actor of class %s: %w", c.name, err)) }
	if err := r.Admit(); err != nil {
		refuse(err)
		return
	}
	r.Once(func() {
		if !d.engine.host.group.Go(func(context.Context) { // decoding may be user code
			defer r.End()
			if cr, err := creationOf(r, c); err != nil {
				refuse(err)
			} else if r.Context().Err() != nil {
				refuse(call.Ending(r.Context()))
			} else {
				d.born(r, d.engine.create(c, cr), cr)
			}
		}) {
			r.End()
			refuse(bus.ErrClosed)
		}
	})
}

// creationOf reads a request for an actor: its payload is the start value, or nothing for the zero value.
func creationOf(r *plain.Request, c *class) (cr *creation, err error) {
	msg := r.Msg
	cr = &creation{name: msg.Header.Get(nameHeader), shared: msg.Header.Get(getOrNewHeader) != "", life: life{Detached: true}}
	switch {
	case cr.name != "":
		err = bus.CheckName("actor name", cr.name)
	case cr.shared:
		err = fmt.Errorf("the header %s without %s: which actor?", getOrNewHeader, nameHeader)
	}
	start := reflect.New(c.typ)
	if len(msg.Data) > 0 {
		var malformed error
		if cr.start, malformed = plain.Payload(msg); malformed == nil {
			r.Capture(&cr.start)
			malformed = bus.DecodeTo(cr.start, start)
		}
		err = errors.Join(err, malformed)
	} else if err == nil {
		cr.start, err = bus.Encode(start.Elem().Interface())
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", call.ErrArgument, err)
	}
	return cr, err
}

// born answers a request for an actor once its Start has run.
func (d *plainDoor) born(r *plain.Request, h *handle, cr *creation) {
	err := h.err
	if err == nil {
		err = d.awaitStarted(r.Context(), h)
	}
	if err != nil && r.Context().Err() != nil {
		r.Refuse(fmt.Errorf("actor %s of class %s has not started yet: %w", h.id, h.class.name, call.Ending(r.Context())))
		d.engine.callers.giveUp(d.engine.host.group.Context(), h)
		return
	}
	if err != nil {
		r.Refuse(err)
		return
	}
	answer, err := json.Marshal(struct {
		ID   string  `json:"id"`
		Name string  `json:"name,omitempty"`
		Ref  wireRef `json:"ref"`
	}{h.id, cr.name, h.wire()})
	if err != nil {
		r.Refuse(err)
		return
	}
	r.Answer(bus.Value{Format: bus.JSON, Data: answer})
}

// awaitStarted waits until an actor has started, for room no longer than the door's timeout unless the client has said how long.
func (d *plainDoor) awaitStarted(ctx context.Context, h *handle) error {
	cs := d.engine.callers
	overdue := false
	if _, says := ctx.Deadline(); !says && d.timeout > 0 {
		bounded, cancel := context.WithTimeoutCause(ctx, d.timeout, errOverdue)
		overdue = errors.Is(cs.awaitMade(bounded, h.at(cs), ""), errOverdue)
		cancel()
	}
	if overdue {
		cs.giveUp(ctx, h)
	}
	err := cs.awaitStarted(ctx, h)
	switch {
	case !overdue || !errors.Is(err, errUnwanted): // or a node had accepted it just then
		return err
	case !d.engine.feasible(h.class):
		return fmt.Errorf("actor of class %s needs %s: %w", h.class.name, h.class.need, task.ErrInfeasible)
	}
	return fmt.Errorf("actor of class %s: %w: no node has had room for it in %v: try later, or say with the header Manta-Deadline how long to wait",
		h.class.name, call.ErrOverload, d.timeout)
}

var errOverdue = errors.New("no node has had room in time")
