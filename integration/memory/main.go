// Command memory puts a large value, or reads one, and says how much memory that took. It is started by the tests of package integration.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"manta/node"
	"manta/node/embedded"
	"manta/objstore"
	"manta/task"
)

// report is what the program says, as one JSON line.
type report struct {
	URL   string // of the server inside
	Ref   objstore.Ref[[]byte]
	Added int64 // bytes that the process had at most, beyond what it had before
	Sum   int
}

// length makes a task depend on every page of its argument.
var length = task.Define("memory_sum", func(_ context.Context, data []byte) (int, error) { return sum(data), nil })

func sum(data []byte) (total int) {
	for i := 0; i < len(data); i += 512 {
		total += int(data[i])
	}
	return total
}

func main() {
	bytes := flag.Int("put", 0, "bytes of the value to put; it is kept until stdin ends")
	tasks := flag.Int("tasks", 10, "tasks that read it here")
	url := flag.String("read", "", "URL of the server from whose nodes to read the ref on stdin")
	flag.Parse()
	if err := run(*bytes, *tasks, *url); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(bytes, tasks int, url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	stdin := bufio.NewReader(os.Stdin)
	if url == "" {
		return put(ctx, bytes, tasks, stdin)
	}
	line, err := stdin.ReadBytes('\n')
	if err != nil {
		return err
	}
	var ref objstore.Ref[[]byte]
	if err := json.Unmarshal(line, &ref); err != nil {
		return err
	}
	return read(ctx, url, ref)
}

func put(ctx context.Context, bytes, tasks int, stdin *bufio.Reader) error {
	n, ctx, err := embedded.Start(ctx, embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	defer n.Close()
	data := make([]byte, bytes)
	for i := range data {
		data[i] = byte(i >> 3)
	}
	before, err := resident("VmRSS")
	if err != nil {
		return err
	}
	ref := objstore.Put(ctx, data)
	var sums []objstore.Ref[int]
	for range tasks {
		sums = append(sums, length.On(ctx, ref))
	}
	all, err := objstore.GetAll(ctx, sums)
	if err != nil {
		return err
	}
	if err := ref.Stored(ctx); err != nil {
		return err
	}
	peak, err := resident("VmHWM")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(report{URL: n.Server(), Ref: ref, Added: peak - before, Sum: all[0]}); err != nil {
		return err
	}
	_, _ = stdin.ReadByte() // it ends with the test
	return nil
}

func read(ctx context.Context, url string, ref objstore.Ref[[]byte]) error {
	n, ctx, err := node.Start(ctx, node.Config{URL: url, ClientOnly: true, SharedDir: "off"})
	if err != nil {
		return err
	}
	defer n.Close()
	debug.FreeOSMemory()
	before, err := resident("VmRSS")
	if err != nil {
		return err
	}
	data, err := ref.Get(ctx)
	if err != nil {
		return err
	}
	peak, err := resident("VmHWM")
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report{URL: url, Ref: ref, Added: peak - before, Sum: sum(data)})
}

// resident returns a number of bytes of /proc/self/status.
func resident(which string) (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, which+":"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("the kernel does not tell " + which)
}
