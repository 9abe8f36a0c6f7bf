package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"manta/actor"
	"manta/objstore"
)

// A ModelServer loads a model once and then answers predictions from it. The exported fields are the start value
// and travel to the node where the actor will live; the unexported ones are its state and never leave that node.
type ModelServer struct {
	Path     string
	LoadTime time.Duration

	model  string
	loads  int
	served int
	busy   time.Duration
}

// A Prediction is the model's answer to one number.
type Prediction struct {
	Value   float64
	Request int // 1 for the first that the server answered
	Latency time.Duration
}

// Metrics says what a ModelServer did so far.
type Metrics struct {
	Model   string
	Loads   int
	Served  int
	Average time.Duration
}

// Start runs once, before the first call.
func (s *ModelServer) Start(ctx context.Context) error {
	s.loads++
	s.model = "weights of " + s.Path
	return pause(ctx, s.LoadTime)
}

// Predict needs no lock: calls run one at a time, in the order in which the caller sent them.
func (s *ModelServer) Predict(ctx context.Context, input float64) (Prediction, error) {
	started := time.Now()
	if err := pause(ctx, 100*time.Millisecond); err != nil {
		return Prediction{}, err
	}
	took := time.Since(started)
	s.served++
	s.busy += took
	return Prediction{Value: 2.5 * input, Request: s.served, Latency: took}, nil
}

// Metrics answers for everything that was asked before it.
func (s *ModelServer) Metrics(context.Context) (Metrics, error) {
	m := Metrics{Model: s.model, Loads: s.loads, Served: s.served}
	if s.served > 0 {
		m.Average = s.busy / time.Duration(s.served)
	}
	return m, nil
}

// A Fetcher runs several calls at once, so what it keeps must be safe for that.
type Fetcher struct {
	active atomic.Int32
}

// A Page is what came back from a URL.
type Page struct {
	URL    string
	Beside int // fetches under way when this one began, itself included
}

// Fetch waits as long as a slow server would make it wait.
func (f *Fetcher) Fetch(ctx context.Context, url string, delay time.Duration) (Page, error) {
	page := Page{URL: url, Beside: int(f.active.Add(1))}
	defer f.active.Add(-1)
	return page, pause(ctx, delay)
}

var (
	modelServers = actor.Define[ModelServer]("model_server")
	fetchers     = actor.Define[Fetcher]("fetcher", actor.Concurrency(3))
)

// modelServer is cell 5: one slow start, then quick answers from the state that it left behind.
func (t *tutorial) modelServer(ctx context.Context) error {
	started := time.Now()
	server := modelServers.New(ctx, ModelServer{Path: "/models/my_model.pt", LoadTime: t.size.loadTime})
	predict := actor.Method(server, (*ModelServer).Predict)
	metrics := actor.Method0(server, (*ModelServer).Metrics)

	inputs := []float64{10, 20, 5}
	predictions, err := objstore.GetAll(ctx, predict.Map(ctx, inputs))
	if err != nil {
		return err
	}
	t.printf("Start and three predictions took %.2f s, %.2f s of it to load the model", time.Since(started).Seconds(), t.size.loadTime.Seconds())
	for i, p := range predictions {
		t.printf("  request %d: %4.1f → %4.1f in %.0f ms", p.Request, inputs[i], p.Value, 1e3*p.Latency.Seconds())
		if p.Request != i+1 || p.Value != 2.5*inputs[i] {
			return fmt.Errorf("prediction %d came as %+v", i+1, p)
		}
	}

	m, err := metrics.Call(ctx)
	if err != nil {
		return err
	}
	t.printf("Loaded %d time, served %d, %.0f ms on average (%s)", m.Loads, m.Served, 1e3*m.Average.Seconds(), m.Model)
	if m.Loads != 1 || m.Served != len(inputs) {
		return fmt.Errorf("the server loaded %d times and served %d", m.Loads, m.Served)
	}
	return server.Stop(ctx)
}

// concurrentFetcher is cell 6: three calls to one actor, all under way together.
func (t *tutorial) concurrentFetcher(ctx context.Context) error {
	fetcher := fetchers.New(ctx, Fetcher{})
	fetch := actor.Method2(fetcher, (*Fetcher).Fetch)

	started := time.Now()
	var refs []objstore.Ref[Page]
	for i := range 3 {
		refs = append(refs, fetch.Go(ctx, fmt.Sprintf("https://api.example.com/%d", i+1), t.size.fetchTime))
	}
	pages, err := objstore.GetAll(ctx, refs)
	if err != nil {
		return err
	}
	took, delay := time.Since(started).Seconds(), t.size.fetchTime.Seconds()
	most := 0
	for _, page := range pages {
		most = max(most, page.Beside)
	}
	t.printf("%d fetches of %.1f s in %.2f s; in turn they would take %.1f s", len(pages), delay, took, delay*float64(len(pages)))
	t.printf("Most at once: %d", most)
	if most != len(pages) {
		return fmt.Errorf("only %d of %d fetches ran together", most, len(pages))
	}
	return fetcher.Stop(ctx)
}
