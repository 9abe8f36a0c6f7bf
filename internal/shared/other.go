//go:build !linux || !(amd64 || arm64)

package shared

import "context"

// Segment is bytes that processes share.
type Segment struct{}

// Map returns the segment's bytes.
func (s *Segment) Map() ([]byte, error) { return nil, ErrUnsupported }

// Close lets go of the segment.
func (s *Segment) Close() {}

// Neighbourhood is this process's place among those with which it shares memory. There is none on this platform.
type Neighbourhood struct{}

// Open fails.
func Open(dir, name string) (*Neighbourhood, error) { return nil, ErrUnsupported }

// Copy fails.
func (n *Neighbourhood) Copy(data []byte) (*Segment, error) { return nil, ErrUnsupported }

// Make fails.
func (n *Neighbourhood) Make(size int64) ([]byte, error) { return nil, ErrUnsupported }

// Made returns no segment.
func (n *Neighbourhood) Made(data []byte) *Segment { return nil }

// Names returns no neighbours.
func (n *Neighbourhood) Names() []string { return nil }

// Serve returns at once.
func (n *Neighbourhood) Serve(ctx context.Context, answer func(ctx context.Context, question []byte, send func(*Segment) error)) {
}

// Ask fails.
func (n *Neighbourhood) Ask(ctx context.Context, name string, question []byte, size int64) (*Segment, error) {
	return nil, ErrUnsupported
}

// Close does nothing.
func (n *Neighbourhood) Close() error { return nil }
