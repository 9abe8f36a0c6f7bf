package objstore

import "sync/atomic"

// Stats counts what a node moved to and from the bucket since it started, and what it keeps.
type Stats struct {
	Uploads         int64 // blobs written
	UploadedBytes   int64
	Downloads       int64 // blobs read
	DownloadedBytes int64
	GivenBytes      int64 // to nodes that read from this one's memory
	Borrowed        int64 // blobs read through memory that another process of this machine shares
	BorrowedBytes   int64
	CacheHits       int64 // times that a large object of another node, or one that a task made here, was read and at hand
	CacheMisses     int64 // times that it was not

	// What the node keeps at this moment. Small results and values are not counted, unless others know of them: they are as cheap as any
	// value of Go's.

	// Askable is how many objects of this node are kept for others: large arguments of tasks under way, what other nodes hold refs of, and
	// what was given to clients that are no nodes.
	Askable      int
	AskableBytes int64
	Pinned       int // of Askable: arguments of tasks and calls under way
	PinnedBytes  int64
	Owned        int // objects of this node in the bucket, or on their way there
	OwnedBytes   int64
	Uploading    int // of Owned: on their way
	Held         int // objects of others of which there is a ref here that they know of
	Cached       int // large objects of others, and such that tasks made here
	CachedBytes  int64
}

type counters struct {
	uploads, uploadedBytes, downloads, downloadedBytes, givenBytes, borrowed, borrowedBytes atomic.Int64
}

// Stats returns the counters of this node. It takes time in proportion to the objects that the node keeps.
func (s *Store) Stats() Stats {
	st := Stats{
		Uploads: s.stats.uploads.Load(), UploadedBytes: s.stats.uploadedBytes.Load(),
		Downloads: s.stats.downloads.Load(), DownloadedBytes: s.stats.downloadedBytes.Load(),
		GivenBytes: s.stats.givenBytes.Load(), Borrowed: s.stats.borrowed.Load(), BorrowedBytes: s.stats.borrowedBytes.Load(),
	}
	s.cache.count(&st)
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Owned, st.Uploading, st.Held = len(s.blobs), len(s.uploads), len(s.holds)
	for _, own := range s.blobs {
		st.OwnedBytes += own.size
	}
	for _, e := range s.entries {
		if !e.wanted() {
			continue
		}
		bytes := e.bytes()
		st.Askable++
		st.AskableBytes += bytes
		if e.pins > 0 {
			st.Pinned++
			st.PinnedBytes += bytes
		}
	}
	return st
}

func (c *cache) count(st *Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	st.Cached, st.CachedBytes, st.CacheHits, st.CacheMisses = len(c.entries), c.used, c.hits, c.misses
}

// bytes is the size of what an entry keeps; 0 while that has no value.
func (e *entry) bytes() int64 {
	out := e.out
	if out == nil && e.object != nil {
		out = e.object.outcome.Load()
	}
	switch {
	case out == nil || out.Err != nil:
		return 0
	case out.Blob != nil:
		return out.Blob.Blob.Size
	}
	return int64(len(out.Value.Data))
}
