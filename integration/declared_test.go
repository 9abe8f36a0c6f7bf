package integration

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"manta/integration/process/line"
)

// runCaller has the program that declares functions call some, and returns what became of each.
func runCaller(t *testing.T, url string, functions ...string) []line.Event {
	t.Helper()
	cmd := exec.Command(program(t, "caller"), append([]string{"-url", url}, functions...)...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	events := newJournal[line.Event]()
	c := startChild(t, "caller", cmd, func() { events.record(stdout, event) })
	all := events.await(t, "caller: its calls", func(events []line.Event) bool { return len(events) == len(functions) })
	if code := c.finish(t); code != 0 {
		t.Errorf("the caller ended with %d", code)
	}
	return all
}

func TestAFunctionOfAnotherProgramIsCalledByItsDeclaration(t *testing.T) {
	together(t, same(2, worker{cpus: 1}), func(t *testing.T, c *cluster) {
		got := runCaller(t, c.url, "noop", "fail", "nested", "nobody", "no_job")

		for i, name := range []string{"noop", "nested"} {
			if e := got[2*i]; e.Func != name || e.Error != "" || e.Value != 2*i+1 {
				t.Errorf("%s: got %+v, want its number", name, e)
			}
		}
		nodes := []string{c.workers[0].first(line.Ready, "").Node, c.workers[1].first(line.Ready, "").Node}
		if e := got[1]; e.Code != "refused" || !strings.Contains(e.Error, "refused, as asked") || !slices.Contains(nodes, e.Node) {
			t.Errorf("a function that fails: got %+v, want its registered error, its words and its node", e)
		}
		if e := got[3]; e.Code != "not_registered" || !strings.Contains(e.Error, `"nobody"`) {
			t.Errorf("a function that nobody serves: got %+v", e)
		}
		if e := got[4]; e.Code != "argument" || !strings.Contains(e.Error, "no_job") {
			t.Errorf("a function that takes something else: got %+v", e)
		}
		if ran := len(starts(c.ran("fail"))); ran != 1 {
			t.Errorf("the function that fails ran %d times on the workers", ran)
		}
	})
}
