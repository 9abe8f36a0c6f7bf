//go:build linux && (amd64 || arm64)

package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"time"

	"manta/node"
	"manta/objstore"
)

func init() { families = append(families, sharedMeasures) }

var sharedMeasures = []Measure{
	{
		Name: "get_gigabytes_shared_first", Unit: "GB/s", Baseline: "raw_copy_gigabytes",
		About: "800 MB that are stored are read, every cache line of them, by a second process on this machine: the first that it gets",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return getShared(ctx, s, onHeap, false, 0) },
	},
	{
		Name: "get_gigabytes_shared_made", Unit: "GB/s", Baseline: "raw_copy_gigabytes",
		About: "the same with a value in memory of objstore.Make",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) {
			return getShared(ctx, s, objstore.Make[byte], false, 0)
		},
	},
	{
		Name: "get_gigabytes_shared", Unit: "GB/s", Baseline: "raw_copy_gigabytes",
		About: "the first of these, when it has read a value of the first process before; the faster of two times",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return getShared(ctx, s, onHeap, true, 0) },
	},
	{
		Name: "get_gigabytes_shared_again", Unit: "GB/s", Baseline: "raw_copy_gigabytes",
		About: "the same by a third process, once the second one has the value",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return getShared(ctx, s, onHeap, true, 1) },
	},
}

// onHeap makes memory of the ordinary kind.
func onHeap(_ context.Context, n int) []byte { return make([]byte, n) }

// getShared measures how fast a process reads a large value after so many others have.
func getShared(ctx context.Context, s *Stage, room func(context.Context, int) []byte, warm bool, before int) (Timed, error) {
	at, err := s.Server()
	if err != nil {
		return nil, err
	}
	debug.FreeOSMemory() // what an earlier measure has left
	owner, err := s.node(ctx, at, node.Config{ClientOnly: true}, []func(*node.Config){func(cfg *node.Config) { cfg.SharedDir = "" }})
	if err != nil {
		return nil, err
	}
	here := owner.Context(ctx)
	var readers []*neighbour
	for range before + 1 {
		reader, err := s.neighbour(ctx)
		if err != nil {
			return nil, err
		}
		readers = append(readers, reader)
	}
	data, tries := room(here, s.blob), 1
	copy(data, incompressible(s.blob))
	if warm {
		tries = blobTries
		ref := objstore.Put(here, data[:len(data)/2])
		if _, err := readers[0].read(ref); err != nil {
			return nil, err
		}
		if err := objstore.Free(here, ref); err != nil {
			return nil, err
		}
	}
	return bestOf(tries, func() (sample Sample, err error) {
		ref := objstore.Put(here, data)
		defer func() { err = errors.Join(err, objstore.Free(here, ref)) }()
		if err := owner.Drain(here); err != nil { // the digest for other clients is computed behind the upload
			return sample, err
		}
		for _, reader := range readers {
			debug.FreeOSMemory()
			begun := time.Now()
			read, err := reader.read(ref)
			if err != nil {
				return sample, err
			}
			sample = gigabytes(s.blob, time.Since(begun))
			if err := expect(read, linesOf(data)); err != nil {
				return sample, err
			}
		}
		return sample, nil
	}), nil
}

// linesOf adds up a byte of every cache line.
func linesOf(data []byte) (sum int) {
	for i := 0; i < len(data); i += 64 {
		sum += int(data[i])
	}
	return sum
}

// neighbourEnv tells this program that it is a neighbour: which node it is to start, as JSON.
const neighbourEnv = "MANTA_BENCH_NEIGHBOUR"

// neighbourConfig is what a neighbour's node is made from.
type neighbourConfig struct{ URL, Namespace string }

// A neighbour is another process of this program, with a node that reads what it is told to.
type neighbour struct {
	refs  *json.Encoder
	words *bufio.Reader
}

// neighbour starts one, which ends with the stage.
func (s *Stage) neighbour(ctx context.Context) (*neighbour, error) {
	cfg := neighbourConfig{URL: s.cfg.Server, Namespace: s.namespace}
	if len(s.servers) > 0 {
		cfg.URL = s.servers[0].URL()
	}
	text, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), neighbourEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.undo = append(s.undo, func() error { return errors.Join(stdin.Close(), cmd.Wait()) })
	return &neighbour{refs: json.NewEncoder(stdin), words: bufio.NewReader(stdout)}, nil
}

// read has the neighbour read a value, and returns what linesOf says of it there.
func (n *neighbour) read(ref objstore.Ref[[]byte]) (sum int, err error) {
	if err := n.refs.Encode(ref); err != nil {
		return 0, err
	}
	word, err := n.words.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("a neighbour has ended: %w", err)
	}
	_, err = fmt.Sscanln(word, &sum)
	return sum, err
}

// NeighbourMain is the whole of a process that Run has started to have a neighbour on this machine; in others it does nothing. A program
// that calls Run calls it first.
func NeighbourMain() {
	text, is := os.LookupEnv(neighbourEnv)
	if !is {
		return
	}
	if err := beNeighbour(context.Background(), text, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "neighbour:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// beNeighbour reads every ref that comes, until there are no more.
func beNeighbour(ctx context.Context, text string, refs io.Reader, words io.Writer) error {
	var cfg neighbourConfig
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return err
	}
	n, ctx, err := node.Start(ctx, node.Config{URL: cfg.URL, Namespace: cfg.Namespace, ClientOnly: true, CacheBytes: 1}) // each read is one
	if err != nil {
		return err
	}
	defer n.Close()
	for decoder, read := json.NewDecoder(refs), int64(1); ; read++ {
		var ref objstore.Ref[[]byte]
		if err := decoder.Decode(&ref); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		data, err := ref.Get(ctx)
		if err != nil {
			return err
		}
		sum := linesOf(data)
		if n.Stats().Objects.Borrowed != read {
			return errors.New("the value came over the network: is /dev/shm there, and has it room?")
		}
		if _, err := fmt.Fprintln(words, sum); err != nil {
			return err
		}
	}
}
