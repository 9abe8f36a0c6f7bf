package task

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"manta/bus"
	"manta/internal/call"
)

// A stream hands tasks to nodes as JetStream does: each to one node at a time, again when it is given back, or when its node dies.
type modelTask struct {
	retries    int
	deadline   int64 // a step
	deliveries int   // so far
	at         int   // the node that has it; -1: none
	gone       bool  // acknowledged
	record     error // nil value as errDone
	records    int
	ran        []int // attempts that began
}

var errDone = errors.New("a value")

func TestUnderAnyDeathsEachDurableTaskHasOneRecordAndRunsNoMoreOftenThanItMay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		task := &modelTask{retries: rapid.IntRange(0, 3).Draw(t, "retries"), at: -1}
		if rapid.Bool().Draw(t, "timed") {
			task.deadline = int64(rapid.IntRange(1, 12).Draw(t, "deadline"))
		}
		p := policy{retries: task.retries, any: rapid.Bool().Draw(t, "retry on any")}
		for now := int64(0); !task.gone; now++ {
			if now > 40 {
				t.Fatalf("no end after %d steps: %+v", now, task)
			}
			task.deliveries++
			h := handed{attempt: task.deliveries, repeated: rapid.Bool().Draw(t, "repeated")}
			quiet := now > 20 // from here on nobody dies
			dies := func(where string) bool { return !quiet && rapid.IntRange(0, 3).Draw(t, where) == 0 }
			task.hand(t, p, h, now, dies)
		}
		if task.records != 1 {
			t.Fatalf("%d records: %+v", task.records, task)
		}
		if len(task.ran) > task.retries+1 {
			t.Fatalf("it ran %v, with %d retries", task.ran, task.retries)
		}
		for i := 1; i < len(task.ran); i++ {
			if task.ran[i] <= task.ran[i-1] {
				t.Fatalf("attempts %v", task.ran)
			}
		}
	})
}

// hand is what a node does with the task, as adopter does it, until it dies, gives it back or acknowledges it.
func (m *modelTask) hand(t *rapid.T, p policy, h handed, now int64, dies func(string) bool) {
	d := deposit{deadline: m.deadline}
	write := func(err error) {
		if m.record == nil {
			m.record = err
			m.records++
		}
	}
	for {
		if dies("before a verdict") {
			return
		}
		what, err := h.judge("f", &d, m.retries, time.Unix(0, now))
		switch what {
		case lookFirst:
			h.looked, h.recorded = true, m.record != nil
			continue
		case dropIt:
			if m.record == nil {
				t.Fatal("dropped without a record")
			}
		case recordIt:
			if err == nil {
				t.Fatal("an error without words")
			}
			write(err)
		case runIt:
			if h.attempt > 1 && m.record != nil {
				t.Fatal("it runs although it has a record")
			}
			m.ran = append(m.ran, h.attempt)
			if dies("while it runs") {
				return
			}
			outcome := rapid.SampledFrom([]error{nil, &Error{Code: "x"}, fmt.Errorf("f: %w", ErrWorkerLost), bus.ErrClosed, ErrCancelled}).Draw(t, "outcome")
			if now > 20 && errors.Is(outcome, bus.ErrClosed) {
				outcome = nil // nodes that leave for ever give back for ever
			}
			if _, back := p.conclude(h.attempt, outcome, 0.5); back {
				return
			}
			if outcome == nil {
				outcome = errDone
			}
			write(outcome)
		}
		if !dies("before it acknowledges") {
			m.gone = true
		}
		return
	}
}

func TestWhatIsStoredOfADurableTaskComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := policy{
			retries: rapid.IntRange(0, 100).Draw(t, "retries"), any: rapid.Bool().Draw(t, "any"),
			codes: rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,9}`), 0, 3).Draw(t, "codes"), keep: time.Duration(rapid.Int64Range(0, 1<<60).Draw(t, "keep")),
			backoff: call.Backoff{First: time.Second, Max: time.Hour},
		}
		p.placing.Spread, p.placing.Soft = rapid.Bool().Draw(t, "spread"), rapid.Bool().Draw(t, "soft")
		got, err := readPolicy(p.appendTo(nil))
		if len(p.codes) == 0 {
			p.codes = nil
		}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(p) {
			t.Fatalf("policy %v comes back as %v, %v", p, got, err)
		}
		args := call.WireArgs{}.AppendKeep(call.Keep{For: p.keep}).AppendArg(call.WireArg{Value: bus.Value{Format: bus.Bytes, Data: []byte("x")}})
		d := deposit{deadline: rapid.Int64().Draw(t, "deadline"), policy: p.appendTo(nil), args: args}
		back, err := readDeposit(d.frame())
		if err != nil || fmt.Sprint(back) != fmt.Sprint(d) {
			t.Fatalf("%v comes back as %v, %v", d, back, err)
		}
	})
}

func FuzzDeposit(f *testing.F) {
	p := policy{retries: 3, codes: []string{"sold_out"}}
	args := call.WireArgs{}.AppendKeep(call.Keep{}).AppendArg(call.WireArg{Value: bus.Value{Format: bus.Bytes, Data: []byte("x")}})
	d := deposit{policy: p.appendTo(nil), args: args}
	f.Add(d.frame())
	f.Fuzz(func(_ *testing.T, frame []byte) {
		if d, err := readDeposit(frame); err == nil {
			d.blobs()
			_, _ = readPolicy(d.policy)
		}
		readRecord(bus.NewMsg("", frame))
	})
}
