package actor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"manta/bus"
	"manta/internal/member"
	"manta/internal/plain"
	"manta/objstore"
	"manta/task"
)

// Born is an actor that NewJSON has made, or found.
type Born struct {
	ID   string          `json:"id"`
	Name string          `json:"name,omitempty"`
	Ref  json.RawMessage `json:"ref"` // what an argument that is a handle of it is to be
}

// NewJSON makes an actor of a class that is known by its name alone, as any NATS client does, and returns when it has started. The start value is JSON,
// none for the zero value. Nobody holds the actor, so it is detached: it lives until it is stopped. With a name that an actor has already it is
// ErrExists; or that actor, if getOrNew says that it will do. If ctx ends first, the actor may be made all the same.
func NewJSON(ctx context.Context, class string, start json.RawMessage, name string, getOrNew bool) (b Born, err error) {
	headers := map[string]string{}
	if name != "" {
		headers[nameHeader] = name
	}
	if getOrNew {
		headers[getOrNewHeader] = "1"
	}
	what := "actor of class " + class
	scope, err := member.FromContext(ctx)
	if err == nil {
		err = checkTokens(what, map[string]string{"class name": class}, start)
	}
	if err != nil {
		return b, err
	}
	text, err := askJSON(ctx, scope.Node, what, scope.Node.Conn.Create(class), start, headers)
	if errors.Is(err, plain.ErrUnserved) {
		err = fmt.Errorf("%s: %w", what, ErrNotRegistered)
	}
	if err != nil {
		return b, err
	}
	return b, json.Unmarshal(text, &b)
}

// CallJSON calls a method of an actor that is known by its id, its name if it has one, as task.CallJSON calls functions. An actor in the directory, which
// one with a name or a detached one is, is found wherever it is, and waited for while it is made again; any other one is called where it lives. It fails
// with ErrNotFound if no actor has the id.
func CallJSON(ctx context.Context, id, method string, payload json.RawMessage, headers map[string]string) (json.RawMessage, error) {
	scope, err := member.FromContext(ctx)
	if err == nil {
		err = checkTokens("actor "+id, map[string]string{"actor id": id, "method": method}, payload)
	}
	if err != nil {
		return nil, err
	}
	subject := scope.Node.Conn.Actor(id, method)
	if !scope.Node.Confined {
		rec, err := part.Of(scope.Node).directory.lookup(ctx, id)
		switch {
		case err == nil:
			subject = scope.Node.Conn.Call(rec.Class, id, method)
		case !errors.Is(err, ErrNotFound):
			return nil, err
		}
	}
	text, err := askJSON(ctx, scope.Node, "actor "+id, subject, payload, headers)
	if errors.Is(err, plain.ErrUnserved) {
		err = fmt.Errorf("actor %s: %w", id, ErrNotFound)
	}
	return text, err
}

// askJSON makes a request and waits for its answer; a result that is too large for a message is read where it is.
func askJSON(ctx context.Context, node *member.Node, what, subject string, payload json.RawMessage, headers map[string]string) (json.RawMessage, error) {
	asking, err := plain.AskJSON(ctx, node, subject, payload, maps.Clone(headers))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer asking.End()
	msg, err := asking.Next(ctx)
	if errors.Is(err, plain.ErrSilent) {
		err = fmt.Errorf("%w: it may have run: %w", ErrUnavailable, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	asking.Answered()
	text, byRef, err := plain.ReadJSON(msg)
	if err != nil || !byRef || plain.WantsRef(headers) {
		return text, err
	}
	var ref objstore.Ref[any]
	if err := json.Unmarshal(text, &ref); err != nil {
		return nil, err
	}
	value, err := objstore.Read(ctx, ref.ID())
	if err != nil {
		return nil, err
	}
	return value.JSON()
}

func checkTokens(what string, names map[string]string, payload json.RawMessage) error {
	for kind, name := range names {
		if err := bus.CheckName(kind, name); err != nil {
			return fmt.Errorf("%w: %w", task.ErrArgument, err)
		}
	}
	if len(payload) > 0 && !json.Valid(payload) {
		return fmt.Errorf("%s: %w: the payload is no JSON", what, task.ErrArgument)
	}
	return nil
}

// KillByID ends an actor at once, as [Ref.Kill] does, by its id or name; StopByID lets what waits in its mailbox run first. They fail with ErrNotFound if no
// actor has the id.
func KillByID(ctx context.Context, id string) error { return controlByID(ctx, id, controlKill) }

// StopByID is documented with KillByID.
func StopByID(ctx context.Context, id string) error { return controlByID(ctx, id, controlStop) }

func controlByID(ctx context.Context, id, word string) error {
	scope, err := member.Unconfined(ctx)
	if err == nil {
		err = checkTokens("actor "+id, map[string]string{"actor id": id}, nil)
	}
	if err != nil {
		return err
	}
	e := part.Of(scope.Node)
	rec, err := e.directory.lookup(ctx, id)
	switch {
	case err == nil:
		whoever := &handle{id: id, class: &class{name: rec.Class, restarts: rec.Limit}} // all of a class that a control asks for
		return e.callers.control(ctx, whoever, word)
	case !errors.Is(err, ErrNotFound):
		return err
	}
	// One that is in no directory lives in one place, and once nobody is there it has ended.
	missing, whoever := err, &handle{id: id}
	for said := false; ; said = true {
		err := e.callers.controlOnce(ctx, whoever, word)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, bus.ErrNoResponders) && !said:
			return missing
		case err == nil, errors.Is(err, bus.ErrNoResponders):
			return nil
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		}
	}
}
