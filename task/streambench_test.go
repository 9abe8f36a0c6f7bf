package task_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"manta/node"
	"manta/node/nodetest"
	"manta/task"
)

// A stream's items beside plain publishing of messages of that size, received by a callback on another connection of the same server.
func BenchmarkStream(b *testing.B) {
	for _, bench := range []struct {
		name string
		opts []task.Option
	}{
		{"16 ahead", nil},
		{"256 ahead", []task.Option{task.Ahead(256)}},
		{"4096 ahead", []task.Option{task.Ahead(4096)}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			c := nodetest.Start(b, 2, nodetest.Configure(clientsOfNode1))
			b.ResetTimer()
			for _, err := range upTo.With(bench.opts...).Stream(c.Context(0), b.N) {
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
		})
	}
	b.Run("plain publish", func(b *testing.B) {
		var inside []nats.Option
		nodetest.Start(b, 1, nodetest.Configure(func(_ int, cfg *node.Config) { inside = cfg.Options }))
		var nc [2]*nats.Conn
		for i := range nc {
			var err error
			if nc[i], err = nats.Connect(nats.DefaultURL, inside...); err != nil {
				b.Fatal(err)
			}
			defer nc[i].Close()
		}
		all := make(chan struct{})
		came := 0
		sub, err := nc[0].Subscribe("items", func(*nats.Msg) {
			if came++; came == b.N {
				close(all)
			}
		})
		if err != nil {
			b.Fatal(err)
		}
		if err := nc[0].Flush(); err != nil {
			b.Fatal(err)
		}
		if err := sub.SetPendingLimits(-1, -1); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		for range b.N {
			if err := nc[1].Publish("items", make([]byte, 16)); err != nil {
				b.Fatal(err)
			}
		}
		<-all
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
	})
}

// Short streams, one after the other: what a stream costs beside its items.
func BenchmarkShortStreams(b *testing.B) {
	c := nodetest.Start(b, 2, nodetest.Configure(clientsOfNode1))
	begun := time.Now()
	for range b.N {
		for _, err := range upTo.Stream(c.Context(0), 5) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(time.Since(begun).Microseconds())/float64(b.N), "us/stream")
}
