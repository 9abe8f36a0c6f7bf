package task

import (
	"encoding/json"
	"fmt"

	"manta/bus"
	"manta/objstore"
)

// recordFrame is the outcome of a durable task as it is stored, unless a plain client submitted it: then it is JSON, or an error as plain
// clients get it.
const recordFrame = 'R'

// recordOf is an outcome as it is stored. Of a plain client's task it is the message, but for its subject.
func recordOf(out *objstore.Outcome) []byte { return out.AppendTo(bus.AppendFrame(nil, recordFrame)) }

// fillPlainly makes msg the record of a plain client's task.
func fillPlainly(msg *bus.Msg, out *objstore.Outcome) {
	if out.Err == nil {
		msg.Data = out.Value.Data
		return
	}
	msg.Data, _ = json.Marshal(map[string]string{"error": out.Err.Error()}) // strings always encode
	msg.Header.Set(bus.ErrorHeader, out.Err.Error())
	msg.Header.Set(bus.CodeHeader, bus.EncodeFailure(out.Err).Code)
}

// readRecord reads a record; its value is a view.
func readRecord(msg *bus.Msg) (out objstore.Outcome) {
	switch code := msg.Header.Get(bus.CodeHeader); {
	case code != "":
		return objstore.Outcome{Err: bus.Failure{Code: code, Message: msg.Header.Get(bus.ErrorHeader)}.Err()}
	case len(msg.Data) > 0 && msg.Data[0] != bus.FrameMark:
		return objstore.Outcome{Value: bus.Value{Format: bus.JSON, Data: msg.Data}}
	}
	r, kind := bus.ReadFrame(msg.Data)
	if kind != recordFrame {
		r.Fail("no outcome of a durable task")
	}
	out = objstore.ReadOutcome(&r)
	if err := r.Err(); err != nil {
		return objstore.Outcome{Err: fmt.Errorf("%w: %w", objstore.ErrLost, err)}
	}
	return out
}
