package actor

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestASnapshotIsDueAfterSoManyCalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := saving{every: rapid.IntRange(1, 5).Draw(t, "every"), after: time.Second}
		kept, calls, alarmed := 0, 0, false
		for range rapid.IntRange(1, 100).Draw(t, "calls") {
			due, alarm := s.ran()
			calls++
			alarmed = alarmed || alarm > 0
			if calls-kept >= s.every != due {
				t.Fatalf("%d of %d calls are kept, and it is due: %v", kept, calls, due)
			}
			if due || alarmed && rapid.IntRange(0, 9).Draw(t, "an alarm") == 0 {
				if !due {
					alarmed = false
					if s.looked() != (calls > kept) {
						t.Fatalf("%d of %d calls are kept, and the alarm sees another number", kept, calls)
					}
				}
				if unsaved := s.began(); rapid.Bool().Draw(t, "it fails") {
					alarmed = s.failed(unsaved) > 0 || alarmed
				} else {
					kept = calls
				}
			}
			if calls > kept && !alarmed {
				t.Fatalf("%d of %d calls are kept, and the others may never be", kept, calls)
			}
		}
	})
}
