package task

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// steady is the pace of a lane whose tasks all take so long and are so large.
func steady(took time.Duration, bytes int) (p pace) {
	for range 100 {
		p.note(took, bytes)
	}
	return p
}

func TestTasksOfWhichNothingIsKnownGetNoRoom(t *testing.T) {
	var p pace
	if p.room(4, 1) != 0 || p.takes(0, 4) {
		t.Errorf("room for %d, one is taken: %v", p.room(4, 1), p.takes(0, 4))
	}
	p.note(time.Microsecond, 1)
	if p.room(4, 1) == 0 || !p.takes(0, 4) {
		t.Error("they get none when one is known")
	}
}

func TestLongTasksGetNoRoom(t *testing.T) {
	for took, want := range map[time.Duration]bool{ahead: true, ahead + 1: false, time.Second: false, time.Hour: false} {
		p := steady(took, 1)
		if got := p.room(1, 1) > 0; got != want || p.takes(0, 1) != want {
			t.Errorf("tasks of %v: room for %d, one is taken: %v, want %v", took, p.room(1, 1), p.takes(0, 1), want)
		}
	}
}

func TestTheRoomIsWhatTheSlotsDoInTheTimeAhead(t *testing.T) {
	tests := []struct {
		name           string
		took           time.Duration
		bytes          int
		running, lanes int
		want           int
	}{
		{"one slot", 100 * time.Microsecond, 1, 1, 1, 50},
		{"four slots", 100 * time.Microsecond, 1, 4, 1, 200},
		{"none that runs", 100 * time.Microsecond, 1, 0, 1, 50},
		{"shared by two lanes", 100 * time.Microsecond, 1, 4, 2, 100},
		{"no time at all", 0, 0, 1, 1, 1000},
		{"no more than the limit", 0, 0, 64, 1, aheadLimit},
		{"no more than the bytes", 10 * time.Microsecond, aheadBytes / 8, 4, 1, 8},
		{"none that is too large", 10 * time.Microsecond, aheadBytes + 1, 4, 1, 0},
		{"as many lanes as there is room", time.Millisecond, 1, 1, 9, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := steady(test.took, test.bytes)
			if got := p.room(test.running, test.lanes); got != test.want {
				t.Errorf("room for %d, want %d", got, test.want)
			}
		})
	}
}

func TestOneStrayLongRunDoesNotEmptyTheWindow(t *testing.T) {
	for _, took := range []time.Duration{0, time.Microsecond, 20 * time.Microsecond, 200 * time.Microsecond, time.Millisecond} {
		p := steady(took, 1)
		before := p.room(4, 1)
		p.note(time.Hour, 1)
		if after := p.room(4, 1); after < before/3 {
			t.Errorf("tasks of %v: room for %d before a long one, and for %d after", took, before, after)
		}
	}
}

func TestTasksThatHaveBecomeLongAreFoundLongSoon(t *testing.T) {
	p := steady(10*time.Microsecond, 1)
	runs := 0
	for ; p.room(1, 1) > 0; runs++ {
		p.note(time.Second, 1)
	}
	if runs < 2 || runs > 20 {
		t.Errorf("it took %d of them", runs)
	}
}

func TestTasksThatHaveBecomeLargeAreFoundLargeSoon(t *testing.T) {
	p := steady(10*time.Microsecond, 10)
	for range 50 {
		p.note(10*time.Microsecond, aheadBytes/4)
	}
	if got := p.room(8, 1); got > 5 {
		t.Errorf("room for %d that take a quarter of the bytes each", got)
	}
}

// What an owner is told that there is room for is taken when it comes, though the pace has changed a little meanwhile.
func TestWhatThereIsRoomForIsTaken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p pace
		for range rapid.IntRange(1, 40).Draw(t, "tasks") {
			p.note(time.Duration(rapid.Int64Range(0, int64(2*ahead)).Draw(t, "took")), rapid.IntRange(0, 1<<20).Draw(t, "bytes"))
		}
		running, lanes := rapid.IntRange(0, 64).Draw(t, "running"), rapid.IntRange(0, 8).Draw(t, "lanes")
		room := p.room(running, lanes)
		if room < 0 || room > aheadLimit || room > 0 && room*p.bytes > aheadBytes {
			t.Fatalf("room for %d of %v and %d bytes", room, p.mean, p.bytes)
		}
		for queued := range room {
			if !p.takes(queued, running) {
				t.Fatalf("there is room for %d, and with %d queued one goes back", room, queued)
			}
		}
		if p.takes(2*aheadLimit, running) {
			t.Fatal("there is no end to it")
		}
	})
}
