//go:build amd64 || arm64

package shared

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxQuestion = 1 << 10
	// answerPatience is how long an answer may take beside the copying that it may need, which runs at copyPace or faster, in bytes a second.
	answerPatience = time.Second
	copyPace       = 256 << 20
	// unborn begins the name of a socket that does not listen yet; of one that is older than bornWithin its process is dead.
	unborn     = "."
	bornWithin = time.Minute
)

var (
	errStranger = errors.New("a process of another user")
	errRefused  = errors.New("the neighbour does not share it")
)

// Neighbourhood is this process's place among those with which it shares memory: the socket of a name of its own in a directory.
type Neighbourhood struct {
	dir      *os.File
	name     string
	listener *net.UnixListener
	made     made
}

// Open makes a neighbourhood in the directory "manta-" and the user's number inside dir, which must be on a file system that has files
// without names, as tmpfs does. The name must not begin with a dot.
func Open(dir, name string) (*Neighbourhood, error) {
	own, err := openOwn(filepath.Join(dir, "manta-"+strconv.Itoa(os.Geteuid())))
	if err != nil {
		return nil, err
	}
	n := &Neighbourhood{dir: own, name: name}
	n.removeDead()
	n.listener, err = net.ListenUnix("unixpacket", n.address(unborn+name))
	if err != nil {
		return nil, errors.Join(err, own.Close())
	}
	n.listener.SetUnlinkOnClose(false) // by then it has another name
	if err := os.Rename(n.path(unborn+name), n.path(name)); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// openOwn opens a directory that is this user's alone, and makes it if it is not there.
func openOwn(path string) (*os.File, error) {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	dir, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	var stat unix.Stat_t
	if err = unix.Fstat(int(dir.Fd()), &stat); err == nil && (int(stat.Uid) != os.Geteuid() || stat.Mode&0o077 != 0) {
		err = fmt.Errorf("%s belongs to user %d with mode %o: want user %d alone", path, stat.Uid, stat.Mode&0o777, os.Geteuid())
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// path is short whatever the directory's: the kernel takes no more than 107 bytes for a socket's.
func (n *Neighbourhood) path(name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", n.dir.Fd(), name)
}

func (n *Neighbourhood) address(name string) *net.UnixAddr {
	return &net.UnixAddr{Name: n.path(name), Net: "unixpacket"}
}

// Names returns the neighbours, without this process itself.
func (n *Neighbourhood) Names() []string {
	return slices.DeleteFunc(n.all(), func(name string) bool { return name == n.name || strings.HasPrefix(name, unborn) })
}

func (n *Neighbourhood) all() (names []string) {
	entries, _ := os.ReadDir(n.path("")) // what cannot be read is empty
	for _, entry := range entries {
		if entry.Type() == fs.ModeSocket {
			names = append(names, entry.Name())
		}
	}
	return names
}

// removeDead removes the sockets of processes that are dead: nobody listens there.
func (n *Neighbourhood) removeDead() {
	for _, name := range n.all() {
		conn, err := net.DialUnix("unixpacket", nil, n.address(name))
		if err == nil {
			_ = conn.Close() // it said nothing
			continue
		}
		info, gone := os.Lstat(n.path(name))
		if gone == nil && errors.Is(err, syscall.ECONNREFUSED) && (!strings.HasPrefix(name, unborn) || time.Since(info.ModTime()) > bornWithin) {
			_ = os.Remove(n.path(name)) // somebody else may have been faster
		}
	}
}

// Serve answers neighbours until ctx ends, each question on its own goroutine. answer either sends a segment, once, or returns without.
func (n *Neighbourhood) Serve(ctx context.Context, answer func(ctx context.Context, question []byte, send func(*Segment) error)) {
	var answering sync.WaitGroup
	defer answering.Wait()
	defer context.AfterFunc(ctx, func() { _ = n.listener.Close() })()
	for {
		conn, err := n.listener.AcceptUnix()
		switch {
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		case err != nil: // no descriptors are left: whoever asks goes another way
			pause(ctx, 10*time.Millisecond)
			continue
		}
		answering.Go(func() {
			defer func() { _ = conn.Close() }() // all was sent, or nothing can be
			defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
			n.answer(ctx, conn, answer)
		})
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (n *Neighbourhood) answer(ctx context.Context, conn *net.UnixConn, answer func(context.Context, []byte, func(*Segment) error)) {
	_ = conn.SetReadDeadline(time.Now().Add(answerPatience)) // its one error is that the connection is closed
	if !ours(conn) {
		return
	}
	question := make([]byte, maxQuestion)
	length, err := conn.Read(question)
	if err != nil {
		return
	}
	answer(ctx, question[:length], func(s *Segment) error {
		return s.use(func(fds []int) error {
			_, _, err := conn.WriteMsgUnix(binary.LittleEndian.AppendUint64(nil, uint64(s.size)), unix.UnixRights(fds...), nil)
			return err
		})
	})
}

// ours says whether the process at the other end is of this user.
func ours(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	var peer *unix.Ucred
	failed := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return failed == nil && err == nil && int(peer.Uid) == os.Geteuid()
}

// Ask asks a neighbour for a segment of so many bytes. The error says why there is none: the neighbour is not there, or does not have it, or
// is too slow.
func (n *Neighbourhood) Ask(ctx context.Context, name string, question []byte, size int64) (*Segment, error) {
	ctx, cancel := context.WithTimeout(ctx, answerPatience+time.Duration(size)*time.Second/copyPace)
	defer cancel()
	var dialer net.Dialer
	dialled, err := dialer.DialContext(ctx, "unixpacket", n.path(name))
	if err != nil {
		return nil, err
	}
	conn := dialled.(*net.UnixConn)
	defer func() { _ = conn.Close() }() // what it had to say was read
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if !ours(conn) {
		return nil, errStranger
	}
	if _, err := conn.Write(question); err != nil {
		return nil, err
	}
	return receive(conn, size)
}

func receive(conn *net.UnixConn, size int64) (*Segment, error) {
	said, rights := make([]byte, 8), make([]byte, unix.CmsgSpace(4*maxStripes))
	length, controls, _, _, err := conn.ReadMsgUnix(said, rights)
	if err != nil {
		return nil, err
	}
	files, err := filesIn(rights[:controls])
	switch {
	case err != nil:
	case length < len(said) || len(files) == 0:
		err = errRefused
	case binary.LittleEndian.Uint64(said) != uint64(size):
		err = errShort
	}
	if err != nil {
		for _, file := range files {
			_ = file.Close() // nothing was read from it
		}
		return nil, err
	}
	return received(size, files)
}

func filesIn(rights []byte) (files []*os.File, err error) {
	messages, err := unix.ParseSocketControlMessage(rights)
	for _, message := range messages {
		fds, failed := unix.ParseUnixRights(&message)
		err = errors.Join(err, failed)
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "segment"))
		}
	}
	return files, err
}

// Close takes the process out of the neighbourhood. What it shares stays with those who have it. Call it once Serve has returned.
func (n *Neighbourhood) Close() error {
	n.made.closeAll()
	err := n.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	removed := os.Remove(n.path(n.name))
	if errors.Is(removed, fs.ErrNotExist) { // somebody cleared the directory
		removed = nil
	}
	return errors.Join(err, removed, n.dir.Close())
}
