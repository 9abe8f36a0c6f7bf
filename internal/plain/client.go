package plain

import (
	"encoding/base64"
	"fmt"

	"manta/bus"
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

// Ask makes the request of a Go program that asks as a plain client does, with arguments encoded in MessagePack. Its answers come to reply.
func Ask(subject, reply string, args []bus.Value) (*bus.Msg, error) {
	var payload []byte
	if len(args) > 1 {
		payload = append(payload, 0x90|byte(len(args))) // an array
	}
	for _, arg := range args {
		value, err := bus.Recode(arg, bus.Msgpack)
		if err != nil {
			return nil, err
		}
		payload = append(payload, value.Data...)
	}
	msg := bus.NewMsg(subject, payload)
	msg.Reply = reply
	SetFormat(msg, bus.Msgpack)
	msg.Header.Set(aliveHeader, "1")
	msg.Header.Set(GoErrorHeader, "1")
	return msg, nil
}

// Alive says whether an answer is a sign of life; an answer to that cancels what was asked for.
func Alive(msg *bus.Msg) bool { return msg.Header.Get("Status") == SignStatus }

// Answered reads the last answer.
func Answered(msg *bus.Msg) (bus.Value, error) {
	code := msg.Header.Get(bus.CodeHeader)
	if code == "" && msg.Header.Get(ResultHeader) != "" {
		return bus.Value{}, fmt.Errorf("the result is larger than a message may be: %w", bus.ErrConfined)
	}
	if code == "" {
		return bus.Value{Format: bus.Msgpack, Data: msg.Data}, nil
	}
	frame, err := base64.StdEncoding.DecodeString(msg.Header.Get(GoErrorHeader))
	r := bus.ReadFields(frame)
	f := r.ReadFailure()
	if err != nil || r.Err() != nil {
		return bus.Value{}, fmt.Errorf("%w: an error without %s: %s", bus.ErrMalformed, GoErrorHeader, msg.Header.Get(bus.ErrorHeader))
	}
	return bus.Value{}, f.Err()
}
