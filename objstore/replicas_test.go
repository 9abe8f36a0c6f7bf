package objstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"manta/node/nodetest"
	"manta/objstore"
)

// lossPatience bounds a read or an upload that meets the loss of a server, which takes a few seconds to be noticed.
const lossPatience = 60 * time.Second

func TestNobodyMissesAServerOfThree(t *testing.T) {
	uploads, reads, size := 50, 200, mebibyte
	if testing.Short() {
		uploads, reads = 10, 40
	}
	c := nodetest.Start(t, 3, nodetest.Routed())
	lead(t, c)                                         // the server that is lost has the bucket's leader
	stored := make([]objstore.Ref[[]float64], reads/2) // each is read by both nodes whose servers stay
	for i := range stored {
		stored[i] = objstore.Put(c.Context(1+i%2), numbered(i, size/4))
	}
	ctx, cancel := context.WithTimeout(t.Context(), lossPatience)
	defer cancel()
	for i := range 2 {
		if err := c.Node(1 + i).Drain(ctx); err != nil {
			t.Fatal(err)
		}
	}
	var work sync.WaitGroup
	begun := make(chan struct{}, reads+uploads)
	run := func(what string, do func() error) {
		work.Go(func() {
			if err := do(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			begun <- struct{}{}
		})
	}
	rising := make([]objstore.Ref[[]float64], uploads)
	for i := range rising {
		rising[i] = objstore.Put(c.Context(1+i%2), numbered(1000+i, size))
		run(fmt.Sprintf("storing object %d", i), func() error { return within(c.Context(1+i%2), rising[i].Stored) })
	}
	for i, r := range stored {
		for _, reader := range []int{1, 2} {
			run(fmt.Sprintf("node %d reading object %d", reader, i), func() error {
				return within(c.Context(reader), func(ctx context.Context) error { return check(ctx, r, i, size/4) })
			})
		}
	}
	for range (reads + uploads) / 10 { // all are under way, and most of them have yet to end
		<-begun
	}
	c.KillServer(0)
	work.Wait()
	for i, r := range rising {
		if err := within(c.Context(2-i%2), func(ctx context.Context) error { return check(ctx, r, 1000+i, size) }); err != nil {
			t.Errorf("object %d, which was stored meanwhile: %v", i, err)
		}
	}
}

// lead makes the server of node 0 the leader of the bucket's stream.
func lead(t *testing.T, c *nodetest.Cluster) {
	t.Helper()
	nc := c.Connect() // to that server
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	const stream = "OBJ_manta_default_objects"
	leads := func() bool {
		found, err := js.Stream(t.Context(), stream)
		return err == nil && found.CachedInfo().Cluster.Leader == nc.ConnectedServerName()
	}
	c.Await("node 0's server leads", func() bool {
		if leads() {
			return true
		}
		_, _ = nc.Request("$JS.API.STREAM.LEADER.STEPDOWN."+stream,
			fmt.Appendf(nil, `{"placement":{"preferred":%q}}`, nc.ConnectedServerName()), time.Second) // it is asked again
		return false
	})
}

// numbered returns n numbers that no other i has.
func numbered(i, n int) []float64 {
	v := make([]float64, n)
	for j := range v {
		v[j] = float64(i*n + j)
	}
	return v
}

func check(ctx context.Context, r objstore.Ref[[]float64], i, n int) error {
	got, err := r.Get(ctx)
	if err != nil {
		return err
	}
	if len(got) != n {
		return fmt.Errorf("%d numbers were read, want %d", len(got), n)
	}
	for j, v := range got {
		if v != float64(i*n+j) {
			return fmt.Errorf("number %d is %v, want %v", j, v, float64(i*n+j))
		}
	}
	return nil
}

func within(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, lossPatience)
	defer cancel()
	return do(ctx)
}
