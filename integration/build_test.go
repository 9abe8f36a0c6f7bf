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

// programs are what the tests start, built once, when the first test needs them.
var programs struct {
	dir  string
	once sync.Once
	err  error
}

// program returns the path of a built program: "process", "caller", "memory", "neighbour", or "nats-server", which is the real one.
func program(t *testing.T, name string) string {
	t.Helper()
	programs.once.Do(func() { programs.err = build() })
	if programs.err != nil {
		t.Fatal(programs.err)
	}
	return filepath.Join(programs.dir, name)
}

func build() (err error) {
	if programs.dir, err = os.MkdirTemp("", "manta-integration-"); err != nil {
		return err
	}
	// The cache also knows files that a test has looked at.
	for _, of := range []string{"process", "caller", "memory", "neighbour"} {
		sources, err := filepath.Glob(of + "/*.go")
		if err != nil || len(sources) == 0 {
			return fmt.Errorf("no source of integration/%s: %w", of, err)
		}
		for _, source := range sources {
			if _, err := os.ReadFile(source); err != nil {
				return err
			}
		}
	}
	// Without the race detector: its processes would be slower than what the tests' times are about.
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", programs.dir+string(filepath.Separator),
		"manta/integration/process", "manta/integration/caller", "manta/integration/memory", "manta/integration/neighbour", "github.com/nats-io/nats-server/v2")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	return nil
}
