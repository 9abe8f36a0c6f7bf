package objstore

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"

	"go.uber.org/zap"

	"manta/bus"
)

// unread is a failure that nobody may ever learn of: the ref of its object may be dropped without being read.
type unread struct {
	err     error
	noticed atomic.Bool
}

// notice notes that somebody learns of the outcome.
func (out *Outcome) notice() {
	if out.unread != nil {
		out.unread.noticed.Store(true)
	}
}

// watchUnread has a failure reported when its object is collected and nobody has noticed it. What was cancelled, and what ends
// with its node, surprises nobody.
func (s *Store) watchUnread(o *Object, out *Outcome) {
	if errors.Is(out.Err, context.Canceled) || errors.Is(out.Err, bus.ErrClosed) {
		return
	}
	out.unread = &unread{err: out.Err}
	runtime.AddCleanup(o, func(u *unread) { // runs on the runtime's goroutine: it only notes
		if u.noticed.Load() {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.unread++; s.firstUnread == nil {
			s.firstUnread = u.err
		}
	}, out.unread)
}

// tellUnread logs failures that nobody has read, all since the last time in one line.
func (s *Store) tellUnread() {
	s.mu.Lock()
	n, first := s.unread, s.firstUnread
	s.unread, s.firstUnread = 0, nil
	s.mu.Unlock()
	if n > 0 {
		s.node.Log.Warn("what was submitted here has failed, and nobody read that", zap.Int("failures", n), zap.NamedError("first", first))
	}
}
