package node_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"manta/actor"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

var (
	measured = task.Define("measured", func(_ context.Context, data []byte) (int, error) {
		if len(data) == 0 {
			return 0, errors.New("nothing to measure")
		}
		return len(data), nil
	})
	gauges = actor.Define[gaugeActor]("gauge")
)

type gaugeActor struct{ Level int }

func (g *gaugeActor) Raise(_ context.Context, by int) (int, error) {
	if g.Level += by; by < 0 {
		return 0, errors.New("it does not fall")
	}
	return g.Level, nil
}

// scrape returns a node's metrics as Prometheus reads them.
func scrape(t *testing.T, n *node.Node, accept string) (page, contentType string) {
	t.Helper()
	answer, asked := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
	asked.Header.Set("Accept", accept)
	n.MetricsHandler().ServeHTTP(answer, asked)
	if answer.Code != http.StatusOK {
		t.Fatalf("status %d: %s", answer.Code, answer.Body)
	}
	return answer.Body.String(), answer.Result().Header.Get("Content-Type")
}

// families parses a scrape.
func families(t *testing.T, n *node.Node) map[string]*dto.MetricFamily {
	t.Helper()
	page, _ := scrape(t, n, "")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, page)
	}
	return all
}

// values returns the values of a scrape by name and labels, for example `manta_tasks{function="f",state="queued"}`; those of histograms
// are their counts.
func values(t *testing.T, n *node.Node) map[string]float64 {
	t.Helper()
	all := make(map[string]float64)
	for name, family := range families(t, n) {
		for _, m := range family.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			series := name
			if len(labels) > 0 {
				series += "{" + strings.Join(labels, ",") + "}"
			}
			all[series] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

// busyCluster is a client and a worker that have done some of everything, and a task that runs until the test ends.
func busyCluster(t *testing.T) (client, worker *node.Node) {
	t.Helper()
	c := nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
	ctx, cancel := context.WithTimeout(c.Context(0), patience)
	t.Cleanup(cancel)
	for range 5 {
		if _, err := where.Call(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := measured.Call(ctx, nil); err == nil {
		t.Fatal("nothing was measured")
	}
	large := objstore.Put(ctx, make([]byte, 1<<20))
	if err := large.Stored(ctx); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if size, err := measured.On(ctx, large).Get(ctx); size != 1<<20 || err != nil {
			t.Fatalf("%d, %v", size, err)
		}
	}
	raise := actor.Method(gauges.New(ctx, gaugeActor{Level: 1}, actor.Detached()), (*gaugeActor).Raise)
	if level, err := raise.Call(ctx, 1); level != 2 || err != nil {
		t.Fatalf("the level is %d, %v", level, err)
	}
	if _, err := raise.Call(ctx, -1); err == nil {
		t.Fatal("the level fell")
	}
	g := newGate(t)
	hold.Go(ctx, g.name)
	await(t, g.came, "the task that is held")
	t.Cleanup(func() { _, _ = large.Get(c.Context(0)) }) // it is kept until then
	return c.Node(0), c.Node(1)
}

func TestAScrapeSaysWhatWasDone(t *testing.T) {
	client, worker := busyCluster(t)
	for name, test := range map[string]struct {
		node *node.Node
		want map[string]float64
	}{
		"at the client": {client, map[string]float64{
			`manta_tasks_submitted_total{function="where"}`:                       5,
			`manta_tasks_finished_total{function="where",outcome="ok"}`:           5,
			`manta_tasks_submitted_total{function="measured"}`:                    4,
			`manta_tasks_finished_total{function="measured",outcome="ok"}`:        3,
			`manta_tasks_finished_total{function="measured",outcome="failed"}`:    1,
			`manta_tasks{function="hold",state="under_way"}`:                      1,
			`manta_tasks{function="hold",state="queued"}`:                         0,
			`manta_actor_calls_made_total{class="gauge"}`:                         2,
			`manta_actor_calls_finished_total{class="gauge",outcome="ok"}`:        1,
			`manta_actor_calls_finished_total{class="gauge",outcome="failed"}`:    1,
			`manta_actor_calls_finished_total{class="gauge",outcome="cancelled"}`: 0,
			`manta_objects_owned`:               1,
			`manta_objects_owned_bytes`:         1 << 20,
			`manta_object_uploads_total`:        1,
			`manta_object_uploaded_bytes_total`: 1 << 20,
			`manta_members{state="serving"}`:    2,
			`manta_members{state="draining"}`:   0,
			`manta_nats_connected`:              1,
			`manta_node_ready`:                  1,
			`manta_build_info{goversion="` + runtime.Version() + `",version="0.1.0"}`:       1,
			`manta_node_info{name="node-0",namespace="default",node="` + client.ID() + `"}`: 1,
		}},
		"at the worker": {worker, map[string]float64{
			`manta_host_tasks_ran_total{function="where",outcome="ok"}`:        5,
			`manta_host_tasks_ran_total{function="measured",outcome="ok"}`:     3,
			`manta_host_tasks_ran_total{function="measured",outcome="failed"}`: 1,
			`manta_host_task_duration_seconds{function="measured"}`:            4,
			`manta_host_task_wait_seconds{function="measured"}`:                4,
			`manta_host_tasks{function="hold",state="running"}`:                1,
			`manta_host_task_wait_seconds{function="hold"}`:                    1,
			`manta_host_task_duration_seconds{function="hold"}`:                0,
			`manta_resource_capacity{resource="CPU"}`:                          4,
			`manta_resource_free{resource="CPU"}`:                              3,
			`manta_actors{class="gauge",state="serving"}`:                      1,
			`manta_actors_started_total{class="gauge"}`:                        1,
			`manta_actors_restarted_total{class="gauge"}`:                      0,
			`manta_actor_calls_ran_total{class="gauge",outcome="ok"}`:          1,
			`manta_actor_calls_ran_total{class="gauge",outcome="failed"}`:      1,
			`manta_actor_mailbox_depth{class="gauge"}`:                         0,
			`manta_object_downloads_total`:                                     1,
			`manta_object_downloaded_bytes_total`:                              1 << 20,
			`manta_objects_cached`:                                             1,
			`manta_objects_cached_bytes`:                                       1 << 20,
			`manta_object_cache_misses_total`:                                  1,
			`manta_object_cache_hits_total`:                                    2,
			`manta_node_lease_held`:                                            1,
			`manta_jetstream_reachable`:                                        1,
			`manta_nats_reconnects_total`:                                      0,
			`manta_messages_rejected_total`:                                    0,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := values(t, test.node)
			for series, want := range test.want {
				if value, there := got[series]; !there || value != want {
					t.Errorf("%s is %v (%v), want %v", series, value, there, want)
				}
			}
			for _, series := range []string{"manta_nats_in_bytes_total", "manta_nats_out_messages_total", "manta_node_start_time_seconds"} {
				if got[series] <= 0 {
					t.Errorf("%s is %v", series, got[series])
				}
			}
		})
	}
}

func TestMetricsAreAsPrometheusWantsThem(t *testing.T) {
	client, worker := busyCluster(t)
	for _, n := range []*node.Node{client, worker} {
		page, _ := scrape(t, n, "")
		problems, err := promlint.New(strings.NewReader(page)).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
		for name, family := range families(t, n) {
			total := strings.HasSuffix(name, "_total")
			if !strings.HasPrefix(name, "manta_") || total != (family.GetType() == dto.MetricType_COUNTER) || family.GetType() == dto.MetricType_UNTYPED {
				t.Errorf("%s is a %v", name, family.GetType())
			}
		}
	}
	page, contentType := scrape(t, worker, "application/openmetrics-text; version=1.0.0")
	if !strings.HasPrefix(contentType, "application/openmetrics-text") || !strings.HasSuffix(page, "# EOF\n") {
		t.Errorf("OpenMetrics were asked for; got %s, which ends with %q", contentType, page[max(0, len(page)-20):])
	}
}

func TestSeveralNodesGoIntoOneRegistry(t *testing.T) {
	c := nodetest.Start(t, 2)
	registry := prometheus.NewPedanticRegistry()
	for i := range 2 {
		of := prometheus.WrapRegistererWith(prometheus.Labels{"node_id": c.Node(i).ID()}, registry)
		if err := of.Register(c.Node(i).Collector()); err != nil {
			t.Fatal(err)
		}
	}
	all, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(f *dto.MetricFamily) bool { return f.GetName() == "manta_nats_connected" })
	if i < 0 || len(all[i].Metric) != 2 {
		t.Errorf("got %v, want one of each node", all)
	}
}

func TestFunctionsBeyondTheFirst200AreCountedAsOne(t *testing.T) {
	n, ctx := start(t, on(serve(t), node.Config{ClientOnly: true}))
	const many = 250
	var refs []objstore.Ref[int]
	for i := range many {
		refs = append(refs, task.Declare[int, int](fmt.Sprintf("unserved_%d", i)).Go(ctx, i))
	}
	for _, ref := range refs {
		if _, err := ref.Get(ctx); !errors.Is(err, task.ErrNotRegistered) {
			t.Fatal(err)
		}
	}
	family := families(t, n)["manta_tasks_submitted_total"]
	if len(family.GetMetric()) != 201 {
		t.Errorf("%d functions are told apart", len(family.GetMetric()))
	}
	if others := values(t, n)[`manta_tasks_submitted_total{function="other"}`]; others != many-200 {
		t.Errorf("%v of others, want %d", others, many-200)
	}
}

func TestANodeThatOnlyCallsHasMetrics(t *testing.T) {
	srv := serve(t)
	start(t, on(srv, node.Config{}))
	n, ctx := start(t, on(srv, node.Config{Caller: "alice"}))
	if _, err := where.Call(ctx); err != nil {
		t.Fatal(err)
	}
	got := values(t, n)
	for series, want := range map[string]float64{
		`manta_tasks_finished_total{function="where",outcome="ok"}`: 1, "manta_nats_connected": 1, "manta_node_ready": 1,
	} {
		if got[series] != want {
			t.Errorf("%s is %v, want %v", series, got[series], want)
		}
	}
	if _, there := got["manta_node_lease_held"]; there {
		t.Error("it has no lease")
	}
}

func TestAClosedNodeCanBeScraped(t *testing.T) {
	n, ctx := start(t, on(serve(t), node.Config{}))
	if _, err := where.Call(ctx); err != nil {
		t.Fatal(err)
	}
	closeNode(t, n)
	got := values(t, n)
	if got["manta_nats_connected"] != 0 || got["manta_node_ready"] != 0 || got[`manta_host_tasks_ran_total{function="where",outcome="ok"}`] != 1 {
		t.Errorf("got %v", got)
	}
}
