//go:build clients

package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A block is a block of commands in PROTOCOL.md: what a reader pastes into a shell at once.
type block struct {
	section  string
	commands []command
}

// A command is one, with what it is to print. If nothing is said of that, it is to succeed.
type command struct {
	line int // in PROTOCOL.md
	text string
	want []string
}

// TestTheExamplesOfTheProtocolAreTrue pastes every command of PROTOCOL.md into a shell, in their order, and compares what each prints with the
// comment behind or beneath it.
func TestTheExamplesOfTheProtocolAreTrue(t *testing.T) {
	blocks := readProtocol(t)
	sections := []string{"Calling a task", "Errors", "What is there", "Streaming", "Durable tasks", "Actors", "Writing a worker", "Refs", "Objects", "Events", "Logs"}
	for _, section := range sections {
		if !slices.ContainsFunc(blocks, func(b block) bool { return b.section == section }) {
			t.Errorf("the section %q has no example", section)
		}
	}
	path := filepath.Dir(tool(t, "bin/nats")) + string(filepath.ListSeparator) + os.Getenv("PATH")
	// In a home of its own: the user's contexts lead elsewhere.
	env := append(serveClients(t), "PATH="+path, "HOME="+t.TempDir(), "XDG_CONFIG_HOME=")
	dir := t.TempDir()
	for _, b := range blocks {
		t.Run(b.section, func(t *testing.T) {
			for i, got := range b.paste(t, dir, env) {
				if err := b.commands[i].check(got); err != nil {
					t.Errorf("PROTOCOL.md:%d: %s\n%v", b.commands[i].line, b.commands[i].text, err)
				}
			}
		})
	}
}

func readProtocol(t *testing.T) (blocks []block) {
	t.Helper()
	text, err := os.ReadFile("../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	var section string
	inside := false
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, "## "):
			section = strings.TrimPrefix(line, "## ")
		case line == "```sh":
			inside = true
			blocks = append(blocks, block{section: section})
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside:
			blocks[len(blocks)-1].read(i+1, line)
		}
	}
	return blocks
}

// read takes up a line of the block: a command, perhaps with what it prints behind it, or more of what the command before prints.
func (b *block) read(number int, line string) {
	if words, ok := strings.CutPrefix(line, "# "); ok {
		last := &b.commands[len(b.commands)-1]
		last.want = append(last.want, words)
		return
	}
	text, words, ok := strings.Cut(line, "  # ")
	c := command{line: number, text: strings.TrimSpace(text)}
	if ok {
		c.want = []string{words}
	}
	b.commands = append(b.commands, c)
}

// printed is what a command has printed, and its exit status.
type printed struct {
	lines  []string
	status int
}

// paste runs the block in one shell and returns what each command has printed.
func (b *block) paste(t *testing.T, dir string, env []string) (all []printed) {
	t.Helper()
	const mark = "=== status "
	var script strings.Builder
	for _, c := range b.commands {
		fmt.Fprintf(&script, "%s\nprintf '\\n"+mark+"%%d\\n' $?\n", c.text)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", script.String())
	cmd.Dir, cmd.Env = dir, env
	cmd.WaitDelay = time.Second // for what the shell has started
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	p := printed{}
	for line := range strings.Lines(string(out)) {
		if status, ok := strings.CutPrefix(line, mark); ok {
			p.status, _ = strconv.Atoi(strings.TrimSpace(status)) // printf has made it
			all, p = append(all, p), printed{}
			continue
		}
		p.lines = append(p.lines, line)
	}
	if len(all) != len(b.commands) {
		t.Fatalf("%d of %d commands have run:\n%s", len(all), len(b.commands), out)
	}
	return all
}

// check compares what a command has printed with what it is to print: … is anything, and alone in a line any lines.
func (c command) check(got printed) error {
	lines := plainly(got.lines)
	text := strings.Join(lines, "\n")
	if len(c.want) == 0 {
		if got.status != 0 || strings.Contains(text, "Nats-Service-Error") {
			return fmt.Errorf("failed with %d:\n%s", got.status, text)
		}
		return nil
	}
	var pattern strings.Builder
	for _, line := range plainly(c.want) {
		if line == "…" {
			pattern.WriteString(`(?s:.*\n)?`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + `\n`)
	}
	if !regexp.MustCompile(`^` + pattern.String() + `$`).MatchString(text + "\n") {
		return fmt.Errorf("prints\n%s\nwant\n%s", text, strings.Join(c.want, "\n"))
	}
	return nil
}

var (
	stamp   = regexp.MustCompile(`^\d\d:\d\d:\d\d ?`)
	chatter = regexp.MustCompile(`^(Sending request on|Received with rtt|Reading payload from) `)
	header  = regexp.MustCompile(`^[A-Z][a-z]*(-[A-Z][a-z]*)+: `)
)

// plainly returns lines without the log of nats, times and space that only pleases the eye, and with headers that stand together in one order.
func plainly(lines []string) (plain []string) {
	headers := 0 // at the end
	for _, line := range lines {
		line = stamp.ReplaceAllString(strings.TrimSpace(line), "")
		line = strings.Join(strings.Fields(line), " ")
		if line == "" || chatter.MatchString(line) {
			continue
		}
		plain = append(plain, line)
		if !header.MatchString(line) {
			headers = 0
			continue
		}
		headers++
		slices.Sort(plain[len(plain)-headers:])
	}
	return plain
}
