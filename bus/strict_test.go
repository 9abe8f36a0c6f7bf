package bus_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"manta/bus"
)

func TestWhatReadersTakeForDifferentThingsIsRefused(t *testing.T) {
	packed := func(s string) bus.Value { return bus.Value{Format: bus.Msgpack, Data: []byte(s)} }
	text := func(s string) bus.Value { return bus.Value{Format: bus.JSON, Data: []byte(s)} }
	for name, test := range map[string]struct {
		value bus.Value
		says  string
	}{
		"a key twice":                     {text(`{"a":1,"a":2}`), `"a" comes twice`},
		"a key twice in another spelling": {text(`{"a":1,"\u0061":2}`), `"a" comes twice`},
		"a key twice further in":          {text(`[1,{"x":[{"b":{},"c":[],"b":1}]}]`), `"b" comes twice`},
		"text that is not UTF-8":          {text("\"\xff\""), "UTF-8"},
		"too deep":                        {text(strings.Repeat(`{"a":`, 20_000)), "nests deeper"},
		"equal keys in different maps":    {text(`{"a":{"a":1},"b":{"a":[{"a":"a"},{"a":"a"}]}}`), ""},
		"equal texts in a list":           {text(`{"a":["x","x",{"x":"x"}]}`), ""},
		"no JSON":                         {text(`{"a":1,`), ""},
		"a packed key twice":              {packed("\x82\xa1a\x01\xa1a\x02"), "comes twice"},
		"a packed key twice further in":   {packed("\x92\x01\x81\xa1x\x91\x83\xa1b\x80\xa1c\x90\xa1b\x01"), "comes twice"},
		"packed equal keys apart":         {packed("\x82\xa1a\x81\xa1a\x01\xa1b\x92\xa1a\xa1a"), ""},
		"no MessagePack":                  {packed("\x82\xa1a"), ""},
	} {
		switch err := bus.CheckStrict(test.value); {
		case test.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
			t.Errorf("%s: got %v, want that it says %s", name, err, test.says)
		}
	}
}

// keysOf counts the keys of all maps in a decoded value.
func keysOf(v any) (n int) {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			n += 1 + keysOf(inner)
		}
	case []any:
		for _, inner := range v {
			n += keysOf(inner)
		}
	}
	return n
}

// keysIn counts the keys that stand in valid JSON: one before each colon outside of texts.
func keysIn(data []byte) (n int) {
	text, escaped := false, false
	for _, c := range data {
		switch {
		case escaped:
			escaped = false
		case text:
			text, escaped = c != '"', c == '\\'
		case c == '"':
			text = true
		case c == ':':
			n++
		}
	}
	return n
}

// FuzzStrict holds that of JSON that is let through no key is lost.
func FuzzStrict(f *testing.F) {
	for _, s := range []string{`{"a":1,"a":2}`, `{"a":{"b":["a",{"a":null}]}}`, `"\ud800"`, "\xff", `[[[{}]]]`} {
		f.Add(byte(bus.JSON), []byte(s))
	}
	f.Add(byte(bus.Msgpack), []byte("\x82\xa1a\x81\xa1a\x01\xa1b\x92\xa1a\xc0"))
	f.Fuzz(func(t *testing.T, format byte, data []byte) {
		value := bus.Value{Format: bus.JSON, Data: data}
		if format != byte(bus.JSON) {
			value.Format = bus.Msgpack
		}
		var err error
		if used := allocated(func() { err = bus.CheckStrict(value) }); used > uint64(64<<10+256*len(data)) {
			t.Fatalf("checking %d bytes allocated %d", len(data), used)
		}
		if err != nil {
			return
		}
		if value.Format == bus.JSON && json.Valid(data) {
			var v any
			if err := json.Unmarshal(data, &v); err == nil && keysOf(v) != keysIn(data) {
				t.Fatalf("%q has %d keys and %d are left", data, keysIn(data), keysOf(v))
			}
		}
		if value.Format == bus.Msgpack {
			if v, err := bus.Decode[map[string]int](value); err == nil && len(v) > 0 && data[0]&0xf0 == 0x80 && len(v) != int(data[0]&0x0f) {
				t.Fatalf("%x has %d keys and %d are left", data, data[0]&0x0f, len(v))
			}
		}
	})
}

// FuzzServerWords reads what a node takes for the words of a NATS server: acknowledgements, reply subjects of deliveries, headers of chunks.
func FuzzServerWords(f *testing.F) {
	f.Add([]byte(`{"stream":"S","seq":7}`), "$JS.ACK.S.c.2.7.7.1700000000000000000.0", "0", "e3069283")
	f.Add([]byte(`{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}`), "$JS.ACK._.hash.S.c.3.7.7.1700.0.rnd", "1", "00000000")
	f.Add([]byte(`{"seq": 18446744073709551616}`), "$JS.ACK.", "-1", "")
	f.Fuzz(func(t *testing.T, data []byte, reply, chunk, sum string) {
		if seq, err := bus.ReadAck(data); (seq > 0) == (err != nil) {
			t.Fatalf("%q is place %d, %v", data, seq, err)
		}
		if attempt, err := bus.AttemptOf(reply); err != nil && !errors.Is(err, bus.ErrMalformed) {
			t.Fatalf("%q is attempt %d, %v", reply, attempt, err)
		}
		msg := bus.NewMsg("x", data)
		msg.Header.Set("Manta-Chunk", chunk)
		msg.Header.Set("Manta-Crc32c", sum)
		size := max(1, int64(len(data)))
		a := bus.NewAssembly(bus.Blob{ID: "a.b", Size: size, Chunk: int(size)}, nil)
		if err := bus.TakeChunk(a, msg); err == nil && (!a.Whole() || !bytes.Equal(a.Data(), data)) {
			t.Fatalf("a chunk of %d bytes was taken as %x", len(data), a.Data())
		}
	})
}

func TestARefusalIsReadAsItWasMade(t *testing.T) {
	long := strings.Repeat("x\r\ny", 64<<10)
	msg := bus.NewRefusal("r", "400", "malformed", errors.Join(bus.ErrMalformed, errors.New(long)))
	err := bus.RefusalOf(msg)
	if !errors.Is(err, bus.ErrMalformed) || len(err.Error()) > 40<<10 || len(msg.Data) > 200<<10 {
		t.Errorf("got %d bytes, %.80s", len(msg.Data), err)
	}
	if bus.RefusalOf(&bus.Msg{}) != nil {
		t.Error("an answer is a refusal")
	}
}
