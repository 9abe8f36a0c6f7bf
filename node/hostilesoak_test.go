package node_test

import (
	"context"
	"flag"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/bus"
	"manta/node"
	"manta/node/nodetest"
)

var hostile = flag.Int("hostile", 20_000, "how many random requests a node gets")

// captured is what a siege's doors get, and what nodes say to each other, while they call what they serve: what garbage is made of. It is said in the
// nodes' own names.
func (s siege) captured() []*nats.Msg {
	s.t.Helper()
	var mu sync.Mutex
	seen := make(map[string]*nats.Msg)
	sub, err := s.nc.Subscribe("manta.default.>", func(msg *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		kind := ""
		if bus.IsFrame(msg.Data) {
			kind = string(msg.Data[:min(3, len(msg.Data))])
		}
		if len(seen) < 1000 && len(msg.Data) < 64<<10 {
			seen[msg.Subject+kind] = msg
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for range 3 {
		s.callAll()
	}
	if err := s.nc.Flush(); err != nil {
		s.t.Fatal(err)
	}
	if err := sub.Unsubscribe(); err != nil {
		s.t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	var all []*nats.Msg
	for _, key := range slices.Sorted(maps.Keys(seen)) {
		all = append(all, seen[key])
	}
	return all
}

// mutated is data with some of it changed, cut off, repeated or made up.
func mutated(rnd *rand.Rand, data []byte) []byte {
	data = slices.Clone(data)
	for range rnd.IntN(4) {
		at := 0
		if len(data) > 0 {
			at = rnd.IntN(len(data))
		}
		switch rnd.IntN(7) {
		case 0:
			data = data[:at]
		case 1:
			data = append(data, data[at:]...)
		case 2:
			data = slices.Insert(data, at, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01) // the largest number
		case 3:
			data = slices.Insert(data, at, byte(rnd.Uint32()))
		case 4:
			junk := make([]byte, rnd.IntN(64))
			for i := range junk {
				junk[i] = byte(rnd.Uint32())
			}
			data = append(data[:at], junk...)
		default:
			if len(data) > 0 {
				data[at] ^= 1 << rnd.IntN(8)
			}
		}
		data = data[:min(len(data), 128<<10)]
	}
	return data
}

// plainly are requests of clients that are about right.
var plainly = []*nats.Msg{
	{Subject: "manta.default.task.echo", Data: []byte(`{"a":[1,"x",null]}`)},
	{Subject: "manta.default.task.echo", Data: []byte("\x82\xa1a\x92\x01\xa1x\xa1b\xd8\x4d0123456789abcdef"), Header: nats.Header{"Content-Type": {"application/msgpack"}}},
	{Subject: "manta.default.task.pair", Data: []byte("[3,4]"), Header: nats.Header{"Manta-Deadline": {"1.5s"}}},
	{Subject: "manta.default.task.numbers", Data: []byte("5"), Header: nats.Header{"Manta-Stream": {"1"}, "Manta-Ahead": {"3"}}},
	{Subject: "manta.default.call.keeper.nobody.Keep", Data: []byte("1")},
	{Subject: "manta.default.work.echo"}, {Subject: "manta.default.holders"}, {Subject: "manta.default.freed"},
}

// assault sends n messages made of others.
func (s siege) assault(rnd *rand.Rand, seeds []*nats.Msg, n int) {
	s.t.Helper()
	for i := range n {
		from, to := seeds[rnd.IntN(len(seeds))], seeds[rnd.IntN(len(seeds))]
		if rnd.IntN(4) > 0 {
			to = from
		}
		msg := &nats.Msg{Subject: to.Subject, Data: mutated(rnd, from.Data), Header: from.Header}
		switch rnd.IntN(8) {
		case 0: // none
		case 1:
			msg.Reply = seeds[rnd.IntN(len(seeds))].Subject
		case 2:
			msg.Reply = "nowhere"
		case 3:
			msg.Reply = from.Reply
		default:
			msg.Reply = "strangers.x"
		}
		if from.Header != nil && rnd.IntN(2) == 0 {
			msg.Header = nats.Header{}
			for key, values := range from.Header {
				msg.Header.Set(key, string(mutated(rnd, []byte(values[0]))))
			}
		}
		if word := bus.LastToken(msg.Subject); word == "stop" || word == "kill" || strings.ContainsAny(msg.Subject, " \r\n") {
			continue
		}
		if err := s.nc.PublishMsg(msg); err != nil {
			s.t.Fatalf("%q: %v", msg.Subject, err)
		}
		if i%500 == 499 { // no faster than the nodes read: what is dropped on the way is no test of them
			for node := range s.nodes {
				if _, err := s.nc.Request("manta.default.node."+s.c.Node(node).ID()+".why", []byte("x"), time.Minute); err != nil {
					s.t.Fatalf("after %d requests node %d does not answer: %v", i+1, node, err)
				}
			}
		}
	}
}

// keepCalling calls what is served until stop is closed, on all nodes. What comes of that is no matter as long as something does.
func (s siege) keepCalling(stop <-chan struct{}) (wait func()) {
	var calling sync.WaitGroup
	var done, failed atomic.Int64
	const callers = 4 // on each node
	for n := range callers * s.nodes {
		calling.Go(func() {
			i, j := n%s.nodes, n/s.nodes%s.nodes
			for {
				for _, d := range s.deeds(i, j) {
					select {
					case <-stop:
						return
					default:
					}
					ctx, cancel := context.WithTimeout(s.c.Context(i), d.within)
					err := d.do(ctx)
					if done.Add(1); err != nil {
						failed.Add(1)
					}
					if ctx.Err() != nil {
						s.t.Errorf("under fire, %s from node %d at node %d does not end: %v", d.name, i, j, err)
					}
					cancel()
				}
			}
		})
	}
	return func() {
		calling.Wait()
		s.t.Logf("%d calls were made under fire, %d failed", done.Load(), failed.Load())
	}
}

func TestNodesOutliveRandomRequests(t *testing.T) {
	// Some of what comes is valid: actors that strangers make stay, and are to leave room.
	// What strangers have stored stays, up to the quota, and values that nobody fetched stay in the cache; neither is to count as memory.
	lean := nodetest.Configure(func(_ int, cfg *node.Config) { cfg.Storage, cfg.CacheBytes = jetstream.FileStorage, 16<<20 })
	s := besiege(t, 2, nodetest.CPUs(1e6), lean)
	seeds := append(s.captured(), plainly...)
	if len(seeds) < 60 {
		t.Fatalf("%d kinds of messages were heard", len(seeds))
	}
	runtime.GC()
	goroutines, heap := runtime.NumGoroutine(), heapBytes()
	seed := uint64(time.Now().UnixNano())
	t.Logf("%d requests of %d kinds, random with seed %d", *hostile, len(seeds), seed)
	answered, err := s.nc.Subscribe("strangers.>", func(*nats.Msg) {})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	wait := s.keepCalling(stop)
	s.assault(rand.New(rand.NewPCG(seed, 0)), seeds, *hostile)
	close(stop)
	wait()
	if err := answered.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d were rejected", s.rejected())
	if s.rejected() < int64(*hostile/20) {
		t.Error("too few were garbage to be a test")
	}
	s.callAll()
	const idle = 320 // goroutines that wait for more work, of tasks and of actors
	awaitSoon(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines+idle })
	const room = 128 << 20 // what is kept of frames for a minute, to be sent again
	awaitSoon(t, "memory is free again", func() bool { runtime.GC(); return heapBytes() <= heap+room })
}

// awaitSoon waits for what a node ends by itself: what strangers began waits for a minute for their word.
func awaitSoon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for begun := time.Now(); !holds(); <-look.C {
		if time.Since(begun) > 3*time.Minute {
			t.Fatalf("%s: not within 3 minutes: %d goroutines, %d bytes", what, runtime.NumGoroutine(), heapBytes())
		}
	}
}

func heapBytes() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
