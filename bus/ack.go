package bus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// The words of JetStream for what it does not store, beside ErrFull and ErrExists.
var (
	// ErrTaken is returned by Publisher.Publish when a queue has a message on that subject already.
	ErrTaken = errors.New("the subject has a message already")
	// ErrNoStream is returned by Publisher.Publish when no stream takes the subject.
	ErrNoStream = errors.New("no stream takes it")

	errUnserved = errors.New("no server with the stream answers")
)

// The codes of what JetStream refuses to store.
const (
	codeAccountFull     = 10002
	codeNoResources     = 10023
	codeNoMemory        = 10028
	codeNoStorage       = 10047
	codeTooLarge        = 10054
	codeStoreFailed     = 10077
	codeInProcess       = 10158 // a message that was sent before is being stored
	codeTooManyRequests = 10167
)

// readAck reads a publish acknowledgement: the message's place in the stream, or why it was not stored.
func readAck(msg *Msg) (seq uint64, err error) {
	if subject, unserved := Unserved(msg); unserved {
		return 0, fmt.Errorf("%w: %s", ErrNoStream, subject)
	}
	if seq := placeIn(msg.Data); seq > 0 {
		return seq, nil
	}
	var ack struct {
		Error *jetstream.APIError `json:"error"`
		Seq   uint64              `json:"seq"`
	}
	switch err := json.Unmarshal(msg.Data, &ack); {
	case err != nil || ack.Error == nil && ack.Seq == 0:
		return 0, fmt.Errorf("%w: a publish acknowledgement: %.100q", ErrMalformed, msg.Data)
	case ack.Error != nil:
		return 0, refusal(ack.Error)
	}
	return ack.Seq, nil
}

// placeIn is the sequence in an acknowledgement as the server writes most: {"stream":…, "seq":7}. It is 0 for any other. To decode all of it
// would take two microseconds and five allocations.
func placeIn(ack []byte) (seq uint64) {
	_, rest, _ := bytes.Cut(ack, seqField)
	if bytes.Contains(ack, errorField) {
		return 0
	}
	for _, c := range bytes.TrimLeft(rest, " ") {
		switch {
		case c >= '0' && c <= '9':
			seq = 10*seq + uint64(c-'0')
		case c == ',' || c == '}' || c == ' ':
			return seq
		default:
			return 0
		}
	}
	return 0
}

var errorField, seqField = []byte(`"error"`), []byte(`"seq":`)

// refusal is the error of a message that JetStream did not store: the server's own words do not say what to do.
func refusal(said *jetstream.APIError) error {
	full := said.ErrorCode == codeStoreFailed && strings.Contains(said.Description, "maximum")
	switch said.ErrorCode {
	case codeAccountFull, codeNoResources, codeNoMemory, codeNoStorage:
		full = true
	}
	switch {
	case errors.Is(changed(said), ErrChanged):
		return ErrExists
	case strings.Contains(said.Description, "per subject exceeded"):
		return ErrTaken
	case full:
		return fmt.Errorf("%w (%w)", ErrFull, said)
	case said.ErrorCode == codeTooLarge:
		return fmt.Errorf("the stream takes no message of this size: raise its max_msg_size (%w)", said)
	case said.ErrorCode == codeStoreFailed, said.ErrorCode == codeInProcess, said.ErrorCode == codeTooManyRequests, passing(said):
		return fmt.Errorf("%w: %w", errUnserved, said)
	}
	return fmt.Errorf("JetStream refuses it: %w", said)
}

// notNow says whether an error of an acknowledgement may be otherwise in a moment: a leader is being elected, say.
func notNow(err error) bool { return errors.Is(err, errUnserved) || errors.Is(err, ErrNoStream) }
