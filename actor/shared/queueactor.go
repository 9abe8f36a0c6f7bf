package shared

import (
	"context"
	"fmt"
	"sync"

	"manta/task"
)

// queue is the actor behind a Queue.
type queue struct {
	Capacity int

	mu   sync.Mutex
	fifo *fifo
}

// putting is a call of Put.
type putting struct {
	Ticket ticket `json:"ticket"`
	Items  []item `json:"items"`
	Wait   bool   `json:"wait"`
}

// taking is a call of Take, and taken its answer.
type taking struct {
	Ticket ticket `json:"ticket"`
	Count  int    `json:"count"`
	Wait   bool   `json:"wait"`
}

type taken struct {
	Verdict verdict `json:"verdict"`
	Items   []item  `json:"items"`
}

// glance is what a queue looks like at a moment.
type glance struct {
	Len      int `json:"len"`
	Capacity int `json:"capacity"`
}

// Start makes the queue.
func (q *queue) Start(ctx context.Context) error {
	if q.Capacity < 0 {
		return fmt.Errorf("a queue with a capacity of %d: want 0 for any number of items, or a number from 1", q.Capacity)
	}
	q.fifo = newFIFO(q.Capacity)
	return attend(ctx, &q.mu, q.fifo)
}

// Put puts items into the queue.
func (q *queue) Put(ctx context.Context, p putting) (verdict, error) {
	w := newWaiter(p.Ticket, len(p.Items))
	w.items = p.Items
	q.do(func() { q.fifo.put(w, p.Wait) })
	return q.await(ctx, w)
}

// Take takes items out of the queue, into the ticket's hand.
func (q *queue) Take(ctx context.Context, t taking) (taken, error) {
	w := newWaiter(t.Ticket, t.Count)
	q.do(func() { q.fifo.take(w, t.Wait) })
	v, err := q.await(ctx, w)
	got := taken{Verdict: v}
	if err == nil && v == granted {
		q.do(func() {
			for _, e := range q.fifo.hand[t.Ticket] { // nothing, if it was withdrawn meanwhile
				got.Items = append(got.Items, e.item)
			}
		})
		if len(got.Items) < t.Count {
			got.Verdict = withdrawn
		}
	}
	return got, err
}

// await waits for a verdict.
func (q *queue) await(ctx context.Context, w *waiter) (verdict, error) {
	return w.await(ctx, func() { q.do(func() { q.fifo.withdraw(w.ticket) }) })
}

// Confirm says whether the ticket's items were kept for it, and lets go of them.
func (q *queue) Confirm(_ context.Context, t ticket) (held bool, err error) {
	q.do(func() { held = q.fifo.confirm(t) })
	return held, nil
}

// Withdraw undoes what a ticket was for.
func (q *queue) Withdraw(_ context.Context, t ticket) (task.None, error) {
	q.do(func() { q.fifo.withdraw(t) })
	return task.None{}, nil
}

// Shutdown takes no more items.
func (q *queue) Shutdown(context.Context) (task.None, error) {
	q.do(q.fifo.shutdown)
	return task.None{}, nil
}

// Look tells how full the queue is.
func (q *queue) Look(context.Context) (g glance, err error) {
	q.do(func() { g = glance{len(q.fifo.entries), q.Capacity} })
	return g, nil
}

func (q *queue) do(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f()
}
