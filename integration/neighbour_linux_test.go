//go:build amd64 || arm64

package integration

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A neighbour runs integration/neighbour: a node that shares memory with others.
type neighbour struct {
	*child
	t     *testing.T
	stdin io.Writer
	said  *journal[borrowing]
	asked int // commands so far
}

// A borrowing is what it says.
type borrowing struct {
	Ref         json.RawMessage
	Sum         int
	Borrowed    int64
	Transferred int64
	Error       string
}

// moveIn starts a neighbour; a wrapper may start the program in an environment of its own.
func moveIn(t *testing.T, url, dir string, wrapper ...string) *neighbour {
	t.Helper()
	line := append(wrapper, program(t, "neighbour"), "-url", url, "-dir", dir)
	cmd := exec.Command(line[0], line[1:]...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	n := &neighbour{t: t, stdin: stdin, said: newJournal[borrowing]()}
	n.child = startChild(t, "neighbour", cmd, func() {
		n.said.record(stdout, func(text []byte) (b borrowing) {
			if err := json.Unmarshal(text, &b); err != nil {
				b.Error = "no report: " + string(text)
			}
			return b
		})
	})
	return n
}

// begin gives the neighbour a command, and returns what waits for the answer.
func (n *neighbour) begin(do string, ref json.RawMessage, bytes int) func() borrowing {
	n.t.Helper()
	if err := json.NewEncoder(n.stdin).Encode(map[string]any{"do": do, "ref": ref, "bytes": bytes}); err != nil {
		n.t.Fatalf("a neighbour takes no command: %v", err)
	}
	n.asked++
	number := n.asked
	return func() borrowing {
		n.t.Helper()
		return n.said.await(n.t, do, func(all []borrowing) bool { return len(all) >= number })[number-1]
	}
}

func (n *neighbour) do(do string, ref json.RawMessage, bytes int) borrowing {
	n.t.Helper()
	b := n.begin(do, ref, bytes)()
	if b.Error != "" {
		n.t.Fatalf("%s: %s", do, b.Error)
	}
	return b
}

func (n *neighbour) put(bytes int) borrowing { n.t.Helper(); return n.do("put", nil, bytes) }

func (n *neighbour) get(put borrowing) borrowing {
	n.t.Helper()
	got := n.do("get", put.Ref, 0)
	if got.Sum != put.Sum {
		n.t.Errorf("the sum is %d where it is read, %d where it was put", got.Sum, put.Sum)
	}
	return got
}

// places are the sockets in a directory.
func places(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

const sharedSize = 40<<20 + 12345

func TestProcessesOfOneMachineShareALargeValue(t *testing.T) {
	url, dir := startServer(t).url(), t.TempDir()
	owner, second, third := moveIn(t, url, dir), moveIn(t, url, dir), moveIn(t, url, dir)
	put := owner.put(sharedSize)
	for _, n := range []*neighbour{second, third} {
		if got := n.get(put); got.Borrowed != 1 || got.Transferred != 0 {
			t.Errorf("read %d times from a neighbour, %d times over the network", got.Borrowed, got.Transferred)
		}
	}
	owner.do("free", put.Ref, 0)
	third.do("drop", nil, 0)
	owner.kill()
	if got := second.do("sum", nil, 0); got.Sum != put.Sum {
		t.Errorf("the sum is %d once the owner has freed the value and was killed, and was %d", got.Sum, put.Sum)
	}
}

func TestANeighbourLendsWhatAnotherMachineOwns(t *testing.T) {
	url, dir := startServer(t).url(), t.TempDir()
	owner, second, third := moveIn(t, url, "off"), moveIn(t, url, dir), moveIn(t, url, dir)
	put := owner.put(sharedSize)
	if got := second.get(put); got.Transferred != 1 {
		t.Errorf("the first read went %d times over the network", got.Transferred)
	}
	if got := third.get(put); got.Borrowed != 1 || got.Transferred != 0 {
		t.Errorf("read %d times from a neighbour, %d times over the network", got.Borrowed, got.Transferred)
	}
}

func TestAnOwnerThatIsKilledWhileItLendsGivesNoWrongBytes(t *testing.T) {
	url, dir := startServer(t).url(), t.TempDir()
	const readers = 3
	for range 4 {
		owner := moveIn(t, url, dir)
		put := owner.put(256 << 20)
		var asked []func() borrowing
		for range readers {
			reader := moveIn(t, url, dir)
			reader.do("await", put.Ref, 0)
			asked = append(asked, reader.begin("get", put.Ref, 0))
		}
		owner.kill()
		for _, answer := range asked {
			if got := answer(); got.Error == "" && got.Sum != put.Sum {
				t.Errorf("the sum is %d where it is read, %d where it was put", got.Sum, put.Sum)
			}
		}
	}
}

func TestWithoutRoomForSharingAValueIsTransferred(t *testing.T) {
	url, dir := startServer(t).url(), t.TempDir()
	owner := moveIn(t, url, dir, "sh", "-c", `ulimit -f 2000 && exec "$0" "$@"`) // blocks of 512 or 1024 bytes
	reader := moveIn(t, url, dir)
	if got := reader.get(owner.put(sharedSize)); got.Borrowed != 0 || got.Transferred != 1 {
		t.Errorf("read %d times from a neighbour, %d times over the network", got.Borrowed, got.Transferred)
	}
}

func TestNothingIsLeftOfProcessesThatWereKilled(t *testing.T) {
	url, dir := startServer(t).url(), t.TempDir()
	owner, reader := moveIn(t, url, dir), moveIn(t, url, dir)
	reader.get(owner.put(sharedSize))
	if n := len(places(t, dir)); n != 2 {
		t.Errorf("two nodes have %d names", n)
	}
	owner.kill()
	reader.kill()
	last := moveIn(t, url, dir)
	last.put(1)
	if n := len(places(t, dir)); n != 1 {
		t.Errorf("one node and two dead ones have %d names", n)
	}
	_ = last.stdin.(io.Closer).Close() // it may have ended
	if code := last.finish(t); code != 0 {
		t.Errorf("it ends with %d", code)
	}
	if left := places(t, dir); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}
