package actor

import "slices"

// fifo is a queue, first in, first out, in memory that is used again.
type fifo[T any] struct {
	memory []T
	gone   int // of memory: they have left
}

// spareRoom is how many things an empty queue keeps room for.
const spareRoom = 16

func (q *fifo[T]) push(v T) {
	if n := len(q.memory); n == cap(q.memory) {
		q.memory = slices.Grow(q.memory, n) // append alone would copy a long queue four times
	}
	q.memory = append(q.memory, v)
}

func (q *fifo[T]) len() int { return len(q.memory) - q.gone }

// all returns what is in the queue, in order, until that changes.
func (q *fifo[T]) all() []T { return q.memory[q.gone:] }

// first returns what stands first; there must be something.
func (q *fifo[T]) first() T { return q.memory[q.gone] }

// pop takes out what stands first; there must be something.
func (q *fifo[T]) pop() (first T) {
	first = q.memory[q.gone]
	clear(q.memory[q.gone : q.gone+1])
	q.gone++
	switch left := q.len(); {
	case left == 0 && cap(q.memory) > spareRoom:
		*q = fifo[T]{}
	case q.gone >= left: // as much has left as is there: the others move up, at a constant cost each
		copy(q.memory, q.all())
		clear(q.memory[left:])
		q.memory, q.gone = q.memory[:left], 0
	}
	return first
}

// cut takes out all from the given place in the queue on.
func (q *fifo[T]) cut(i int) {
	clear(q.memory[q.gone+i:])
	q.memory = q.memory[:q.gone+i]
}

// prune takes out what f says.
func (q *fifo[T]) prune(f func(T) bool) {
	q.memory = slices.Delete(q.memory, 0, q.gone)
	q.memory, q.gone = slices.DeleteFunc(q.memory, f), 0
}
