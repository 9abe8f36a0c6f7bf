//go:build amd64 || arm64

package shared

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds what must come, and comes much sooner unless something is broken.
const patience = 20 * time.Second

// open opens a neighbourhood that ends with the test.
func open(t *testing.T, dir, name string) *Neighbourhood {
	t.Helper()
	n, err := Open(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// lender is a neighbour that answers each question with one segment.
func lender(t *testing.T, dir string, s *Segment) *Neighbourhood {
	t.Helper()
	n := open(t, dir, "lender")
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		n.Serve(ctx, func(_ context.Context, _ []byte, send func(*Segment) error) {
			if err := send(s); err != nil {
				t.Error(err)
			}
		})
	})
	t.Cleanup(func() {
		cancel()
		serving.Wait()
	})
	return n
}

func random(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data) // never fails
	return data
}

// shared copies data into a segment that is closed with the test.
func (n *Neighbourhood) shared(t *testing.T, data []byte) *Segment {
	t.Helper()
	s, err := n.Copy(data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func (s *Segment) mapped(t *testing.T) []byte {
	t.Helper()
	data, err := s.Map()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// mappings are the files without a name that are mapped into this process.
func mappings(t *testing.T) (n int) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(maps), " (deleted)\n")
}

// awaitMappings collects garbage until so many files are mapped.
func awaitMappings(t *testing.T, want int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); mappings(t) != want; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%d files are mapped, want %d", mappings(t), want)
		}
		runtime.GC()
	}
}

func TestANeighbourGetsWhatIsShared(t *testing.T) {
	dir := t.TempDir()
	for _, size := range []int{1, 4096, 4097, leastStriped - 1, leastStriped, leastStriped + 1, 3*leastStriped + 17} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			data := random(size)
			asker := open(t, dir, "asker")
			lender(t, dir, asker.shared(t, data))
			s, err := asker.Ask(t.Context(), "lender", []byte("?"), int64(size))
			if err != nil {
				t.Fatal(err)
			}
			got := s.mapped(t)
			s.Close()
			if !bytes.Equal(got, data) || cap(got) != size {
				t.Errorf("%d bytes, of %d, are not what was shared", len(got), cap(got))
			}
		})
	}
}

func TestWhatAReaderWritesIsItsOwn(t *testing.T) {
	n := open(t, t.TempDir(), "one")
	data := random(leastStriped)
	s := n.shared(t, data)
	mine, theirs := s.mapped(t), s.mapped(t)
	clear(mine)
	if !bytes.Equal(theirs, data) || !bytes.Equal(s.mapped(t), data) {
		t.Error("what one reader wrote is seen by others")
	}
}

func TestNobodyCanWriteWhatWasShared(t *testing.T) {
	n := open(t, t.TempDir(), "one")
	err := n.shared(t, random(1<<20)).use(func(fds []int) error {
		_, err := unix.Write(fds[0], []byte("no"))
		return err
	})
	if !errors.Is(err, unix.EBADF) {
		t.Errorf("writing to a segment: %v", err)
	}
}

func TestAMappingEndsWithItsLastSlice(t *testing.T) {
	n := open(t, t.TempDir(), "one")
	awaitMappings(t, 0) // those of other tests
	data := random(2*leastStriped + 5)
	s := n.shared(t, data)
	tail := s.mapped(t)[len(data)-100:]
	s.Close()
	runtime.GC()
	runtime.GC()
	if mappings(t) != maxStripes || !bytes.Equal(tail, data[len(data)-100:]) {
		t.Fatal("a slice has outlived its mapping")
	}
	runtime.KeepAlive(tail)
	tail = nil
	awaitMappings(t, 0)
}

func TestMemoryOfMappingsThatEndedIsAsGoodAsAny(t *testing.T) {
	n := open(t, t.TempDir(), "one")
	data := random(3 << 20)
	s := n.shared(t, data)
	var using sync.WaitGroup
	for i := range 4 {
		using.Go(func() {
			var kept [][]byte
			for round := range 20 {
				got := s.mapped(t)
				if !bytes.Equal(got, data) {
					t.Error("a mapping has other bytes than were shared")
				}
				clear(got)
				if !bytes.Equal(make([]byte, len(data)), got) {
					t.Error("fresh memory is not zero")
				}
				if kept = append(kept, bytes.Repeat([]byte{byte(i), byte(round)}, 1<<19)); round%8 == 7 {
					for r, k := range kept {
						if k[0] != byte(i) || k[len(k)-1] != byte(round-len(kept)+1+r) {
							t.Error("memory has changed by itself")
						}
					}
					kept = nil
					runtime.GC()
				}
			}
		})
	}
	using.Wait()
	s.Close()
	awaitMappings(t, 0)
}

func TestWithoutRoomNothingIsShared(t *testing.T) {
	n := open(t, t.TempDir(), "one")
	var limit, small syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	small = limit
	small.Cur = 1 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		t.Fatal(err)
	}
	_, err := n.Copy(random(2 << 20))
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("a file larger than files may be: %v", err)
	}
	n.shared(t, random(2<<20))
}

func TestThePlaceOfADeadProcessIsCleared(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, "first")
	dead, err := net.ListenUnix("unixpacket", first.address("dead"))
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	if got := first.Names(); len(got) != 1 {
		t.Fatalf("the neighbours are %v", got)
	}
	second := open(t, dir, "second")
	if got := second.Names(); len(got) != 1 || got[0] != "first" {
		t.Errorf("the neighbours are %v", got)
	}
}

func TestWhoClosesIsGone(t *testing.T) {
	dir := t.TempDir()
	asker := open(t, dir, "asker")
	n, err := Open(dir, "gone")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if got := asker.Names(); len(got) != 0 {
		t.Errorf("the neighbours are %v", got)
	}
	if _, err := asker.Ask(t.Context(), "gone", []byte("?"), 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("asking who has closed: %v", err)
	}
}

func TestAnAnswerOfAnotherSizeIsRefused(t *testing.T) {
	dir := t.TempDir()
	asker := open(t, dir, "asker")
	lender(t, dir, asker.shared(t, random(1000)))
	if _, err := asker.Ask(t.Context(), "lender", []byte("?"), 1001); !errors.Is(err, errShort) {
		t.Errorf("1000 bytes instead of 1001: %v", err)
	}
}

func TestADirectoryThatOthersReachIsRefused(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "manta-"+strconv.Itoa(os.Geteuid()))
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	if n, err := Open(dir, "one"); err == nil {
		_ = n.Close()
		t.Error("others could reach the socket")
	}
}

func TestWhatIsSharedIsThisUsersAlone(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir, "one")
	info, err := os.Stat(filepath.Join(dir, "manta-"+strconv.Itoa(os.Geteuid())))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v", info.Mode())
	}
	err = n.shared(t, random(1<<20)).use(func(fds []int) error {
		var stat unix.Stat_t
		err := unix.Fstat(fds[0], &stat)
		if stat.Mode&0o777 != 0o600 || stat.Nlink != 0 {
			t.Errorf("the file has mode %o and %d names", stat.Mode, stat.Nlink)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		return // only root can be somebody else, which is what comes next
	}
	for dir := dir; dir != "/"; dir = filepath.Dir(dir) { // so that the directory inside is what stops him
		if err := os.Chmod(dir, 0o755|os.ModeSticky); err != nil {
			t.Fatal(err)
		}
		if filepath.Dir(dir) == os.TempDir() {
			break
		}
	}
	stranger := exec.Command("/bin/ls", filepath.Join(dir, "manta-0"))
	stranger.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := stranger.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "ermission denied") {
		t.Errorf("another user sees %s, %v", out, err)
	}
}

func TestANeighbourThatDoesNotAnswerIsGivenUp(t *testing.T) {
	dir := t.TempDir()
	asker := open(t, dir, "asker")
	open(t, dir, "silent") // it listens, and nobody serves it
	if _, err := asker.Ask(t.Context(), "silent", []byte("?"), 1); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("asking who is silent: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := asker.Ask(ctx, "silent", []byte("?"), 1); err == nil {
		t.Error("a question that is not wanted any more was answered")
	}
}

func TestMoreThanThereIsRoomForIsNotBegun(t *testing.T) {
	n := open(t, t.TempDir(), "one")
	if _, err := n.create(1 << 60); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("an exabyte: %v", err)
	}
}

func TestMemoryThatWasMadeIsASegment(t *testing.T) {
	awaitMappings(t, 0) // those of other tests
	dir := t.TempDir()
	n := open(t, dir, "one")
	data, err := n.Make(leastStriped + 5)
	if err != nil {
		t.Fatal(err)
	}
	want := random(len(data))
	copy(data, want)
	s := n.Made(data)
	if s == nil || n.Made(data) != nil {
		t.Fatal("memory that was made is a segment once")
	}
	theirs := s.mapped(t)
	clear(data)
	if !bytes.Equal(theirs, want) {
		t.Error("what is written after the end is seen")
	}
	err = s.use(func(fds []int) error {
		_, err := unix.Write(fds[0], []byte("no"))
		return err
	})
	if !errors.Is(err, unix.EBADF) {
		t.Errorf("writing to a segment: %v", err)
	}
	s.Close()
	data, theirs = nil, nil
	awaitMappings(t, 0)
}

func TestMemoryThatWasMadeAndDroppedIsGone(t *testing.T) {
	awaitMappings(t, 0) // those of other tests
	n := open(t, t.TempDir(), "one")
	for range 20 {
		data, err := n.Make(3 << 20)
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range data {
			if b != 0 {
				t.Fatalf("byte %d is %d", i, b)
			}
		}
		copy(data, random(len(data)))
		if n.Made(data[:1<<20]) != nil || n.Made(random(1)) != nil || n.Made(nil) != nil {
			t.Error("other memory is a segment")
		}
	}
	awaitMappings(t, 0)
	n.made.mu.Lock()
	defer n.made.mu.Unlock()
	if len(n.made.segments) != 0 {
		t.Errorf("%d segments are left", len(n.made.segments))
	}
}
