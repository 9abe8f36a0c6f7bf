package event

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// story is what the two nodes of a task tell of its two attempts, one fact a transition.
var story = []Task{
	{ID: "a", Attempt: 1, Func: "f", Owner: "o", Parent: "p", State: Waiting, Submitted: 1},
	{ID: "a", Attempt: 1, State: Queued, Ready: 2},
	{ID: "a", Attempt: 1, State: Sent, Sent: 3, Node: "first guess"},
	{ID: "a", Attempt: 1, Func: "f", State: Running, Arrived: 4, Started: 5, Node: "n"},
	{ID: "a", Attempt: 1, State: Lost, Error: &Failure{Code: "lost", Message: "its node is gone"}, Ended: 6},
	{ID: "a", Attempt: 2, Func: "f", Owner: "o", State: Queued, Ready: 6},
	{ID: "a", Attempt: 2, Func: "f", State: Running, Started: 8, Returned: 9, Node: "m"},
	{ID: "a", Attempt: 2, State: Finished, Ended: 10},
}

func TestInWhichOrderFactsComeMakesNoDifference(t *testing.T) {
	want := []*Task{
		{ID: "a", Attempt: 1, Func: "f", Owner: "o", Parent: "p", State: Lost, Submitted: 1, Ready: 2, Sent: 3, Arrived: 4, Started: 5, Ended: 6, Node: "n",
			Error: &Failure{Code: "lost", Message: "its node is gone"}},
		{ID: "a", Attempt: 2, Func: "f", Owner: "o", State: Finished, Ready: 6, Started: 8, Returned: 9, Ended: 10, Node: "m"},
	}
	rapid.Check(t, func(t *rapid.T) {
		told := rapid.Permutation(story).Draw(t, "order")
		split := rapid.IntRange(0, len(told)).Draw(t, "split")
		var r History
		for _, part := range [][]Task{told[:split], told[split:], told[:split]} { // a message may come twice
			for _, m := range appendBatches(nil, Tasks, "o", 0, merge(slices.Clone(part)), func(b *Batch, some []*Task) { b.Tasks = some }) {
				r.read(m.data)
			}
		}
		got := slices.Clone(r.Tasks())
		if len(got) == 2 && got[0].Attempt == 2 {
			got[0], got[1] = got[1], got[0]
		}
		if !reflect.DeepEqual(got, want) {
			a, _ := json.Marshal(got)
			b, _ := json.Marshal(want)
			t.Fatalf("got  %s\nwant %s", a, b)
		}
	})
}

func TestABudgetGivesABurstAndThenItsRate(t *testing.T) {
	now := time.Unix(100, 0)
	b := newBudget(100, now)
	taken := func() (n int64) {
		for b.Take() {
			n++
		}
		return n
	}
	for _, step := range []struct {
		after time.Duration
		want  int64
	}{
		{0, 500}, {0, 0}, {time.Second, 100}, {10 * time.Millisecond, 1}, {time.Millisecond, 0}, {9 * time.Millisecond, 1}, {time.Hour, 500},
	} {
		now = now.Add(step.after)
		b.refill(now)
		if n := taken(); n != step.want {
			t.Errorf("%v later there is room for %d, want %d", step.after, n, step.want)
		}
	}
	if left := b.takeLeft(); left != 7 || b.takeLeft() != 0 {
		t.Errorf("%d were left out, want 7", left)
	}
}

func TestNothingMoreIsGatheredThanThereIsRoomFor(t *testing.T) {
	var f facts[Task, *Task]
	for i := range 10 {
		if ok := f.add(&Task{ID: string(rune('a' + i))}, 5); ok != (i < 5) {
			t.Errorf("fact %d: %v", i, ok)
		}
	}
	if !f.add(&Task{ID: "a", State: Running}, 5) {
		t.Error("one more fact about something that is known is refused")
	}
	if all := f.order; len(all) != 5 || all[0].State != Running {
		t.Errorf("gathered %v", all)
	}
}

func TestATimeIsExactToTheMicrosecond(t *testing.T) {
	moment := time.UnixMicro(1_764_400_000_123_456 + rand.Int64N(1000))
	if got := At(moment).Time(); !got.Equal(moment) {
		t.Errorf("%v became %v", moment, got)
	}
	if At(time.Time{}) != 0 || !Time(0).Time().IsZero() {
		t.Error("no moment became one")
	}
}

func FuzzBatch(f *testing.F) {
	f.Add([]byte(`{"node":"n","left_out":3,"tasks":[{"id":"a","attempt":1,"state":"running"},null],"nodes":[{"id":"n","joined":1}]}`))
	f.Add([]byte(`{"tasks":[{"id":"a","attempt":-1,"state":"unheard of"}],"objects":[{}],"actors":[{"epoch":18446744073709551615}]}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r History
		r.read(data)
		r.read(data)
		h := &r
		if told := len(h.Tasks()) + len(h.Actors()) + len(h.Objects()) + len(h.Nodes()); told > len(data) || h.Garbage == 2 && told > 0 {
			t.Errorf("%d facts in %d bytes, %d of garbage", told, len(data), h.Garbage)
		}
	})
}
