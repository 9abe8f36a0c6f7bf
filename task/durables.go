package task

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// durables is one node's share of durable tasks: what it submits and awaits, and what its host takes on. The stream and the bucket are made when
// the first durable task needs them.
type durables struct {
	node      *member.Node
	store     *objstore.Store
	group     *member.Group
	publisher *bus.Publisher
	results   *results
	adopter   *adopter // nil on a node that only submits
	frees     *bus.Subscription

	opening sync.Mutex // held while the stream and the bucket are opened
	queue   *bus.Queue
	archive *bus.Archive

	mu       sync.Mutex
	closed   bool
	pending  map[objstore.ID]*pending // submitted and not stored yet
	shared   map[string]*sharing      // functions whose tasks can be stored
	latest   *call.Target             // and its policy: most tasks are of the function of the one before
	policy   []byte
	keep     time.Duration
	underway member.Tally // of pending
}

func startDurables(ctx context.Context, node *member.Node) (*durables, error) {
	d := &durables{
		node: node, store: objstore.StoreOf(node), group: member.NewGroup(ctx),
		pending: make(map[objstore.ID]*pending), shared: make(map[string]*sharing),
	}
	var err error
	if d.publisher, err = node.Conn.NewPublisher("durable"); err != nil {
		return nil, err
	}
	d.results = newResults(d)
	if d.frees, err = node.Conn.Subscribe(node.Conn.Freed(), "", d.results.heardFreed); err != nil {
		return nil, err
	}
	d.store.SetArchive(d.results)
	d.group.Go(d.publisher.Serve)
	d.group.Go(d.results.serve)
	return d, nil
}

// open opens the stream and the bucket, and makes them if they are not there.
func (d *durables) open(ctx context.Context) (err error) {
	d.opening.Lock()
	defer d.opening.Unlock()
	if d.queue == nil {
		conn := d.node.Conn
		archive, err := conn.OpenArchive(ctx, conn.ResultsTable(), conn.Result(""))
		if err != nil {
			return err
		}
		queue, err := conn.OpenQueue(ctx, conn.DurableQueue(), conn.DurablePrefix())
		if err != nil {
			return err
		}
		d.mu.Lock()
		d.archive, d.queue = archive, queue
		d.mu.Unlock()
	}
	return nil
}

// find opens the stream and the bucket if they are there.
func (d *durables) find(ctx context.Context) (there bool, err error) {
	if _, archive := d.stores(); archive != nil {
		return true, nil
	}
	queue, err := d.node.Conn.FindQueue(ctx, d.node.Conn.DurableQueue())
	if queue == nil {
		return false, err
	}
	return true, d.open(ctx)
}

// stores returns the stream and the bucket, nil before they are open.
func (d *durables) stores() (*bus.Queue, *bus.Archive) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.queue, d.archive
}

// reopen forgets the stream and the bucket, which are gone, and what was known of them.
func (d *durables) reopen() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue, d.archive = nil, nil
	for name, s := range d.shared {
		if s.ready {
			delete(d.shared, name)
		}
	}
}

// share makes sure that there is a consumer of a function's tasks.
func (d *durables) share(ctx context.Context, function string) error {
	if err := d.open(ctx); err != nil {
		return err
	}
	queue, _ := d.stores()
	if queue == nil {
		return errors.New("the stream has just vanished")
	}
	return queue.Share(ctx, function, d.node.Conn.Durable(function, ">"))
}

// drain waits until all that was submitted here is stored.
func (d *durables) drain(ctx context.Context) error {
	if err := d.underway.Await(ctx); err != nil {
		return fmt.Errorf("%d durable tasks are not stored yet: %w", d.underway.Left(), err)
	}
	return nil
}

// close fails what is not stored, and what waits for results.
func (d *durables) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	_ = d.frees.Unsubscribe() // its one error is that the connection is closed
	d.group.Stop(bus.ErrClosed)
	d.group.Wait()
	d.results.close()
}
