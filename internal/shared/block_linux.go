//go:build amd64 || arm64

package shared

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errUnaligned is returned where pages are larger than those of Go's heap.
var errUnaligned = errors.New("a block of the heap does not begin with a page")

// block is a piece of Go's heap over which files can be laid: the collector follows the slices of it as of any other, since it knows nothing
// of the files.
//
//	heap ── cover ──► mapped ── nobody has a slice of it, uncover ──► heap, collected
type block struct {
	base *byte
	size int64 // of what is in it; the block itself is whole pages
}

// newBlock makes a block that holds size bytes, at least one; gone is called when nobody has a slice of it. No page of it is touched: that is what a Builder does and make does not.
func newBlock(size int64, gone func(base *byte)) (block, error) {
	var b strings.Builder
	b.Grow(int(wholePages(size)))
	b.WriteByte(0)
	base := unsafe.StringData(b.String())
	if uintptr(unsafe.Pointer(base))%uintptr(os.Getpagesize()) != 0 {
		return block{}, errUnaligned
	}
	// A finalizer and not a cleanup: the block must not be given to somebody else before the files are gone from it.
	runtime.SetFinalizer(base, func(base *byte) {
		gone(base)
		uncover(base, wholePages(size))
	})
	return block{base: base, size: size}, nil
}

func wholePages(size int64) int64 {
	page := int64(os.Getpagesize())
	return (size + page - 1) / page * page
}

// bytes returns what is in the block.
func (b block) bytes() []byte { return unsafe.Slice(b.base, b.size) }

// cover lays a file over a part of the block that begins with a page.
func (b block) cover(from, to int64, file *os.File, sharing int) error {
	if from == to {
		return nil
	}
	err := mapAt(unsafe.Add(unsafe.Pointer(b.base), from), to-from, sharing, file.Fd())
	runtime.KeepAlive(file)
	return err
}

// uncover puts fresh memory in the place of the files.
func uncover(base *byte, length int64) {
	err := mapAt(unsafe.Pointer(base), length, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0))
	if err != nil { // the kernel has no memory for its own lists: the next collection may find that it has
		runtime.SetFinalizer(base, func(base *byte) { uncover(base, length) })
	}
}

// mapAt lays a file, or fresh memory, over memory that is there.
func mapAt(at unsafe.Pointer, length int64, flags int, fd uintptr) error {
	_, _, failed := unix.Syscall6(unix.SYS_MMAP, uintptr(at), uintptr(wholePages(length)), unix.PROT_READ|unix.PROT_WRITE,
		uintptr(flags|unix.MAP_FIXED), fd, 0)
	if failed != 0 {
		return os.NewSyscallError("mmap", failed)
	}
	return nil
}
