package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"manta/cmd/manta/timeline"
	"manta/node"
)

func timelineCommand(f *flags) *cobra.Command {
	var wanted queryFlags
	var file string
	cmd := &cobra.Command{
		Use:   "timeline",
		Short: "Draw tasks over time, for ui.perfetto.dev",
		Long: `Timeline writes the tasks of --since as a trace in the Chrome format, which ui.perfetto.dev and chrome://tracing open: a process for each node, in it the tasks
that ran there, with their phases, and arrows from where they were submitted.`,
		Example: `  manta timeline -o trace.json
  manta timeline --since 5m -f func=bill > trace.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := wanted.read()
			if err != nil {
				return err
			}
			return f.join(cmd, func(ctx context.Context, _ *node.Node) error {
				ctx, cancel := f.bounded(ctx)
				defer cancel()
				tasks, err := node.ListTasks(ctx, query)
				if err != nil {
					return wrongQuery(err)
				}
				sayPartial(cmd, tasks.Missing, tasks.LeftOut)
				if rest := tasks.Total - len(tasks.Items); rest > 0 {
					say(cmd, "%d tasks more are left out: --limit says how many are drawn", rest)
				}
				return writeTo(cmd, file, func(w io.Writer) error { return timeline.Write(w, tasks.Items, time.Now()) })
			})
		},
	}
	wanted.addTo(cmd)
	cmd.Flags().Lookup("limit").DefValue = "100000"
	wanted.limit = 100_000
	cmd.Flags().StringVarP(&file, "output", "o", "-", `the `+"`file`"+` to write; "-" is stdout`)
	return cmd
}

// writeTo writes a file, or stdout if its name is "-".
func writeTo(cmd *cobra.Command, name string, write func(io.Writer) error) error {
	if name == "-" {
		return write(cmd.OutOrStdout())
	}
	file, err := os.Create(name)
	if err != nil {
		return usageError{err}
	}
	if err := write(file); err != nil {
		_ = file.Close() // the error of the write says more
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	say(cmd, "%s is written", name)
	return nil
}
