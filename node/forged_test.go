package node_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"manta/bus"
)

// laneFrame is a frame of an owner, with what stands behind its header.
func laneFrame(kind byte, owner string, generation, lane uint64, rest ...uint64) []byte {
	b := append(bus.AppendFrame(nil, kind), owner[:8]...)
	for _, v := range append([]uint64{generation, lane, 0, 0}, rest...) {
		b = bus.AppendUint(b, v)
	}
	return b
}

// guestFrame is a frame of a host.
func guestFrame(kind byte, host string, lane, epoch, seq uint64, window uint32, rest ...byte) []byte {
	b := append(bus.AppendFrame(nil, kind), host[:8]...)
	for _, v := range []uint64{lane, epoch, seq} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return append(binary.BigEndian.AppendUint32(b, window), rest...)
}

// overhear returns the subjects at which the node hears answers while it calls what it serves.
func (s siege) overhear() (replies []string) {
	s.t.Helper()
	var mu sync.Mutex
	seen := make(map[string]bool)
	sub, err := s.nc.Subscribe("manta.default.>", func(msg *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		for _, subject := range []string{msg.Subject, msg.Reply} {
			if strings.HasPrefix(subject, "manta.default.reply.") && !seen[subject] {
				seen[subject] = true
				replies = append(replies, subject)
			}
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.callAll()
	if err := errors.Join(s.nc.Flush(), sub.Unsubscribe()); err != nil {
		s.t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	return replies
}

func TestForgedAnswersHarmNobody(t *testing.T) {
	s := besiege(t, 1)
	replies := s.overhear()
	if len(replies) < 3 {
		t.Fatalf("the node hears answers at %v", replies)
	}
	before := runtime.NumGoroutine()
	counted := s.rejected()
	var forged [][]byte
	for _, host := range []string{"stranger", "\x00\x00\x00\x00\x00\x00\x00\x00", string(s.idBytes())} {
		for _, kind := range []byte("rmolg?") {
			for _, lane := range []uint64{0, 1, 2, 1 << 40, math.MaxUint64} {
				forged = append(forged,
					guestFrame(kind, host, lane, 1, 1, 1<<31),
					guestFrame(kind, host, lane, math.MaxUint64, math.MaxUint64, math.MaxUint32, 0xff, 0xff, 0xff),
					guestFrame(kind, host, lane, 7, 9, 0, bytes.Repeat([]byte{1}, 1000)...))
			}
		}
	}
	for _, kind := range []byte("aoiqrxpm") {
		forged = append(forged, bus.AppendFrame(nil, kind), append(bus.AppendFrame(nil, kind), bytes.Repeat([]byte{0xff}, 64)...),
			append(bus.AppendFrame(nil, kind), make([]byte, 64)...))
	}
	forged = append(forged, nil, []byte("7"), []byte{bus.FrameMark, 0, 'r'}, []byte{bus.FrameMark, 2, 'r'})
	for _, subject := range replies {
		for _, data := range forged {
			if err := s.nc.Publish(subject, data); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.c.Await("garbage is counted", func() bool { return s.rejected() >= counted+int64(len(replies)) })
	s.callAll()
	s.settled(before)
}
