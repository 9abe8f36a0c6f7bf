package call

import (
	"slices"
	"sync"

	"manta/objstore"
)

// Finished collects outcomes while a mutex is held, and hands them out when it is released: whoever waits for an outcome may
// call back into what the mutex guards.
type Finished struct {
	first ending // most often the only one, which so costs no allocation
	more  []ending
}

type ending struct {
	call    *Call
	outcome *objstore.Outcome
}

// Add notes the outcome of a call; the mutex is held.
func (f *Finished) Add(c *Call, out *objstore.Outcome) {
	if f.first.call == nil {
		f.first = ending{c, out}
		return
	}
	f.more = append(f.more, ending{c, out})
}

// Grow makes room for n more outcomes.
func (f *Finished) Grow(n int) {
	if n > 1 {
		f.more = slices.Grow(f.more, n-1)
	}
}

// Unlock releases the mutex and hands out what was noted.
func (f *Finished) Unlock(mu *sync.Mutex) {
	first, more := f.first, f.more
	*f = Finished{}
	mu.Unlock()
	if first.call == nil {
		return
	}
	first.call.Finish(first.outcome)
	for _, e := range more {
		e.call.Finish(e.outcome)
	}
}
