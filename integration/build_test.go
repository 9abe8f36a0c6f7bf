package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	// What the processes are built from: the go command repeats a test's result from its cache until an import changes.
	_ "manta/actor"
	_ "manta/node"
	_ "manta/node/embedded"
)

// programs are what the tests start, each built when the first test needs it.
var programs struct {
	sync.Mutex
	dir string
}

// program returns the path of a built program: one in a folder here, such as "process", or of the examples, or "nats-server", which is the real one.
func program(t *testing.T, name string) string {
	t.Helper()
	programs.Lock()
	defer programs.Unlock()
	if programs.dir == "" {
		dir, err := os.MkdirTemp("", "manta-integration-")
		if err != nil {
			t.Fatal(err)
		}
		programs.dir = dir
	}
	path := filepath.Join(programs.dir, name)
	if _, err := os.Stat(path); err != nil {
		if err := build(name, path); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func build(name, path string) error {
	source := "github.com/nats-io/nats-server/v2"
	if name != "nats-server" {
		folder := name
		if _, err := os.Stat(folder); err != nil {
			folder = "../examples/" + name
		}
		source = "./" + folder
		// The cache also knows files that a test has looked at.
		files, err := filepath.Glob(folder + "/*.go")
		if err != nil || len(files) == 0 {
			return fmt.Errorf("no source of %s: %w", folder, err)
		}
		for _, file := range files {
			if _, err := os.ReadFile(file); err != nil {
				return err
			}
		}
	}
	// Without the race detector: its processes would be slower than what the tests' times are about.
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, source)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	return nil
}
