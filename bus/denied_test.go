package bus_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"manta/bus"
)

// only lets the user "user" publish and subscribe to these and nothing else.
func only(publish, subscribe []string) func(*server.Options) {
	return func(opts *server.Options) {
		opts.Users = []*server.User{{Username: "user", Password: "password", Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: publish},
			Subscribe: &server.SubjectPermission{Allow: subscribe},
		}}}
	}
}

var user = nats.UserInfo("user", "password")

func TestWhatIsNotPermittedFailsAtOnceAndSaysWhatItWas(t *testing.T) {
	conn := connectTo(t, runServer(t, only([]string{"$JS.API.INFO", "letters"}, []string{"manta.test.reply.tester.>"})), user)
	begun := time.Now()
	for what, do := range map[string]func() error{
		"publish to numbers": func() error { _, err := conn.Request(within(t, time.Minute), "numbers", nil); return err },
		"publish to $JS.API.STREAM.INFO.KV_records": func() error {
			_, err := conn.OpenTable(within(t, time.Minute), "records")
			return err
		},
		"subscription to words": func() error {
			if _, err := conn.Subscribe("words", "", func(*bus.Msg) {}); err != nil {
				return err
			}
			return conn.Permitted(within(t, time.Minute))
		},
	} {
		if err := do(); !errors.Is(err, bus.ErrDenied) || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want ErrDenied: %s", err, what)
		}
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestWhatNATSItselfAsksIsAnsweredBeneathTheUsersReplySubjects(t *testing.T) {
	conn := connectTo(t, runServer(t, only([]string{">"}, []string{"manta.test.reply.tester.>", "letters"})), user)
	if _, err := conn.Subscribe("letters", "", func(msg *bus.Msg) { _ = conn.Publish(msg.Reply, "", nil) }); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Request(within(t, 10*time.Second), "letters", nil); err != nil {
		t.Error(err)
	}
	table, err := conn.OpenTable(within(t, 10*time.Second), "records")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Put(within(t, 10*time.Second), "key", nil); err != nil {
		t.Error(err)
	}
	if all, err := table.All(within(t, 10*time.Second)); len(all) != 1 || err != nil {
		t.Errorf("got %v, %v", all, err)
	}
	if err := conn.Permitted(within(t, 10*time.Second)); err != nil {
		t.Error(err)
	}
}
