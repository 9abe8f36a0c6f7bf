package objstore

import (
	"runtime"
	"runtime/metrics"
)

// lullTicks is for how many sweeps, of a second each, nothing may be collected in a process that has made or got refs.
const lullTicks = 30

// lull is how long the runtime has collected nothing: a process that does nothing would tell nobody what it has dropped, and keep alive
// what others own.
type lull struct {
	sample [1]metrics.Sample
	cycles uint64 // the runtime's
	ticks  int    // sweeps since the last of them
	marked uint64 // refs made and got so far, when it was last had to collect
}

// nudge has the runtime collect after a while in which it has not, if there may be something to tell.
func (s *Store) nudge() {
	l := &s.lull
	l.sample[0].Name = "/gc/cycles/total:gc-cycles"
	metrics.Read(l.sample[:])
	s.mu.Lock()
	refs := s.version + s.last.Load()
	s.mu.Unlock()
	if cycles := l.sample[0].Value.Uint64(); cycles != l.cycles {
		l.cycles, l.ticks = cycles, 0
		return
	}
	if l.ticks++; l.ticks >= lullTicks && refs != l.marked {
		l.ticks, l.marked = 0, refs
		runtime.GC()
	}
}
