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
	// Askable is how many objects of this node are kept for others at this moment: large arguments of tasks under way, what other nodes
	// hold refs of, and what was given to clients that are no nodes.
	Askable int
}

type counters struct {
	uploads, uploadedBytes, downloads, downloadedBytes, givenBytes, borrowed, borrowedBytes atomic.Int64
}

// Stats returns the counters of this node.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	askable := 0
	for _, e := range s.entries {
		if e.wanted() {
			askable++
		}
	}
	s.mu.Unlock()
	return Stats{
		Askable: askable,
		Uploads: s.stats.uploads.Load(), UploadedBytes: s.stats.uploadedBytes.Load(),
		Downloads: s.stats.downloads.Load(), DownloadedBytes: s.stats.downloadedBytes.Load(),
		GivenBytes: s.stats.givenBytes.Load(), Borrowed: s.stats.borrowed.Load(), BorrowedBytes: s.stats.borrowedBytes.Load(),
	}
}
