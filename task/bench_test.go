package task_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"manta/node/embedded"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

var benched = task.Define("benched", func(_ context.Context, n int) (int, error) { return n, nil })

// backlog is how many tasks or requests of the pipelined benchmarks are one operation.
const backlog = 100_000

// The baseline of BenchmarkTaskSync: a request by nats.go over the same kind of in-process connections.
func BenchmarkRawSync(b *testing.B) {
	nc := echoServer(b)
	for b.Loop() {
		if _, err := nc.Request("echo", make([]byte, 16), time.Minute); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTaskSync(b *testing.B) {
	ctx := nodetest.Start(b, 1).Context(0)
	for b.Loop() {
		if _, err := benched.Call(ctx, 7); err != nil {
			b.Fatal(err)
		}
	}
}

// The baseline of BenchmarkTasksAsync: requests with one reply subject, all sent before the first reply is awaited.
func BenchmarkRawAsync(b *testing.B) {
	nc := echoServer(b)
	replies := make(chan *nats.Msg, backlog)
	if _, err := nc.ChanSubscribe("replies", replies); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for range backlog {
			if err := nc.PublishRequest("echo", "replies", make([]byte, 16)); err != nil {
				b.Fatal(err)
			}
		}
		for range backlog {
			<-replies
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/backlog, "ns/request")
}

func BenchmarkTasksAsync(b *testing.B) {
	ctx := nodetest.Start(b, 1).Context(0)
	args := make([]int, backlog)
	for b.Loop() {
		if _, err := objstore.GetAll(ctx, benched.Map(ctx, args)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/backlog, "ns/task")
}

// echoServer returns a client of a server on which a second client answers requests to "echo" in a queue group.
func echoServer(b *testing.B) *nats.Conn {
	srv, err := embedded.RunServer(embedded.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(srv.Close)
	var clients [2]*nats.Conn
	for i := range clients {
		if clients[i], err = nats.Connect("", nats.InProcessServer(srv)); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(clients[i].Close)
	}
	if _, err := clients[0].QueueSubscribe("echo", "workers", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		b.Fatal(err)
	}
	if err := clients[0].Flush(); err != nil {
		b.Fatal(err)
	}
	return clients[1]
}
