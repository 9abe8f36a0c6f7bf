package nodetest

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// piece is a line of the protocol with what follows it.
type piece struct {
	bytes string
	frame bool // Manta's, so that it may be dropped
}

func publish(op, subject string, headers, payload string) string {
	if headers == "" {
		return fmt.Sprintf("%s %s %d\r\n%s\r\n", op, subject, len(payload), payload)
	}
	return fmt.Sprintf("H%s %s %d %d\r\n%s%s\r\n", op, subject, len(headers), len(headers)+len(payload), headers, payload)
}

const (
	someHeaders   = "NATS/1.0\r\nManta-Id: 1\r\n\r\n"
	directHeaders = "NATS/1.0\r\nNats-Stream: KV_b\r\nNats-Sequence: 7\r\n\r\n"
	status        = "NATS/1.0 503\r\n\r\n"
)

// pieceOf makes piece number i, so that no two are alike.
func pieceOf(t *rapid.T, i int) piece {
	payload := rapid.SampledFrom([]string{"", "\xc1", "\xc1\x01\x02", "\r\n", "MSG a 1 3\r\n", "\xff", "7"}).Draw(t, "payload") +
		rapid.StringMatching(`[\x00-\x7f]{0,40}`).Draw(t, "rest")
	marked := len(payload) > 0 && payload[0] == 0xc1
	subject := fmt.Sprintf("manta.default.%d", i)
	switch rapid.IntRange(0, 12).Draw(t, "kind") {
	case 0:
		return piece{publish("PUB", subject, "", payload), marked}
	case 1:
		return piece{publish("PUB", subject+" manta.reply.1", "", payload), marked}
	case 2:
		return piece{publish("PUB", subject, someHeaders, payload), marked}
	case 3:
		return piece{publish("pub", subject+"\t_INBOX.1", someHeaders, payload), marked}
	case 4:
		return piece{publish("MSG", subject+"  12", "", payload), marked}
	case 5:
		return piece{publish("MSG", subject+" 12 manta.reply.1", someHeaders, payload), marked}
	case 6:
		return piece{publish("MSG", subject+" 12", status, ""), false}
	case 7:
		return piece{publish("MSG", subject+" 12", directHeaders, payload), false}
	case 8:
		return piece{publish("PUB", "$KV.bucket."+subject, "", payload), false}
	case 9:
		return piece{publish("MSG", subject+" 12 $JS.ACK.KV_b.1", "", payload), false}
	case 10:
		return piece{fmt.Sprintf("SUB %s workers %d\r\n", subject, i), false}
	case 11:
		return piece{fmt.Sprintf("INFO {\"server_id\": %q, \"a b c d e f\": 1} \r\n", subject), false}
	}
	return piece{rapid.SampledFrom([]string{"PING\r\n", "PONG\r\n", "+OK\r\n", "-ERR 'no'\r\n", "UNSUB 1 2\n"}).Draw(t, "line"), false}
}

func piecesOf(t *rapid.T) (pieces []piece) {
	for i := range rapid.IntRange(0, 30).Draw(t, "pieces") {
		pieces = append(pieces, pieceOf(t, i))
	}
	return pieces
}

// inChunks passes bytes through a stream in chunks of any size; drop is what decides at each chunk.
func inChunks(t *rapid.T, s *stream, in []byte, drop func() func() bool) (out []byte) {
	for len(in) > 0 {
		n := rapid.IntRange(1, min(len(in), rapid.SampledFrom([]int{1, 3, 20, 1000}).Draw(t, "largest"))).Draw(t, "chunk")
		out = append(out, s.Pass(nil, bytes.Clone(in[:n]), drop())...)
		in = in[n:]
	}
	return out
}

func TestAStreamPassesEveryByteWhenNothingIsDropped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in []byte
		for _, p := range piecesOf(t) {
			in = append(in, p.bytes...)
		}
		never := func() bool { return false }
		out := inChunks(t, &stream{}, in, func() func() bool {
			if rapid.Bool().Draw(t, "on") {
				return never
			}
			return nil
		})
		if !bytes.Equal(out, in) {
			t.Fatalf("of %q it passes %q", in, out)
		}
	})
}

func TestExactlyTheDroppedFramesAreMissing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in, want []byte
		var choices []bool
		for _, p := range piecesOf(t) {
			in = append(in, p.bytes...)
			dropped := p.frame && rapid.Bool().Draw(t, "dropped")
			if p.frame {
				choices = append(choices, dropped)
			}
			if !dropped {
				want = append(want, p.bytes...)
			}
		}
		drop := func() bool {
			dropped := choices[0]
			choices = choices[1:]
			return dropped
		}
		out := inChunks(t, &stream{}, in, func() func() bool { return drop })
		if !bytes.Equal(out, want) || len(choices) > 0 {
			t.Fatalf("of %q it passes %q, want %q; it did not ask about %d", in, out, want, len(choices))
		}
	})
}

func TestAMessagePassesWholeOrNotAtAllWheneverDroppingBegins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := piecesOf(t)
		var in []byte
		for _, p := range pieces {
			in = append(in, p.bytes...)
		}
		always := func() bool { return true }
		out := inChunks(t, &stream{}, in, func() func() bool {
			if rapid.Bool().Draw(t, "on") {
				return always
			}
			return nil
		})
		rest := string(out)
		for _, p := range pieces {
			if len(rest) >= len(p.bytes) && rest[:len(p.bytes)] == p.bytes {
				rest = rest[len(p.bytes):]
			} else if !p.frame {
				t.Fatalf("of %q it passes %q: %q is missing", in, out, p.bytes)
			}
		}
		if rest != "" {
			t.Fatalf("of %q it passes %q: %q is left", in, out, rest)
		}
	})
}

func TestAStreamThatDropsNothingCopiesNothing(t *testing.T) {
	in := []byte(publish("PUB", "a", "", "\xc1 frame") + "PING\r\n" + publish("MSG", "a 1", someHeaders, "payload"))
	s := &stream{}
	s.Pass(nil, in, nil) // makes room for a line
	if allocs := testing.AllocsPerRun(100, func() { s.Pass(nil, in, nil) }); allocs != 0 {
		t.Errorf("it allocates %v times", allocs)
	}
	if out := s.Pass(nil, in, nil); &out[0] != &in[0] {
		t.Error("it returns a copy")
	}
}

func TestWhatIsNotNATSPassesAsItIs(t *testing.T) {
	always := func() bool { return true }
	for _, in := range []string{
		"\x16\x03\x01\x00\xa5\n" + publish("PUB", "a", "", "\xc1"),
		"PUB a x\r\n" + publish("PUB", "a", "", "\xc1"),
		"PUB a -1\r\n" + publish("PUB", "a", "", "\xc1"),
		"PUB a 99999999999999999999\r\n" + publish("PUB", "a", "", "\xc1"),
		"PUB 3\r\n" + publish("PUB", "a", "", "\xc1"),
		"PUB a b c 3\r\n" + publish("PUB", "a", "", "\xc1"),
		"HMSG a 1 2 3 4 5 6\r\n" + publish("PUB", "a", "", "\xc1"),
		"HPUB a 5 4\r\n" + publish("PUB", "a", "", "\xc1"),
		"\r\n" + publish("PUB", "a", "", "\xc1"),
		string(bytes.Repeat([]byte("x"), maxHeld+1)) + "\r\n" + publish("PUB", "a", "", "\xc1"),
	} {
		s := &stream{}
		out := s.Pass(nil, []byte(in), always)
		out = append(out, s.Pass(nil, []byte("\xc1"), always)...)
		if string(out) != in+"\xc1" {
			t.Errorf("of %.60q it passes %.60q", in, out)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(publish("PUB", "a", "", "\xc1")+"PING\r\n"), uint8(3), uint8(0b101))
	f.Add([]byte(publish("MSG", "a 1 b", someHeaders, "\xc1")+publish("PUB", "$KV.a", "", "")), uint8(1), uint8(0xff))
	f.Add([]byte("HPUB a 99999999 999999999\r\nNATS/1.0\r\n"), uint8(7), uint8(0))
	f.Fuzz(func(t *testing.T, in []byte, chunk, on uint8) {
		s, passed, dropping := &stream{}, 0, false
		for i := 0; len(in[i:]) > 0; {
			n := min(int(chunk%16)+1, len(in)-i)
			var drop func() bool
			if on>>(i%8)&1 == 1 {
				drop = func() bool { dropping = true; return true }
			}
			passed += len(s.Pass(nil, in[i:i+n], drop))
			i += n
		}
		if passed+len(s.held) < len(in) && !dropping {
			t.Errorf("of %d bytes it passes %d and holds %d, and dropped nothing", len(in), passed, len(s.held))
		}
		if passed > len(in) {
			t.Errorf("of %d bytes it passes %d", len(in), passed)
		}
	})
}

func BenchmarkStreamThatDropsNothing(b *testing.B) {
	in := []byte(publish("MSG", "manta.default.node.x.task.square 12 manta.default.reply.node.1", "", string(make([]byte, 64))))
	s := &stream{}
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		s.Pass(nil, in, nil)
	}
}
