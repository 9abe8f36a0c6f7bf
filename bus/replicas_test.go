package bus_test

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/freeport"
)

func portOf(t *testing.T, srv *server.Server) int {
	t.Helper()
	_, text, err := net.SplitHostPort(srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// runCluster starts three servers that are joined by routes, and waits until they have a JetStream leader.
func runCluster(t *testing.T) *server.Server {
	t.Helper()
	var routes []*url.URL // each server knows all: one without any would not wait for others
	addresses, err := freeport.Loopback(3)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		routes = append(routes, &url.URL{Scheme: "nats", Host: address})
	}
	var all []*server.Server
	for i, route := range routes {
		all = append(all, beginServer(t, func(opts *server.Options) {
			opts.ServerName = fmt.Sprintf("server-%d", i)
			port, _ := strconv.Atoi(route.Port())
			opts.Cluster = server.ClusterOpts{Name: "cluster", Host: "127.0.0.1", Port: port}
			opts.Routes = routes
			opts.DontListen, opts.Host, opts.Port = false, "127.0.0.1", server.RANDOM_PORT
		}))
	}
	ready := func(srv *server.Server) bool {
		return srv.JetStreamIsLeader() && len(srv.JetStreamClusterPeers()) == len(all)
	}
	for deadline := time.Now().Add(30 * time.Second); !slices.ContainsFunc(all, ready); {
		if time.Now().After(deadline) {
			t.Fatal("the servers have not found each other")
		}
		<-time.After(10 * time.Millisecond) // a server tells nobody when it is ready
	}
	return all[0]
}

func connectWith(t *testing.T, srv *server.Server, replicas int) *bus.Conn {
	t.Helper()
	conn, err := bus.Connect(within(t, 10*time.Second), bus.Config{
		Namespace: "test", User: "tester", Storage: jetstream.MemoryStorage, Replicas: replicas,
		Options: []nats.Option{nats.InProcessServer(srv)}, Log: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func TestReplicasOfABucketAreRaisedAndNeverLowered(t *testing.T) {
	srv := runCluster(t)
	stock, ctx := stockClient(t, srv), within(t, time.Minute)
	for i, test := range []struct{ configured, want int }{{0, 1}, {3, 3}, {1, 3}} {
		conn := connectWith(t, srv, test.configured)
		if _, err := conn.OpenTable(ctx, "records"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.OpenBucket(ctx, "blobs"); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"KV_records", "OBJ_blobs"} {
			stream, err := stock.Stream(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			if got := stream.CachedInfo().Config.Replicas; got != test.want {
				t.Errorf("opening %d: %s has %d replicas, want %d", i, name, got, test.want)
			}
		}
	}
}

func TestReplicasWithoutServersForThemAreAnErrorThatSaysSo(t *testing.T) {
	conn := connectWith(t, runServer(t), 3)
	_, tableErr := conn.OpenTable(within(t, 10*time.Second), "records")
	_, bucketErr := conn.OpenBucket(within(t, 10*time.Second), "blobs")
	for _, err := range []error{tableErr, bucketErr} {
		if err == nil || !strings.Contains(err.Error(), "3 replicas") || !strings.Contains(err.Error(), "servers") {
			t.Errorf("got %v", err)
		}
	}
}
