package bus_test

import (
	"bytes"
	"errors"
	"strconv"
	"testing"
	"time"

	"manta/bus"
)

// pullFrom pulls a blob from a holder that a test plays.
func pullFrom(t *testing.T, size int, answer func(c *bus.Conn, msg *bus.Msg, blob bus.Blob, data []byte), alive func() bool) ([]byte, []byte, error) {
	t.Helper()
	conn := connect(t)
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7)
	}
	blob := bus.Blob{ID: "owner.blob", Size: int64(size), Chunk: 1000}
	if _, err := conn.Subscribe("holder", "", func(msg *bus.Msg) { answer(conn, msg, blob, data) }); err != nil {
		t.Fatal(err)
	}
	a := bus.NewAssembly(blob, nil)
	err := conn.Pull(within(t, 20*time.Second), a, bus.Pull{
		Subject:  "holder",
		Question: func(index int) []byte { return []byte(strconv.Itoa(index)) },
		Answer:   func(msg *bus.Msg) error { return errors.New(string(msg.Data)) },
		Alive:    alive, Silence: 300 * time.Millisecond,
	})
	return a.Data(), data, err
}

func always() bool { return true }

func give(t *testing.T, c *bus.Conn, msg *bus.Msg, blob bus.Blob, data []byte) {
	index, err := strconv.ParseUint(string(msg.Data), 10, 64)
	if err != nil {
		t.Error(err)
	}
	if ok, err := c.SendChunk(msg.Reply, blob, index, data); !ok || err != nil {
		t.Errorf("chunk %d was not sent: %v", index, err)
	}
}

func TestWhatIsPulledIsWhatTheHolderHas(t *testing.T) {
	for _, size := range []int{1, 999, 1000, 1001, 100_000} {
		got, want, err := pullFrom(t, size, func(c *bus.Conn, msg *bus.Msg, blob bus.Blob, data []byte) { give(t, c, msg, blob, data) }, always)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes were pulled, %v; want %d", len(got), err, size)
		}
	}
}

func TestAHolderThatIsSilentIsAskedOnceMore(t *testing.T) {
	asked := make(map[string]int)
	answer := func(times int) func(*bus.Conn, *bus.Msg, bus.Blob, []byte) {
		clear(asked)
		return func(c *bus.Conn, msg *bus.Msg, blob bus.Blob, data []byte) {
			if asked[string(msg.Data)]++; string(msg.Data) != "3" || asked["3"] > times {
				give(t, c, msg, blob, data)
			}
		}
	}
	if got, want, err := pullFrom(t, 10_000, answer(1), always); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes were pulled, %v", len(got), err)
	}
	if _, _, err := pullFrom(t, 10_000, answer(9), always); !errors.Is(err, bus.ErrStalled) {
		t.Errorf("got %v, want ErrStalled", err)
	}
}

func TestADeadHolderIsNotWaitedFor(t *testing.T) {
	silent := func(*bus.Conn, *bus.Msg, bus.Blob, []byte) {}
	if _, _, err := pullFrom(t, 10_000, silent, func() bool { return false }); !errors.Is(err, bus.ErrNoResponders) {
		t.Errorf("got %v, want ErrNoResponders", err)
	}
}

func TestAChunkThatIsChangedOnItsWayIsPulledAgainAndNeverTaken(t *testing.T) {
	change := func(times int) func(*bus.Conn, *bus.Msg, bus.Blob, []byte) {
		asked := 0
		return func(c *bus.Conn, msg *bus.Msg, blob bus.Blob, data []byte) {
			if string(msg.Data) != "2" {
				give(t, c, msg, blob, data)
				return
			}
			changed := bus.NewMsg(msg.Reply, bytes.Clone(data[2000:3000]))
			changed.Header.Set("Manta-Chunk", "2")
			changed.Header.Set("Manta-Crc32c", "1234")
			if asked++; asked > times {
				give(t, c, msg, blob, data)
			} else if err := c.PublishMsg(changed); err != nil {
				t.Error(err)
			}
		}
	}
	if got, want, err := pullFrom(t, 5_000, change(2), always); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes were pulled, %v", len(got), err)
	}
	if _, _, err := pullFrom(t, 5_000, change(100), always); !errors.Is(err, bus.ErrChecksum) {
		t.Errorf("got %v, want ErrChecksum", err)
	}
}

func TestAHoldersWordEndsThePull(t *testing.T) {
	refuse := func(c *bus.Conn, msg *bus.Msg, _ bus.Blob, _ []byte) {
		if err := c.Publish(msg.Reply, "", []byte("freed")); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := pullFrom(t, 5_000, refuse, always); err == nil || err.Error() != "freed" {
		t.Errorf("got %v, want what the holder said", err)
	}
}

func TestNothingIsTakenForABlobBeforeAChunkOfItHasCome(t *testing.T) {
	conn := connect(t)
	asked := make(chan string, 100)
	if _, err := conn.Subscribe("holder", "", func(msg *bus.Msg) { asked <- string(msg.Data) }); err != nil {
		t.Fatal(err)
	}
	a := bus.NewAssembly(bus.Blob{ID: "owner.blob", Size: 1 << 50, Chunk: 1}, func(int64) ([]byte, error) {
		t.Error("room is made")
		return nil, errors.New("no room")
	})
	err := conn.Pull(within(t, 20*time.Second), a, bus.Pull{
		Subject: "holder", Question: func(index int) []byte { return []byte(strconv.Itoa(index)) },
		Answer: func(*bus.Msg) error { return nil }, Alive: always, Silence: 100 * time.Millisecond,
	})
	if !errors.Is(err, bus.ErrStalled) || len(asked) != 2 {
		t.Errorf("got %v after %d questions, want ErrStalled after one and its repetition", err, len(asked))
	}
}
