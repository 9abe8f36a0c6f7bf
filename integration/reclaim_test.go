package integration

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/integration/process/line"
)

// memory asks what a process keeps, once what nobody needs there is collected.
func (p *process) memory() line.Event {
	p.t.Helper()
	before := len(only(p.events.all(), line.Memory, ""))
	p.tell(line.Command{Do: "memory"})
	p.some(before+1, line.Memory, "")
	return only(p.events.all(), line.Memory, "")[before]
}

// bucketOf returns how many bytes the objects at a server take in their bucket.
func bucketOf(t *testing.T, url string) func() uint64 {
	t.Helper()
	conn, err := bus.Connect(t.Context(), bus.Config{URL: url, Name: t.Name(), Namespace: "default", User: "test", Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	bucket, err := conn.OpenBucket(t.Context(), conn.ObjectsBucket())
	if err != nil {
		t.Fatal(err)
	}
	return func() uint64 {
		t.Helper()
		bytes, err := bucket.Usage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return bytes
	}
}

func TestNothingIsLeftOfObjectsThatNobodyHas(t *testing.T) {
	objects := 100_000
	if testing.Short() {
		objects = 10_000
	}
	begun := time.Now()
	c := oneServer(t, same(3, worker{cpus: 4}))
	for _, w := range c.workers {
		w.meet(3)
	}
	used := bucketOf(t, c.url)
	warm := line.Command{Do: "churn", Count: 1000, Tag: "warm"}
	for _, w := range c.workers {
		w.tell(warm)
	}
	for _, w := range c.workers {
		if done := w.done("warm"); done.Failed > 0 {
			t.Errorf("%s: %d parcels failed while nobody had died", w.name, done.Failed)
		}
	}
	settle(t, used, c.workers...)
	before := make(map[*process]int64)
	for _, w := range c.workers {
		before[w] = w.memory().Bytes
		w.tell(line.Command{Do: "churn", Count: objects / 3, Tag: "x"})
	}

	victim, survivors := c.workers[2], c.workers[:2]
	victim.first(line.Start, "x")
	victim.kill()
	t.Logf("one was killed after %v", time.Since(begun))
	for _, w := range survivors {
		if done := w.done("x"); done.OK == 0 {
			t.Errorf("%s: no parcel came through, %d failed", w.name, done.Failed)
		}
	}
	t.Logf("all were made after %v", time.Since(begun))
	settle(t, used, survivors...)
	t.Logf("all were gone after %v", time.Since(begun))
	for _, w := range survivors {
		deadline := time.Now().Add(patience)
		for after := w.memory().Bytes; after > before[w]+8<<20; after = w.memory().Bytes { // copies go a moment after what they are of
			if time.Now().After(deadline) {
				t.Fatalf("%s uses %d bytes, and used %d before", w.name, after, before[w])
			}
		}
	}
}

// settle has processes drop what they keep, and waits until nothing is left of it: neither there nor in the bucket. Nobody is told of
// that, so it asks again and again.
func settle(t *testing.T, used func() uint64, workers ...*process) {
	t.Helper()
	for _, w := range workers {
		w.tell(line.Command{Do: "clear"})
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		kept := 0
		for _, w := range workers {
			kept += w.memory().OK
		}
		bytes := used()
		switch {
		case kept == 0 && bytes == 0:
			return
		case time.Now().After(deadline):
			t.Fatalf("%d objects are still kept for others, and %d bytes are in the bucket", kept, bytes)
		}
	}
}
