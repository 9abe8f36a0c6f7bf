package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"manta/node"
	"manta/objstore"
	"manta/task"
)

func submitCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "submit FUNC [JSON…]",
		Short: "Submit a durable task and print its id",
		Long: `Submit stores a durable task, prints its id and returns: the task runs whatever becomes of who submitted it, and waits if no node serves the function. manta result
waits for its result, which is kept for 24 hours unless the function says otherwise.`,
		Example: `  manta submit bill '{"total": 7}'
  manta result $(manta submit bill '{"total": 7}')`,
		Args:              cobra.RangeArgs(1, 3),
		ValidArgsFunction: completing(f, functions, nothing),
		RunE: func(cmd *cobra.Command, args []string) error {
			payload, err := payloadOf(cmd, args[1:])
			if err != nil {
				return err
			}
			return f.join(cmd, func(ctx context.Context, _ *node.Node) error {
				ctx, cancel := f.bounded(ctx)
				defer cancel()
				id, err := task.SubmitJSON(ctx, args[0], payload)
				if err != nil {
					return err
				}
				return f.output.value(cmd, struct {
					ID objstore.ID `json:"id"`
				}{id}, func() string { return id.String() + "\n" })
			})
		},
	}
}

func resultCommand(f *flags) *cobra.Command {
	var noWait bool
	cmd := &cobra.Command{
		Use:   "result ID",
		Short: "Wait for a task's result and print it",
		Long: `Result waits for the result of a task and prints it, or fails with its error. The id is that of manta submit, or of a ref in a Go program. It waits as long
as it takes, or as --timeout says; an interrupt ends the wait and not the task.`,
		Example: `  manta result 0t4g8dl5qk1b2o0000000000c8
  manta result --no-wait 0t4g8dl5qk1b2o0000000000c8`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return f.join(cmd, func(ctx context.Context, _ *node.Node) error {
				if noWait {
					if err := f.recorded(ctx, id); err != nil {
						return err
					}
				}
				ctx, cancel := f.patient(ctx)
				defer cancel()
				value, err := objstore.Read(ctx, id)
				if err != nil {
					return err
				}
				result, err := value.JSON()
				if err != nil {
					return err
				}
				return f.output.raw(cmd.OutOrStdout(), result)
			})
		},
	}
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait: end with 5 if there is no result of this durable task yet")
	return cmd
}

// recorded returns an error unless a durable task has its result.
func (f *flags) recorded(ctx context.Context, id objstore.ID) error {
	ctx, cancel := f.bounded(ctx)
	defer cancel()
	done, err := task.Recorded(ctx, id)
	if err == nil && !done {
		err = fmt.Errorf("task %s: %w", id, errNotYet)
	}
	return err
}

func cancelCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "cancel ID",
		Short: "Cancel a task, wherever it is",
		Long: `Cancel ends a task: one that waits never runs, one that runs is told, with all tasks that it started. One that has its result keeps it. The id is that of
manta submit, or of a ref in a Go program.`,
		Example: "  manta cancel 0t4g8dl5qk1b2o0000000000c8",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return f.join(cmd, func(ctx context.Context, _ *node.Node) error {
				ctx, cancel := f.bounded(ctx)
				defer cancel()
				if err := task.Cancel(ctx, objstore.RefTo[any](objstore.Named(id))); err != nil {
					return err
				}
				say(cmd, "%s is cancelled, unless it had its result already", id)
				return nil
			})
		},
	}
}

func whyCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "why ID",
		Short:   "Say what a task waits for, or what has become of it",
		Example: "  manta why 0t4g8dl5qk1b2o0000000000c8",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return f.join(cmd, func(ctx context.Context, n *node.Node) error {
				ctx, cancel := f.bounded(ctx)
				defer cancel()
				words, err := n.Why(ctx, id)
				if err == nil && words == objstore.ErrExpired.Error() {
					err = objstore.ErrExpired
				}
				if err != nil {
					return err
				}
				return f.output.value(cmd, struct {
					ID  objstore.ID `json:"id"`
					Why string      `json:"why"`
				}{id, words}, func() string { return words + "\n" })
			})
		},
	}
}

func parseID(text string) (objstore.ID, error) {
	id, err := objstore.ParseID(text)
	if err != nil {
		return id, usageError{err}
	}
	return id, nil
}
