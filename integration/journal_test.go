package integration

import (
	"bufio"
	"io"
	"sync"
	"testing"
	"time"
)

// patience is what a test waits for something that must come. It is far more than anything needs.
const patience = 2 * time.Minute

// A journal is what a child process has said so far, in order.
type journal[E any] struct {
	mu      sync.Mutex
	entries []E
	changed chan struct{} // closed with the next entry
	ended   chan struct{} // closed when there will be no more
}

func newJournal[E any]() *journal[E] {
	return &journal[E]{changed: make(chan struct{}), ended: make(chan struct{})}
}

// record makes an entry of every line until there are no more.
func (j *journal[E]) record(lines io.Reader, entry func(line []byte) E) {
	defer close(j.ended)
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		e := entry(scanner.Bytes())
		j.mu.Lock()
		j.entries = append(j.entries, e)
		close(j.changed)
		j.changed = make(chan struct{})
		j.mu.Unlock()
	}
}

// look returns what there is, and a channel that is closed when there is more.
func (j *journal[E]) look() (entries []E, more <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.entries[:len(j.entries):len(j.entries)], j.changed
}

func (j *journal[E]) all() []E {
	entries, _ := j.look()
	return entries
}

// await waits until there is enough, and returns all that there is then. what is what the test misses if it never comes.
func (j *journal[E]) await(t *testing.T, what string, enough func([]E) bool) []E {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for last := false; ; {
		entries, more := j.look()
		if enough(entries) {
			return entries
		}
		if last {
			t.Fatalf("the process has ended without %s", what)
		}
		select {
		case <-more:
		case <-j.ended:
			last = true
		case <-deadline.C:
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}
