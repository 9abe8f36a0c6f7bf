package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"manta/node"
	"manta/node/embedded"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestARequestRunsTasksAndCallsTheCounter(t *testing.T) {
	get := setup(t)
	for request, below := range []int{0, 10, 100, 10_000} {
		want := answer{Below: below, Primes: []int{0, 4, 25, 1229}[request], Request: request + 1}
		if got := get(below); got != want {
			t.Errorf("below %d: got %+v, want %+v", below, got, want)
		}
	}
}

func TestRequestsAtOnceAreCountedOnceEach(t *testing.T) {
	get := setup(t)
	const clients = 20
	var group sync.WaitGroup
	answers := make([]answer, clients)
	for i := range answers {
		group.Go(func() { answers[i] = get(1000) })
	}
	group.Wait()

	seen := make(map[int]bool)
	for _, a := range answers {
		seen[a.Request] = true
		if a.Primes != 168 || a.Request < 1 || a.Request > clients {
			t.Errorf("got %+v", a)
		}
	}
	if len(seen) != clients {
		t.Errorf("%d clients were given %d numbers", clients, len(seen))
	}
}

func TestWhatIsNoNumberIsRefused(t *testing.T) {
	n := startNode(t)
	for _, below := range []string{"", "many", "-1", "10000001"} {
		reply := httptest.NewRecorder()
		newHandler(n).ServeHTTP(reply, httptest.NewRequest(http.MethodGet, "/primes?below="+below, nil))
		if reply.Code != http.StatusBadRequest {
			t.Errorf("below=%q was answered with %d", below, reply.Code)
		}
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	n := startNode(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- serve(ctx, n, listener) }()

	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	got := fetch(t, client, fmt.Sprintf("http://%s/primes?below=10", listener.Addr()))
	if got.Primes != 4 {
		t.Errorf("got %+v", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// setup serves the handler on a node of its own and returns a client of it.
func setup(t *testing.T) (get func(below int) answer) {
	t.Helper()
	server := httptest.NewServer(newHandler(startNode(t)))
	t.Cleanup(server.Close)
	return func(below int) answer {
		return fetch(t, server.Client(), fmt.Sprintf("%s/primes?below=%d", server.URL, below))
	}
}

func startNode(t *testing.T) *node.Node {
	t.Helper()
	n, _, err := embedded.Start(t.Context(), embedded.Config{Config: node.Config{CPUs: 4}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func fetch(t *testing.T, client *http.Client, url string) (a answer) {
	t.Helper()
	reply, err := client.Get(url)
	if err != nil {
		t.Error(err)
		return a
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", url, reply.Status)
		return a
	}
	if err := json.NewDecoder(reply.Body).Decode(&a); err != nil {
		t.Error(err)
	}
	return a
}
