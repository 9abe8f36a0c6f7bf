package objstore

import (
	"context"
	"errors"
	"time"

	"manta/bus"
	"manta/internal/member"
)

// notesAtOnce is how many notes travel in one message: about 10 KiB.
const notesAtOnce = 1024

// say has a note said to another node; the store is locked.
func (s *Store) say(to member.ID, n note) {
	if s.node.Confined { // nobody takes its word
		return
	}
	p := s.posts[to]
	if p == nil {
		p = &post{}
		if !s.group.Go(func(ctx context.Context) { s.deliver(ctx, to, p) }) {
			return
		}
		s.posts[to] = p
	}
	p.put(n)
}

// deliver says notes to a node, as many at a time as there are, until all are acknowledged or the node is gone.
func (s *Store) deliver(ctx context.Context, to member.ID, p *post) {
	for {
		s.mu.Lock()
		notes := p.take(notesAtOnce)
		if len(notes) == 0 {
			delete(s.posts, to)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		_, err := s.ask(ctx, to, appendNotes(nil, s.node.ID, notes))
		if err != nil && !errors.Is(err, ErrOwnerDead) {
			return // this node closes
		}
		s.mu.Lock()
		p.done(notes)
		for _, n := range notes {
			if n.kind == noteHolds {
				s.ackHold(NewID(to, n.number), n.version)
			}
		}
		s.mu.Unlock()
	}
}

// answerNotes takes in what another node has to say.
func (s *Store) answerNotes(msg *bus.Msg, r bus.Reader) {
	from, notes, err := readNotes(&r)
	if err != nil {
		s.node.Reject(msg, err)
		return
	}
	s.mu.Lock()
	for _, n := range notes {
		id := NewID(s.node.ID, n.number)
		switch n.kind {
		case noteHolds, noteDropped:
			s.heldBy(id, from, n.version, n.kind == noteHolds)
		case noteGiven:
			s.keepGiven(id, time.Duration(n.version))
		case noteDeleted:
			s.dropCopy(NewID(from, n.number))
		case noteKept:
			if l := s.loans[n.number]; l != nil && l.to == from {
				delete(s.loans, n.number)
			}
		}
	}
	s.mu.Unlock()
	s.reply(msg, append(bus.AppendFrame(nil, answerFrame), answerDone))
}
