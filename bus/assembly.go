package bus

import (
	"fmt"
	"strconv"
)

// Assembly is a blob that is being read: its chunks may come in any order, from anywhere. It takes memory once a first chunk has
// proved that the blob exists. It belongs to one goroutine at a time.
type Assembly struct {
	blob Blob
	room func(size int64) ([]byte, error)
	data []byte   // of room; nil before the first chunk
	have []uint64 // a bit a chunk
	left int      // chunks that have not come

	litter litter
}

// NewAssembly begins to read a blob into memory that room makes; nil makes it on the heap.
func NewAssembly(blob Blob, room func(size int64) ([]byte, error)) *Assembly {
	if room == nil {
		room = func(size int64) ([]byte, error) { return make([]byte, size), nil }
	}
	return &Assembly{blob: blob, room: room, left: blob.chunks(), litter: litterOf(blob)}
}

// Blob returns what is being read.
func (a *Assembly) Blob() Blob { return a.blob }

// Whole says whether every chunk has come.
func (a *Assembly) Whole() bool { return a.left == 0 }

// Data returns the blob's bytes once it is whole.
func (a *Assembly) Data() []byte { return a.data }

// missing returns the first chunk from an index on that has not come, -1 if there is none.
func (a *Assembly) missing(from int) int {
	if from >= a.blob.chunks() {
		return -1
	}
	if a.data == nil {
		return from
	}
	for i := from; i < a.blob.chunks(); i++ {
		if !a.has(i) {
			return i
		}
	}
	return -1
}

func (a *Assembly) has(index int) bool { return a.have[index/64]&(1<<(index%64)) != 0 }

// take puts a chunk in its place, once its index, length and checksum have been found right. One that is there already is
// left out. The error names the chunk.
func (a *Assembly) take(msg *Msg) error {
	index, err := a.check(msg)
	if err != nil {
		return err
	}
	if a.data == nil {
		if a.data, err = a.room(a.blob.Size); err != nil {
			return err
		}
		a.have = make([]uint64, (a.blob.chunks()+63)/64)
	}
	if !a.has(index) {
		copy(a.data[int64(index)*int64(a.blob.Chunk):], msg.Data)
		a.have[index/64] |= 1 << (index % 64)
		a.left--
	}
	a.litter.drop(len(msg.Data))
	return nil
}

// check returns a chunk's index, or why it is none of this blob.
func (a *Assembly) check(msg *Msg) (int, error) {
	index, err := strconv.Atoi(msg.Header.Get(chunkHeader))
	if err != nil || index < 0 || index >= a.blob.chunks() || len(msg.Data) != a.blob.length(index) {
		return 0, fmt.Errorf("%w: found chunk %q of %d bytes among %d", errGap, msg.Header.Get(chunkHeader), len(msg.Data), a.blob.chunks())
	}
	if msg.Header.Get(checksumHeader) != checksum(msg.Data) {
		return index, fmt.Errorf("%w in chunk %d of %d", ErrChecksum, index, a.blob.chunks())
	}
	return index, nil
}

// gap is the error of a chunk that is not where the blob is.
func (a *Assembly) gap(index int) error {
	return fmt.Errorf("%w: chunk %d of %d", ErrBlobGone, index, a.blob.chunks())
}
