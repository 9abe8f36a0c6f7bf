package task

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"manta/internal/member"
)

// unheardFor is how long the network may stay unheard before tasks wait for it, and how long after it was heard the next look begins.
const unheardFor = 200 * time.Microsecond

// breath sees to it that Go listens to the network while tasks follow one another on every core. Go asks the operating system what has
// arrived when a core has nothing to run, and otherwise every 10 ms at best. So now and then a byte is sent through a pipe to a goroutine that
// waits for it: it comes when Go listens. Is that not soon, goroutines hold their breath between two tasks, until a core has nothing to run.
//
// Nobody reads the pipe for longer than that takes: such a wait would stop the clock of a synctest bubble.
type breath struct {
	group   *member.Group
	in, out *os.File
	asked   atomic.Int64 // the moment at which the byte was sent that is under way; 0 if none is
	heard   atomic.Int64 // the moment at which the last one came

	mu   sync.Mutex
	over chan struct{} // closed when the byte has come; nil if nobody waits for that
}

func newBreath(group *member.Group) (*breath, error) {
	in, out, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("a pipe to notice an unheard network: %w", err)
	}
	return &breath{group: group, in: in, out: out}, nil
}

// take is called between two tasks. now is the time.
func (b *breath) take(now func() moment) {
	at := now()
	switch asked := b.asked.Load(); {
	case asked != 0 && at-moment(asked) >= unheardFor:
		b.hold()
	case asked == 0 && at-moment(b.heard.Load()) >= unheardFor && b.asked.CompareAndSwap(0, int64(at)):
		b.group.Go(func(context.Context) { b.listen(now) })
	}
}

// listen waits until Go has listened to the network.
func (b *breath) listen(now func() moment) {
	b.group.Go(func(context.Context) { _, _ = b.out.Write([]byte{0}) }) // it runs next, when this goroutine waits; an error ends that wait too
	_, _ = b.in.Read(make([]byte, 1))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard.Store(int64(now()))
	b.asked.Store(0)
	if b.over != nil {
		close(b.over)
		b.over = nil
	}
}

// hold waits until somebody else has listened, or the host is closed.
func (b *breath) hold() {
	b.mu.Lock()
	if b.asked.Load() == 0 {
		b.mu.Unlock()
		return
	}
	if b.over == nil {
		b.over = make(chan struct{})
	}
	over := b.over
	b.mu.Unlock()
	select {
	case <-over:
	case <-b.group.Context().Done():
	}
}

// close ends listen. The group is stopped next.
func (b *breath) close() {
	_ = b.in.Close() // their one error is that they are closed
	_ = b.out.Close()
}
