package nodetest

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// plugged returns a connection through a cable, and the server's end of it.
func plugged(t *testing.T) (*cable, net.Conn, net.Conn) {
	t.Helper()
	here, there := net.Pipe()
	c := newCable(nil)
	conn, err := c.plug(func() (net.Conn, error) { return here, nil })
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for _, err := range []error{there.SetDeadline(deadline), conn.SetDeadline(deadline)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _, _ = conn.Close(), there.Close() })
	return c, conn, there
}

func TestWhatWasWrittenDuringAPauseGoesWithItsEnd(t *testing.T) {
	c, conn, there := plugged(t)
	c.pause(true)
	for _, line := range []string{"PING\r\n", "PONG\r\n"} {
		if n, err := conn.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatalf("a write: %d, %v", n, err)
		}
	}
	resumed := make(chan struct{})
	go func() {
		defer close(resumed)
		c.pause(false)
	}()
	got := make([]byte, len("PING\r\nPONG\r\n"))
	if _, err := io.ReadFull(there, got); string(got) != "PING\r\nPONG\r\n" || err != nil {
		t.Errorf("the server got %q, %v", got, err)
	}
	<-resumed
}

func TestAReadOfAPausedConnectionEndsAtItsDeadlineAndLosesNothing(t *testing.T) {
	c, conn, there := plugged(t)
	c.pause(true)
	wrote := make(chan error, 1)
	go func() {
		_, err := there.Write([]byte("PING\r\n"))
		wrote <- err
	}()
	got := make([]byte, 100)
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(got); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it read %q, %v", got[:n], err)
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	c.pause(false)
	if n, err := conn.Read(got); string(got[:n]) != "PING\r\n" || err != nil {
		t.Errorf("afterwards it read %q, %v", got[:n], err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}

func TestAReadOfAPausedConnectionEndsWithIt(t *testing.T) {
	c, conn, there := plugged(t)
	c.pause(true)
	failed := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 100))
		failed <- err
	}()
	if _, err := there.Write([]byte("PING\r\n")); err != nil { // it has been read, and is held
		t.Fatal(err)
	}
	c.cut()
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("it says %v", err)
	}
	if _, err := c.InProcessConn(); !errors.Is(err, errCut) {
		t.Errorf("the next connection: %v", err)
	}
}

func TestAConnectionThatBrokeDuringAPauseIsSeenToBeBroken(t *testing.T) {
	c, conn, there := plugged(t)
	c.pause(true)
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := there.Close(); err != nil {
		t.Fatal(err)
	}
	c.pause(false)
	if _, err := conn.Read(make([]byte, 100)); err == nil {
		t.Error("it can be read from")
	}
	if left := c.plugged(); len(left) != 0 {
		t.Errorf("the cable keeps %d connections", len(left))
	}
}

func TestAKilledServerIsClosedAndPassedBy(t *testing.T) {
	s, err := form(2)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.kill(0)
	if err := s.inside[0].AwaitJetStream(t.Context()); err == nil {
		t.Error("it runs")
	}
	nc, err := s.connect()
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}
