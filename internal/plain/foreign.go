package plain

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"manta/bus"
	"manta/internal/call"
)

// NewRequest makes the request with which a node has a worker that is none run a call. Its subjects are still to be set. What cannot be said in JSON, or
// not in one message of up to most bytes, is call.ErrArgument.
func NewRequest(args []bus.Value, e *call.Entry, most int64) (*bus.Msg, error) {
	payload, err := payloadOf(args, bus.JSON)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", call.ErrArgument, err)
	}
	if int64(len(payload)) > most {
		return nil, fmt.Errorf("%w: %d bytes as JSON, the server takes messages of %d: put a ref to a large value inside a struct", call.ErrArgument, len(payload), most)
	}
	msg := bus.NewMsg("", payload)
	msg.Header.Set(aliveHeader, "1")
	if deadline, ok := e.Until(); ok {
		msg.Header.Set(deadlineHeader, deadline.UTC().Format(time.RFC3339Nano))
	}
	e.Trace().Put(msg)
	return msg, nil
}

// payloadOf is what a request carries: nothing for no argument, an array of more than one.
func payloadOf(args []bus.Value, format bus.Format) ([]byte, error) {
	encoded := make([][]byte, len(args))
	for i, arg := range args {
		value, err := bus.Recode(arg, format)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		encoded[i] = value.Data
	}
	switch {
	case len(args) < 2:
		return bytes.Join(encoded, nil), nil
	case format == bus.JSON:
		return slices.Concat([]byte("["), bytes.Join(encoded, []byte(",")), []byte("]")), nil
	}
	return append([]byte{0x90 | byte(len(args))}, bytes.Join(encoded, nil)...), nil // an array
}

// maxWords bounds what a worker says of an error, in bytes.
const maxWords = 32 << 10

// codes are those of replies that have a status and no code.
var codes = map[string]string{"400": "argument", "429": "overload", "503": "overload", "504": "deadline"}

// ReadReply takes a reply apart: a value, or the code of an error and its words.
func ReadReply(msg *bus.Msg) (value bus.Value, code, words string) {
	code, words, status := msg.Header.Get(bus.CodeHeader), msg.Header.Get(bus.ErrorHeader), msg.Header.Get(bus.StatusHeader)
	if own := msg.Header.Get(failureHeader); own != "" {
		code = own
	}
	if code == "" && words == "" && status == "" {
		value = bus.Value{Format: Format(msg), Data: msg.Data}
		if len(value.Data) == 0 {
			value = bus.Value{Format: bus.JSON, Data: []byte("null")}
		}
		return value, "", ""
	}
	if code == "" {
		code = codes[status]
	}
	if code == "" || code == call.FailedCode {
		code = bus.UnknownCode
	}
	if words == "" {
		words = "it did not say why"
	}
	return value, code, bus.Clip(words, maxWords)
}
