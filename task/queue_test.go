package task

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// line is a queue's model: a slice, looked through from the start.
type line []*submission

func (l *line) dropCancelled() {
	for len(*l) > 0 && (*l)[0].ended {
		*l = (*l)[1:]
	}
}

func TestAQueueIsFirstInFirstOutWithAWayBackToTheFront(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var model line
		var popped []*submission
		t.Repeat(map[string]func(*rapid.T){
			"push": func(*rapid.T) {
				s := &submission{}
				q.push(s)
				model = append(model, s)
			},
			"push to the front": func(t *rapid.T) {
				s := &submission{}
				if len(popped) > 0 && rapid.Bool().Draw(t, "one that was popped") {
					s, popped = popped[len(popped)-1], popped[:len(popped)-1]
				}
				q.pushFront(s)
				model = slices.Insert(model, 0, s)
			},
			"cancel": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("nothing is in line")
				}
				model[rapid.IntRange(0, len(model)-1).Draw(t, "which")].ended = true
			},
			"pop": func(t *rapid.T) {
				model.dropCancelled()
				if got := q.empty(); got != (len(model) == 0) {
					t.Fatalf("empty says %v, and %d are in line", got, len(model))
				}
				if len(model) == 0 {
					t.Skip("nothing is in line")
				}
				s := q.pop()
				if s != model[0] {
					t.Fatal("another came out than went in first")
				}
				model, popped = model[1:], append(popped, s)
			},
			"drain": func(t *rapid.T) {
				model = slices.DeleteFunc(model, func(s *submission) bool { return s.ended })
				if got := q.drain(); !slices.Equal(got, model) {
					t.Fatalf("%d came out, want %d in their order", len(got), len(model))
				}
				model = nil
			},
		})
	})
}

func TestAQueueKeepsNothingOfWhatHasLeftIt(t *testing.T) {
	var q queue
	for range 1000 {
		q.push(&submission{})
	}
	for range 990 {
		q.pop()
	}
	for range 5 {
		q.pushFront(&submission{})
	}
	for range 5 {
		q.pop()
	}
	held := 0
	for _, s := range slices.Concat(q.rest[:cap(q.rest)], q.front[:cap(q.front)]) {
		if s != nil {
			held++
		}
	}
	if held != 10 || len(q.rest) > 20 {
		t.Errorf("%d are held in %d places, want 10", held, len(q.rest))
	}
}

func TestAJobQueueThatIsNeverEmptyDoesNotGrow(t *testing.T) {
	var q jobQueue
	q.push(&job{})
	for range 10_000 {
		q.push(&job{})
		q.pop()
	}
	if n := cap(q.jobs); n > 16 {
		t.Errorf("it has room for %d jobs and holds %d", n, q.len())
	}
}

func TestABacklogOfWhichMostIsCancelledDoesNotGrow(t *testing.T) {
	var q queue
	q.push(&submission{})
	for range 10_000 {
		s := &submission{}
		q.push(s)
		s.ended = true
		q.oneEnded()
	}
	if q.len() > 2*endedLimit || q.empty() {
		t.Errorf("it holds %d, of which one is wanted", q.len())
	}
}
