package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"manta/internal/freeport"
	"manta/node"
	"manta/node/embedded"
	"manta/task"
)

var where = task.Define0("where", func(ctx context.Context) (string, error) { return task.Current(ctx).Node, nil })

// places are addresses for the servers of a cluster, and the routes to them.
func places(t *testing.T, n int) (addresses, routes []string) {
	t.Helper()
	addresses, err := freeport.Loopback(n)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		routes = append(routes, "nats://"+address)
	}
	return addresses, routes
}

// started is what a Start in a goroutine of its own came to.
type started struct {
	node *node.Node
	ctx  context.Context
	err  error
}

// begin starts a node, which may have to wait for others.
func begin(t *testing.T, cfg embedded.Config) <-chan started {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	outcome, done := make(chan started, 1), make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		n, nodeCtx, err := embedded.Start(ctx, cfg)
		outcome <- started{n, nodeCtx, err}
	}()
	return outcome
}

// cluster starts a node a config and returns when all know each other.
func cluster(t *testing.T, configs ...embedded.Config) (nodes []started) {
	t.Helper()
	var outcomes []<-chan started
	for _, cfg := range configs {
		outcomes = append(outcomes, begin(t, cfg))
	}
	for i, outcome := range outcomes {
		one := <-outcome
		if one.err != nil {
			t.Fatalf("node %d: %v", i, one.err)
		}
		nodes = append(nodes, one)
	}
	t.Cleanup(func() { // all at once: the last of a cluster has no JetStream left to say goodbye with
		var closing sync.WaitGroup
		for _, one := range nodes {
			closing.Go(func() { closeNode(t, one.node) })
		}
		closing.Wait()
	})
	for i, one := range nodes {
		ctx, cancel := context.WithTimeout(one.ctx, patience)
		defer cancel()
		if err := node.AwaitMembers(ctx, func(all []node.Info) bool { return len(all) == len(configs) }); err != nil {
			t.Fatalf("node %d does not know all: %v", i, err)
		}
	}
	return nodes
}

func TestSeveralServersAreOneCluster(t *testing.T) {
	for _, size := range []int{2, 3} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			addresses, routes := places(t, size)
			var configs []embedded.Config
			for _, address := range addresses {
				configs = append(configs, embedded.Config{Config: node.Config{CPUs: 1}, ClusterListen: address, Routes: routes})
			}
			nodes := cluster(t, configs...)
			for i, one := range nodes {
				ran := make(map[string]bool)
				for range 100 * size { // a queue group picks at random
					id, err := where.Call(one.ctx)
					if err != nil {
						t.Fatalf("from node %d: %v", i, err)
					}
					ran[id] = true
				}
				if len(ran) != size {
					t.Errorf("tasks of node %d ran on %v, want all %d nodes", i, ran, size)
				}
			}
		})
	}
}

func TestTheFirstServerWaitsForAnother(t *testing.T) {
	first, err := embedded.RunServer(embedded.Config{ClusterListen: "localhost:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	alone, cancel := context.WithCancelCause(t.Context())
	cancel(errAlone)
	if err := first.AwaitJetStream(alone); !errors.Is(err, errAlone) || !strings.Contains(err.Error(), first.ClusterURL()[len("nats://"):]) {
		t.Errorf("alone it says %v, want where it waits for others", err)
	}
	second, err := embedded.RunServer(embedded.Config{ClusterListen: "127.0.0.1:0", Routes: []string{first.ClusterURL()}})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	for i, srv := range []*embedded.Server{first, second} {
		if err := srv.AwaitJetStream(ctx); err != nil {
			t.Errorf("server %d: %v", i, err)
		}
	}
}

var errAlone = errors.New("nobody came")

func TestAStartThatNobodyJoinsNamesItsRoutes(t *testing.T) {
	tmp := temporary(t)
	addresses, routes := places(t, 2)
	routes[1] = strings.Replace(routes[1], "nats://", "nats://user:secret@", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, _, err := embedded.Start(ctx, embedded.Config{ClusterListen: addresses[0], Routes: routes})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "nats://"+addresses[1]) {
		t.Errorf("it says %v, want the route that it tried", err)
	}
	if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), addresses[0])) {
		t.Errorf("it says %v, want neither a password nor its own place", err)
	}
	wantEmpty(t, tmp)
}

func TestAClosedServerIsNotWaitedFor(t *testing.T) {
	srv, err := embedded.RunServer(embedded.Config{ClusterListen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	srv.Close()
	if err := srv.AwaitJetStream(t.Context()); err == nil {
		t.Error("it is said to be usable")
	}
}

func TestReplicasNeedThreeServers(t *testing.T) {
	for _, test := range []struct {
		others []string
		want   int
	}{
		{nil, 1},
		{[]string{"nats://127.0.0.1:1"}, 1},
		{[]string{"nats://127.0.0.1:1", "nats-route://LOCALHOST:1"}, 1},
		{[]string{"nats://127.0.0.1:1", "nats://127.0.0.1:2"}, 3},
		{[]string{"nats://127.0.0.1:1", "nats://127.0.0.1:2", "nats://127.0.0.1:3"}, 3},
	} {
		srv, err := embedded.RunServer(embedded.Config{ClusterListen: "127.0.0.1:0", Routes: test.others})
		if err != nil {
			t.Fatal(err)
		}
		if got := srv.Replicas(); got != test.want {
			t.Errorf("with routes %v: %d, want %d", test.others, got, test.want)
		}
		srv.Close()
	}
}

func TestAServerOnItsOwnHasNoCluster(t *testing.T) {
	srv, err := embedded.RunServer(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if srv.ClusterURL() != "" || srv.Replicas() != 1 {
		t.Errorf("it has the URL %q and %d replicas", srv.ClusterURL(), srv.Replicas())
	}
	if err := srv.AwaitJetStream(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestADirOfTheOtherKindIsRefused(t *testing.T) {
	own := embedded.Config{}
	clustered := embedded.Config{ClusterListen: "127.0.0.1:0"}
	for name, test := range map[string]struct {
		first, then embedded.Config
		says        string
	}{
		"on its own first": {own, clustered, "leave Config.ClusterListen empty"},
		"clustered first":  {clustered, own, "set Config.ClusterListen and Config.Routes"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			test.first.Dir, test.then.Dir = dir, dir
			for range 2 { // the same way again is fine
				run(t, test.first)
			}
			srv, err := embedded.RunServer(test.then)
			if err == nil {
				srv.Close()
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("it says %q, want it to name %s and that one should %s", err, dir, test.says)
			}
			run(t, test.first)
		})
	}
}

func TestADirWithoutAMarkerBelongsToAServerOnItsOwn(t *testing.T) {
	dir := t.TempDir()
	run(t, embedded.Config{Dir: dir})
	if err := os.Remove(filepath.Join(dir, "manta.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.RunServer(embedded.Config{Dir: dir, ClusterListen: "127.0.0.1:0"}); err == nil {
		t.Error("a server of a cluster accepts it")
	}
	run(t, embedded.Config{Dir: dir})
}

func TestADirRemembersTheServersName(t *testing.T) {
	dir := t.TempDir()
	var markers []string
	for range 2 {
		run(t, embedded.Config{Dir: dir, ClusterListen: "127.0.0.1:0"}) // another port each time
		text, err := os.ReadFile(filepath.Join(dir, "manta.json"))
		if err != nil {
			t.Fatal(err)
		}
		markers = append(markers, string(text))
	}
	if markers[0] != markers[1] || !strings.Contains(markers[0], "manta-127.0.0.1:") {
		t.Errorf("it remembers %q", markers)
	}
}

func TestAMarkerThatIsMalformedIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "manta.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.RunServer(embedded.Config{Dir: filepath.Dir(path)}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("it says %v, want it to name %s", err, path)
	}
}

// run runs a server for a moment.
func run(t *testing.T, cfg embedded.Config) {
	t.Helper()
	srv, err := embedded.RunServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv.Close()
}

func TestAServerThatComesBackIsTheOneThatItWas(t *testing.T) {
	addresses, routes := places(t, 3)
	start := func(i int) *embedded.Server {
		srv, err := embedded.RunServer(embedded.Config{ClusterListen: addresses[i], Routes: routes})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(srv.Close)
		return srv
	}
	servers := []*embedded.Server{start(0), start(1), start(2)}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	for round := range 4 { // as new ones each time, those that are gone would soon be more than half of all
		for i, srv := range servers {
			if err := srv.AwaitJetStream(ctx); err != nil {
				t.Fatalf("round %d, server %d: %v", round, i, err)
			}
		}
		js, err := jetstream.New(connect(t, servers[0].URL()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: fmt.Sprint("round-", round)}); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		again := 1 + round%2
		servers[again].Close()
		servers[again] = start(again)
	}
}
