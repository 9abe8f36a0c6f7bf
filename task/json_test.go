package task_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// askFromAside starts a cluster in which node 0 serves nothing, and returns a ctx of that node.
func askFromAside(t *testing.T, serving int) (*nodetest.Cluster, context.Context) {
	t.Helper()
	c := nodetest.Start(t, 1+serving, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
	ctx, cancel := context.WithTimeout(c.Context(0), patience)
	t.Cleanup(cancel)
	return c, ctx
}

func TestAFunctionIsCalledByItsNameWithJSON(t *testing.T) {
	_, ctx := askFromAside(t, 2)
	for _, test := range []struct{ function, payload, want string }{
		{"double", "21", "42"},
		{"zero_args", "", `"none"`},
		{"two_args", `["ab", 2]`, `"abab"`},
		{"forget", "1", "{}"},
		{"halves", "3", "[0,0.5,1]"},
		{"once_big", "3000000", `"` + strings.Repeat("x", 3000000) + `"`}, // more than a message takes
	} {
		got, err := task.CallJSON(ctx, test.function, json.RawMessage(test.payload), nil)
		if err != nil || string(got) != test.want {
			t.Errorf("%s of %s: %.60s, %v, want %.60s", test.function, test.payload, got, err, test.want)
		}
	}
}

func TestACallByNameFailsAsATaskDoes(t *testing.T) {
	_, ctx := askFromAside(t, 1)
	for name, c := range map[string]struct {
		function, payload string
		want              error
	}{
		"nobody serves it":     {"nobody_does", "1", task.ErrNotRegistered},
		"no name":              {"a.b", "1", task.ErrArgument},
		"no JSON":              {"double", "{", task.ErrArgument},
		"an argument too many": {"zero_args", "1", task.ErrArgument},
		"its own error":        {"refuse", `"x"`, errSoldOut},
		"a stream":             {"count", "1", task.ErrArgument},
	} {
		if got, err := task.CallJSON(ctx, c.function, json.RawMessage(c.payload), nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %s, %v, want %v", name, got, err, c.want)
		}
	}
	if _, err := task.CallJSON(t.Context(), "double", nil, nil); err == nil {
		t.Error("a ctx without a node will do")
	}
	own := new(task.Error)
	if _, err := task.CallJSON(ctx, "refuse", json.RawMessage(`"x"`), nil); !errors.As(err, &own) || own.Func != "refuse" {
		t.Errorf("a function's error is %T %v", err, err)
	}
}

func TestACallByNameWithAnIDIsMadeOnce(t *testing.T) {
	_, ctx := askFromAside(t, 2)
	headers := map[string]string{"Manta-Id": "json-1"}
	first, err := task.CallJSON(ctx, "once_count", json.RawMessage(`""`), headers)
	again, err2 := task.CallJSON(ctx, "once_count", json.RawMessage(`""`), headers)
	if err != nil || err2 != nil || string(first) != string(again) {
		t.Errorf("got %s, %v, then %s, %v", first, err, again, err2)
	}
}

func TestACallByNameAnswersWithARefIfAskedTo(t *testing.T) {
	_, ctx := askFromAside(t, 1)
	got, err := task.CallJSON(ctx, "double", json.RawMessage("4"), map[string]string{"Manta-Result": "ref"})
	if err != nil {
		t.Fatal(err)
	}
	var ref objstore.Ref[int]
	if err := json.Unmarshal(got, &ref); err != nil {
		t.Fatal(err)
	}
	if v, err := ref.Get(ctx); v != 8 || err != nil {
		t.Errorf("%s is %d, %v", got, v, err)
	}
}

func TestTheEndOfACtxCancelsACallByName(t *testing.T) {
	_, ctx := askFromAside(t, 1)
	g := newGate(t)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := task.CallJSON(ctx, "pass", json.RawMessage(`"`+g.name+`"`), nil)
		ended <- err
	}()
	g.await(1)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the call ended with %v", err)
	}
	if cause := g.awaitTurned(); !errors.Is(cause, task.ErrCancelled) {
		t.Errorf("the task ended with %v", cause)
	}
}

func TestACallByNameIsLostWithTheNodeThatTookIt(t *testing.T) {
	c, ctx := askFromAside(t, 1)
	g := newGate(t)
	ended := make(chan error, 1)
	go func() {
		_, err := task.CallJSON(ctx, "pass", json.RawMessage(`"`+g.name+`"`), nil)
		ended <- err
	}()
	g.await(1)
	c.Kill(1)
	if err := <-ended; !errors.Is(err, task.ErrWorkerLost) {
		t.Errorf("the call ended with %v", err)
	}
}

func TestAStreamIsReadByItsNameWithJSON(t *testing.T) {
	_, ctx := askFromAside(t, 2)
	var got []string
	for item, err := range task.StreamJSON(ctx, "up_to", json.RawMessage("200"), nil) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(item))
	}
	if len(got) != 200 || got[0] == got[199] {
		t.Errorf("got %d items, %q", len(got), got[:min(3, len(got))])
	}
	for item, err := range task.StreamJSON(ctx, "count", json.RawMessage("7"), nil) { // which has no end
		if string(item) != "7" || err != nil {
			t.Errorf("the first item is %s, %v", item, err)
		}
		break
	}
	var failures []error
	for _, err := range task.StreamJSON(ctx, "double", json.RawMessage("1"), nil) {
		failures = append(failures, err)
	}
	if len(failures) != 1 || !errors.Is(failures[0], task.ErrArgument) {
		t.Errorf("what does not stream: %v", failures)
	}
}

func TestADurableTaskIsSubmittedByItsName(t *testing.T) {
	c, ctx := askFromAside(t, 2)
	id, err := task.SubmitJSON(ctx, "twice", json.RawMessage("21"))
	if err != nil {
		t.Fatal(err)
	}
	value, err := objstore.Read(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := value.JSON(); string(text) != "42" || err != nil {
		t.Errorf("its result is %s, %v", text, err)
	}
	if done, err := task.Recorded(ctx, id); !done || err != nil {
		t.Errorf("it is recorded: %v, %v", done, err)
	}
	if v, err := task.Result[int](c.Context(1), id); v != 42 || err != nil {
		t.Errorf("elsewhere its result is %d, %v", v, err)
	}
	if words, err := c.Node(0).Why(ctx, id); words != "has its result" || err != nil {
		t.Errorf("why: %q, %v", words, err)
	}
}

func TestADurableTaskThatWasSubmittedByItsNameIsCancelled(t *testing.T) {
	_, ctx := askFromAside(t, 1)
	g := newGate(t)
	id, err := task.SubmitJSON(ctx, "pass", json.RawMessage(`"`+g.name+`"`))
	if err != nil {
		t.Fatal(err)
	}
	g.await(1)
	if done, err := task.Recorded(ctx, id); done || err != nil {
		t.Errorf("it is recorded: %v, %v", done, err)
	}
	if err := task.Cancel(ctx, objstore.RefTo[any](objstore.Named(id))); err != nil {
		t.Fatal(err)
	}
	if _, err := objstore.Read(ctx, id); !errors.Is(err, task.ErrCancelled) {
		t.Errorf("its result is %v", err)
	}
}

func TestWhatNoDurableTaskIsCalledIsNotRecorded(t *testing.T) {
	_, ctx := askFromAside(t, 1)
	known, err := task.SubmitJSON(ctx, "twice", json.RawMessage("1"))
	if err != nil {
		t.Fatal(err)
	}
	unknown := known
	unknown[15]++
	if _, err := task.Recorded(ctx, unknown); !errors.Is(err, objstore.ErrExpired) {
		t.Errorf("an unknown id: %v", err)
	}
	if _, err := task.Recorded(ctx, objstore.Put(ctx, 1).ID()); err == nil {
		t.Error("a value that was put has a record")
	}
}

func TestACtxThatIsLateGoesWithACallByName(t *testing.T) {
	_, ctx := askFromAside(t, 1)
	g := newGate(t)
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err := task.CallJSON(ctx, "pass", json.RawMessage(`"`+g.name+`"`), nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the call ended with %v", err)
	}
}

func TestWhoeverAnswersACallByNameHasItSpeakWhereAnswersGoAlone(t *testing.T) {
	c, ctx := askFromAside(t, 1)
	nc := c.Connect()
	var heard []string
	serve := func(function string, handle nats.MsgHandler) {
		if _, err := nc.Subscribe("manta.default.task."+function, handle); err != nil {
			t.Fatal(err)
		}
	}
	serve("w_other", func(m *nats.Msg) {
		heard = append(heard, string(m.Data))
		_ = m.Respond([]byte("true"))
	})
	serve("w_trap", func(m *nats.Msg) {
		item := nats.NewMsg(m.Reply)
		item.Reply, item.Data = "manta.default.task.w_other", []byte("1")
		item.Header.Set("Manta-Item", "1")
		if err := nc.PublishMsg(item); err != nil {
			t.Error(err)
		}
	})
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for item, err := range task.StreamJSON(ctx, "w_trap", nil, nil) {
		if err == nil {
			t.Errorf("item %s was acknowledged where it said", item)
		}
	}
	if _, err := task.CallJSON(ctx, "w_other", json.RawMessage("2"), nil); err != nil || !slices.Equal(heard, []string{"2"}) {
		t.Errorf("the other function was asked %q, %v", heard, err)
	}
}
