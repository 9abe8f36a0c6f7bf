package plain

import (
	"errors"
	"strings"
	"testing"
	"time"

	"manta/bus"
	"manta/internal/call"
)

func TestAContentTypeIsJSONOrMessagePack(t *testing.T) {
	for header, want := range map[string]bus.Format{
		"": bus.JSON, "application/json": bus.JSON, "Application/JSON; charset=utf-8": bus.JSON,
		"application/msgpack": bus.Msgpack, "application/msgpack;v=5": bus.Msgpack,
		"text/plain": 0, "application/xml": 0, "json": 0, "\x00": 0, strings.Repeat("x", 1<<20): 0,
	} {
		msg := bus.NewMsg("f", []byte("7"))
		if header != "" {
			msg.Header.Set(contentType, header)
		}
		v, err := Payload(msg)
		if want == 0 {
			if !errors.Is(err, call.ErrArgument) || len(err.Error()) > 300 || Format(msg) != bus.JSON {
				t.Errorf("%.40q: %v", header, err)
			}
		} else if err != nil || v.Format != want || Format(msg) != want {
			t.Errorf("%.40q: %v, %v", header, v.Format, err)
		}
	}
}

// FuzzRequest reads what a plain client can say: its payload, for functions of every arity, and its headers.
func FuzzRequest(f *testing.F) {
	f.Add("", "1.5s", []byte(`[1,"x"]`))
	f.Add(msgpackType, "2026-01-02T15:04:05Z", []byte("\x92\x01\x82\xa1a\x01\xa1a\x02"))
	f.Add("text/plain", "-1s", []byte("7"))
	f.Add(jsonType, "9223372036854775807ns", []byte(`{"a":1,"a":2}`))
	f.Fuzz(func(t *testing.T, kind, deadline string, payload []byte) {
		msg := bus.NewMsg("f", payload)
		msg.Header.Set(contentType, kind)
		msg.Header.Set(deadlineHeader, deadline)
		for arity := range 3 {
			values, err := Args("function", arity, msg)
			switch {
			case err != nil && (!errors.Is(err, call.ErrArgument) || len(err.Error()) > 1000):
				t.Fatalf("refused with %v", err)
			case err == nil && len(values) != arity:
				t.Fatalf("%d values for %d arguments", len(values), arity)
			}
			size := 0
			for _, v := range values {
				size += len(v.Data)
			}
			if size > len(payload) {
				t.Fatalf("%d bytes of %d", size, len(payload))
			}
		}
		until, err := deadlineOf(msg)
		if err != nil && !errors.Is(err, call.ErrArgument) || err == nil && deadline != "" && until.IsZero() {
			t.Fatalf("%q is %v, %v", deadline, until, err)
		}
		if _, err := time.Parse(time.RFC3339Nano, deadline); err == nil && until.Before(time.Unix(0, 0)) {
			t.Fatalf("%q is %v", deadline, until)
		}
	})
}

func FuzzReadReply(f *testing.F) {
	f.Add("", "", "", "", []byte(`{"a":1}`))
	f.Add("failed", "it is too cold", "500", "cold", []byte(nil))
	f.Add("", "no", "429", "", []byte("x"))
	f.Fuzz(func(t *testing.T, code, words, status, failure string, payload []byte) {
		msg := bus.NewMsg("f", payload)
		for name, value := range map[string]string{bus.CodeHeader: code, bus.ErrorHeader: words, bus.StatusHeader: status, failureHeader: failure} {
			if value != "" {
				msg.Header.Set(name, value)
			}
		}
		value, gotCode, gotWords := ReadReply(msg)
		fails := code+words+status+failure != ""
		if fails != (gotCode != "") || fails != (gotWords != "") || fails == (value.Format != 0) {
			t.Fatalf("%v of %q was read as %v, %q, %q", msg.Header, payload, value, gotCode, gotWords)
		}
		if len(gotWords) > maxWords+4 {
			t.Fatalf("%d bytes of words", len(gotWords))
		}
	})
}
