package bus_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"manta/bus"
)

func openJournal(t *testing.T, conn *bus.Conn, limits bus.JournalLimits) *bus.Journal {
	t.Helper()
	journal, err := conn.OpenJournal(within(t, 30*time.Second), conn.Events(), conn.EventPrefix(), limits)
	if err != nil {
		t.Fatal(err)
	}
	return journal
}

// said returns what a journal has on some subjects.
func said(t *testing.T, journal *bus.Journal, since time.Time, subjects ...string) (all []string) {
	t.Helper()
	for msg, err := range journal.Read(within(t, 30*time.Second), since, subjects...) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(msg.Data))
	}
	return all
}

func TestAJournalTellsWhatWasSaidOnASubjectInOrder(t *testing.T) {
	conn := connect(t)
	journal := openJournal(t, conn, bus.JournalLimits{})
	if all := said(t, journal, time.Time{}, conn.Event("task", "*")); all != nil {
		t.Errorf("an empty journal tells %q", all)
	}
	var want []string
	for i := range 600 { // more than are asked for at a time
		want = append(want, fmt.Sprint(i))
		for _, subject := range []string{conn.Event("task", "a"), conn.Event("actor", "a")} {
			if err := journal.Append(t.Context(), subject, []byte(want[i])); err != nil {
				t.Fatal(err)
			}
		}
	}
	if all := said(t, journal, time.Time{}, conn.Event("task", "*")); !slices.Equal(all, want) {
		t.Errorf("got %d messages, want %d: %.100q", len(all), len(want), all)
	}
	if all := said(t, journal, time.Now().Add(time.Minute), conn.Event("task", "*")); all != nil {
		t.Errorf("of the future it tells %q", all)
	}
	if all := said(t, journal, time.Time{}, conn.Event("node", "*")); all != nil {
		t.Errorf("of a subject on which nothing was said it tells %q", all)
	}
}

func TestWhoFollowsAJournalHearsWhatIsSaidLater(t *testing.T) {
	conn := connect(t)
	journal := openJournal(t, conn, bus.JournalLimits{})
	heard := make(chan string)
	ctx := within(t, 30*time.Second)
	go func() {
		defer close(heard)
		for msg, err := range journal.Follow(ctx, time.Time{}, func() bool { return true }, conn.Event("task", "*")) {
			if err != nil {
				t.Error(err)
				return
			}
			heard <- string(msg.Data)
			if string(msg.Data) == "later" {
				return
			}
		}
	}()
	for _, word := range []string{"first", "later"} {
		if err := journal.Append(ctx, conn.Event("task", "a"), []byte(word)); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, heard); got != word {
			t.Errorf("heard %q, want %q", got, word)
		}
	}
	<-heard
}

func TestTheBoundsOfAJournalAreThoseThatWereGivenLast(t *testing.T) {
	srv := runServer(t)
	conn := connectTo(t, srv)
	for _, test := range []struct {
		given bus.JournalLimits
		bytes int64
		age   time.Duration
	}{
		{bus.JournalLimits{}, 64 << 20, 24 * time.Hour},
		{bus.JournalLimits{Bytes: 1 << 20}, 1 << 20, 24 * time.Hour},
		{bus.JournalLimits{Age: time.Hour}, 1 << 20, time.Hour},
		{bus.JournalLimits{}, 1 << 20, time.Hour},
	} {
		openJournal(t, conn, test.given)
		stream, err := stockClient(t, srv).Stream(t.Context(), conn.Events())
		if err != nil {
			t.Fatal(err)
		}
		if config := stream.CachedInfo().Config; config.MaxBytes != test.bytes || config.MaxAge != test.age || config.Discard != jetstream.DiscardOld {
			t.Errorf("given %+v it has %d bytes and %v", test.given, config.MaxBytes, config.MaxAge)
		}
	}
}

func TestAJournalThatNobodyMadeIsNotFound(t *testing.T) {
	if journal, err := connect(t).FindJournal(t.Context(), "manta_test_events"); journal != nil || err != nil {
		t.Errorf("got %v, %v", journal, err)
	}
}
