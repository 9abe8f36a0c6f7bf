package bus

import (
	"math"
	"runtime"
)

const (
	// litterShare is which part of a blob's size may lie about in messages that were copied, before it is collected: the runtime by
	// itself would let as much gather as everything in the process, so twice the memory.
	litterShare = 12
	// litterLeast is the smallest blob of which that is worth a collection. Many smaller ones would only ask for many collections.
	litterLeast = 128 << 20
)

// litter is what the transfer of one large blob leaves: messages of which the bytes were copied. nats.go makes a fresh one for each, and so
// does a server in the same process.
type litter struct {
	bytes int64 // since the last collection
	most  int64
}

func litterOf(blob Blob) litter {
	if blob.Size < litterLeast {
		return litter{most: math.MaxInt64}
	}
	return litter{most: blob.Size / litterShare}
}

// drop notes that a message was copied, and has the garbage collected when it is much.
func (l *litter) drop(bytes int) {
	if l.bytes += int64(bytes); l.bytes >= l.most {
		l.bytes = 0
		runtime.GC()
	}
}

// serverInside says whether the server is in this process, and leaves its litter here.
func (c *Conn) serverInside() bool { return c.nc.Opts.InProcessServer != nil }
