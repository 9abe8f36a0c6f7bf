package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"manta/actor"
	"manta/node"
	"manta/objstore"
	"manta/task"
)

// countPrimes counts the primes p with from ≤ p < to.
var countPrimes = task.Define2("count_primes", func(ctx context.Context, from, to int) (int, error) {
	count := 0
	for n := max(from, 2); n < to; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return 0, context.Cause(ctx) // the client has gone
		}
		if isPrime(n) {
			count++
		}
	}
	return count, nil
})

func isPrime(n int) bool {
	for d := 2; d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return true
}

// A Counter counts for the whole cluster: every process that asks for the name gets the same one.
type Counter struct {
	n int
}

// Add adds and returns the sum.
func (c *Counter) Add(_ context.Context, by int) (int, error) {
	c.n += by
	return c.n, nil
}

var counters = actor.Define[Counter]("counter")

// handler answers requests with the help of the node that lives in the same process.
type handler struct {
	node     *node.Node
	requests actor.Ref[Counter]
}

func newHandler(n *node.Node) http.Handler {
	h := &handler{node: n}
	h.requests = counters.GetOrNew(n.Context(context.Background()), "requests", Counter{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /primes", h.primes)
	return mux
}

// An answer is the body of a reply.
type answer struct {
	Below   int `json:"below"`
	Primes  int `json:"primes"`
	Request int `json:"request"` // 1 for the first that the service answered
}

// most is the largest number that a request may name: some seconds of work for one CPU.
const most = 10_000_000

func (h *handler) primes(w http.ResponseWriter, r *http.Request) {
	below, err := strconv.Atoi(r.FormValue("below"))
	if err != nil || below < 0 || below > most {
		http.Error(w, fmt.Sprintf("below must be a number from 0 to %d", most), http.StatusBadRequest)
		return
	}
	ctx := h.node.Context(r.Context()) // a client that hangs up cancels its tasks
	primes, err := primesBelow(ctx, below)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	request, err := actor.Method(h.requests, (*Counter).Add).Call(ctx, 1)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer{Below: below, Primes: primes, Request: request}) // fails only if the client has gone
}

// primesBelow cuts the numbers into parts and counts in all of them at once.
func primesBelow(ctx context.Context, below int) (int, error) {
	const parts = 16
	var refs []objstore.Ref[int]
	for i := range parts {
		refs = append(refs, countPrimes.Go(ctx, below*i/parts, below*(i+1)/parts))
	}
	counts, err := objstore.GetAll(ctx, refs)
	sum := 0
	for _, count := range counts {
		sum += count
	}
	return sum, err
}
