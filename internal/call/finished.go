package call

import (
	"slices"
	"sync"

	"manta/objstore"
)

// Finished collects outcomes while a mutex is held, and hands them out when it is released: whoever waits for an outcome may
// call back into what the mutex guards.
type Finished struct{ endings []ending }

type ending struct {
	call    *Call
	outcome *objstore.Outcome
}

// Add notes the outcome of a call; the mutex is held.
func (f *Finished) Add(c *Call, out *objstore.Outcome) { f.endings = append(f.endings, ending{c, out}) }

// Grow makes room for n more outcomes.
func (f *Finished) Grow(n int) { f.endings = slices.Grow(f.endings, n) }

// Unlock releases the mutex and hands out what was noted.
func (f *Finished) Unlock(mu *sync.Mutex) {
	endings := f.endings
	f.endings = nil
	mu.Unlock()
	for _, e := range endings {
		e.call.Finish(e.outcome)
	}
}
