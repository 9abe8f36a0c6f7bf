package node_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"manta/node"
	"manta/node/embedded"
	"manta/node/nodetest"
)

// asked returns what a node's HealthHandler answers.
func asked(t *testing.T, n *node.Node, path string) (status int, h node.Health) {
	t.Helper()
	answer := httptest.NewRecorder()
	n.HealthHandler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	if answer.Code == http.StatusNotFound {
		return answer.Code, h
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &h); err != nil || answer.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%v in %q, %s", err, answer.Body, answer.Header())
	}
	return answer.Code, h
}

// wantHealth asks both questions, and wants words in the reasons; none says that there are no reasons.
func wantHealth(t *testing.T, n *node.Node, live, ready bool, words ...string) {
	t.Helper()
	for path, well := range map[string]bool{"/healthz": live, "/readyz": ready} {
		status, h := asked(t, n, path)
		if (status == http.StatusOK) != well || !well && status != http.StatusServiceUnavailable || h.Live != live || h.Ready != ready {
			t.Errorf("%s: status %d, %+v", path, status, h)
		}
		for _, word := range words {
			if !strings.Contains(strings.Join(h.Reasons, "\n"), word) {
				t.Errorf("%s: the reasons are %q, want %q in them", path, h.Reasons, word)
			}
		}
		if len(words) == 0 && len(h.Reasons) > 0 {
			t.Errorf("%s: the reasons are %q", path, h.Reasons)
		}
	}
}

// awaitHealth waits until a node's reasons have all words.
func awaitHealth(t *testing.T, n *node.Node, words ...string) {
	t.Helper()
	awaitSoon(t, "reasons with "+strings.Join(words, ", "), func() bool {
		reasons := strings.Join(n.Health().Reasons, "\n")
		for _, word := range words {
			if !strings.Contains(reasons, word) {
				return false
			}
		}
		return true
	})
}

func TestANodeWithoutItsServerIsLiveAndNotReady(t *testing.T) {
	srv, err := embedded.RunServer(embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	url := srv.URL()
	t.Cleanup(func() { srv.Close() }) // the one that runs then
	n, _ := start(t, node.Config{URL: url, Storage: jetstream.MemoryStorage})
	wantHealth(t, n, true, true)
	srv.Close()
	words := []string{"no connection to NATS", "lease has ended", "JetStream did not answer"}
	awaitHealth(t, n, words...)
	wantHealth(t, n, true, false, words...)
	if srv, err = embedded.RunServer(embedded.Config{Listen: url[len("nats://"):]}); err != nil {
		t.Fatal(err)
	}
	awaitSoon(t, "the node to be ready", func() bool { return n.Health().Ready && len(n.Health().Reasons) == 0 })
	wantHealth(t, n, true, true)
}

func TestANodeThatDrainsIsLiveAndNotReady(t *testing.T) {
	n, ctx := start(t, on(serve(t), node.Config{}))
	g := newGate(t)
	held := hold.Go(ctx, g.name)
	await(t, g.came, "the task")
	drained := make(chan error, 1)
	go func() { drained <- n.Drain(t.Context()) }()
	awaitHealth(t, n, "drains")
	wantHealth(t, n, true, false, "drains")
	g.open()
	if err := await(t, drained, "the drain"); err != nil {
		t.Error(err)
	}
	if _, err := held.Get(ctx); err != nil {
		t.Error(err)
	}
	wantHealth(t, n, true, false, "drains")
	closeNode(t, n)
	wantHealth(t, n, false, false, "closed")
}

func TestANodeThatIsCutOffIsNotReadyOnceItsLeaseHasEnded(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2)
		c.Pause(1)
		time.Sleep(3 * time.Second) // virtual
		wantHealth(t, c.Node(1), true, false, "lease has ended", "JetStream did not answer")
		wantHealth(t, c.Node(0), true, true)
		c.Resume(1)
		c.Await("the node to be ready", func() bool { return c.Node(1).Health().Ready })
	})
}

func TestANodeThatOnlyCallsIsReadyWithoutALease(t *testing.T) {
	srv := serve(t)
	n, _ := start(t, on(srv, node.Config{Caller: "alice"}))
	wantHealth(t, n, true, true)
	srv.Close()
	awaitHealth(t, n, "no connection to NATS")
	wantHealth(t, n, true, false, "no connection to NATS")
}

func TestOtherPathsAreNotHealth(t *testing.T) {
	n, _ := start(t, on(serve(t), node.Config{}))
	if status, _ := asked(t, n, "/health"); status != http.StatusNotFound {
		t.Errorf("status %d", status)
	}
}
