package task

import "container/heap"

// pauses is the tasks of an owner that failed and wait to be tried again, the one that is due first at the top. It is a plain
// data structure without clock, goroutine or network.
type pauses struct {
	heap pauseHeap
	of   map[*submission]*pause
}

// pause is one of them.
type pause struct {
	task  *submission
	until moment
	after *Error // what the attempt before it failed with
	place int    // in the heap
}

// add has a task wait, and says whether it is the one that is due first.
func (p *pauses) add(s *submission, until moment, after *Error) (first bool) {
	if p.of == nil {
		p.of = make(map[*submission]*pause)
	}
	w := &pause{task: s, until: until, after: after}
	p.of[s] = w
	heap.Push(&p.heap, w)
	return w.place == 0
}

// drop ends the wait of a task, nil if it does not wait.
func (p *pauses) drop(s *submission) *pause {
	w := p.of[s]
	if w != nil {
		heap.Remove(&p.heap, w.place)
		delete(p.of, s)
	}
	return w
}

// due ends the wait of the next task that has waited long enough, nil if there is none.
func (p *pauses) due(now moment) *submission {
	if len(p.heap) == 0 || p.heap[0].until > now {
		return nil
	}
	return p.drop(p.heap[0].task).task
}

// next is when the next task is due; false if none waits.
func (p *pauses) next() (moment, bool) {
	if len(p.heap) == 0 {
		return 0, false
	}
	return p.heap[0].until, true
}

// pauseHeap implements heap.Interface.
type pauseHeap []*pause

func (h pauseHeap) Len() int           { return len(h) }
func (h pauseHeap) Less(i, j int) bool { return h[i].until < h[j].until }
func (h pauseHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *pauseHeap) Push(w any) {
	w.(*pause).place = len(*h)
	*h = append(*h, w.(*pause))
}

func (h *pauseHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return w
}
