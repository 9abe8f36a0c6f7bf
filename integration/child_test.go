package integration

import (
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A child is a process that a test has started. It ends with the test, which shows what it said on stderr if it failed.
type child struct {
	name  string
	cmd   *exec.Cmd
	words *journal[string] // stderr
	gone  chan struct{}    // closed when the process has ended and all that it said is in the journals
}

// startChild starts a program. Beside stderr, what the readers read is waited for.
func startChild(t *testing.T, name string, cmd *exec.Cmd, readers ...func()) *child {
	t.Helper()
	c := &child{name: name, cmd: cmd, words: newJournal[string](), gone: make(chan struct{})}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	bind(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.gone)
		var reading sync.WaitGroup
		for _, read := range readers {
			reading.Go(read)
		}
		reading.Go(func() { c.words.record(stderr, func(text []byte) string { return string(text) }) })
		reading.Wait()
		_ = cmd.Wait() // how it ended stands in ProcessState
	}()
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("%s, process %d, %v:\n%s", name, cmd.Process.Pid, cmd.ProcessState, strings.Join(c.complaints(), "\n"))
		}
	})
	return c
}

// complaints are what the process said on stderr, without what a NATS server says of its good health.
func (c *child) complaints() (texts []string) {
	for _, text := range c.words.all() {
		if !strings.Contains(text, "[INF]") {
			texts = append(texts, text)
		}
	}
	return texts
}

// kill ends the process as kill -9 does, also one that is stopped, and waits for its end.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // fails only if it has ended
	<-c.gone
}

// finish waits for the end of a process that was told to end, or ends by itself, and returns its exit code.
func (c *child) finish(t *testing.T) int {
	t.Helper()
	select {
	case <-c.gone:
	case <-time.After(patience):
		t.Fatalf("%s does not end within %v", c.name, patience)
	}
	return c.cmd.ProcessState.ExitCode()
}

func (c *child) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
}
