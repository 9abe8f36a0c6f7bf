package task_test

import (
	"errors"
	"testing"

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
