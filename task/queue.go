package task

import (
	"iter"
	"slices"
)

// queue is a backlog: first in, first out, with a way back to the front. Submissions that have ended stay in it until they
// come to the front, or are most of it.
type queue struct {
	front []*submission // returned ones, the last one first
	rest  []*submission
	head  int // of rest
	ended int // how many in it have ended
}

func (q *queue) push(s *submission)      { q.rest = append(q.rest, s) }
func (q *queue) pushFront(s *submission) { q.front = append(q.front, s) }

// len is how many are in it, ended ones included.
func (q *queue) len() int { return len(q.front) + len(q.rest) - q.head }

// empty drops submissions that have ended at the front and says whether anything is left.
func (q *queue) empty() bool {
	for {
		s := q.peek()
		if s == nil {
			return true
		}
		if !s.ended {
			return false
		}
		q.pop()
		q.ended = max(q.ended-1, 0)
	}
}

// endedLimit is how many that have ended may stay in any case.
const endedLimit = 256

// oneEnded notes that a submission in it has ended.
func (q *queue) oneEnded() {
	if q.ended++; q.ended > endedLimit && q.ended > q.len()/2 {
		over := func(s *submission) bool { return s.ended }
		q.front, q.rest = slices.DeleteFunc(q.front, over), slices.DeleteFunc(q.rest[q.head:], over)
		q.head, q.ended = 0, 0
	}
}

// all returns the submissions in it, in order, those that have ended too.
func (q *queue) all() iter.Seq[*submission] {
	return func(yield func(*submission) bool) {
		for _, s := range slices.Backward(q.front) {
			if !yield(s) {
				return
			}
		}
		for _, s := range q.rest[q.head:] {
			if !yield(s) {
				return
			}
		}
	}
}

func (q *queue) peek() *submission {
	switch {
	case len(q.front) > 0:
		return q.front[len(q.front)-1]
	case q.head < len(q.rest):
		return q.rest[q.head]
	default:
		return nil
	}
}

// pop returns the first submission; there must be one.
func (q *queue) pop() *submission {
	if n := len(q.front); n > 0 {
		s := q.front[n-1]
		q.front[n-1] = nil
		q.front = q.front[:n-1]
		return s
	}
	s := q.rest[q.head]
	q.rest[q.head] = nil
	q.head++
	if q.head*2 >= len(q.rest) { // more holes than submissions: close ranks, at a constant cost each
		n := copy(q.rest, q.rest[q.head:])
		clear(q.rest[n:])
		q.rest, q.head = q.rest[:n], 0
	}
	return s
}

// drain empties the queue and returns what was in it, in order.
func (q *queue) drain() (all []*submission) {
	for !q.empty() {
		all = append(all, q.pop())
	}
	return all
}
