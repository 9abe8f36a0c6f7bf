package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"manta/node"
)

func logsCommand(f *flags) *cobra.Command {
	var query node.LogQuery
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "Show what tasks and actors have logged, on all nodes",
		Long: `Logs shows the lines that tasks and actors have logged with task.Logger, those of nodes that are gone among them, as far as they are kept. With -f it goes on with
those that come, until an interrupt.`,
		Example: `  manta logs
  manta logs -f --task bill --level warn
  manta logs --since 10m --node worker-3 -o jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if query.Limit < 0 || query.Since < 0 {
				return usagef("--limit is %d and --since is %v: want a number and a duration from 0", query.Limit, query.Since)
			}
			if !slices.Contains(levels, query.Level) {
				return usagef("--level is %q: want %s", query.Level, strings.Join(levels, ", "))
			}
			err := f.join(cmd, func(ctx context.Context, _ *node.Node) error {
				for line, err := range node.Logs(ctx, query) {
					if err == nil {
						err = f.logLine(cmd, line)
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
			if query.Follow && cmd.Context().Err() != nil {
				return errWatched
			}
			return err
		},
	}
	set := cmd.Flags()
	set.BoolVarP(&query.Follow, "follow", "f", false, "go on with lines that come")
	set.DurationVar(&query.Since, "since", 0, "how far `back` (default: all that is kept)")
	set.StringVar(&query.Node, "node", "", "only of this node, by `id or name`")
	set.StringVar(&query.Task, "task", "", "only of this task, by `id or function`")
	set.StringVar(&query.Actor, "actor", "", "only of this actor, by `id or class`")
	set.StringVar(&query.Level, "level", "debug", "this `level` at least: "+strings.Join(levels, ", "))
	set.IntVar(&query.Limit, "limit", 0, "only so `many`, the latest ones")
	_ = cmd.RegisterFlagCompletionFunc("node", completing(f, nodes))
	_ = cmd.RegisterFlagCompletionFunc("task", completing(f, functions))
	_ = cmd.RegisterFlagCompletionFunc("actor", completing(f, classes)) // the flags exist
	return cmd
}

var levels = []string{"debug", "info", "warn", "error"}

// logLine writes a line when it comes: as JSON one a line, whatever the format's usual way is.
func (f *flags) logLine(cmd *cobra.Command, l node.LogLine) error {
	w := cmd.OutOrStdout()
	if f.output.format == asTable {
		_, err := fmt.Fprintf(w, "%s %s %s\n", l.Time.Local().Format("15:04:05.000"), paintLevel(w, l.Level), wordsOf(l))
		return err
	}
	how := f.output
	if how.format == asYAML {
		if _, err := io.WriteString(w, "---\n"); err != nil {
			return err
		}
	} else {
		how.format = asLines
	}
	return how.value(cmd, l, nil)
}

// paintLevel is a level in as many letters as the longest has.
func paintLevel(w io.Writer, level string) string {
	words := fmt.Sprintf("%-5s", strings.ToUpper(level))
	switch level {
	case "warn":
		return colour(w, yellow, words)
	case "error":
		return colour(w, red, words)
	}
	return words
}

// wordsOf says who logged what.
func wordsOf(l node.LogLine) string {
	who := l.Task
	if l.Class != "" {
		who = l.Class + "/" + l.Actor + "." + l.Method
	}
	text := fmt.Sprintf("%s %s: %s", cmp.Or(l.NodeName, l.Node), who, l.Message)
	for _, name := range slices.Sorted(maps.Keys(l.Fields)) {
		text += fmt.Sprintf(" %s=%v", name, l.Fields[name])
	}
	return text
}
