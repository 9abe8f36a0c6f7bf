package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"go.uber.org/zap"

	"manta/actor"
	"manta/node"
	"manta/objstore"
	"manta/placement"
	"manta/task"
)

// chat logs.
var chat = task.Define("chat", func(ctx context.Context, what string) (task.None, error) {
	task.Logger(ctx).Info(what, zap.Int("answer", 42))
	task.Logger(ctx).Warn(what + ", and beware")
	return task.None{}, nil
}, task.In(deeds), task.CPUs(0))

// busy is a cluster with something of each kind.
func busy(t *testing.T) *stage {
	t.Helper()
	s := setup(t)
	ctx := s.Context(0)
	manta(t, "call", "square", "7").ok()
	manta(t, "call", "refuse", `"sold out"`)
	visits := counters.New(ctx, counter{}, actor.Name("visits"))
	if _, err := actor.Method(visits, (*counter).Add).Call(ctx, 1); err != nil {
		t.Fatal(err)
	}
	large := objstore.Put(ctx, make([]byte, 1<<20))
	if err := large.Stored(ctx); err != nil {
		t.Fatal(err)
	}
	group, err := placement.New(ctx, []placement.Bundle{{"CPU": 1}}, placement.Pack)
	if err != nil {
		t.Fatal(err)
	}
	if err := group.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := actor.Method0(visits, (*counter).Value).Call(ctx); err != nil { // and is held until here
			t.Error(err)
		}
		if _, err := large.Get(ctx); err != nil {
			t.Error(err)
		}
		_ = group.Remove(ctx)
	})
	return s
}

// eventually runs a command until its output is as wanted: what has ended is told of a moment later.
func (s *stage) eventually(want func(stdout string) bool, args ...string) (stdout string) {
	s.t.Helper()
	s.Await(strings.Join(args, " "), func() bool {
		stdout = manta(s.t, args...).ok()
		return want(stdout)
	})
	return stdout
}

func containing(words ...string) func(string) bool {
	return func(stdout string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(stdout, w) })
	}
}

func TestWhatThereIsIsListed(t *testing.T) {
	s := busy(t)
	for kind, words := range map[string][]string{
		"nodes": {"worker-0", "worker-1", "worker-2", s.Node(0).ID(), "zone=z1"}, "tasks": {"square", "finished", "refuse", "sold out"},
		"actors": {"visits", "counter", "alive"}, "objects": {"1 MiB", "stored"}, "groups": {"placed", "CPU:1"},
	} {
		s.eventually(containing(words...), "list", kind)
		golden(t, "list-"+kind, manta(t, "list", kind, "-o", "json").ok())
		lines := sortedLines(manta(t, "list", kind, "-o", "jsonl").ok())
		for _, line := range lines {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: a line is %q", kind, line)
			}
		}
	}
	failed := manta(t, "list", "tasks", "-f", "state=failed", "-f", "func!=square", "-o", "jsonl").ok()
	if lines := sortedLines(failed); len(lines) != 1 || !strings.Contains(lines[0], "sold out") {
		t.Errorf("those that failed: %q", failed)
	}
	paged := manta(t, "list", "nodes", "--limit", "2", "--page", "2", "-o", "jsonl").ok()
	if lines := sortedLines(paged); len(lines) != 1 || !strings.Contains(lines[0], "worker-2") {
		t.Errorf("the second page: %q", paged)
	}
	if o := manta(t, "list", "nodes", "--limit", "2"); !strings.Contains(o.stderr, "1 more: --page 2") {
		t.Errorf("the first one says %q", o.stderr)
	}
	if o := manta(t, "list", "tasks", "-f", "func=nobody"); o.ok() != "" || !strings.Contains(o.stderr, "none") {
		t.Errorf("of nothing: %q, %q", o.stdout, o.stderr)
	}
	manta(t, "list", "cats").fails(exitUsage, "cats", "nodes, tasks")
	manta(t, "list", "tasks", "-f", "x").fails(exitUsage, "field=value")
	manta(t, "list", "tasks", "-f", "colour=red").fails(exitUsage, "colour", "state")
	manta(t, "list", "tasks", "--limit", "0").fails(exitUsage, "--limit")
}

func TestOneThingIsShownWhole(t *testing.T) {
	s := busy(t)
	s.eventually(containing("square"), "list", "tasks", "-f", "state=finished")
	for _, kind := range []string{"node", "task", "actor", "object", "group"} {
		var all []struct {
			ID string `json:"id"`
		}
		listed := s.eventually(containing("id"), "list", kind, "-o", "json")
		if err := json.Unmarshal([]byte(listed), &all); err != nil || len(all) == 0 {
			t.Fatalf("%s: %v in %s", kind, err, listed)
		}
		if got := manta(t, "get", kind, all[0].ID).ok(); !strings.HasPrefix(got, "id: ") {
			t.Errorf("%s is shown as %q", kind, got)
		}
		golden(t, "get-"+kind, manta(t, "get", kind, all[0].ID, "-o", "json").ok())
		manta(t, "get", kind, "nobody").fails(exitNotFound, "nobody")
	}
	manta(t, "get", "cat", "x").fails(exitUsage, "cat")
	got := completions(manta(t, "__completeNoDesc", "get", "actor", "").ok())
	if !slices.Contains(got, "visits") {
		t.Errorf("actors are completed by %q", got)
	}
	if got := completions(manta(t, "__completeNoDesc", "get", "").ok()); !slices.Contains(got, "task") {
		t.Errorf("kinds are completed by %q", got)
	}
}

func TestThingsAreCounted(t *testing.T) {
	s := busy(t)
	s.eventually(containing("FINISHED", "FAILED", "square"), "summary", "tasks")
	s.eventually(containing("counter", "ALIVE"), "summary", "actors")
	s.eventually(containing("worker-0", "1 MiB"), "summary", "objects")
	var tasks []node.Summary
	if err := json.Unmarshal([]byte(manta(t, "summary", "tasks", "-o", "json").ok()), &tasks); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(tasks, func(s node.Summary) bool { return s.Name == "square" })
	if at < 0 || tasks[at].States["finished"] != 1 || tasks[at].Total != 1 {
		t.Errorf("counted %+v", tasks)
	}
	s.eventually(containing(node.Version, "JOINED"), "summary", "nodes")
	s.eventually(containing("PLACED"), "summary", "groups")
	manta(t, "summary", "clouds").fails(exitUsage, "nodes, tasks, actors, objects, groups")
}

func TestAClusterIsShownAtAGlance(t *testing.T) {
	s := busy(t)
	s.eventually(containing("nodes: 3 joined", " finished", "1 failed", "1 alive", "1 MiB", "worker-2"), "status")
	golden(t, "status", strings.NewReplacer("\"finished\":", "\"state\":", "\"failed\":", "\"state\":").Replace(manta(t, "status", "-o", "json").ok()))
	if got := manta(t, "top").ok(); !strings.Contains(got, "square") || strings.Contains(got, "\x1b") {
		t.Errorf("top without a terminal: %q", got)
	}
	manta(t, "status", "-w", "--interval", "0s").fails(exitUsage, "--interval")
}

func TestAStatusIsWatchedUntilAnInterrupt(t *testing.T) {
	setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, []string{"status", "-w", "--interval", "10ms", "-o", "jsonl"}, nil, w, io.Discard)
		_ = w.Close()
		ended <- code
	}()
	pictures := json.NewDecoder(r)
	for range 3 {
		var s status
		if err := pictures.Decode(&s); err != nil || len(s.Nodes) != 3 {
			t.Fatalf("%d nodes, %v", len(s.Nodes), err)
		}
	}
	cancel()
	_, _ = io.Copy(io.Discard, r)
	if code := await(t, ended, "its end"); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

func TestANodeThatDoesNotAnswerIsMissingAndTheRestIsShown(t *testing.T) {
	s := setup(t)
	s.Delay(1, 5*time.Second)
	defer s.Delay(1, 0)
	o := manta(t, "list", "actors")
	if o.ok(); !strings.Contains(o.stderr, "worker-1") || !strings.Contains(o.stderr, "missing") {
		t.Errorf("it says %q", o.stderr)
	}
}

func TestATimelineIsDrawn(t *testing.T) {
	s := busy(t)
	file := filepath.Join(t.TempDir(), "trace.json")
	s.Await("the tasks in the timeline", func() bool {
		manta(t, "timeline", "-o", file).ok()
		text, err := os.ReadFile(file)
		return err == nil && bytes.Contains(text, []byte("square"))
	})
	text, err := os.ReadFile(file)
	if err != nil || !json.Valid(text) {
		t.Errorf("%v: %.100s", err, text)
	}
	if got := manta(t, "timeline", "-f", "func=square").ok(); !strings.Contains(got, "traceEvents") {
		t.Errorf("on stdout: %.100q", got)
	}
	manta(t, "timeline", "-o", "/no/such/dir/trace.json").fails(exitUsage, "/no/such/dir")
}

func TestWhatTasksLogIsShown(t *testing.T) {
	s := setup(t)
	if _, err := chat.Call(s.Context(0), "hello there"); err != nil {
		t.Fatal(err)
	}
	s.eventually(containing("INFO", "chat: hello there answer=42", "beware"), "logs")
	if got := manta(t, "logs", "--level", "warn").ok(); strings.Contains(got, "answer") || !strings.Contains(got, "beware") {
		t.Errorf("warnings: %q", got)
	}
	line, _, _ := strings.Cut(manta(t, "logs", "--task", "chat", "--limit", "1", "-o", "json").ok(), "\n")
	golden(t, "logs", line)
	manta(t, "logs", "--level", "loud").fails(exitUsage, "loud", "warn")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, []string{"logs", "-f", "-o", "jsonl"}, nil, w, io.Discard)
		_ = w.Close()
		ended <- code
	}()
	lines := json.NewDecoder(r)
	for i := range 3 { // two are there; the third is to come
		if i == 2 {
			if _, err := chat.Call(s.Context(0), "hello again"); err != nil {
				t.Fatal(err)
			}
		}
		var l node.LogLine
		if err := lines.Decode(&l); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	_, _ = io.Copy(io.Discard, r)
	if code := await(t, ended, "its end"); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

func TestAProfileOfANodeIsTaken(t *testing.T) {
	setup(t)
	for _, kind := range []string{"heap", "goroutine"} {
		got := manta(t, "pprof", "worker-1", kind, "--file", "-").ok()
		if p, err := profile.ParseData([]byte(got)); err != nil || len(p.Sample) == 0 {
			t.Errorf("%s: %v", kind, err)
		}
	}
	manta(t, "pprof", "worker-1", "lungs").fails(exitUsage, "lungs", "goroutine")
	manta(t, "pprof", "nobody", "heap").fails(exitNotFound, "nobody")
	manta(t, "pprof", "worker-1", "cpu", "--for", "1ms").fails(exitUsage)
}
