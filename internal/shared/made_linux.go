//go:build amd64 || arm64

package shared

import (
	"errors"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// made are the segments whose memory this process may still write, by where that begins.
type made struct {
	mu       sync.Mutex
	segments map[uintptr]*Segment
}

// take removes the segment whose memory begins there.
func (m *made) take(base *byte) *Segment {
	at := uintptr(unsafe.Pointer(base))
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.segments[at]
	delete(m.segments, at)
	return s
}

func (m *made) add(base *byte, s *Segment) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.segments == nil {
		m.segments = make(map[uintptr]*Segment)
	}
	m.segments[uintptr(unsafe.Pointer(base))] = s
}

// closeAll closes them; their memory stays.
func (m *made) closeAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.segments {
		s.Close()
	}
	m.segments = nil
}

// Make returns zeros that are a segment from the start; see Made. It fails where there is no room for it.
func (n *Neighbourhood) Make(size int64) ([]byte, error) {
	s, err := n.create(size)
	if err != nil {
		return nil, err
	}
	b, err := newBlock(size, func(base *byte) {
		if s := n.made.take(base); s != nil {
			s.Close()
		}
	})
	if err == nil {
		err = errors.Join(s.reserve(), s.coverWith(b, unix.MAP_SHARED))
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	n.made.add(b.base, s)
	return b.bytes(), nil
}

// reserve takes all the room that the segment needs: it would be too late when its memory is written.
func (s *Segment) reserve() error {
	var reserving sync.WaitGroup
	failed := make([]error, len(s.files))
	for i, file := range s.files {
		from, to := s.stripe(i)
		if from == to {
			continue
		}
		reserving.Go(func() {
			failed[i] = os.NewSyscallError("fallocate", unix.Fallocate(int(file.Fd()), 0, 0, to-from))
		})
	}
	reserving.Wait()
	return errors.Join(failed...)
}

// Made returns the segment that Make made with this memory, all of it, once; nil if there is none. What is written there from then on is seen
// by this process alone.
func (n *Neighbourhood) Made(data []byte) *Segment {
	if len(data) == 0 {
		return nil
	}
	base := unsafe.SliceData(data)
	s := n.made.take(base)
	if s == nil {
		return nil
	}
	if s.size != int64(len(data)) { // a part of it: it stays memory like any other
		s.Close()
		return nil
	}
	if s.coverWith(block{base: base, size: s.size}, unix.MAP_PRIVATE) != nil || s.seal() != nil {
		s.Close()
		return nil
	}
	return s
}
