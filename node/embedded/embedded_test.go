package embedded_test

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/node"
	"manta/node/embedded"
	"manta/objstore"
	"manta/task"
)

// patience bounds what must come, and comes much sooner unless something is broken.
const patience = 20 * time.Second

var (
	double = task.Define("double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	zeroes = task.Define("zeroes", func(_ context.Context, n int) ([]byte, error) { return make([]byte, n), nil })
)

// start starts a node that is closed with the test.
func start(t *testing.T, cfg embedded.Config) (*node.Node, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n, nodeCtx, err := embedded.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNode(t, n) })
	return n, nodeCtx
}

func closeNode(t *testing.T, n *node.Node) {
	t.Helper()
	if err := n.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

// connect connects a NATS client that knows nothing of Manta.
func connect(t *testing.T, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// temporary makes a directory the place of temporary files and returns it.
func temporary(t *testing.T) string {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return dir
}

// files are the files, not the directories, beneath a directory.
func files(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%s holds %v, %v, want nothing", dir, left, err)
	}
}

func TestTheZeroConfigOpensNoPortAndLeavesNoFile(t *testing.T) {
	tmp := temporary(t)
	n, ctx := start(t, embedded.Config{})
	if n.Server() != "in process" {
		t.Errorf("the node is at %q", n.Server())
	}
	if v, err := double.Call(ctx, 21); v != 42 || err != nil {
		t.Errorf("a task: %d, %v", v, err)
	}
	if v, err := zeroes.Call(ctx, 1<<20); len(v) != 1<<20 || err != nil {
		t.Errorf("a large result: %d bytes, %v", len(v), err)
	}
	for _, path := range files(t, tmp) { // JetStream describes its streams in files also when they are in memory
		if info, err := os.Stat(path); err != nil || info.Size() > 64<<10 {
			t.Errorf("%s holds an object: %+v, %v", path, info, err)
		}
	}
	closeNode(t, n)
	wantEmpty(t, tmp)
}

func TestAStockClientCallsATaskAtTheURLOfServer(t *testing.T) {
	n, _ := start(t, embedded.Config{Listen: "127.0.0.1:0"})
	if !strings.HasPrefix(n.Server(), "nats://127.0.0.1:") {
		t.Fatalf("the node is at %q", n.Server())
	}
	reply, err := connect(t, n.Server()).Request("manta.default.task.double", []byte("21"), patience)
	if err != nil || string(reply.Data) != "42" {
		t.Errorf("got %+v, %v, want 42", reply, err)
	}
}

func TestDirKeepsObjectsInFilesAndMayBeUsedAgain(t *testing.T) {
	tmp, dir := temporary(t), filepath.Join(t.TempDir(), "made", "for", "it")
	for range 2 {
		n, ctx := start(t, embedded.Config{Dir: dir, Listen: "localhost:0"})
		if len(files(t, dir)) == 0 {
			t.Error("there is no file")
		}
		if v, err := objstore.Put(ctx, make([]byte, 1<<20)).Get(ctx); len(v) != 1<<20 || err != nil {
			t.Errorf("an object: %d bytes, %v", len(v), err)
		}
		if err := n.Drain(t.Context()); err != nil { // until it is in the bucket
			t.Error(err)
		}
		js, err := jetstream.New(connect(t, n.Server()))
		if err != nil {
			t.Fatal(err)
		}
		bucket, err := js.ObjectStore(t.Context(), "manta_default_objects")
		if err != nil {
			t.Fatal(err)
		}
		status, err := bucket.Status(t.Context())
		if err != nil || status.Storage() != jetstream.FileStorage || status.Size() < 1<<20 {
			t.Errorf("the bucket: %+v, %v", status, err)
		}
		closeNode(t, n)
	}
	if len(files(t, dir)) == 0 {
		t.Error("Close has removed the files")
	}
	wantEmpty(t, tmp)
}

func TestSeveralNodesShareOneServer(t *testing.T) {
	srv, err := embedded.RunServer(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if srv.URL() != "" {
		t.Errorf("it has the URL %q and opens no port", srv.URL())
	}
	for range 2 {
		n, ctx, err := node.Start(t.Context(), node.Config{
			Storage: jetstream.MemoryStorage, Options: []nats.Option{nats.InProcessServer(srv)},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer closeNode(t, n)
		if v, err := double.Call(ctx, 1); v != 2 || err != nil {
			t.Errorf("a task: %d, %v", v, err)
		}
	}
}

func TestAConfigThatIsWrongIsRefusedAndLeavesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		cfg  embedded.Config
		says string
	}{
		"a URL":                 {embedded.Config{Config: node.Config{URL: "nats://127.0.0.1"}}, "Config.URL"},
		"no port":               {embedded.Config{Listen: "127.0.0.1"}, "Config.Listen"},
		"nothing but a port":    {embedded.Config{Listen: "4222"}, "Config.Listen"},
		"a port that is none":   {embedded.Config{Listen: "127.0.0.1:nats"}, "Config.Listen"},
		"a port too high":       {embedded.Config{Listen: "127.0.0.1:65536"}, "Config.Listen"},
		"a port too low":        {embedded.Config{Listen: "127.0.0.1:-1"}, "Config.Listen"},
		"every interface":       {embedded.Config{Listen: ":4222"}, "Config.Insecure"},
		"every interface, said": {embedded.Config{Listen: "0.0.0.0:4222"}, "Config.Insecure"},
		"every IPv6 interface":  {embedded.Config{Listen: "[::]:4222"}, "Config.Insecure"},
		"one others reach":      {embedded.Config{Listen: "192.0.2.1:4222"}, "Config.Insecure"},
		"a host's name":         {embedded.Config{Listen: "example.com:4222"}, "Config.Insecure"},
		"routes of no cluster":  {embedded.Config{Routes: []string{"nats://127.0.0.1:1"}}, "Config.ClusterListen"},
		"a name of no cluster":  {embedded.Config{ClusterName: "mine"}, "Config.ClusterListen"},
		"routes on all":         {embedded.Config{ClusterListen: ":6222"}, "Config.ClusterListen"},
		"routes on all, said":   {embedded.Config{ClusterListen: "0.0.0.0:6222", Insecure: true}, "Config.ClusterListen"},
		"routes others reach":   {embedded.Config{ClusterListen: "192.0.2.1:6222"}, "Config.ClusterListen"},
		"a cluster's name":      {embedded.Config{ClusterListen: "127.0.0.1:0", ClusterName: "a b"}, "Config.ClusterName"},
		"a route to a page":     {embedded.Config{ClusterListen: "127.0.0.1:0", Routes: []string{"http://127.0.0.1:1"}}, "Config.Routes"},
		"a route to no port":    {embedded.Config{ClusterListen: "127.0.0.1:0", Routes: []string{"nats://127.0.0.1"}}, "Config.Routes"},
		"a route of nothing":    {embedded.Config{ClusterListen: "127.0.0.1:0", Routes: []string{"127.0.0.1:1"}}, "Config.Routes"},
		"a field of the node":   {embedded.Config{Config: node.Config{CPUs: -1}}, "Config.CPUs"},
	} {
		t.Run(name, func(t *testing.T) {
			tmp := temporary(t)
			n, ctx, err := embedded.Start(t.Context(), test.cfg)
			if err == nil {
				closeNode(t, n)
				t.Fatal("it was accepted")
			}
			if n != nil || ctx != nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, %v, %q, want it to name %s", n, ctx, err, test.says)
			}
			wantEmpty(t, tmp)
		})
	}
}

func TestInsecureListensWhereItIsTold(t *testing.T) {
	srv, err := embedded.RunServer(embedded.Config{Listen: "127.0.0.1:0", Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if err := connect(t, srv.URL()).Flush(); err != nil {
		t.Error(err)
	}
	srv.Close()
	if _, err := nats.Connect(srv.URL()); err == nil {
		t.Error("it takes clients after Close")
	}
}

func TestADirThatCannotBeMadeIsAnErrorAtOnceAndLeavesNothing(t *testing.T) {
	tmp, place := temporary(t), t.TempDir()
	file := filepath.Join(place, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "beneath")} {
		begun := time.Now()
		n, _, err := embedded.Start(t.Context(), embedded.Config{Dir: dir})
		if err == nil {
			closeNode(t, n)
			t.Fatal("it was accepted")
		}
		if !strings.Contains(err.Error(), file) {
			t.Errorf("got %q, want it to name %s", err, file)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	}
	if left := files(t, place); len(left) != 1 || left[0] != file {
		t.Errorf("it leaves %v", left)
	}
	if content, err := os.ReadFile(file); string(content) != "mine" || err != nil {
		t.Errorf("the file holds %q, %v", content, err)
	}
	wantEmpty(t, tmp)
}

func TestAPortThatIsTakenIsAnErrorAtOnce(t *testing.T) {
	tmp := temporary(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, cfg := range map[string]embedded.Config{
		"for clients": {Listen: taken.Addr().String()},
		"for routes":  {ClusterListen: taken.Addr().String()},
	} {
		begun := time.Now()
		n, _, err := embedded.Start(t.Context(), cfg)
		if err == nil {
			closeNode(t, n)
			t.Fatalf("%s: it was accepted", name)
		}
		if !strings.Contains(err.Error(), strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)) || !strings.Contains(err.Error(), "in use") {
			t.Errorf("%s: got %q, want it to say that %s is in use", name, err, taken.Addr())
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
	}
	wantEmpty(t, tmp)
}
