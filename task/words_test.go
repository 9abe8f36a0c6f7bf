package task

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"manta/bus"
	"manta/objstore"
)

// FuzzWords reads what else comes off the wire or out of a bucket: words to those who hold durable tasks, records, descriptors of streams, and durable
// tasks and requests for streams of plain clients.
func FuzzWords(f *testing.F) {
	end := append(bus.AppendFrame(nil, endFrame), "orders.42"...)
	d := descriptor{window: window{4, 1 << 20}, stream: 7, subject: "manta.default.reply.node.x.stream.7"}
	f.Add(end, "orders.42", "", "16")
	f.Add(append(bus.AppendFrame(nil, whyFrame), "a.b"...), "a.b", "application/msgpack", "-1")
	f.Add(recordOf(&objstore.Outcome{Value: bus.Value{Format: bus.Text, Data: []byte("x")}}), keyOf(objstore.ID{1}), "failed", "65537")
	f.Add(recordOf(&objstore.Outcome{Err: ErrDeadline}), "x", "deadline", "1e3")
	f.Add(d.value().Data, ".", "", "")
	f.Add([]byte(`{"a":1}`), "orders.42", "", "")
	registry := NewRegistry()
	DefineStream("words", func(context.Context, int, func(int) error) error { return nil }, In(registry))
	f.Fuzz(func(t *testing.T, data []byte, key, header, ahead string) {
		kind, name, err := readHolderWord(data)
		switch {
		case err != nil && !errors.Is(err, bus.ErrMalformed):
			t.Fatalf("refused with %v", err)
		case err == nil && (kind != endFrame && kind != whyFrame || len(name) > maxKey || strings.Count(name, ".") != 1):
			t.Fatalf("%q of a task %q", kind, name)
		}
		msg := bus.NewMsg("x", data)
		msg.Header.Set(bus.CodeHeader, header)
		if out := readRecord(msg); out.Err == nil {
			if again := readRecord(bus.NewMsg("x", recordOf(&out))); again.Err != nil || again.Value.Format != out.Value.Format {
				t.Fatalf("%v was read back as %v", out, again)
			}
		}
		if d, err := readDescriptor(bus.Value{Format: streamFormat, Data: data}); err == nil {
			if d.ahead < 1 || d.ahead > maxAhead || d.bytes < 1 || d.bytes > maxAheadBytes {
				t.Fatalf("%+v", d)
			}
			if again, err := readDescriptor(d.value()); err != nil || !reflect.DeepEqual(again, d) {
				t.Fatalf("%+v was read back as %+v, %v", d, again, err)
			}
		}
		if id := idOf(key); !id.Durable() && keyOf(id) != key {
			t.Fatalf("%q is named %v, which is not durable", key, id)
		}
		f, _ := registry.lookup("words")
		if target, err := streamTarget(f, ahead); (target == nil) != (err != nil) || err != nil && !errors.Is(err, ErrArgument) {
			t.Fatalf("%q: %v, %v", ahead, target, err)
		}
		dep, _, err := plainDeposit(f, key, msg)
		if err == nil {
			if _, durable, _ := dep.args.Keep(); !durable {
				t.Fatalf("%+v is not durable", dep)
			}
			if args, err := dep.args.List(); err != nil || len(args) != 1 {
				t.Fatalf("%v, %v", args, err)
			}
		}
	})
}
