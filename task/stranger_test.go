package task

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"manta/internal/call"
	"manta/internal/member"
)

func TestAWishThatIsNotRepeatedEnds(t *testing.T) {
	d, _ := openDesk(t, 2)
	wish := tasks{laneHeader: laneHeader{owner: member.ID{7}, generation: 1}, more: true, need: needs(2)}
	now := time.Second
	hear := func() {
		t.Helper()
		if err := d.handle("f", "reply", true, wish.frame(), now); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 { // as its owner repeats it
		hear()
		now += wishAgain
		if !d.tick(now) {
			t.Fatal("a wish that is repeated was forgotten")
		}
	}
	for end := now + wishFor + 2*offerFor; now < end; now += tickEvery {
		d.tick(now)
	}
	if d.slots.restless() {
		t.Error("it still stands in line")
	}
	if d.sweep(now + 2*guestFor); len(d.guests) > 0 {
		t.Errorf("%d lanes are remembered", len(d.guests))
	}
}

func TestADeskKnowsSoManyLanesAndTakesMoreOnceTheOldAreForgotten(t *testing.T) {
	d, _ := openDesk(t, 2)
	d.maxGuests = 10
	now := time.Second
	come := func(i int) error {
		head := laneHeader{generation: 1, lane: uint64(i)}
		binary.BigEndian.PutUint64(head.owner[:], uint64(i+1))
		return d.handle("f", "reply", true, (&tasks{laneHeader: head}).frame(), now)
	}
	for i := range 20 {
		if err := come(i); (i >= 10) != errors.Is(err, call.ErrOverload) {
			t.Errorf("lane %d: %v", i, err)
		}
	}
	now += 2 * guestFor
	if err := come(20); err != nil || len(d.guests) != 1 {
		t.Errorf("later: %v, %d lanes", err, len(d.guests))
	}
}
