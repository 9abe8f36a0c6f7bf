package task

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/objstore"
)

const (
	// lookAgain is how often a result is looked for that is awaited: its announcement may have been lost on the way. absentFor is how long
	// there must be neither a result nor a task before nobody waits any more: a submission takes a moment.
	resultsTick = time.Second
	lookAgain   = 5 * time.Second
	absentFor   = 2 * time.Second
	// looksAtOnce is how many results are looked for at a time, looksEach in one tick.
	looksAtOnce = 16
	looksEach   = 1024
)

// results is what this process keeps, and waits for, of durable tasks and objects. JetStream announces each when it is stored; what the
// announcement does not reach, because the connection was away or the result older, is looked for in the bucket.
type results struct {
	d     *durables
	woken chan struct{} // holds one: somebody is to be looked for at once

	mu       sync.Mutex
	awaited  map[objstore.ID]*awaitedResult
	heard    map[string]*owned // by the first token of their keys
	shutDown bool
}

type awaitedResult struct {
	settle []func(*objstore.Outcome)
	next   time.Time   // when it is to be looked for
	absent time.Time   // since when there is neither a result nor a task; zero: not as far as is known
	timer  *time.Timer // at which its time is over; nil if it has no end
}

// owned is the announcements of one owner's tasks.
type owned struct {
	sub     *bus.Subscription
	awaited int
}

func newResults(d *durables) *results {
	return &results{
		d: d, woken: make(chan struct{}, 1), awaited: make(map[objstore.ID]*awaitedResult), heard: make(map[string]*owned),
	}
}

var _ objstore.Archive = (*results)(nil)

// Await implements objstore.Archive.
func (r *results) Await(id objstore.ID, settle func(*objstore.Outcome)) {
	r.d.mu.Lock()
	_, fresh := r.d.pending[id] // nobody can have a result of it yet
	r.d.mu.Unlock()
	r.mu.Lock()
	if r.shutDown {
		r.mu.Unlock()
		settle(&objstore.Outcome{Err: bus.ErrClosed})
		return
	}
	a := r.awaited[id]
	if a == nil {
		a = &awaitedResult{}
		if fresh {
			a.next = time.Now().Add(lookAgain)
		}
		r.awaited[id] = a
		r.listen(id)
	}
	a.settle = append(a.settle, settle)
	first := len(r.awaited) == 1
	r.mu.Unlock()
	if !fresh || first {
		r.wake()
	}
}

// listen hears of an owner's results; results is locked.
func (r *results) listen(id objstore.ID) {
	token := keyOf(id)[:keyTokens]
	o := r.heard[token]
	if o == nil {
		o = &owned{}
		r.heard[token] = o
		sub, err := r.d.node.Conn.Subscribe(r.d.node.Conn.Result(token+".*"), "", r.announced)
		if err != nil {
			r.d.node.Log.Warn("results of durable tasks are only looked for", zap.Error(err))
		}
		o.sub = sub
	}
	o.awaited++
}

// forget ends what is known of a result that is awaited no more; results is locked.
func (r *results) forget(id objstore.ID) {
	delete(r.awaited, id)
	token := keyOf(id)[:keyTokens]
	o := r.heard[token]
	if o.awaited--; o.awaited > 0 || id.Owner() == r.d.node.ID { // this node may submit more
		return
	}
	delete(r.heard, token)
	if o.sub != nil {
		_ = o.sub.Unsubscribe() // its one error is that the connection is closed
	}
}

// announced takes in a result.
func (r *results) announced(msg *bus.Msg) {
	key := strings.TrimPrefix(msg.Subject, r.d.node.Conn.Result(""))
	id, err := objstore.ParseID(strings.Replace(key, ".", "", 1))
	if err != nil || bus.Ended(msg) {
		return
	}
	r.mu.Lock()
	_, wanted := r.awaited[id]
	r.mu.Unlock()
	if wanted {
		out := readRecord(msg)
		r.settle(id, &out)
	}
}

// settle gives those who wait for a result an outcome.
func (r *results) settle(id objstore.ID, out *objstore.Outcome) {
	r.mu.Lock()
	a := r.awaited[id]
	if a != nil {
		r.forget(id)
		if a.timer != nil {
			a.timer.Stop()
		}
	}
	r.mu.Unlock()
	if a != nil {
		for _, settle := range a.settle {
			settle(out)
		}
	}
}

func (r *results) wake() {
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

// serve looks for results that may have been missed.
func (r *results) serve(ctx context.Context) {
	stop := r.d.node.Conn.OnReconnect(r.lookForAll)
	defer stop()
	tick := time.NewTicker(resultsTick)
	defer tick.Stop()
	for {
		clock := tick.C
		if r.idle() {
			clock = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-r.woken:
		case <-clock:
		}
		r.lookForDue(ctx)
	}
}

// idle says whether nothing is awaited.
func (r *results) idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.awaited) == 0
}

// lookForAll has everything looked for soon.
func (r *results) lookForAll() {
	r.mu.Lock()
	for _, a := range r.awaited {
		a.next = time.Time{}
	}
	r.mu.Unlock()
	r.wake()
}

func (r *results) lookForDue(ctx context.Context) {
	now := time.Now()
	var due []objstore.ID
	r.mu.Lock()
	for id, a := range r.awaited {
		if now.After(a.next) {
			if due = append(due, id); len(due) == looksEach {
				r.wake()
				break
			}
		}
	}
	r.mu.Unlock()
	ids := make(chan objstore.ID)
	var looking sync.WaitGroup
	for range min(looksAtOnce, len(due)) {
		looking.Go(func() {
			for id := range ids {
				r.lookFor(ctx, id)
			}
		})
	}
	for _, id := range due {
		ids <- id
	}
	close(ids)
	looking.Wait()
}

// lookFor looks for one result. It is not to be had if there is none, and no task that could make it, for a while.
func (r *results) lookFor(ctx context.Context, id objstore.ID) {
	ctx, cancel := context.WithTimeout(ctx, lookAgain)
	defer cancel()
	out, task, err := r.fetch(ctx, id)
	if out != nil {
		r.settle(id, out)
		return
	}
	r.d.mu.Lock()
	_, pending := r.d.pending[id]
	r.d.mu.Unlock()
	now := time.Now()
	r.mu.Lock()
	a := r.awaited[id]
	expired := false
	switch {
	case a == nil:
	case task || pending || err != nil:
		a.absent, a.next = time.Time{}, now.Add(lookAgain)
	case a.absent.IsZero():
		a.absent, a.next = now, now.Add(absentFor)
	default:
		expired = now.Sub(a.absent) >= absentFor
		a.next = now.Add(absentFor)
	}
	r.mu.Unlock()
	if expired {
		r.settle(id, &objstore.Outcome{Err: fmt.Errorf("%w: %s", objstore.ErrExpired, id)})
	}
}

// fetch returns a result if there is one, else whether there is the task.
func (r *results) fetch(ctx context.Context, id objstore.ID) (out *objstore.Outcome, task bool, err error) {
	there, err := r.d.find(ctx)
	if !there || err != nil {
		return nil, false, err
	}
	queue, archive := r.d.stores()
	if archive == nil { // forgotten meanwhile
		return nil, true, nil
	}
	msg, err := archive.Get(ctx, keyOf(id))
	if err != nil {
		return nil, false, err
	}
	if msg != nil {
		out := readRecord(msg)
		return &out, false, nil
	}
	stored, err := queue.Find(ctx, r.d.node.Conn.Durable("*", keyOf(id)))
	return nil, stored != nil, err
}

// Keep implements objstore.Archive.
func (r *results) Keep(ctx context.Context, id objstore.ID, out *objstore.Outcome, ttl time.Duration) error {
	record := recordOf(out)
	for again := false; ; again = true {
		if err := r.d.open(ctx); err != nil {
			return err
		}
		_, archive := r.d.stores()
		if archive == nil { // forgotten meanwhile
			continue
		}
		err := r.d.publisher.Store(ctx, archive.First(keyOf(id), record, ttl))
		switch {
		case errors.Is(err, bus.ErrExists): // sent again, and the first copy had come
			return nil
		case errors.Is(err, bus.ErrNoStream) && !again: // its server has lost it
			r.d.reopen()
			continue
		case err != nil:
			return fmt.Errorf("bucket %s: %w", r.d.node.Conn.ResultsTable(), err)
		}
		return nil
	}
}

// close fails what is awaited.
func (r *results) close() {
	r.mu.Lock()
	r.shutDown = true
	left := r.awaited
	r.awaited = make(map[objstore.ID]*awaitedResult)
	for _, o := range r.heard {
		if o.sub != nil {
			_ = o.sub.Unsubscribe() // its one error is that the connection is closed
		}
	}
	r.mu.Unlock()
	for _, a := range left {
		if a.timer != nil {
			a.timer.Stop()
		}
		for _, settle := range a.settle {
			settle(&objstore.Outcome{Err: bus.ErrClosed})
		}
	}
}
