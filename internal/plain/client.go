package plain

import (
	"encoding/base64"
	"fmt"

	"manta/bus"
	"manta/internal/call"
)

// GoErrorHeader asks for an error as Go programs know it, beside its words, and bears it in the reply: in base 64.
const GoErrorHeader = "Manta-Go-Error"

// failureBytes bounds it; an error with more to it travels as its code and words.
const failureBytes = 32 << 10

func packFailure(err error) string {
	f := bus.EncodeFailure(err)
	frame := f.AppendTo(nil)
	if len(frame) > failureBytes {
		frame = bus.Failure{Code: bus.ErrorCode(err), Message: bus.Clip(f.Message, failureBytes/2)}.AppendTo(nil)
	}
	return base64.StdEncoding.EncodeToString(frame)
}

// Ask makes the request of a Go program that asks as a plain client does, with arguments encoded in a format. Its answers come to reply.
func Ask(subject, reply string, args []bus.Value, format bus.Format) (*bus.Msg, error) {
	payload, err := payloadOf(args, format)
	if err != nil {
		return nil, err
	}
	msg := bus.NewMsg(subject, payload)
	msg.Reply = reply
	SetFormat(msg, format)
	msg.Header.Set(aliveHeader, "1")
	msg.Header.Set(GoErrorHeader, "1")
	return msg, nil
}

// Alive says whether an answer is a sign of life; an answer to that cancels what was asked for.
func Alive(msg *bus.Msg) bool { return msg.Header.Get("Status") == SignStatus }

// Answered reads the last answer to what was asked of a function, a node's or that of a worker, which knows nothing of Go's errors.
func Answered(msg *bus.Msg, function string, attempt int) (bus.Value, error) {
	value, code, words := ReadReply(msg)
	switch {
	case !FromNode(msg) && code != "":
		f := call.Failure{Func: function, Attempt: attempt, Code: code, Message: words}
		return bus.Value{}, f.EncodeFailure().Err()
	case code != "":
		return bus.Value{}, goError(msg)
	case msg.Header.Get(ResultHeader) != "":
		return bus.Value{}, fmt.Errorf("the result is larger than a message may be: %w", bus.ErrConfined)
	}
	return value, nil
}

// FromNode says whether a node has answered with an error, not a worker.
func FromNode(msg *bus.Msg) bool { return msg.Header.Get(GoErrorHeader) != "" }

func goError(msg *bus.Msg) error {
	frame, err := base64.StdEncoding.DecodeString(msg.Header.Get(GoErrorHeader))
	r := bus.ReadFields(frame)
	f := r.ReadFailure()
	if err != nil || r.Err() != nil {
		return fmt.Errorf("%w: %s does not decode: %s", bus.ErrMalformed, GoErrorHeader, bus.Clip(msg.Header.Get(bus.ErrorHeader), maxWords))
	}
	return f.Err()
}
