package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"manta/bus"
)

// Work is what logs: a task, or an actor. The zero Work is none.
type Work struct {
	Owner   string // the node that submitted it; empty if that does not await it
	Task    string // its function
	ID      string // of its result
	Attempt int

	Class, Actor, Method string
}

// Fields are the work as the fields of a line, but for its owner.
func (w Work) Fields() (fields []zap.Field) {
	for _, f := range []struct{ key, value string }{{taskKey, w.Task}, {idKey, w.ID}, {classKey, w.Class}, {actorKey, w.Actor}, {methodKey, w.Method}} {
		if f.value != "" {
			fields = append(fields, zap.String(f.key, f.value))
		}
	}
	if w.Attempt != 0 {
		fields = append(fields, Attempt(w.Attempt))
	}
	return fields
}

// Line is a line as it was logged. Its names in JSON are what plain NATS clients see.
type Line struct {
	Time     time.Time      `json:"time"`
	Level    string         `json:"level"` // debug, info, warn, error, dpanic, panic or fatal
	Node     string         `json:"node"`
	NodeName string         `json:"node_name"`
	Owner    string         `json:"owner,omitempty"`
	Task     string         `json:"task,omitempty"`
	ID       string         `json:"id,omitempty"`
	Attempt  int            `json:"attempt,omitempty"`
	Class    string         `json:"class,omitempty"`
	Actor    string         `json:"actor,omitempty"`
	Method   string         `json:"method,omitempty"`
	Message  string         `json:"message"`
	Fields   map[string]any `json:"fields,omitempty"`
}

// work is what logged the line.
func (l *Line) work() Work {
	return Work{Owner: l.Owner, Task: l.Task, ID: l.ID, Attempt: l.Attempt, Class: l.Class, Actor: l.Actor, Method: l.Method}
}

// level is that of the line; one that is not known is an error's.
func (l *Line) level() zapcore.Level {
	level, err := zapcore.ParseLevel(l.Level)
	if err != nil {
		return zapcore.ErrorLevel
	}
	return level
}

// encoding writes lines as Line reads them.
var encoding = zapcore.EncoderConfig{
	TimeKey: "time", LevelKey: "level", MessageKey: "message", NameKey: "logger", LineEnding: "\n",
	EncodeLevel: zapcore.LowercaseLevelEncoder, EncodeDuration: zapcore.StringDurationEncoder,
	EncodeTime: func(t time.Time, enc zapcore.PrimitiveArrayEncoder) {
		enc.AppendString(t.UTC().Format(time.RFC3339Nano))
	},
}

// encoder returns what encodes the lines of some work: fields that are added to it are the user's.
func encoder(node, name string, w Work) zapcore.Encoder {
	enc := zapcore.NewJSONEncoder(encoding)
	enc.AddString(nodeKey, node)
	enc.AddString("node_name", name)
	if w.Owner != "" {
		enc.AddString("owner", w.Owner)
	}
	for _, f := range w.Fields() {
		f.AddTo(enc)
	}
	enc.OpenNamespace("fields")
	return enc
}

// lines takes a message apart. One that cannot be read ends them with an error.
func lines(data []byte) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		for text := range bytes.Lines(data) {
			var l Line
			if err := json.Unmarshal(text, &l); err != nil {
				yield(Line{}, fmt.Errorf("%w: a line of a log: %w", bus.ErrMalformed, err))
				return
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}
