package bus

import (
	"encoding/json"
	"strings"
)

// The headers of an answer that is an error.
const (
	ErrorHeader  = "Nats-Service-Error"      // in words
	StatusHeader = "Nats-Service-Error-Code" // as HTTP has them
	CodeHeader   = "Manta-Error"
)

// refusalBytes is how much of an error in words a refusal has, in its header and its payload each.
const refusalBytes = 32 << 10

// NewRefusal returns the answer to somebody who may know no frames that says why there is no other.
func NewRefusal(reply, status, code string, err error) *Msg {
	text := Clip(err.Error(), refusalBytes)
	detail, _ := json.Marshal(map[string]string{"error": text}) // strings always encode
	msg := NewMsg(reply, detail)
	msg.Header.Set(ErrorHeader, text)
	msg.Header.Set(StatusHeader, status)
	msg.Header.Set(CodeHeader, code)
	return msg
}

// RefusalOf returns the error in an answer that NewRefusal made, nil if it is none.
func RefusalOf(msg *Msg) error {
	code := msg.Header.Get(CodeHeader)
	if code == "" {
		return nil
	}
	return Failure{Code: code, Message: msg.Header.Get(ErrorHeader)}.Err()
}

// Clip cuts a text that is longer than n bytes.
func Clip(text string, n int) string {
	if len(text) > n {
		return strings.ToValidUTF8(text[:n], "") + "…"
	}
	return text
}
