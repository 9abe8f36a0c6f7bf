package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"manta/node"
)

// status is a cluster at one moment.
type status struct {
	Namespace string           `json:"namespace"`
	Server    string           `json:"server"`
	Nodes     []node.NodeState `json:"nodes"`
	Free      node.Resources   `json:"free"` // of all nodes
	Total     node.Resources   `json:"total"`
	Tasks     map[string]int   `json:"tasks"`  // by state, those that ended within the last hour among them
	Actors    map[string]int   `json:"actors"` // likewise
	Objects   objectsStatus    `json:"objects"`
	Functions []node.Summary   `json:"functions"` // tasks by function
	Missing   []node.Missing   `json:"missing,omitempty"`

	leftOut int64
}

type objectsStatus struct {
	Count int   `json:"count"`
	Bytes int64 `json:"bytes"`
}

// look takes a cluster's status. What some nodes do not say is missing.
func (f *flags) look(ctx context.Context, n *node.Node) (s status, err error) {
	ctx, cancel := f.bounded(ctx)
	defer cancel()
	s = status{
		Namespace: orDefault(f.namespace), Server: n.Server(), Free: node.Resources{}, Total: node.Resources{}, Tasks: map[string]int{}, Actors: map[string]int{},
	}
	others := []node.Filter{{Field: "id", Not: true, Value: n.ID()}, {Field: "state", Not: true, Value: "left"}}
	nodes, err := node.ListNodes(ctx, node.Query{Filters: others, Limit: everything})
	if err != nil {
		return s, err
	}
	for _, m := range s.note(nodes.Items, nodes.Missing) {
		add(s.Total, m.Resources)
		add(s.Free, m.Free)
	}
	tasks, err := node.SummarizeTasks(ctx, node.Query{Limit: everything})
	if err != nil {
		return s, err
	}
	s.Functions, s.leftOut = tasks.Items, tasks.LeftOut
	addStates(s.Tasks, tasks.Items)
	actors, err := node.SummarizeActors(ctx, node.Query{Limit: everything})
	if err != nil {
		return s, err
	}
	addStates(s.Actors, actors.Items)
	objects, err := node.ListObjects(ctx, node.Query{Limit: everything, Filters: []node.Filter{{Field: "state", Not: true, Value: "freed"}}})
	for _, o := range objects.Items {
		s.Objects.Count++
		s.Objects.Bytes += o.Size
	}
	return s, err
}

// everything is more than there is.
const everything = 1 << 30

// note takes nodes in, and returns those that are there.
func (s *status) note(nodes []node.NodeState, missing []node.Missing) (there []node.NodeState) {
	s.Nodes, s.Missing = nodes, missing
	for _, m := range nodes {
		if m.State != "dead" {
			there = append(there, m)
		}
	}
	return there
}

func add(sum, more node.Resources) {
	for name, quantity := range more {
		sum[name] += quantity
	}
}

func addStates(sum map[string]int, summaries []node.Summary) {
	for _, s := range summaries {
		for state, n := range s.States {
			sum[state] += n
		}
	}
}

// words is a status for people.
func (s *status) words() string {
	var out bytes.Buffer
	fmt.Fprintf(&out, "namespace %s at %s\n", s.Namespace, s.Server)
	nodes := make(map[string]int)
	for _, n := range s.Nodes {
		nodes[n.State]++
	}
	fmt.Fprintf(&out, "nodes: %s\n", states(nodes))
	if len(s.Total) > 0 {
		fmt.Fprintf(&out, "free: %s\n", free(s.Free, s.Total))
	}
	fmt.Fprintf(&out, "tasks: %s\n", states(s.Tasks))
	fmt.Fprintf(&out, "actors: %s\n", states(s.Actors))
	fmt.Fprintf(&out, "objects: %d, %s\n", s.Objects.Count, size(s.Objects.Bytes))
	if len(s.Nodes) > 0 {
		out.WriteByte('\n')
		_ = nodeSheet(s.Nodes).write(&out) // a buffer takes everything
	}
	return out.String()
}

// states says how many are in each.
func states(counts map[string]int) string {
	var all []string
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%d %s", counts[state], state))
	}
	if all == nil {
		return "none"
	}
	return strings.Join(all, ", ")
}

func statusCommand(f *flags) *cobra.Command {
	var watch bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show a cluster at a glance: its nodes, tasks, actors and objects",
		Example: "  manta status\n  manta status -w\n  manta status -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.refresh(cmd, watch, every, false, func(s *status) string { return s.words() })
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show it again and again, until an interrupt")
	cmd.Flags().DurationVar(&every, "interval", 2*time.Second, "how `often`")
	return cmd
}

func topCommand(f *flags) *cobra.Command {
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show what a cluster is busy with, over the whole screen and again and again",
		Long: `Top shows a cluster's nodes and the functions whose tasks they run, those with the most tasks under way first, until an interrupt. If stdout is no terminal it shows that
once.`,
		Example: "  manta top\n  manta top --interval 500ms",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			screen := isTerminal(cmd.OutOrStdout())
			return f.refresh(cmd, screen, every, screen, func(s *status) string { return s.busiest() })
		},
	}
	cmd.Flags().DurationVar(&every, "interval", 2*time.Second, "how `often`")
	return cmd
}

// busiest is a status with the functions in the order of how much is under way.
func (s *status) busiest() string {
	underway := func(f node.Summary) int {
		return f.Total - f.States["finished"] - f.States["failed"] - f.States["cancelled"]
	}
	slices.SortStableFunc(s.Functions, func(a, b node.Summary) int { return underway(b) - underway(a) })
	var out bytes.Buffer
	if len(s.Functions) > 0 {
		out.WriteByte('\n')
		_ = summarySheet(kind{name: "task"})(s.Functions).write(&out) // a buffer takes everything
	}
	return s.words() + out.String()
}

// The words of a terminal for the whole screen.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	beginAgain  = "\x1b[H"
	clearLine   = "\x1b[K\n"
	clearBelow  = "\x1b[J"
)

// refresh shows a status once, or until an interrupt, which is no failure then.
func (f *flags) refresh(cmd *cobra.Command, again bool, every time.Duration, screen bool, words func(*status) string) error {
	if every <= 0 {
		return usagef("--interval is %v: want a duration above 0", every)
	}
	w := cmd.OutOrStdout()
	if screen {
		_, _ = io.WriteString(w, enterScreen)
		defer func() { _, _ = io.WriteString(w, leaveScreen) }()
	}
	err := f.join(cmd, func(ctx context.Context, n *node.Node) error {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			s, err := f.look(ctx, n)
			if err != nil {
				return err
			}
			if screen {
				err = paintScreen(w, words(&s))
			} else {
				sayPartial(cmd, s.Missing, s.leftOut)
				err = f.output.value(cmd, s, func() string { return words(&s) })
			}
			if err != nil || !again {
				return err
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return errWatched
			}
		}
	})
	if again && cmd.Context().Err() != nil {
		return errWatched
	}
	return err
}

// errWatched is the end of what goes on until an interrupt.
var errWatched = errors.New("interrupted")

// paintScreen writes over what the screen shows, as many lines as it has.
func paintScreen(w io.Writer, words string) error {
	lines := strings.Split(strings.TrimRight(words, "\n"), "\n")
	if file, ok := w.(*os.File); ok {
		if width, height, err := term.GetSize(int(file.Fd())); err == nil && width > 0 && height > 0 { // some do not know theirs
			lines = lines[:min(len(lines), max(1, height-1))]
			for i, line := range lines {
				if runes := []rune(line); len(runes) > width {
					lines[i] = string(runes[:width])
				}
			}
		}
	}
	_, err := io.WriteString(w, beginAgain+strings.Join(lines, clearLine)+clearLine+clearBelow)
	return err
}
