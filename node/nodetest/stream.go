package nodetest

import (
	"bytes"

	"manta/bus"
)

// maxHeld bounds, in bytes, what a stream keeps of a control line that does not end: beyond it this is not NATS.
const maxHeld = 1 << 20

// stream follows one direction of a NATS connection, in whatever pieces its bytes come, and leaves out the messages that are
// dropped. It follows also while nothing is dropped, so that it knows where the next message begins when that changes: one
// that has begun to pass, passes whole.
//
//	line ── of a message that may be dropped ──► head ── its payload's first byte ──► body ──► line
//	 │ └─── of another message ─────────────────────────────────────────────────────► body ──► line
//	 └─ what is not NATS (TLS, WebSocket) ──► opaque, for ever
type stream struct {
	state streamState
	fate  fate
	held  []byte // of the line, and of the head behind it
	left  int    // bytes that the message has behind its line, and of them still to come
	head  int    // bytes that are still to come before the message is known
	safe  bool   // the message belongs to JetStream
}

type streamState int

const (
	inLine streamState = iota
	inHead
	inBody
	opaque
)

// fate is what becomes of the message, or other line, whose bytes are coming.
type fate int

const (
	passes   fate = iota
	withheld      // until it is known whether it is a frame: nothing of it has passed
	dropped
)

// Pass takes the next bytes and returns those that pass on: in itself if that is all of it and nothing else, otherwise out with
// them appended. drop decides about each of Manta's frames; nil drops nothing.
func (s *stream) Pass(out, in []byte, drop func() bool) []byte {
	whole := drop == nil && s.fate == passes
	for rest := in; len(rest) > 0; {
		if s.state == inLine && len(s.held) == 0 {
			s.begin(drop != nil)
		}
		n, end := s.take(rest)
		piece := rest[:n]
		rest = rest[n:]
		switch {
		case s.fate == passes && !whole:
			out = append(out, piece...)
		case s.fate == withheld && (end || s.state == inBody || s.state == opaque):
			if s.fate = passes; drop != nil && s.isFrame() && drop() {
				s.fate = dropped
			} else {
				out = append(out, s.held...)
			}
		}
		if s.state == inBody && s.left == 0 || end {
			s.state, s.held, s.head = inLine, s.held[:0], 0
			s.fate = passes // until the next byte
		}
	}
	if whole {
		return in
	}
	return out
}

func (s *stream) begin(dropping bool) {
	if s.fate = passes; dropping {
		s.fate = withheld
	}
}

// take reads on, as far as one state goes, and returns how many bytes that are; end is a line that is no message's.
func (s *stream) take(in []byte) (n int, end bool) {
	switch s.state {
	case inLine:
		return s.takeLine(in)
	case inHead:
		n = min(s.head, len(in))
		s.held = append(s.held, in[:n]...)
		s.head -= n
		s.left -= n
		if s.head == 0 {
			s.state = inBody
		}
	case inBody:
		n = min(s.left, len(in))
		s.left -= n
	case opaque:
		n = len(in)
	}
	return n, false
}

func (s *stream) takeLine(in []byte) (n int, end bool) {
	at := bytes.IndexByte(in, '\n')
	if at < 0 {
		if s.held = append(s.held, in...); len(s.held) > maxHeld {
			s.state = opaque
		}
		return len(in), false
	}
	s.held = append(s.held, in[:at+1]...)
	line := parseLine(s.held)
	switch line.kind {
	case noLine:
		s.state = opaque
		return at + 1, false
	case otherLine:
		return at + 1, true
	}
	s.state, s.left = inBody, line.size+len("\r\n")
	if s.safe = line.reserved || line.headers == line.size; s.fate == withheld && !s.safe {
		s.state, s.head = inHead, line.headers+1
	}
	return at + 1, false
}

// directGet is the header of what JetStream answers to those who read a stream's messages: their payload is what was stored.
var directGet = []byte("\r\nNats-Stream:")

// isFrame reports whether the held message is one of Manta's frames on its way from node to node.
func (s *stream) isFrame() bool {
	return s.state == inBody && !s.safe && s.held[len(s.held)-1] == bus.FrameMark && !bytes.Contains(s.held, directGet)
}
