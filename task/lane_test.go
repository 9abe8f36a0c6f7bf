package task

import (
	"testing"
	"time"
)

func TestALaneWhoseBacklogWasGivenUpSendsWhatComesNext(t *testing.T) {
	w := newWorld(1)
	o := w.addOwner()
	l := o.lane(needs(1))
	for range 3 {
		o.submit(l, time.Millisecond, 0)
	}
	w.run(w.now + time.Second)
	if len(o.failed) != 3 || o.looking {
		t.Fatalf("%d of 3 failed, and the lane is looked after: %v", len(o.failed), o.looking)
	}
	w.addHost(cpus(1))
	n := o.submit(l, time.Millisecond, 0)
	if l.door == nil {
		t.Error("it does not knock")
	}
	w.run(w.now + time.Second)
	if o.results[n] != 1 || o.failed[n] {
		t.Errorf("it has %d outcomes", o.results[n])
	}
}
