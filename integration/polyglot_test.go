//go:build clients

package integration

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
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
	for module, function := range map[string]string{"worker.py": "mean", "worker.mjs": "hostname"} {
		cmd := map[string]func(context.Context, *testing.T, string) *exec.Cmd{".py": python, ".mjs": nodeJS}[filepath.Ext(module)](t.Context(), t, "../examples/polyglot/"+module)
		cmd.Env = append(os.Environ(), "NATS_URL="+url)
		worker := startChild(t, module, cmd)
		workers = append(workers, worker)
		worker.words.await(t, "word that it serves", func(words []string) bool {
			return slices.ContainsFunc(words, func(line string) bool { return strings.HasPrefix(line, "serving") })
		})
		for _, payload := range []string{`"x"`, "{"} { // from clients that want no answer
			if out, err := exec.CommandContext(t.Context(), tool(t, "bin/nats"), "--server", url, "pub", "manta.default.task."+function, payload).CombinedOutput(); err != nil {
				t.Fatalf("%v:\n%s", err, out)
			}
		}
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
