package plain

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"manta/bus"
	"manta/internal/call"
)

const (
	contentType = "Content-Type"
	jsonType    = "application/json"
	msgpackType = "application/msgpack"
)

// Format is how a request is encoded, and its reply is to be.
func Format(msg *bus.Msg) bus.Format {
	format, _ := formatOf(msg)
	return format
}

// formatOf is Format with an error for a type that is neither; an answer to that is JSON.
func formatOf(msg *bus.Msg) (bus.Format, error) {
	text := msg.Header.Get(contentType)
	switch text {
	case "", jsonType:
		return bus.JSON, nil
	case msgpackType:
		return bus.Msgpack, nil
	}
	switch base, _, _ := strings.Cut(text, ";"); strings.ToLower(strings.TrimSpace(base)) {
	case jsonType:
		return bus.JSON, nil
	case msgpackType:
		return bus.Msgpack, nil
	}
	return bus.JSON, fmt.Errorf("header %s: %q: want %s or %s", contentType, bus.Clip(text, shownBytes), jsonType, msgpackType)
}

// Payload is what a request carries. Of a type that is neither JSON nor MessagePack, or with what readers may take for different things, it is
// call.ErrArgument.
func Payload(msg *bus.Msg) (bus.Value, error) {
	format, err := formatOf(msg)
	v := bus.Value{Format: format, Data: msg.Data}
	if err == nil && len(msg.Data) > 0 {
		err = bus.CheckStrict(v)
	}
	if err != nil {
		return v, fmt.Errorf("%w: %w", call.ErrArgument, err)
	}
	return v, nil
}

// SetFormat says in a message how it is encoded.
func SetFormat(msg *bus.Msg, format bus.Format) {
	if format == bus.Msgpack {
		msg.Header.Set(contentType, msgpackType)
	}
}

// deadlineHeader says until when the reply is wanted: a time as RFC 3339 has it, or how long from when the node has the request.
const deadlineHeader = "Manta-Deadline"

func deadlineOf(msg *bus.Msg) (deadline time.Time, err error) {
	text := msg.Header.Get(deadlineHeader)
	if text == "" {
		return deadline, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return time.Now().Add(d), nil
	}
	if deadline, err = time.Parse(time.RFC3339Nano, text); err != nil {
		err = fmt.Errorf("%w: header %s: %q: want a time such as 2026-01-02T15:04:05Z, or how long from now, such as 1.5s", call.ErrArgument, deadlineHeader, bus.Clip(text, shownBytes))
	}
	if deadline.Before(time.Unix(0, 0)) {
		deadline = time.Unix(0, 0) // none would be the zero time
	}
	return deadline, err
}

// shownBytes is how much of what a client has sent stands in an error.
const shownBytes = 64

// Args takes a request's payload apart into as many arguments as its callee, a function or method in words, takes. What does not fit it is
// call.ErrArgument.
func Args(callee string, arity int, msg *bus.Msg) ([]bus.Value, error) {
	payload, err := Payload(msg)
	if err != nil {
		return nil, err
	}
	values, err := args(callee, arity, payload)
	if err != nil {
		err = fmt.Errorf("%w: %w", call.ErrArgument, err)
	}
	return values, err
}

func args(callee string, arity int, payload bus.Value) ([]bus.Value, error) {
	switch size := len(payload.Data); {
	case arity == 0 && size == 0:
		return nil, nil
	case arity == 0:
		return nil, fmt.Errorf("a payload of %d bytes was sent, the %s takes no argument", size, callee)
	case size == 0:
		return nil, fmt.Errorf("an empty payload was sent, the %s takes %d arguments", callee, arity)
	case arity == 1:
		return []bus.Value{payload}, nil
	}
	split := elements[json.RawMessage]
	if payload.Format == bus.Msgpack {
		split = elements[msgpack.RawMessage]
	}
	values, err := split(payload)
	if err != nil || len(values) != arity {
		return nil, fmt.Errorf("the %s takes %d arguments: send an array of %d", callee, arity, arity)
	}
	return values, nil
}

// elements takes an array apart, each element in the encoding of the whole.
func elements[Raw ~[]byte](array bus.Value) ([]bus.Value, error) {
	raw, err := bus.Decode[[]Raw](array)
	values := make([]bus.Value, len(raw))
	for i, r := range raw {
		values[i] = bus.Value{Format: array.Format, Data: r}
	}
	return values, err
}
