package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"manta/actor"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
)

func TestFunctionsAreCalled(t *testing.T) {
	setup(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"call", "square", "7"}, "49\n"},
		{[]string{"call", "add", "1", "2"}, "3\n"},
		{[]string{"call", "add", "[1, 2]"}, "3\n"},
		{[]string{"call", "hello"}, "\"hello\"\n"},
		{[]string{"call", "square", "7", "-o", "yaml"}, "49\n"},
		{[]string{"call", "square", "--", "-7"}, "49\n"},
		{[]string{"call", "-id", "once", "square", "7"}, "49\n"},
		{[]string{"call", "--stream", "count", "3"}, "{\"item\":1}\n{\"item\":2}\n{\"item\":3}\n"},
		{[]string{"call", "--stream", "count", "2", "-o", "yaml"}, "---\nitem: 1\n---\nitem: 2\n"},
		{[]string{"call", "--stream", "count", "1", "-o", "json"}, "{\n  \"item\": 1\n}\n"},
	} {
		if got := manta(t, c.args...).ok(); got != c.want {
			t.Errorf("manta %q: got %q, want %q", c.args, got, c.want)
		}
	}
	if got := mantaWith(t, t.Context(), "9\n", "call", "square", "-").ok(); got != "81\n" {
		t.Errorf("of stdin: %q", got)
	}
	golden(t, "call-ref", manta(t, "call", "square", "7", "-H", "Manta-Result:ref").ok())
}

func TestExitCodesAndWordsSayWhatWentWrong(t *testing.T) {
	s := setup(t)
	g := newGate(t)
	kept := objstore.Put(s.Context(0), 1)
	defer runtime.KeepAlive(kept.Object())
	for _, c := range []struct {
		args  []string
		code  int
		words []string
	}{
		{[]string{"call", "refuse", `"sold out"`}, exitFailed, []string{"sold out"}},
		{[]string{"call", "square", "x"}, exitUsage, []string{`"x"`, "no JSON", `'"x"'`}},
		{[]string{"call", "square", `"x"`}, exitUsage, []string{"square", "int"}},
		{[]string{"call"}, exitUsage, []string{"arg", "call FUNC"}},
		{[]string{"call", "square", "7", "-o", "xml"}, exitUsage, []string{"xml", "jsonl"}},
		{[]string{"call", "square", "7", "-H", "nothing"}, exitUsage, []string{"Name:Value"}},
		{[]string{"call", "square", "7", "--nonsense"}, exitUsage, []string{"--nonsense"}},
		{[]string{"actor", "dance"}, exitUsage, []string{"dance", "manta actor"}},
		{[]string{"call", "square", "7", "--timeout", "0s"}, exitUsage, []string{"--timeout", "above 0"}},
		{[]string{"call", "nothing"}, exitNotFound, []string{"nothing", "list nodes"}},
		{[]string{"actor", "new", "nothing"}, exitNotFound, []string{"nothing", "list nodes"}},
		{[]string{"actor", "new", "counter", "--get"}, exitUsage, []string{"--name"}},
		{[]string{"actor", "call", "nobody", "Value"}, exitNotFound, []string{"nobody", "list actors"}},
		{[]string{"actor", "kill", "nobody"}, exitNotFound, []string{"nobody"}},
		{[]string{"drain", "nobody"}, exitNotFound, []string{"nobody", "list nodes"}},
		{[]string{"drain", ""}, exitNotFound, nil},
		{[]string{"result", "nothing"}, exitUsage, []string{"26 characters"}},
		{[]string{"cancel", kept.ID().String()}, exitNotFound, []string{"no result"}},
		{[]string{"call", "train", "1", "--timeout", "10s"}, exitUnavailable, []string{"gpu"}},
		{[]string{"call", "hold", `"` + g.name + `"`, "--timeout", "50ms"}, exitTimeout, []string{"hold", "50ms"}},
		{[]string{"call", "square", "7", "-s", "nats://127.0.0.1:1"}, exitUnavailable, []string{"127.0.0.1:1", "manta doctor"}},
		{[]string{"object", "put", "/no/such/file"}, exitUsage, []string{"/no/such/file"}},
		{[]string{"call", "square", "7", "--context", "nowhere"}, exitUsage, []string{"nowhere"}},
		{[]string{"call", "square", "7", "--creds", "/no/such/file"}, exitUsage, []string{"/no/such/file"}},
	} {
		manta(t, c.args...).fails(c.code, c.words...)
	}
}

func TestAnInterruptCancelsACall(t *testing.T) {
	setup(t)
	g := newGate(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan outcome, 1)
	go func() { ended <- mantaWith(t, ctx, "", "call", "hold", `"`+g.name+`"`) }()
	await(t, g.came, "the task")
	cancel()
	await(t, ended, "its end").fails(exitInterrupted)
}

func TestADurableTaskIsSubmittedAndItsResultFetched(t *testing.T) {
	setup(t)
	id := strings.TrimSpace(manta(t, "submit", "bill", "7").ok())
	if got := manta(t, "result", id).ok(); got != "{\"paid\":7}\n" {
		t.Errorf("its result is %q", got)
	}
	if got := manta(t, "result", "--no-wait", "-o", "jsonl", id).ok(); got != "{\"paid\":7}\n" {
		t.Errorf("without a wait it is %q", got)
	}
	if got := manta(t, "why", id).ok(); got != "has its result\n" {
		t.Errorf("why: %q", got)
	}
	golden(t, "why", manta(t, "why", id, "-o", "json").ok())
	golden(t, "submit", manta(t, "submit", "bill", "7", "-o", "json").ok())

	g := newGate(t)
	held := strings.TrimSpace(manta(t, "submit", "hold", `"`+g.name+`"`).ok())
	await(t, g.came, "the task")
	manta(t, "result", "--no-wait", held).fails(exitTimeout, "no result yet", "manta why")
	manta(t, "result", "--timeout", "50ms", held).fails(exitTimeout)
	manta(t, "cancel", held).ok()
	manta(t, "result", held).fails(exitFailed, "cancelled")

	unknown := id[:len(id)-2] + "vs"
	manta(t, "result", unknown).fails(exitNotFound, "never was")
	manta(t, "result", "--no-wait", unknown).fails(exitNotFound)
	manta(t, "why", unknown).fails(exitNotFound)
}

func TestActorsAreMadeCalledAndEnded(t *testing.T) {
	s := setup(t)
	if got := manta(t, "actor", "new", "counter", `{"From": 40}`, "--name", "visits").ok(); got != "visits\n" {
		t.Errorf("its id is %q", got)
	}
	manta(t, "actor", "new", "counter", "--name", "visits").fails(exitFailed, "exists")
	golden(t, "actor-new", manta(t, "actor", "new", "counter", "--name", "visits", "--get", "-o", "json").ok())
	if got := manta(t, "actor", "call", "visits", "Add", "2").ok(); got != "42\n" {
		t.Errorf("a call: %q", got)
	}
	manta(t, "actor", "call", "visits", "Fly").fails(exitUsage, "Add", "Value")
	ref, err := counters.Lookup(s.Context(0), "visits")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := actor.Method0(ref, (*counter).Value).Call(s.Context(0)); v != 42 || err != nil {
		t.Errorf("a Go program sees %d, %v", v, err)
	}
	manta(t, "actor", "kill", "visits").ok()
	if got := manta(t, "actor", "call", "visits", "Value"); got.code != exitNotFound {
		t.Errorf("a call of one that is gone ended with %d: %s", got.code, got.stderr)
	}
	manta(t, "actor", "new", "counter", "--name", "other").ok()
	manta(t, "actor", "stop", "other").ok()
}

func TestObjectsArePutReadAndFreed(t *testing.T) {
	s := setup(t)
	file := filepath.Join(t.TempDir(), "bytes")
	large := strings.Repeat("\x00\xff?", 500_000)
	if err := os.WriteFile(file, []byte(large), 0o600); err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSpace(manta(t, "object", "put", file).ok())
	if got := manta(t, "object", "get", id).ok(); got != large {
		t.Errorf("got %d bytes, want %d", len(got), len(large))
	}
	parsed, err := objstore.ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := objstore.RefTo[[]byte](objstore.Named(parsed)).Get(s.Context(0)); string(v) != large || err != nil {
		t.Errorf("a Go program reads %d bytes, %v", len(v), err)
	}
	golden(t, "object-put", mantaWith(t, t.Context(), "x", "object", "put", "-", "--ttl", "1h", "-o", "json").ok())
	s.eventually(containing(id, "1.43 MiB", "bucket"), "object", "ls")
	manta(t, "object", "free", id).ok()
	manta(t, "object", "get", id).fails(exitNotFound)
	s.eventually(containing(id, "freed"), "object", "ls")

	numbers := strings.TrimSpace(mantaWith(t, t.Context(), "[1, 2.5]", "object", "put", "-", "--json").ok())
	if got := manta(t, "call", "sum", `{"$ref": "`+numbers+`"}`).ok(); got != "3.5\n" {
		t.Errorf("its sum is %q", got)
	}
	if got := manta(t, "object", "get", numbers).ok(); got != "[1,2.5]\n" {
		t.Errorf("it is %q", got)
	}
	mantaWith(t, t.Context(), "[1] [2]", "object", "put", "-", "--json").fails(exitUsage, "more than one")
	text := strings.TrimSpace(mantaWith(t, t.Context(), `"a text"`, "object", "put", "-", "--json").ok())
	if got := manta(t, "object", "get", text, "-o", "json").ok(); got != "\"a text\"\n" {
		t.Errorf("a text as JSON is %q", got)
	}
}

func TestANodeIsDrained(t *testing.T) {
	s := setup(t)
	gone := s.Node(2).ID()
	ended := make(chan error, 1)
	go func() { ended <- s.Node(2).Run(context.WithoutCancel(t.Context())) }()
	o := manta(t, "drain", "worker-2", "--wait")
	if o.ok() != "" || !strings.Contains(o.stderr, gone) || !strings.Contains(o.stderr, "has left") {
		t.Errorf("it wrote %q, and said %q", o.stdout, o.stderr)
	}
	if err := await(t, ended, "Run"); err != nil {
		t.Errorf("its Run ended with %v", err)
	}
	s.AwaitMembers(0, 1)
	manta(t, "drain", gone).fails(exitNotFound, gone)
	g := newGate(t)
	held := hold.Go(s.Context(1), g.name)
	await(t, g.came, "the task")
	manta(t, "drain", s.Node(1).ID()[:8], "--wait", "--timeout", "50ms").fails(exitTimeout, "has not left")
	g.open()
	if _, err := held.Get(s.Context(1)); err != nil {
		t.Errorf("what it had to do ended with %v", err)
	}
}

func TestANameOfTwoNodesNamesNone(t *testing.T) {
	s := setup(t)
	s.Add(nodetest.Configure(func(_ int, cfg *node.Config) { cfg.Name = "worker-0" }))
	manta(t, "drain", "worker-0").fails(exitUsage, "2 nodes", s.Node(0).ID(), s.Node(3).ID())
}

func TestTheShellCompletesNamesOfTheCluster(t *testing.T) {
	s := setup(t)
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"call"}, []string{"add", "bill", "chat", "count", "hello", "hold", "refuse", "square", "sum", "train"}},
		{[]string{"submit"}, []string{"add", "bill", "chat", "count", "hello", "hold", "refuse", "square", "sum", "train"}},
		{[]string{"actor", "new"}, []string{"counter"}},
	} {
		got := completions(manta(t, slices.Concat([]string{cobra.ShellCompNoDescRequestCmd}, c.args, []string{""})...).ok())
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.args, got, c.want)
		}
	}
	got := completions(manta(t, cobra.ShellCompNoDescRequestCmd, "drain", "").ok())
	for _, want := range []string{"worker-0", "worker-1", "worker-2", s.Node(0).ID()} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
	t.Setenv("NATS_URL", "nats://127.0.0.1:1")
	if got := completions(manta(t, cobra.ShellCompNoDescRequestCmd, "call", "").ok()); len(got) > 0 {
		t.Errorf("without a cluster: %q", got)
	}
}

// completions are what a shell shows of what it is answered.
func completions(answer string) []string {
	lines := strings.Split(answer, "\n")
	return lines[:slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, ":") })]
}

func TestDevServesACluster(t *testing.T) {
	alone(t)
	ctx, cancel := context.WithCancel(t.Context())
	server, ended := running(t, ctx, "dev", "--port", "0", "-o", "json")
	if got := manta(t, "-s", server, "call", "echo", `"hi"`).ok(); got != "\"hi\"\n" {
		t.Errorf("echo: %q", got)
	}
	cancel()
	if o := await(t, ended, "its end"); !strings.Contains(o.stderr, "manta -s "+server) {
		t.Errorf("it says %q", o.stderr)
	}
}

func TestStartRunsANodeUntilItIsDrained(t *testing.T) {
	alone(t)
	t.Setenv("MANTA_LABELS", "zone=eu,disk=ssd")
	server, ended := running(t, t.Context(), "start", "--name", "carrier", "--listen", "127.0.0.1:0", "--dir", t.TempDir(), "-o", "json")
	n, ctx, err := node.Start(t.Context(), node.Config{URL: server, SharedDir: "off"})
	if err != nil {
		t.Fatal(err)
	}
	members, err := node.Members(ctx)
	at := slices.IndexFunc(members, func(m node.Info) bool { return m.Name == "carrier" })
	if err != nil || at < 0 || members[at].Labels["zone"] != "eu" || len(members[at].Functions) > 0 {
		t.Errorf("its record: %+v, %v", members, err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	manta(t, "-s", server, "drain", "carrier")
	if o := await(t, ended, "its end"); o.code != 0 {
		t.Errorf("it ended with %d: %s", o.code, o.stderr)
	}
	manta(t, "start", "--listen", "0.0.0.0:0").fails(exitFailed, "without credentials and TLS")
	manta(t, "start", "--labels", "zone").fails(exitUsage, "zone")
}

// running runs a command that serves, and returns its server once it is there, and how it ends.
func running(t *testing.T, ctx context.Context, args ...string) (server string, ended chan outcome) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ended = make(chan outcome, 1)
	go func() {
		var stderr strings.Builder
		code := run(ctx, args, strings.NewReader(""), w, &stderr)
		_ = w.Close()
		ended <- outcome{t: t, args: args, code: code, stderr: stderr.String()}
	}()
	t.Cleanup(func() { _ = r.Close() })
	var started struct{ Server string }
	if err := json.NewDecoder(r).Decode(&started); err != nil || started.Server == "" {
		t.Fatalf("it has not started: %v: %+v", err, await(t, ended, "its end"))
	}
	return started.Server, ended
}
