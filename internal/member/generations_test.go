package member

import (
	"testing"
	"time"
)

func TestAFrameOfAnOlderConnectionIsLateUntilTheNewerIsSilentForLong(t *testing.T) {
	g := make(Generations)
	for i, step := range []struct {
		number uint64
		now    time.Duration
		late   bool
	}{
		{2, 0, false}, {1, time.Second, true}, {2, 2 * time.Second, false}, {3, 3 * time.Second, false}, {2, lateFor, true},
		{1 << 39, lateFor + time.Second, false}, {3, lateFor + 2*time.Second, true}, {3, 2*lateFor + 2*time.Second, false}, {4, 3 * lateFor, false},
	} {
		if late := g.Late(ID{1}, step.number, step.now); late != step.late {
			t.Errorf("step %d: late is %v", i, late)
		}
	}
	if g.Late(ID{2}, 1, 0) {
		t.Error("another's generation counts")
	}
}
