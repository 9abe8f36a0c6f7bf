//go:build amd64 || arm64

package shared

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// maxStripes is in how many files a segment is at most: writes to one file take turns.
	maxStripes = 2
	// leastStriped is the size from which it is in more than one.
	leastStriped = 16 << 20
	// grain is what stripes are whole multiples of, except the last: so is the grain of every page.
	grain = 1 << 20
	// writeAtOnce is how much is written between two looks at whether the segment is still wanted.
	writeAtOnce = 16 << 20
)

// errShort says that a segment has fewer bytes than it should.
var errShort = errors.New("the file of a segment is short")

// Segment is bytes in open files without a name, in stripes one after the other. It is safe for concurrent use.
type Segment struct {
	size int64

	mu    sync.RWMutex // read-locked while the files are in use
	files []*os.File   // nil once closed
}

// Size returns how many bytes the segment holds.
func (s *Segment) Size() int64 { return s.size }

// stripe returns where a stripe begins and ends.
func (s *Segment) stripe(i int) (from, to int64) {
	n := int64(len(s.files))
	length := (s.size + n*grain - 1) / (n * grain) * grain
	return min(s.size, length*int64(i)), min(s.size, length*int64(i+1))
}

// Copy makes a segment of some bytes. It fails where there is no room for it.
func (n *Neighbourhood) Copy(data []byte) (*Segment, error) {
	s, err := n.create(int64(len(data)))
	if err != nil {
		return nil, err
	}
	var writing sync.WaitGroup
	failed := make([]error, len(s.files))
	for i, file := range s.files {
		from, to := s.stripe(i)
		writing.Go(func() { failed[i] = write(file, data[from:to]) })
	}
	writing.Wait()
	if err = errors.Join(failed...); err == nil {
		err = s.seal()
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("cannot share %d bytes: %w", len(data), err)
	}
	return s, nil
}

func write(file *os.File, data []byte) error {
	for len(data) > 0 {
		n, err := file.Write(data[:min(len(data), writeAtOnce)])
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// create makes a segment of empty files.
func (n *Neighbourhood) create(size int64) (*Segment, error) {
	stripes := 1
	if size >= leastStriped {
		stripes = maxStripes
	}
	var room unix.Statfs_t
	if err := unix.Fstatfs(int(n.dir.Fd()), &room); err != nil {
		return nil, os.NewSyscallError("fstatfs", err)
	}
	if free := int64(room.Bavail) * int64(room.Bsize); room.Blocks > 0 && free < size { // one without a bound has no blocks
		return nil, fmt.Errorf("cannot share %d bytes: %w, %d bytes are free", size, unix.ENOSPC, free)
	}
	s := &Segment{size: size}
	for range stripes {
		fd, err := unix.Openat(int(n.dir.Fd()), ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		if err != nil {
			s.Close()
			return nil, os.NewSyscallError("openat", err)
		}
		s.files = append(s.files, os.NewFile(uintptr(fd), "segment"))
	}
	return s, nil
}

// seal takes from everybody the means to write.
func (s *Segment) seal() error {
	for i, file := range s.files {
		sealed, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
		if err != nil {
			return err
		}
		_ = file.Close() // what was written is in the page cache, its only place
		s.files[i] = sealed
	}
	return nil
}

// received makes a segment of files that a neighbour has sent, and takes them over.
func received(size int64, files []*os.File) (*Segment, error) {
	s := &Segment{size: size, files: files}
	for i, file := range files {
		from, to := s.stripe(i)
		info, err := file.Stat()
		if err == nil && (!info.Mode().IsRegular() || info.Size() < to-from) {
			err = errShort
		}
		if err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// Map returns the segment's bytes, which stay when it is closed.
func (s *Segment) Map() ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.files == nil {
		return nil, os.ErrClosed
	}
	b, err := newBlock(s.size, func(*byte) {})
	if err != nil {
		return nil, err
	}
	if err := s.coverWith(b, unix.MAP_PRIVATE); err != nil {
		return nil, err
	}
	return b.bytes(), nil
}

// coverWith lays the files over a block, which is as large as the segment.
func (s *Segment) coverWith(b block, sharing int) error {
	for i, file := range s.files {
		from, to := s.stripe(i)
		if err := b.cover(from, to, file, sharing); err != nil {
			return err
		}
	}
	return nil
}

// use calls f with the descriptors of the files, which stay open meanwhile.
func (s *Segment) use(f func(fds []int) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.files == nil {
		return os.ErrClosed
	}
	var fds []int
	for _, file := range s.files {
		fds = append(fds, int(file.Fd()))
	}
	return f(fds)
}

// Close closes the files. It may be called twice.
func (s *Segment) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, file := range s.files {
		_ = file.Close() // nothing was written through it, or nobody will read that
	}
	s.files = nil
}
