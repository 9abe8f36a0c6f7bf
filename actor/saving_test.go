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
			if !due && !alarmed {
				t.Fatalf("call %d may never be kept", calls)
			}
			if due || rapid.IntRange(0, 9).Draw(t, "an alarm") == 0 {
				if unsaved := s.began(); rapid.Bool().Draw(t, "it fails") {
					s.failed(unsaved)
				} else {
					kept, alarmed = calls, false
				}
			}
		}
	})
}
