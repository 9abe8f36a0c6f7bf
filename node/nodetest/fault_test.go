package nodetest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"manta/bus"
	"manta/internal/member"
	"manta/node"
	"manta/node/nodetest"
)

// connOf returns node i's own connection.
func connOf(t *testing.T, c *nodetest.Cluster, i int) *bus.Conn {
	t.Helper()
	scope, err := member.FromContext(c.Context(i))
	if err != nil {
		t.Fatal(err)
	}
	return scope.Node.Conn
}

// listen returns what comes to a subject.
func listen(t *testing.T, conn *bus.Conn, subject string) <-chan string {
	t.Helper()
	got := make(chan string, 10_000)
	if _, err := conn.Subscribe(subject, "", func(msg *bus.Msg) { got <- string(msg.Data) }); err != nil {
		t.Fatal(err)
	}
	flush(t, conn)
	return got
}

func flush(t *testing.T, conn *bus.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := conn.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// spread waits until what the second connection listens to has come to the server of the first: it asks until the second
// answers, and interest spreads in order.
func spread(t *testing.T, from, to *bus.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	subject := to.Inbox("spread")
	sub, err := to.Subscribe(subject, "", func(msg *bus.Msg) { _ = to.Publish(msg.Reply, "", nil) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	for {
		_, err := from.Request(ctx, subject, nil)
		if err == nil {
			return
		}
		if !errors.Is(err, bus.ErrNoResponders) {
			t.Fatal(err)
		}
	}
}

func receive(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(patience):
		t.Fatal("nothing came")
		return ""
	}
}

// until receives up to a message that is the last.
func until(t *testing.T, from <-chan string, last string) (got []string) {
	t.Helper()
	for {
		one := receive(t, from)
		if one == last {
			return got
		}
		got = append(got, one)
	}
}

func send(t *testing.T, conn *bus.Conn, subject string, messages ...string) {
	t.Helper()
	for _, message := range messages {
		if err := conn.Publish(subject, "", []byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, conn)
}

func numbered(prefix string, n int) (messages []string) {
	for i := range n {
		messages = append(messages, fmt.Sprint(prefix, i))
	}
	return messages
}

// frames are n of Manta's frames.
func frames(n int) []string { return numbered(string([]byte{bus.FrameMark, bus.FrameVersion, 1}), n) }

func TestDropLosesFramesAndNothingElse(t *testing.T) {
	const count = 1000
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		c := nodetest.Start(t, 2, append(where, nodetest.Seed(7))...)
		from, to := connOf(t, c, 0), connOf(t, c, 1)
		got := listen(t, to, "letters")
		spread(t, from, to)

		c.Drop(0.2)
		send(t, from, "letters", append(frames(count), "last")...)
		arrived := until(t, got, "last")
		if c.Dropped() != count-len(arrived) {
			t.Errorf("%d of %d frames arrived, %d were counted as dropped", len(arrived), count, c.Dropped())
		}
		if lost := count - len(arrived); lost < 260 || lost > 460 { // 360 ± 15 expected
			t.Errorf("%d of %d frames were lost at a rate of 0.2 both ways", lost, count)
		}
		plain := numbered("{", count)
		send(t, from, "letters", append(plain, "last")...)
		if arrived := until(t, got, "last"); !slices.Equal(arrived, plain) {
			t.Errorf("%d of %d plain messages arrived", len(arrived), count)
		}

		c.Drop(0)
		before := c.Dropped()
		send(t, from, "letters", append(frames(count), "last")...)
		if arrived := until(t, got, "last"); !slices.Equal(arrived, frames(count)) || c.Dropped() != before {
			t.Errorf("after it was switched off %d of %d frames arrived", len(arrived), count)
		}
	})
}

func TestEverythingDropsAtARateOfOne(t *testing.T) {
	c := nodetest.Start(t, 2)
	from, to := connOf(t, c, 0), connOf(t, c, 1)
	got := listen(t, to, "letters")
	c.Drop(1)
	added := c.Add() // membership goes on, and what is added drops too
	send(t, from, "letters", append(frames(10), "last")...)
	send(t, connOf(t, c, added), "letters", append(frames(10), "last")...)
	for range 2 {
		if arrived := until(t, got, "last"); len(arrived) != 0 {
			t.Errorf("%d frames arrived", len(arrived))
		}
	}
	if c.Dropped() != 20 {
		t.Errorf("%d frames were counted, want 20", c.Dropped())
	}
}

func TestASeedRepeatsWhatIsDropped(t *testing.T) {
	run := func(seed uint64) []string {
		c := nodetest.Start(t, 2, nodetest.Seed(seed))
		from, to := connOf(t, c, 0), connOf(t, c, 1)
		got := listen(t, to, "letters")
		c.Drop(0.5)
		send(t, from, "letters", append(frames(100), "last")...)
		return until(t, got, "last")
	}
	first := run(1)
	if again := run(1); !slices.Equal(first, again) {
		t.Errorf("first %q arrived, then %q", first, again)
	}
	if other := run(2); slices.Equal(first, other) {
		t.Error("another seed drops the same")
	}
}

func TestTheSeedIsLogged(t *testing.T) {
	logged := &loggingTest{TB: t}
	c := nodetest.Start(logged, 1)
	c.Drop(0.5)
	if !strings.Contains(logged.said, "nodetest.Seed(") {
		t.Errorf("the log says %q", logged.said)
	}
}

// loggingTest keeps what is logged last.
type loggingTest struct {
	testing.TB
	said string
}

func (l *loggingTest) Logf(format string, args ...any) { l.said = fmt.Sprintf(format, args...) }

func TestNothingPassesAPausedNodeAndNothingIsLost(t *testing.T) {
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		const count = 100
		c := nodetest.Start(t, 2, where...)
		here, there := connOf(t, c, 0), connOf(t, c, 1)
		in, out := listen(t, there, "in"), listen(t, here, "out")
		spread(t, here, there)
		spread(t, there, here)

		c.Pause(1)
		for _, message := range numbered("out", count) {
			if err := there.Publish("out", "", []byte(message)); err != nil {
				t.Fatal(err)
			}
		}
		send(t, here, "in", numbered("in", count)...)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := there.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the paused node got an answer: %v", err)
		}
		flush(t, here)
		if len(in)+len(out) > 0 {
			t.Errorf("%d messages came in and %d out", len(in), len(out))
		}

		c.Resume(1)
		for name, got := range map[string]<-chan string{"in": in, "out": out} {
			for _, want := range numbered(name, count) {
				if message := receive(t, got); message != want {
					t.Fatalf("%q came, want %q", message, want)
				}
			}
		}
	})
}

func TestANodeThatIsPausedForLongIsGoneAndComesBackToNATS(t *testing.T) {
	lost, back := make(chan struct{}, 10), make(chan struct{}, 10)
	c := nodetest.Start(t, 3, nodetest.Configure(func(i int, cfg *node.Config) {
		if i == 1 {
			cfg.Options = append(cfg.Options,
				nats.DisconnectErrHandler(func(*nats.Conn, error) { lost <- struct{}{} }),
				nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }))
		}
	}))
	c.Pause(1)
	c.AwaitMembers(0, 2)
	await(t, lost)
	if len(back) > 0 {
		t.Error("it is back while it is paused")
	}
	c.Resume(1)
	await(t, back)
	flush(t, connOf(t, c, 1))
}

func await(t *testing.T, signal <-chan struct{}) {
	t.Helper()
	select {
	case <-signal:
	case <-time.After(patience):
		t.Fatal("it did not come")
	}
}

func TestDisconnectBreaksTheConnectionOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, where ...nodetest.Option) {
		back := make(chan struct{}, 10)
		c := nodetest.Start(t, 2, append(where, nodetest.Configure(func(i int, cfg *node.Config) {
			if i == 1 {
				cfg.Options = append(cfg.Options, nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }))
			}
		}))...)
		for range 2 {
			c.Disconnect(1)
			await(t, back)
			flush(t, connOf(t, c, 1))
		}
		c.AwaitMembers(0, 1)
		if got, err := square.Call(c.Context(1), 7); got != 49 || err != nil {
			t.Errorf("afterwards a task: %d, %v, want 49", got, err)
		}
		if len(back) > 0 {
			t.Error("it broke more than once")
		}
	})
}

func TestATestMayEndWhileItsFaultsLast(t *testing.T) {
	c := nodetest.Start(t, 3)
	c.Pause(0)
	c.Drop(1)
	c.Pause(1)
	c.Kill(1)
	c.Disconnect(2)
}
