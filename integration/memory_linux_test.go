package integration

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"testing"
)

var valueBytes = flag.Int("value", 256<<20, "`bytes` of the value whose memory is measured")

// A remembered is what integration/memory says.
type remembered struct {
	URL   string
	Ref   json.RawMessage
	Added int64
	Sum   int
}

// remember starts integration/memory and returns what it says, and its stdin.
func remember(t *testing.T, flags ...string) (func() remembered, io.Writer) {
	t.Helper()
	cmd := exec.Command(program(t, "memory"), flags...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := newJournal[remembered]()
	startChild(t, fmt.Sprint("memory ", flags), cmd, func() {
		said.record(stdout, func(text []byte) (r remembered) {
			_ = json.Unmarshal(text, &r) // what is no report adds no memory, and is found wrong by that
			return r
		})
	})
	return func() remembered {
		t.Helper()
		return said.await(t, "memory", func(all []remembered) bool { return len(all) > 0 })[0]
	}, stdin
}

func TestALargeValueIsInMemoryOnceWhereItIsReadAndOnceInTheServer(t *testing.T) {
	size := *valueBytes
	if testing.Short() {
		size = 128 << 20
	}
	// What does not grow with the value: windows, connections, the stacks of tasks.
	const fixed = 32 << 20
	putter, _ := remember(t, "-put", fmt.Sprint(size), "-tasks", "10")
	put := putter()
	// The server's copy is in the process that puts. The value itself was there before.
	if most := int64(size)*120/100 + fixed; put.Added < int64(size) || put.Added > most {
		t.Errorf("putting %d MiB added %d MiB, want at most %d", size>>20, put.Added>>20, most>>20)
	}
	reader, stdin := remember(t, "-read", put.URL)
	if _, err := fmt.Fprintf(stdin, "%s\n", put.Ref); err != nil {
		t.Fatal(err)
	}
	read := reader()
	if most := int64(size)*130/100 + fixed; read.Added < int64(size) || read.Added > most {
		t.Errorf("reading %d MiB added %d MiB, want at most %d", size>>20, read.Added>>20, most>>20)
	}
	t.Logf("%d MB: putting and reading it in 10 tasks added %.2f times its size, reading it on another node %.2f times",
		size/1e6, float64(put.Added)/float64(size), float64(read.Added)/float64(size))
	if read.Sum != put.Sum || read.Sum == 0 {
		t.Errorf("the sum is %d where it is read, %d where it was put", read.Sum, put.Sum)
	}
}
