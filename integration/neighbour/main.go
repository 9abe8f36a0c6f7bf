// Command neighbour is a node that shares large values with others on its machine, and tells what it has read. It is started by the tests of
// package integration. Every JSON line on stdin is a command, every line on stdout the answer to one.
//
//	{"do":"put","bytes":8388608}    → its ref and its sum
//	{"do":"await","ref":…}          → nothing: it knows where the value is
//	{"do":"get","ref":…}            → its sum; the value is kept
//	{"do":"sum"}                    → the sum of what is kept
//	{"do":"free","ref":…}           → nothing, once it is freed
//	{"do":"drop"}                   → nothing, once what was kept is unmapped
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"manta/node"
	"manta/objstore"
)

type command struct {
	Do    string
	Bytes int
	Ref   objstore.Ref[[]byte]
}

// report is an answer. The counters are those of the whole process.
type report struct {
	Ref         *objstore.Ref[[]byte]
	Sum         int
	Borrowed    int64
	Transferred int64
	Error       string
}

func main() {
	url := flag.String("url", "", "the NATS server's `URL`")
	dir := flag.String("dir", "", "the node's SharedDir")
	flag.Parse()
	if err := run(context.Background(), node.Config{URL: *url, SharedDir: *dir, ClientOnly: true}); err != nil {
		fmt.Fprintln(os.Stderr, "neighbour:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, cfg node.Config) error {
	n, ctx, err := node.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer n.Close()
	var kept []byte
	commands, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var c command
		if commands.Decode(&c) != nil {
			return nil // there are no more
		}
		var r report
		var err error
		switch c.Do {
		case "put":
			kept = random(c.Bytes)
			ref := objstore.Put(ctx, kept)
			r.Ref, r.Sum = &ref, sum(kept)
		case "await":
			_, _, err = objstore.Wait(ctx, []objstore.Ref[[]byte]{c.Ref}, 1)
		case "get":
			kept, err = c.Ref.Get(ctx)
			r.Sum = sum(kept)
		case "sum":
			r.Sum = sum(kept)
		case "free":
			err = objstore.Free(ctx, c.Ref)
		case "drop":
			kept = nil
			err = awaitUnmapped()
		default:
			return fmt.Errorf("there is no command %q", c.Do)
		}
		if err != nil {
			r.Error = err.Error()
		}
		objects := n.Stats().Objects
		r.Borrowed, r.Transferred = objects.Borrowed, objects.Downloads
		if err := answers.Encode(r); err != nil {
			return err
		}
	}
}

// random returns bytes of which every page is different.
func random(n int) []byte {
	data := make([]byte, n)
	x := uint32(n)
	for i := range data {
		x = x*1664525 + 1013904223
		data[i] = byte(x >> 24)
	}
	return data
}

// sum reads every byte.
func sum(data []byte) (total int) {
	for i, b := range data {
		total += int(b) * (i&7 + 1)
	}
	return total
}

// awaitUnmapped collects garbage until no file without a name is mapped.
func awaitUnmapped() error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil || !strings.Contains(string(maps), " (deleted)\n") {
			return err
		}
		runtime.GC()
		<-tick.C
	}
	return errors.New("what was dropped is still mapped")
}
