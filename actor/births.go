package actor

import (
	"context"
	"sync"
	"time"

	"manta/objstore"
)

// birthsKept is how long a host remembers what has become of a request for an actor, beyond the actor's own life, and up to as long again. Whoever
// got no answer asks within seconds.
const birthsKept = time.Minute

// attempt is one request for an actor: each that gets no answer, and is known to have made none, is followed by another.
type attempt struct {
	birth  objstore.ID
	number uint16
}

// births is what a host knows of the requests for actors that it was sent, so that one whose answer was lost can be asked about. A host that is asked
// about a request before it has come does not accept it any more. Pure, but for its lock.
//
//	sent ─► under way ─► answered, and the actor lives ─► has ended
//	  └─── asked about ─► forgone
type births struct {
	mu       sync.Mutex
	underWay map[attempt]struct{}
	ended    memory[attempt, error] // why it did not start, nil if it did
	forgone  memory[attempt, struct{}]
}

func newBirths() *births { return &births{underWay: make(map[attempt]struct{})} }

// begin notes a request that has come, and says whether it may be accepted.
func (b *births) begin(a attempt) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, forgone := b.forgone.find(a); forgone {
		return false
	}
	b.underWay[a] = struct{}{}
	return true
}

// answered notes that a request is done with. Its actor, if it has one, is known to be here by then.
func (b *births) answered(a attempt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.underWay, a)
}

// end notes that an actor of this host is about to be here no more. failure is why it did not start.
func (b *births) end(a attempt, failure error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended.keep(a, failure)
}

// What has become of a request, as its host says.
type birthState int

const (
	unborn    birthState = iota // it made no actor here, and will not
	awaited                     // that is not decided yet
	wasBorn                     // it did
	stillborn                   // it did, and that did not start
)

// ask says what has become of a request. lives says whether its actor lives here.
func (b *births) ask(a attempt, lives func() bool) (state birthState, failure error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, underWay := b.underWay[a]; underWay {
		return awaited, nil
	}
	if failure, ended := b.ended.find(a); ended {
		if failure != nil {
			return stillborn, failure
		}
		return wasBorn, nil
	}
	if lives() {
		return wasBorn, nil
	}
	b.forgone.keep(a, struct{}{})
	return unborn, nil
}

// serve forgets what is old, until ctx ends.
func (b *births) serve(ctx context.Context) {
	tick := time.NewTicker(birthsKept)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.age()
		case <-ctx.Done():
			return
		}
	}
}

func (b *births) age() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended.age()
	b.forgone.age()
}

// memory keeps what it is given until it has aged twice.
type memory[K comparable, V any] struct{ fresh, old map[K]V }

func (m *memory[K, V]) keep(k K, v V) {
	if m.fresh == nil {
		m.fresh = make(map[K]V)
	}
	m.fresh[k] = v
}

func (m *memory[K, V]) find(k K) (V, bool) {
	v, ok := m.fresh[k]
	if !ok {
		v, ok = m.old[k]
	}
	return v, ok
}

func (m *memory[K, V]) age() { m.fresh, m.old = nil, m.fresh }
