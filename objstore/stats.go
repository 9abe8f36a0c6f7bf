package objstore

import "sync/atomic"

// Stats counts what a node moved to and from the bucket since it started.
type Stats struct {
	Uploads         int64 // blobs written
	UploadedBytes   int64
	Downloads       int64 // blobs read
	DownloadedBytes int64
}

type counters struct {
	uploads, uploadedBytes, downloads, downloadedBytes atomic.Int64
}

// Stats returns the counters of this node.
func (s *Store) Stats() Stats {
	return Stats{
		Uploads: s.stats.uploads.Load(), UploadedBytes: s.stats.uploadedBytes.Load(),
		Downloads: s.stats.downloads.Load(), DownloadedBytes: s.stats.downloadedBytes.Load(),
	}
}
