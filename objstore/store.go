package objstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/event"
	"manta/internal/member"
)

// InlineLimit is the largest encoded value, in bytes, that travels inside messages and lives in its owner's memory.
const InlineLimit = 64 << 10

// closeTimeout bounds how long Close deletes blobs.
const closeTimeout = 5 * time.Second

var part = member.NewPart[*Store]()

// Store is one node's share of the object store. Package node makes it; packages task and actor work with it; users hold Refs.
type Store struct {
	node   *member.Node
	bucket *bus.Bucket
	last   atomic.Uint64 // number of the newest object
	stats  counters

	group *member.Group // uploads, downloads and questions under way
	asked *bus.Subscription
	gives *bus.Subscription // chunks
	cache *cache

	neighbours *neighbourhood // nil if no memory is shared

	// singles are watchings of one object, used again: most objects are read one by one. Other nodes may live in another time (testing/synctest),
	// and take none of their channels.
	singles sync.Pool

	unhear  func()  // ends what OnReconnect began
	archive Archive // of durable tasks

	mu        sync.Mutex
	entries   map[ID]*entry       // of this node's objects that have left it, or are pinned
	uploads   map[*upload]*Object // under way; what goes up is not collected meanwhile
	blobs     map[string]owned    // the blobs of objects that this node owns
	collected []collected         // objects that nobody has any more
	given     map[ID]*entry       // of the entries: those whose names were given away
	refTTL    time.Duration       // how long such a name is good

	holds    map[ID]*hold        // of others' objects: the handles in this process
	version  uint64              // of the newest change of holds
	dropped  []ID                // whose handles were collected
	over     []func()            // to be called by the sweep, see Live
	loans    map[uint64]*loan    // what was sent and is not known to be kept
	lastLoan uint64              // number of the newest one
	posts    map[member.ID]*post // to other nodes, not acknowledged
	copies   copies

	foresight int // how many values will be copied for neighbours before one asks

	// For the sweep alone:
	absent map[member.ID]time.Time // holders that the roster does not know, and since when
	ticks  int64                   // sweeps so far
	lull   lull

	lineage Lineage // nil until there is one

	unread      int   // failures that nobody has read, since the last report
	firstUnread error // of them
}

// Open starts a node's share of the object store. cacheBytes bounds what it keeps of other nodes' blobs.
func Open(ctx context.Context, node *member.Node, cacheBytes int64) (*Store, error) {
	s := newStore(ctx, node, cacheBytes)
	var err error
	if s.bucket, err = node.Conn.OpenBucket(ctx, node.Conn.ObjectsBucket()); err != nil {
		return nil, err
	}
	if s.asked, err = node.Conn.Subscribe(node.Conn.NodeObject(node.ID.String()), "", s.answer); err != nil {
		return nil, err
	}
	if s.gives, err = node.Conn.Subscribe(node.Conn.NodeObjectChunk(node.ID.String()), "", s.give); err != nil {
		return nil, err
	}
	s.begin()
	s.group.Go(s.lookForOrphans)
	return s, nil
}

// OpenConfined starts the share of a node that is confined: its objects are small, and none leaves it.
func OpenConfined(ctx context.Context, node *member.Node) *Store {
	s := newStore(ctx, node, 0)
	s.begin()
	return s
}

func newStore(ctx context.Context, node *member.Node, cacheBytes int64) *Store {
	return &Store{
		node: node, group: member.NewGroup(ctx), cache: newCache(cacheBytes),
		entries: make(map[ID]*entry), uploads: make(map[*upload]*Object), blobs: make(map[string]owned),
		given: make(map[ID]*entry), refTTL: DefaultRefTTL, holds: make(map[ID]*hold), loans: make(map[uint64]*loan),
		posts: make(map[member.ID]*post), copies: make(copies), absent: make(map[member.ID]time.Time),
	}
}

func (s *Store) begin() {
	part.Set(s.node, s)
	s.register()
	s.group.Go(s.sweep)
	s.heed()
}

// StoreOf returns a node's share of the object store.
func StoreOf(n *member.Node) *Store { return part.Of(n) }

func storeIn(ctx context.Context) (*Store, error) {
	scope, err := member.FromContext(ctx)
	if err != nil {
		return nil, err
	}
	return part.Of(scope.Node), nil
}

// Node returns the node that the store is of.
func (s *Store) Node() *member.Node { return s.node }

// NextID returns a name that this node gives to nothing else.
func (s *Store) NextID() ID { return NewID(s.node.ID, s.last.Add(1)) }

// Promise makes an object that has no value yet.
func (s *Store) Promise() *Object { return &Object{id: s.NextID(), home: s} }

// ID returns the object's name; that of no object is zero.
func (o *Object) ID() ID {
	if o == nil {
		return ID{}
	}
	return o.id
}

// Settle gives a promise its outcome, and keeps the pointer: out must not change afterwards. Whoever settles many objects at
// once may take their outcomes from one slice; it is collected when the last of those objects is. If the object has an
// outcome already (it was freed, say) the given one is dropped, and its blob deleted.
func (s *Store) Settle(o *Object, out *Outcome) {
	s.Arrive(out.Refs())
	if out.Blob != nil {
		s.own(o, out.Blob.Blob, out.Blob.From)
		s.tell(o.id, event.Stored, out.Blob.Blob.Size)
	}
	if out.Err != nil {
		s.watchUnread(o, out)
	}
	if !o.settle(out) && out.Blob != nil && !nobodys(out.Blob.Blob.ID) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.collect(o.id, out.Blob.Blob.ID)
	}
}

// look returns the outcome of an object if there is one on this node.
func (s *Store) look(o *Object) *Outcome {
	var out *Outcome
	if o != nil && o.home == s {
		out = o.outcome.Load()
	} else {
		out = s.stateOf(o).outcome.Load()
	}
	if out.pending() {
		return nil
	}
	return out
}

// stateOf returns what this node knows of an object, and starts to ask its owner if that is another node.
func (s *Store) stateOf(o *Object) *state {
	switch {
	case o == nil:
		return &noObject.state
	case o.home == s || o.failure() != nil:
		return &o.state
	}
	if st := o.mirror(s, nil); st != nil {
		return st
	}
	_ = o.escape() // its owner may be another node of this process; that it did not fail was looked at above
	fresh := &state{}
	st := o.mirror(s, fresh)
	if st == fresh {
		s.follow(o, st)
	}
	return st
}

// Drain waits until what was put is in the bucket, digest and all.
func (s *Store) Drain(ctx context.Context) error {
	s.mu.Lock()
	uploads := slices.Collect(maps.Keys(s.uploads))
	s.mu.Unlock()
	for i, u := range uploads {
		select {
		case <-u.ended:
		case <-ctx.Done():
			return fmt.Errorf("%d uploads are under way: %w", len(uploads)-i, context.Cause(ctx))
		}
	}
	return nil
}

// Close ends all work under way and deletes the blobs that this node owns.
func (s *Store) Close() {
	for _, sub := range []*bus.Subscription{s.asked, s.gives} {
		if sub != nil {
			_ = sub.Unsubscribe() // its one error is that the connection is closed
		}
	}
	s.unhear()
	s.unregister()
	s.group.Stop(bus.ErrClosed)
	s.group.Wait()
	s.unshare()

	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	s.mu.Lock()
	blobs := s.blobs
	s.blobs = make(map[string]owned)
	s.mu.Unlock()
	for blob, was := range blobs {
		if err := s.bucket.Delete(ctx, was.id.String(), bus.Blob{ID: blob}); err != nil {
			s.node.Log.Warn("blobs of this node stay in the bucket", zap.Int("blobs", len(blobs)), zap.Error(err))
			return
		}
		delete(blobs, blob)
	}
}
