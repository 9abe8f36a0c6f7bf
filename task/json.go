package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/internal/plain"
	"manta/objstore"
)

// CallJSON calls a function by its name, as any NATS client does: for a program that has no Go types of what it calls, such as a command line or a
// web page. The payload is the argument in JSON, none for a function of no argument, an array for one of two; what comes back is the result. The
// function's own options hold. One whose result is too large for a message is read from the object store.
//
// Headers are those of a plain request, as PROTOCOL.md has them: with "Manta-Id" a request that is sent again is not made again, and with
// "Manta-Result": "ref" a ref comes in place of the result.
//
// When ctx ends the task is cancelled. Errors are those of a task: ErrNotRegistered if nobody serves the function, ErrWorkerLost if the node that took
// the request went silent; it may have run. A node with Config.Caller can call too, with the permissions of a caller.
func CallJSON(ctx context.Context, function string, payload json.RawMessage, headers map[string]string) (json.RawMessage, error) {
	scope, asking, err := askJSON(ctx, function, payload, headers)
	if err != nil {
		return nil, err
	}
	defer asking.End()
	msg, err := asking.Next(ctx)
	if err != nil {
		return nil, taskError(function, err)
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
	return readJSON(member.NewContext(ctx, scope), ref)
}

func readJSON(ctx context.Context, ref objstore.Ref[any]) (json.RawMessage, error) {
	value, err := objstore.Read(ctx, ref.ID())
	if err != nil {
		return nil, err
	}
	return value.JSON()
}

// streamJSONAhead is how many items of a stream may be under way to StreamJSON.
const streamJSONAhead = 64

// StreamJSON calls a streaming function by its name and ranges over its items, as CallJSON calls others. An error is the last of them. Leaving the loop
// cancels the task. Items come at most once: if the node is lost that took the request, or an item on its way, the stream ends with an error.
func StreamJSON(ctx context.Context, function string, payload json.RawMessage, headers map[string]string) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		all := map[string]string{streamHeaderName: "1", aheadHeader: strconv.Itoa(streamJSONAhead)}
		for name, value := range headers {
			all[name] = value
		}
		_, asking, err := askJSON(ctx, function, payload, all)
		if err != nil {
			yield(nil, err)
			return
		}
		defer asking.End()
		for number := 1; ; number++ {
			item, err := nextItem(ctx, function, asking, number)
			if item == nil && err == nil || !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// nextItem waits for the item of a number and acknowledges it; nil without an error is the end.
func nextItem(ctx context.Context, function string, asking *plain.Asking, number int) (json.RawMessage, error) {
	msg, err := asking.Next(ctx)
	if err != nil {
		return nil, taskError(function, err)
	}
	if came := msg.Header.Get(itemHeader); came != "" && came != strconv.Itoa(number) {
		return nil, fmt.Errorf("task %q: item %d was lost on its way: item %s came", function, number, came)
	}
	if msg.Header.Get(itemHeader) == "" {
		asking.Answered()
		if msg.Header.Get(statusHeader) == statusEnd {
			return nil, nil
		}
		if _, _, err = plain.ReadJSON(msg); err == nil {
			err = fmt.Errorf("task %q: %w: an answer that is neither an item nor an end", function, bus.ErrMalformed)
		}
		return nil, err
	}
	text, _, err := plain.ReadJSON(msg)
	if err == nil {
		err = asking.Acknowledge(msg)
	}
	return text, err
}

func askJSON(ctx context.Context, function string, payload json.RawMessage, headers map[string]string) (*member.Scope, *plain.Asking, error) {
	scope, err := checkJSON(ctx, function, payload)
	if err != nil {
		return nil, nil, err
	}
	asking, err := plain.AskJSON(ctx, scope.Node, scope.Node.Conn.Task(function), payload, headers)
	if err != nil {
		err = fmt.Errorf("task %q: %w", function, err)
	}
	return scope, asking, err
}

func checkJSON(ctx context.Context, function string, payload json.RawMessage) (*member.Scope, error) {
	if err := bus.CheckName("task name", function); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArgument, err)
	}
	if len(payload) > 0 && !json.Valid(payload) {
		return nil, fmt.Errorf("task %q: %w: the payload is no JSON", function, ErrArgument)
	}
	return member.FromContext(ctx)
}

// taskError gives what an Asking meets a task's word.
func taskError(function string, err error) error {
	switch {
	case errors.Is(err, plain.ErrUnserved):
		err = ErrNotRegistered
	case errors.Is(err, plain.ErrSilent):
		err = fmt.Errorf("%w: it may have run: %w", ErrWorkerLost, err)
	}
	return fmt.Errorf("task %q: %w", function, err)
}

// SubmitJSON stores a durable task of a function that is known by its name alone, and returns its id once it is stored: whatever becomes of this
// process then, it runs. Payload as for CallJSON. objstore.Read waits for its result, [Cancel] cancels it, and Node.Why says what it waits for. The
// function's own options hold, so its result is kept for as long as they say, else for 24 hours.
//
// A function that no node serves is no error: the task waits for one.
func SubmitJSON(ctx context.Context, function string, payload json.RawMessage) (id objstore.ID, err error) {
	if _, err := checkJSON(ctx, function, payload); err != nil {
		return id, err
	}
	scope, err := member.Unconfined(ctx)
	if err != nil {
		return id, err
	}
	t := &call.Target{Name: function, Options: call.Options{Durable: true, KeepFor: keepFor}}
	d := part.Of(scope.Node).durables
	ref := objstore.RefTo[any](d.submitPlainly(ctx, t, payload))
	if err := Submitted(ctx, ref); err != nil {
		return id, err
	}
	return ref.ID(), nil
}

// Recorded says whether the result of a durable task is stored, an error among them, without waiting for it. It fails with objstore.ErrExpired if there
// is neither a task with this id nor a result.
func Recorded(ctx context.Context, id objstore.ID) (bool, error) {
	scope, err := member.Unconfined(ctx)
	if err != nil {
		return false, err
	}
	if !id.Durable() {
		return false, fmt.Errorf("%s is no durable task's id", id)
	}
	d := part.Of(scope.Node).durables
	d.mu.Lock()
	_, pending := d.pending[id]
	d.mu.Unlock()
	if pending {
		return false, nil
	}
	for again := false; ; again = true {
		out, stored, err := d.results.fetch(ctx, id)
		switch {
		case err != nil || out != nil || stored:
			return out != nil, err
		case again: // neither is there twice: it has not just had its outcome
			return false, fmt.Errorf("task %s: %w", id, objstore.ErrExpired)
		}
	}
}
