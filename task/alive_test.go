package task_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"manta/node/nodetest"
	"manta/task"
)

// askAlive asks for a task with signs of life, and returns where they come and the first one.
func askAlive(t *testing.T, nc *nats.Conn, function, payload string) (answers *nats.Subscription, first *nats.Msg) {
	t.Helper()
	msg := nats.NewMsg("manta.default.task." + function)
	msg.Reply, msg.Data = nats.NewInbox(), []byte(payload)
	msg.Header.Set("Manta-Alive", "1")
	answers, err := nc.SubscribeSync(msg.Reply)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.PublishMsg(msg); err != nil {
		t.Fatal(err)
	}
	return answers, nextSign(t, answers)
}

func nextSign(t *testing.T, answers *nats.Subscription) *nats.Msg {
	t.Helper()
	sign, err := answers.NextMsg(patience)
	if err != nil || sign.Header.Get("Status") != "100" || len(sign.Data) > 0 || sign.Reply == "" {
		t.Fatalf("got %+v, %v, want a sign of life", sign, err)
	}
	return sign
}

func TestAPlainClientIsShownSignsOfLifeUntilItsReply(t *testing.T) {
	c, g := nodetest.Start(t, 1), newGate(t)
	answers, _ := askAlive(t, c.Connect(), "pass", `"`+g.name+`"`)
	nextSign(t, answers)
	g.open()
	for {
		msg, err := answers.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		if msg.Header.Get("Status") == "" {
			if want := `"` + c.Node(0).ID() + `"`; string(msg.Data) != want {
				t.Errorf("the reply is %s, want %s", msg.Data, want)
			}
			return
		}
	}
}

func TestAPlainClientCancelsByAnsweringASignOfLifeOrByLeaving(t *testing.T) {
	c := nodetest.Start(t, 1)
	nc := c.Connect()
	for name, leave := range map[string]func(answers *nats.Subscription, sign *nats.Msg) error{
		"answering": func(_ *nats.Subscription, sign *nats.Msg) error { return nc.Publish(sign.Reply, []byte("stop")) },
		"leaving":   func(answers *nats.Subscription, _ *nats.Msg) error { return answers.Unsubscribe() },
	} {
		g := newGate(t)
		answers, sign := askAlive(t, nc, "pass", `"`+g.name+`"`)
		g.await(1)
		if err := leave(answers, sign); err != nil {
			t.Fatal(err)
		}
		if cause := g.awaitTurned(); !errors.Is(cause, task.ErrCancelled) {
			t.Errorf("%s: the function's ctx ended with %v", name, cause)
		}
		for name == "answering" {
			msg, err := answers.NextMsg(patience)
			if err != nil {
				t.Fatal(err)
			}
			if msg.Header.Get("Status") == "" {
				if code := msg.Header.Get("Manta-Error"); code != "cancelled" {
					t.Errorf("%s: the reply is %v", name, msg.Header)
				}
				break
			}
		}
	}
}

func TestAClientThatIsAnsweredCannotSpeakForOthers(t *testing.T) {
	c, p := startWithPlainClient(t, 1)
	g := newGate(t)
	answers, _ := askAlive(t, p.nc, "pass", `"`+g.name+`"`)
	g.await(1)
	items := p.stream("up_to", "100", "Manta-Ahead", "2")
	items.wantItem(1, "0")
	items.wantItem(2, "1")

	mallory, h := c.Connect(), newGate(t)
	_, sign := askAlive(t, mallory, "pass", `"`+h.name+`"`)
	root, _, _ := strings.Cut(sign.Reply, ".taken.")
	for i := range 50 { // what a count would be, wherever it stood
		for _, subject := range []string{
			sign.Reply[:strings.LastIndex(sign.Reply, ".")+1] + strconv.Itoa(i), root + fmt.Sprintf(".taken.%d.2", i), root + fmt.Sprintf(".taken.%d.%d", i, i),
		} {
			if err := mallory.Publish(subject, []byte("stop")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := mallory.Publish(sign.Reply, []byte("stop")); err != nil { // its own: all before has come then
		t.Fatal(err)
	}
	if cause := h.awaitTurned(); !errors.Is(cause, task.ErrCancelled) {
		t.Errorf("its own ended with %v", cause)
	}
	g.open()
	if reply := (plainStream{t, answers}).next(); string(reply.Data) != `"`+c.Node(0).ID()+`"` {
		t.Errorf("another's reply is %s %v", reply.Data, reply.Header)
	}
	nothing, err := items.sub.NextMsg(10 * time.Millisecond)
	if err == nil && nothing.Header.Get("Status") != "100" {
		t.Errorf("another's stream went on with %s %v", nothing.Data, nothing.Header)
	}
}

func TestAClientThatIsAnsweredDoesNotLearnWhereANodeHasItsOwnAnswers(t *testing.T) {
	c, p := startWithPlainClient(t, 1)
	inboxes := make(chan string, 1)
	serveAs(t, p.nc, "w8", "w_asked_by_a_node", func(m *nats.Msg) {
		inboxes <- m.Reply
		_ = m.Respond([]byte("true"))
	})
	if _, err := task.Declare[int, bool]("w_asked_by_a_node").Call(c.Context(0), 1); err != nil {
		t.Fatal(err)
	}
	g := newGate(t)
	_, sign := askAlive(t, p.nc, "pass", `"`+g.name+`"`)
	g.open()
	root, _, _ := strings.Cut(sign.Reply, ".taken.")
	if inbox := <-inboxes; strings.HasPrefix(inbox, root) {
		t.Errorf("signs of life are answered at %s, and workers at %s", sign.Reply, inbox)
	}
}
