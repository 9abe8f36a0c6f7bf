package main

import (
	"bytes"
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"manta/cmd/manta/bench"
	"manta/node"
	"manta/node/embedded"
)

func TestMain(m *testing.M) {
	bench.NeighbourMain()
	goleak.VerifyTestMain(m)
}

func TestBenchRunsMeasuresBesideTheirBaselines(t *testing.T) {
	for name, flags := range map[string][]string{
		"over TCP":   {},
		"in process": {"--in-process"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"bench", "-run", "^(raw_request|tasks)_sync$", "--rounds", "1", "--quick", "-o", "json"}, flags...)
			results := benchmark(t, args)
			if len(results) != 2 || results[0].Name != "raw_request_sync" || results[1].Name != "tasks_sync" {
				t.Fatalf("got %+v", results)
			}
			raw, tasks := results[0], results[1]
			if raw.Value <= 0 || raw.P99 == nil || raw.Ratio != nil || raw.Unit != "us" {
				t.Errorf("raw_request_sync: %+v", raw)
			}
			if tasks.Ratio == nil || *tasks.Ratio != tasks.Value/raw.Value || tasks.Baseline != raw.Name {
				t.Errorf("tasks_sync: %+v beside %+v", tasks, raw)
			}
		})
	}
}

func TestBenchLeavesAServerAsItWas(t *testing.T) {
	server, err := embedded.RunServer(embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	results := benchmark(t, []string{"bench", "-run=tasks_sync", "-rounds=1", "-quick", "-o=json", "--server", server.URL()})
	if len(results) != 2 {
		t.Errorf("got %+v", results)
	}
	if streams := streamsOf(t, server.URL()); len(streams) > 0 {
		t.Errorf("it left the streams %v", streams)
	}
}

func TestAllMeasuresWork(t *testing.T) {
	if testing.Short() {
		t.Skip("runs every measure once")
	}
	results := benchmark(t, []string{"bench", "--rounds", "1", "--quick", "-o", "json"})
	if len(results) != len(bench.Measures()) {
		t.Errorf("%d measures gave %d results", len(bench.Measures()), len(results))
	}
	for _, r := range results {
		if r.Value <= 0 && r.Unit != "B" { // so few tasks may weigh less than what else came and went
			t.Errorf("%s is %v %s", r.Name, r.Value, r.Unit)
		}
	}
}

func TestABenchThatCannotRunNamesTheFlagAndTheFix(t *testing.T) {
	alone(t)
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"bench", "-run", "("}, exitUsage, []string{"--run", "regular expression"}},
		{[]string{"bench", "-run", "nothing_like_it"}, exitUsage, []string{"--run", "tasks_sync"}},
		{[]string{"bench", "--rounds", "0"}, exitUsage, []string{"--rounds", "1 or more"}},
		{[]string{"bench", "-o", "xml"}, exitUsage, []string{"--output", "table or json"}},
		{[]string{"bench", "--in-process", "--server", "nats://127.0.0.1:1"}, exitUsage, []string{"--in-process", "--server"}},
		{[]string{"bench", "--server", "nats://127.0.0.1:1"}, exitUnavailable, []string{"--server", "nats-server -js"}},
		{[]string{"bench", "more"}, exitUsage, []string{"more"}},
		{[]string{"banch"}, exitUsage, []string{"banch"}},
	} {
		manta(t, c.args...).fails(c.code, c.want...)
	}
}

func TestAnInterruptEndsABench(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	if code := run(ctx, []string{"bench", "-run", "tasks_sync", "--quick"}, nil, &stdout, &stderr); code != exitInterrupted || stdout.Len() > 0 {
		t.Errorf("ended with %d, %q, %q", code, &stdout, &stderr)
	}
}

func TestVersionSaysWhatItIs(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"version"}, nil, &stdout, &stderr); code != 0 {
		t.Errorf("ended with %d: %s", code, &stderr)
	}
	for _, want := range []string{node.Version, runtime.Version()} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is not in %q", want, &stdout)
		}
	}
}

func TestEveryCommandShowsAnExample(t *testing.T) {
	root := rootCommand()
	each(root, func(cmd *cobra.Command) {
		if !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%s has the example %q", cmd.CommandPath(), cmd.Example)
		}
	})
}

func TestHelpListsTheMeasures(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"bench", "--help"}, nil, &stdout, &stderr); code != 0 {
		t.Errorf("ended with %d: %s", code, &stderr)
	}
	for _, m := range bench.Measures() {
		if !strings.Contains(stdout.String(), m.Name) {
			t.Errorf("%s is not in the help", m.Name)
		}
	}
	if strings.Contains(stdout.String(), "--quick") {
		t.Error("the help shows --quick")
	}
}

// benchmark runs the program and returns the results that it wrote to stdout.
func benchmark(t *testing.T, args []string) (results []bench.Result) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	if code := run(ctx, args, nil, &stdout, &stderr); code != 0 {
		t.Fatalf("manta %v ended with %d: %s", args, code, &stderr)
	}
	if err := json.Unmarshal(stdout.Bytes(), &results); err != nil {
		t.Fatalf("%v in %s", err, &stdout)
	}
	return results
}
