package node_test

import (
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"manta/node"
	"manta/node/nodetest"
)

func TestAWrongConfigIsAnErrorThatNamesTheField(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  node.Config
		says []string
	}{
		{"negative CPUs", node.Config{CPUs: -1}, []string{"Config.CPUs", "-1"}},
		{"CPUs that are no number", node.Config{CPUs: math.NaN()}, []string{"Config.CPUs", "NaN"}},
		{"endless CPUs", node.Config{CPUs: math.Inf(1)}, []string{"Config.CPUs", "+Inf"}},
		{"CPUs said twice", node.Config{CPUs: 2, Resources: map[string]float64{"CPU": 2}}, []string{"Config.CPUs", `Config.Resources["CPU"]`}},
		{"a negative resource", node.Config{Resources: map[string]float64{"gpu": -1}}, []string{"Config.Resources", `"gpu"`, "-1"}},
		{"a resource that is no number", node.Config{Resources: map[string]float64{"gpu": math.NaN()}}, []string{"Config.Resources", `"gpu"`, "NaN"}},
		{"a dot in the namespace", node.Config{Namespace: "a.b"}, []string{"Config.Namespace", `"a.b"`}},
		{"a space in the namespace", node.Config{Namespace: "a b"}, []string{"Config.Namespace"}},
		{"a star as the namespace", node.Config{Namespace: "*"}, []string{"Config.Namespace"}},
		{"a label with a space", node.Config{Labels: map[string]string{"my zone": "eu"}}, []string{"Config.Labels", `"my zone"`}},
		{"a label's value with a space", node.Config{Labels: map[string]string{"zone": "e u"}}, []string{"Config.Labels", "zone", `"e u"`}},
		{"a negative cache", node.Config{CacheBytes: -1}, []string{"Config.CacheBytes", "-1"}},
		{"a negative quota", node.Config{ObjectQuota: -1}, []string{"Config.ObjectQuota", "-1"}},
		{"a lineage budget below none", node.Config{LineageBudget: -2}, []string{"Config.LineageBudget", "-2"}},
		{"a small upload window", node.Config{UploadWindow: 1000}, []string{"Config.UploadWindow", "1000", "65536"}},
		{"negative replicas", node.Config{Replicas: -1}, []string{"Config.Replicas", "-1"}},
		{"more replicas than NATS has", node.Config{Replicas: 6}, []string{"Config.Replicas", "6"}},
		{"a lease of half a second", node.Config{LeaseTTL: time.Second / 2}, []string{"Config.LeaseTTL", "500ms", "from 1 s"}},
		{"a lease of broken seconds", node.Config{LeaseTTL: 2500 * time.Millisecond}, []string{"Config.LeaseTTL", "2.5s", "whole seconds"}},
		{"a negative drain timeout", node.Config{DrainTimeout: -time.Second}, []string{"Config.DrainTimeout", "-1s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			n, ctx, err := node.Start(t.Context(), test.cfg)
			if err == nil || n != nil || ctx != nil {
				t.Fatalf("got %v, %v, %v, want an error alone", n, ctx, err)
			}
			for _, want := range test.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to say %q", err, want)
				}
			}
		})
	}
}

func TestTheConfigSaysWhatANodeOffers(t *testing.T) {
	for _, test := range []struct {
		name string
		set  func(*node.Config)
		want string
	}{
		{"nothing said", func(c *node.Config) { c.CPUs = 0 }, node.Resources{"CPU": float64(runtime.GOMAXPROCS(0))}.String()},
		{"half a CPU", func(c *node.Config) { c.CPUs = 0.5 }, "CPU:0.5"},
		{"no CPU", func(c *node.Config) { c.CPUs, c.Resources = 0, map[string]float64{"CPU": 0} }, "nothing"},
		{"CPUs as a resource", func(c *node.Config) { c.CPUs, c.Resources = 0, map[string]float64{"CPU": 3} }, "CPU:3"},
		{"other things too", func(c *node.Config) { c.CPUs, c.Resources = 1, map[string]float64{"gpu": 0.25, "none": 0} }, "CPU:1 gpu:0.25"},
		{"a client", func(c *node.Config) { c.ClientOnly = true }, "nothing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := nodetest.Start(t, 1, nodetest.Configure(func(_ int, cfg *node.Config) { test.set(cfg) }))
			total, free := c.Node(0).Resources()
			if total.String() != test.want || free.String() != test.want {
				t.Errorf("got %s, %s free, want %s", total, free, test.want)
			}
			members, err := node.Members(c.Context(0))
			if err != nil || len(members) != 1 || members[0].Resources.String() != test.want {
				t.Errorf("the others see %v, %v, want %s", members, err, test.want)
			}
		})
	}
}
