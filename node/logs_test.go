package node_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"manta/actor"
	"manta/bus"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

var (
	// told logs a line.
	told = task.Define("log_told", func(ctx context.Context, line string) (string, error) {
		task.Logger(ctx).Info(line, zap.String("with", "a field"))
		return task.Current(ctx).Node, nil
	})
	// flooded logs many lines, and says how long that took.
	flooded = task.Define("log_flooded", func(ctx context.Context, lines int) (time.Duration, error) {
		log, begin := task.Logger(ctx), time.Now()
		for i := range lines {
			log.Info("again and again", zap.Int("i", i))
		}
		return time.Since(begin), nil
	})
	// severe logs a line of each level that a task may.
	severe = task.Define("log_severe", func(ctx context.Context, _ string) (string, error) {
		log := task.Logger(ctx)
		log.Debug("debug")
		log.Info("info")
		log.Warn("warn")
		log.Error("error")
		log.Check(zap.FatalLevel, "not written") // an entry that is not written ends nobody
		return "", nil
	})
)

// diarist logs.
type diarist struct{}

func (*diarist) Start(ctx context.Context) error {
	task.Logger(ctx).Info("I begin")
	return nil
}

func (*diarist) Note(ctx context.Context, line string) (string, error) {
	task.Logger(ctx).Info(line)
	return "", nil
}

var diarists = actor.Define[diarist]("log_diarist")

// watched has each node log to where the test looks.
type watched struct {
	mu   sync.Mutex
	logs map[int]*observer.ObservedLogs
}

func watch(level zapcore.Level) (*watched, nodetest.Option) {
	w := &watched{logs: make(map[int]*observer.ObservedLogs)}
	return w, nodetest.Configure(func(i int, cfg *node.Config) {
		core, logs := observer.New(level)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.logs[i], cfg.Logger, cfg.Name = logs, zap.New(core), fmt.Sprintf("node-%d", i)
	})
}

// lines are those of that message in a node's log, or that begin with it.
func (w *watched) lines(i int, message string) (found []observer.LoggedEntry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.logs[i].All() {
		if strings.HasPrefix(e.Message, message) {
			found = append(found, e)
		}
	}
	return found
}

// read returns the lines that a query finds.
func read(t *testing.T, ctx context.Context, q node.LogQuery) (lines []node.LogLine) {
	t.Helper()
	for l, err := range node.Logs(ctx, q) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

// awaitLines waits until a query finds so many lines.
func awaitLines(t *testing.T, c *nodetest.Cluster, n int, q node.LogQuery) (lines []node.LogLine) {
	t.Helper()
	c.Await(fmt.Sprintf("%d lines of %+v", n, q), func() bool {
		lines = read(t, c.Context(0), q)
		return len(lines) >= n
	})
	if len(lines) != n {
		t.Fatalf("got %d lines, want %d: %+v", len(lines), n, lines)
	}
	return lines
}

func runsOn(c *nodetest.Cluster, i int) task.Option { return task.OnNode(c.Node(i).ID(), task.Hard) }

func TestWhatATaskLogsIsInTheLogOfItsNodeOfItsOwnerAndOfTheCluster(t *testing.T) {
	w, logged := watch(zap.InfoLevel)
	c := nodetest.Start(t, 3, logged)
	ref := told.With(runsOn(c, 1)).Go(c.Context(0), "here I am")
	if _, err := ref.Get(c.Context(0)); err != nil {
		t.Fatal(err)
	}
	c.Await("the owner's log", func() bool { return len(w.lines(0, "here I am")) == 1 })
	for i := range 2 {
		fields := w.lines(i, "here I am")[0].ContextMap()
		for key, want := range map[string]any{
			"node": c.Node(1).ID(), "task": "log_told", "id": ref.ID().String(), "attempt": int64(1), "with": "a field",
		} {
			if fields[key] != want {
				t.Errorf("node %d: %s is %v, want %v", i, key, fields[key], want)
			}
		}
	}
	line := awaitLines(t, c, 1, node.LogQuery{Task: "log_told"})[0]
	want := node.LogLine{
		Time: line.Time, Level: "info", Node: c.Node(1).ID(), NodeName: "node-1", Owner: c.Node(0).ID(), Task: "log_told", ID: ref.ID().String(), Attempt: 1,
		Message: "here I am", Fields: map[string]any{"with": "a field"},
	}
	if fmt.Sprint(line) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", line, want)
	}
	if lines := w.lines(2, "here I am"); len(lines) > 0 {
		t.Errorf("a node that has nothing to do with it logs %v", lines)
	}
}

func TestWhatATaskLogsOnItsOwnersNodeIsThereOnce(t *testing.T) {
	w, logged := watch(zap.InfoLevel)
	c := nodetest.Start(t, 2, logged)
	if _, err := told.With(runsOn(c, 0)).Call(c.Context(0), "at home"); err != nil {
		t.Fatal(err)
	}
	if _, err := told.With(runsOn(c, 1)).Call(c.Context(0), "abroad"); err != nil {
		t.Fatal(err)
	}
	c.Await("the other line", func() bool { return len(w.lines(0, "abroad")) == 1 })
	awaitLines(t, c, 2, node.LogQuery{})
	if n := len(w.lines(0, "at home")); n != 1 {
		t.Errorf("it is there %d times", n)
	}
}

func TestWhatAnActorLogsSaysWhichItIs(t *testing.T) {
	w, logged := watch(zap.InfoLevel)
	c := nodetest.Start(t, 2, logged, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
	ref := diarists.New(c.Context(0), diarist{}, actor.Name("anne"))
	if _, err := actor.Method(ref, (*diarist).Note).Call(c.Context(0), "dear diary"); err != nil {
		t.Fatal(err)
	}
	c.Await("the caller's log", func() bool { return len(w.lines(0, "dear diary")) == 1 })
	lines := awaitLines(t, c, 2, node.LogQuery{Actor: "anne"})
	start, note := lines[0], lines[1]
	if start.Message != "I begin" || start.Class != "log_diarist" || start.Actor != "anne" || start.ID != "" {
		t.Errorf("got %+v", start)
	}
	if note.Message != "dear diary" || note.Class != "log_diarist" || note.Method != "Note" || note.ID == "" || note.Attempt != 1 || note.Task != "" {
		t.Errorf("got %+v", note)
	}
	if len(read(t, c.Context(0), node.LogQuery{Actor: "log_diarist"})) != 2 || len(read(t, c.Context(0), node.LogQuery{Actor: "bob"})) != 0 {
		t.Error("lines are not found by the actor's class, or by that of another")
	}
}

func TestTheLinesOfADeadNodeAreStillRead(t *testing.T) {
	c := nodetest.Start(t, 2)
	dead := c.Node(1).ID()
	if _, err := told.With(runsOn(c, 1)).Call(c.Context(0), "last words"); err != nil {
		t.Fatal(err)
	}
	awaitLines(t, c, 1, node.LogQuery{})
	c.Kill(1)
	c.AwaitMembers(0)
	if line := awaitLines(t, c, 1, node.LogQuery{Node: dead})[0]; line.Message != "last words" {
		t.Errorf("got %+v", line)
	}
}

func TestATaskThatLogsWithoutEndIsNotHeldUpAndTheRestIsCounted(t *testing.T) {
	c := nodetest.Start(t, 2)
	const n = 100_000
	took, err := flooded.With(runsOn(c, 1)).Call(c.Context(0), n)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v a line", took/n)
	var sent, left int
	ctx, cancel := context.WithTimeout(c.Context(0), 30*time.Second)
	defer cancel()
	for l, err := range node.Logs(ctx, node.LogQuery{Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if out, ok := l.Fields["left_out"].(float64); ok {
			left += int(out)
			if l.Message != fmt.Sprintf("%d lines were left out", int(out)) || l.Level != "warn" || l.Owner != c.Node(0).ID() {
				t.Errorf("got %+v", l)
			}
		} else {
			sent++
		}
		if sent+left == n {
			break
		}
	}
	if sent+left != n || sent < 1000 || left == 0 {
		t.Errorf("%d lines were sent and %d left out, of %d", sent, left, n)
	}
}

func TestWhatManyTasksLogAlikeIsShownOnceAtTheirOwner(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		w, logged := watch(zap.InfoLevel)
		c := nodetest.Start(t, 3, logged)
		var refs []objstore.Ref[string]
		for i := range 10 {
			refs = append(refs, told.With(runsOn(c, 1+i%2)).Go(c.Context(0), "the same"))
		}
		if _, err := objstore.GetAll(c.Context(0), refs); err != nil {
			t.Fatal(err)
		}
		c.Await("the count", func() bool { return len(w.lines(0, "the same")) == 2 })
		if lines := w.lines(0, "the same"); lines[1].Message != "the same [repeated 9x across cluster]" {
			t.Errorf("got %v", lines)
		}
		if n := len(read(t, c.Context(0), node.LogQuery{Task: "log_told"})); n != 10 {
			t.Errorf("%d of 10 lines are kept", n)
		}
	})
}

func TestAQueryFindsWhatItAsksFor(t *testing.T) {
	w, logged := watch(zap.DebugLevel)
	c := nodetest.Start(t, 2, logged)
	ref := severe.With(runsOn(c, 1)).Go(c.Context(0), "")
	if _, err := ref.Get(c.Context(0)); err != nil {
		t.Fatal(err)
	}
	awaitLines(t, c, 4, node.LogQuery{})
	c.Await("the owner's log", func() bool { return len(w.lines(0, "error")) == 1 })
	for _, test := range []struct {
		query node.LogQuery
		want  string
	}{
		{node.LogQuery{Level: "warn"}, "warn error"},
		{node.LogQuery{Limit: 3}, "info warn error"},
		{node.LogQuery{Limit: 1, Level: "info", Since: time.Hour}, "error"},
		{node.LogQuery{Task: ref.ID().String(), Level: "error"}, "error"},
		{node.LogQuery{Node: "node-1", Limit: 9}, "debug info warn error"},
		{node.LogQuery{Node: c.Node(0).ID()}, ""},
		{node.LogQuery{Task: "another"}, ""},
		{node.LogQuery{Actor: "some"}, ""},
	} {
		var got []string
		for _, l := range read(t, c.Context(0), test.query) {
			got = append(got, l.Message)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%+v finds %q, want %q", test.query, got, test.want)
		}
	}
	for _, err := range node.Logs(c.Context(0), node.LogQuery{Level: "loud"}) {
		if err == nil || !strings.Contains(err.Error(), "loud") {
			t.Errorf("a level that is none: %v", err)
		}
	}
}

func TestWhoFollowsTheLogHearsWhatComes(t *testing.T) {
	c := nodetest.Start(t, 2)
	ctx, cancel := context.WithCancel(c.Context(0))
	heard, over := make(chan string, 10), make(chan error, 1)
	go func() {
		defer close(over)
		for l, err := range node.Logs(ctx, node.LogQuery{Follow: true, Limit: 1}) {
			if err != nil {
				over <- err
			}
			heard <- l.Message
		}
	}()
	for _, line := range []string{"first", "second", "third"} { // the first makes the stream
		if _, err := told.With(runsOn(c, 1)).Call(c.Context(0), line); err != nil {
			t.Fatal(err)
		}
		if got := <-heard; got != line {
			t.Errorf("heard %q, want %q", got, line)
		}
	}
	cancel()
	if err := <-over; err != nil {
		t.Error(err)
	}
}

func TestLinesGoNoFurtherThanTheyAreToGo(t *testing.T) {
	for name, test := range map[string]struct {
		change      func(*node.TaskLogs)
		owner, kept int
	}{
		"all":   {func(*node.TaskLogs) {}, 1, 1},
		"local": {func(l *node.TaskLogs) { l.Local = true }, 0, 0},
		"quiet": {func(l *node.TaskLogs) { l.Quiet = true }, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w, logged := watch(zap.InfoLevel)
			c := nodetest.Start(t, 2, logged, nodetest.Configure(func(_ int, cfg *node.Config) { test.change(&cfg.TaskLogs) }))
			if _, err := told.With(runsOn(c, 1)).Call(c.Context(0), "psst"); err != nil {
				t.Fatal(err)
			}
			if err := c.Node(1).Close(); err != nil { // which sends what is left
				t.Fatal(err)
			}
			awaitLines(t, c, test.kept, node.LogQuery{})
			if test.owner > 0 {
				c.Await("the owner's log", func() bool { return len(w.lines(0, "psst")) == test.owner })
			}
			if err := c.Node(0).Close(); err != nil { // which shows what has come
				t.Fatal(err)
			}
			if n, here := len(w.lines(0, "psst")), len(w.lines(1, "psst")); n != test.owner || here != 1 {
				t.Errorf("the owner logs %d lines, the task's node %d", n, here)
			}
		})
	}
}

func TestOutsideOfTasksTheLoggerIsTheNodes(t *testing.T) {
	w, logged := watch(zap.InfoLevel)
	c := nodetest.Start(t, 1, logged)
	task.Logger(context.Background()).Info("nobody hears that")
	task.Logger(c.Context(0)).Info("the node does")
	if lines := w.lines(0, "the node does"); len(lines) != 1 || lines[0].ContextMap()["node"] != c.Node(0).ID() || len(lines[0].Context) != 1 {
		t.Errorf("got %v", lines)
	}
}

func TestACallerHasNoLogsOfTheCluster(t *testing.T) {
	c, _, ctx := callers(t, 1)
	if _, err := told.Call(ctx, "for the others"); err != nil {
		t.Fatal(err)
	}
	awaitLines(t, c, 1, node.LogQuery{})
	n := 0
	for _, err := range node.Logs(ctx, node.LogQuery{}) {
		if n++; !errors.Is(err, bus.ErrConfined) {
			t.Errorf("got %v, want %v", err, bus.ErrConfined)
		}
	}
	if n != 1 {
		t.Errorf("it got %d lines or errors", n)
	}
}

func TestBoundsOfTheLogsAreChecked(t *testing.T) {
	for want, logs := range map[string]node.TaskLogs{"MaxBytes": {MaxBytes: 1}, "MaxAge": {MaxAge: time.Millisecond}} {
		if _, _, err := node.Start(t.Context(), node.Config{TaskLogs: logs}); err == nil || !strings.Contains(err.Error(), "Config.TaskLogs."+want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
