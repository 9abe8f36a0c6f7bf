package objstore

import (
	"context"
	"errors"
	"maps"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/member"
	"manta/internal/shared"
)

const (
	// leastShared is the smallest blob that is read through shared memory: a smaller one comes as fast by messages.
	leastShared = 1 << 20
	// maxSegments is how many segments a node keeps open, each of one or two files.
	maxSegments = 1024
	// maxNeighbours is how many processes are asked for a blob, its owner first.
	maxNeighbours = 16
	// silentFor is how long a neighbour is not asked again that has not answered in time: it may be stopped.
	silentFor = 30 * time.Second
)

// neighbourhood is where a store asks for blobs before it reads them over the network, and gives them: see package shared. A question is
// one for a chunk, and its answer all of them.
type neighbourhood struct {
	*shared.Neighbourhood
	namespace string // begins the names of those that are asked

	mu     sync.Mutex
	silent map[string]time.Time // those that are not asked, until then
}

// Share has large values that other processes of this user and machine have read through files in dir, and the other way round. It does
// nothing where that cannot be. Package node calls it before the node is used.
func (s *Store) Share(dir, namespace string) error {
	n, err := shared.Open(dir, namespace+"."+s.node.ID.String())
	if errors.Is(err, shared.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	s.neighbours = &neighbourhood{Neighbourhood: n, namespace: namespace, silent: make(map[string]time.Time)}
	s.group.Go(func(ctx context.Context) { n.Serve(ctx, s.lend) })
	return nil
}

// unshare ends what Share began, once nobody lends or borrows.
func (s *Store) unshare() {
	if s.neighbours == nil {
		return
	}
	s.cache.closeSegments()
	if err := s.neighbours.Close(); err != nil {
		s.node.Log.Warn("a socket for shared memory stays behind; the next node removes it", zap.Error(err))
	}
}

// nearest returns the names of neighbours that may have an object, its owner first.
func (n *neighbourhood) nearest(owner member.ID) (names []string) {
	first, now := n.namespace+"."+owner.String(), time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range n.Names() {
		switch until, silent := n.silent[name]; {
		case silent && now.Before(until):
		case name == first:
			names = append([]string{name}, names...)
		case strings.HasPrefix(name, n.namespace+"."):
			names = append(names, name)
		}
	}
	return names[:min(len(names), maxNeighbours)]
}

// gaveUp notes what came of asking a neighbour in vain.
func (n *neighbourhood) gaveUp(name string, err error) {
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(n.silent, func(_ string, until time.Time) bool { return now.After(until) })
	n.silent[name] = now.Add(silentFor)
}

// borrow returns the bytes of a blob from the memory of a neighbour, nil if none has it.
func (s *Store) borrow(ctx context.Context, id ID, e *cached) []byte {
	if s.neighbours == nil || e.blob.Size < leastShared {
		return nil
	}
	question := chunkQuestion{question: question{kind: chunkFrame, id: id, from: s.node.ID}, blob: e.blob.ID}.append(nil)
	for _, name := range s.neighbours.nearest(id.Owner()) {
		segment, err := s.neighbours.Ask(ctx, name, question, e.blob.Size)
		if err != nil { // most do not have it
			s.neighbours.gaveUp(name, err)
			continue
		}
		data, err := segment.Map()
		if err != nil {
			segment.Close()
			s.node.Log.Info("memory that a neighbour shares cannot be used", zap.Stringer("object", id), zap.Error(err))
			return nil
		}
		if !s.cache.lends(e, segment) {
			segment.Close()
		}
		s.stats.borrowed.Add(1)
		s.stats.borrowedBytes.Add(e.blob.Size)
		return data
	}
	return nil
}

// lend answers a neighbour with a segment of the blob that it wants, which is made when the first one asks. Without an answer it reads
// the blob elsewhere.
func (s *Store) lend(_ context.Context, asked []byte, send func(*shared.Segment) error) {
	q, err := readChunkQuestion(asked)
	if err != nil {
		s.node.Log.Warn("a malformed question of a neighbour", zap.Error(err))
		return
	}
	value, blob, refusal := s.holding(q)
	if refusal != nil || blob.Size < leastShared {
		return
	}
	if err := s.withSegment(q.id, blob, value, send); err != nil {
		s.node.Log.Info("a neighbour has to read a value over the network", zap.Stringer("object", q.id), zap.Error(err))
		return
	}
	s.lentOne()
}

// withSegment calls f with the segment of a blob, and makes it if there is none.
func (s *Store) withSegment(id ID, blob bus.Blob, value bus.Value, f func(*shared.Segment) error) error {
	e := s.keepLent(id, blob, value)
	e.lending.Lock()
	defer e.lending.Unlock()
	segment := s.cache.segmentOf(e)
	if segment == nil {
		var err error
		if segment, err = s.neighbours.Copy(value.Data); err != nil {
			return err
		}
		if !s.cache.lends(e, segment) {
			defer segment.Close()
		}
	}
	return f(segment)
}

// keepLent has the cache count a blob that is lent. One of this node's that was deleted meanwhile is not kept.
func (s *Store) keepLent(id ID, blob bus.Blob, value bus.Value) *cached {
	e := s.cache.keep(blob, bus.Value{Format: value.Format, Data: value.Data})
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, owned := s.blobs[blob.ID]; !owned && id.Owner() == s.node.ID {
		s.cache.drop(blob)
	}
	return e
}

// lends gives an entry of the cache its segment, which ends with it. False: it has left the cache, or there are too many.
func (c *cache) lends(e *cached, segment *shared.Segment) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.entries[e.blob.ID]
	if el == nil || el.Value.(*cached) != e || c.segments == maxSegments {
		return false
	}
	c.setSegment(e, segment)
	return true
}

func (c *cache) segmentOf(e *cached) *shared.Segment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.segment
}

// setSegment closes the segment that an entry has had; the cache is locked.
func (c *cache) setSegment(e *cached, segment *shared.Segment) {
	if e.segment != nil {
		e.segment.Close()
		c.segments--
	}
	if e.segment = segment; segment != nil {
		c.segments++
	}
}

func (c *cache) closeSegments() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, el := range c.entries {
		c.setSegment(el.Value.(*cached), nil)
	}
}
