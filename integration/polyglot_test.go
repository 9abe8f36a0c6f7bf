//go:build clients

package integration

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestPolyglotWorkersServeWhatGoCalls runs examples/polyglot with its workers.
func TestPolyglotWorkersServeWhatGoCalls(t *testing.T) {
	cmd := exec.Command(program(t, "polyglot"), "-listen", "127.0.0.1:0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := newJournal[string]()
	owner := startChild(t, "polyglot", cmd, func() { said.record(stdout, func(line []byte) string { return string(line) }) })
	url := regexp.MustCompile(`nats://\S+`).FindString(strings.Join(owner.words.await(t, "URL", func(words []string) bool {
		return slices.ContainsFunc(words, func(line string) bool { return strings.Contains(line, "nats://") })
	}), "\n"))
	var workers []*child
	for name, cmd := range map[string]*exec.Cmd{
		"worker.py":  python(t.Context(), t, "../examples/polyglot/worker.py"),
		"worker.mjs": nodeJS(t.Context(), t, "../examples/polyglot/worker.mjs"),
	} {
		cmd.Env = append(os.Environ(), "NATS_URL="+url)
		workers = append(workers, startChild(t, name, cmd))
	}
	out := strings.Join(said.await(t, "shouts", func(lines []string) bool { return len(lines) == 4 }), "\n")
	if want := regexp.MustCompile(`^mean: 2\.5
hostname: nats\.io
mean of nothing: mean failed on node \w+: TypeError: .*
shouted: map\[! \(Go\):\d+ ! \(Node\):\d+ ! \(Python\):\d+\]$`); !want.MatchString(out) {
		t.Errorf("it said\n%s", out)
	}
	<-owner.gone
	for _, w := range append(workers, owner) {
		if w != owner {
			_ = w.cmd.Process.Signal(syscall.SIGTERM) // it may have ended, with its server
			<-w.gone
		}
		if !w.cmd.ProcessState.Success() {
			t.Errorf("%s: %v", w.name, w.cmd.ProcessState)
		}
	}
}
