package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"manta/integration/process/line"
)

// A process runs integration/process.
type process struct {
	*child
	t      *testing.T
	stdin  io.Writer
	events *journal[line.Event]
	url    string // of its server
	flags  []string
}

// launch starts a process and does not wait until it is ready.
func launch(t *testing.T, name string, flags ...string) *process {
	t.Helper()
	cmd := exec.Command(program(t, "process"), append([]string{"-name", name}, flags...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, stdin: stdin, events: newJournal[line.Event](), flags: flags}
	p.child = startChild(t, name, cmd, func() { p.events.record(stdout, event) })
	return p
}

func event(text []byte) (e line.Event) {
	if err := json.Unmarshal(text, &e); err != nil {
		return line.Event{Event: "not an event", Error: string(text)}
	}
	return e
}

// ready waits until the node has started.
func (p *process) ready() *process {
	p.t.Helper()
	p.url = p.first(line.Ready, "").URL
	return p
}

// tell gives the process a command.
func (p *process) tell(c line.Command) {
	p.t.Helper()
	if err := json.NewEncoder(p.stdin).Encode(c); err != nil {
		p.t.Fatalf("%s takes no command: %v", p.name, err)
	}
}

// submit gives the process tasks to submit; see done.
func (p *process) submit(c line.Command) {
	p.t.Helper()
	c.Do = "submit"
	p.tell(c)
}

// first waits for the first event of a kind, and of a tag unless that is empty.
func (p *process) first(kind, tag string) (e line.Event) {
	p.t.Helper()
	p.await(kind+" "+tag, func(events []line.Event) bool {
		i := slices.IndexFunc(events, func(e line.Event) bool { return e.Event == kind && (tag == "" || e.Tag == tag) })
		if i >= 0 {
			e = events[i]
		}
		return i >= 0
	})
	if e.Event != line.Result && e.Event != line.End && e.Error != "" {
		p.t.Fatalf("%s: %s: %s", p.name, kind, e.Error)
	}
	return e
}

// done waits until all tasks of a submission have their results.
func (p *process) done(tag string) line.Event {
	p.t.Helper()
	return p.first(line.Done, tag)
}

// some waits until there are n events of a kind and a tag.
func (p *process) some(n int, kind, tag string) {
	p.t.Helper()
	p.await(fmt.Sprintf("%d of %s %s", n, kind, tag), func(events []line.Event) bool {
		return len(only(events, kind, tag)) >= n
	})
}

func (p *process) await(what string, enough func([]line.Event) bool) {
	p.t.Helper()
	p.events.await(p.t, p.name+": "+what, enough)
}

// meet waits until the process knows n nodes that serve tasks, and no more.
func (p *process) meet(n int) {
	p.t.Helper()
	before := len(only(p.events.all(), line.Members, ""))
	p.tell(line.Command{Do: "members", Count: n})
	p.some(before+1, line.Members, "")
}

// ran are all starts and ends of tasks with a tag; of all tasks, if that is empty.
func (p *process) ran(tag string) []line.Event {
	p.t.Helper()
	return slices.DeleteFunc(slices.Clone(p.everything()), func(e line.Event) bool {
		return e.Event != line.Start && e.Event != line.End || tag != "" && e.Tag != tag
	})
}

// everything is what has happened in the process so far: what it said and the test has not read yet is waited for.
func (p *process) everything() []line.Event {
	p.t.Helper()
	echoes := len(only(p.events.all(), line.Echo, ""))
	select {
	case <-p.gone:
		return p.events.all()
	default:
	}
	p.tell(line.Command{Do: "echo"})
	p.some(echoes+1, line.Echo, "")
	return p.events.all()
}

// finish waits for the end of a process that was told to end, and returns its exit code.
func (p *process) finish() int {
	p.t.Helper()
	return p.child.finish(p.t)
}

// terminate is what a rolling restart does.
func (p *process) terminate() {
	p.t.Helper()
	p.signal(p.t, syscall.SIGTERM)
}
