package task

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// unheardFor is how long the network may stay unheard before tasks wait for it, and how long after it was heard the next look begins.
const unheardFor = 200 * time.Microsecond

// breath sees to it that Go listens to the network while tasks follow one another on every core. Go asks the operating system what has
// arrived when a core has nothing to run, and otherwise every 10 ms at best. So a pipe is written to, which is heard exactly when
// the network is; while it is not, goroutines between two tasks hold their breath until a core has nothing to run.
type breath struct {
	in, out *os.File
	asked   atomic.Int64 // the moment at which the pipe was written to; 0 if it is empty
	heard   atomic.Int64 // the moment at which it was last found empty

	mu   sync.Mutex
	over chan struct{} // closed when what the pipe holds is heard; nil if nobody waits for that
	shut bool
}

func newBreath() (*breath, error) {
	in, out, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("a pipe to notice an unheard network: %w", err)
	}
	return &breath{in: in, out: out}, nil
}

// take is called between two tasks.
func (b *breath) take(now moment) {
	asked := b.asked.Load()
	switch {
	case asked == 0:
		if now-moment(b.heard.Load()) >= unheardFor && b.asked.CompareAndSwap(0, int64(now)) {
			_, _ = b.out.Write([]byte{0}) // it fails when the host closes, and then nobody waits
		}
	case now-moment(asked) >= unheardFor:
		b.hold()
	}
}

// hold waits until the network has been heard.
func (b *breath) hold() {
	b.mu.Lock()
	if b.shut || b.asked.Load() == 0 {
		b.mu.Unlock()
		return
	}
	if b.over == nil {
		b.over = make(chan struct{})
	}
	over := b.over
	b.mu.Unlock()
	<-over
}

// listen hears the pipe until it is closed. now is the time.
func (b *breath) listen(now func() moment) {
	for one := make([]byte, 1); ; {
		_, err := b.in.Read(one)
		b.mu.Lock()
		b.heard.Store(int64(now()))
		b.asked.Store(0)
		b.shut = err != nil
		if b.over != nil {
			close(b.over)
			b.over = nil
		}
		b.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// close ends listen.
func (b *breath) close() {
	_ = b.in.Close() // their one error is that they are closed
	_ = b.out.Close()
}
