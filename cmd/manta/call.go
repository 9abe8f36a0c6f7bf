package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"manta/node"
	"manta/task"
)

func callCommand(f *flags) *cobra.Command {
	var request requestFlags
	var stream bool
	cmd := &cobra.Command{
		Use:   "call FUNC [JSON…]",
		Short: "Call a function and print its result",
		Long: `Call calls a function by its name, with arguments in JSON, and prints its result in JSON. It waits for that as long as it takes, or as --timeout says; an
interrupt cancels the task. "-" reads an argument from stdin. Of a streaming function every item is printed when it comes.`,
		Example: `  manta call square 7
  manta call add 1 2
  manta call greet '"world"' -o yaml
  cat order.json | manta call bill - --id order-42
  manta call --stream count 3`,
		Args:              cobra.RangeArgs(1, 3),
		ValidArgsFunction: completing(f, functions, nothing),
		RunE: func(cmd *cobra.Command, args []string) error {
			payload, err := payloadOf(cmd, args[1:])
			if err != nil {
				return err
			}
			headers, err := headersOf(request.headers, request.id)
			if err != nil {
				return err
			}
			return f.join(cmd, func(ctx context.Context, _ *node.Node) error {
				ctx, cancel := f.patient(ctx)
				defer cancel()
				if stream {
					return f.printStream(ctx, cmd, args[0], payload, headers)
				}
				result, err := task.CallJSON(ctx, args[0], payload, headers)
				if err != nil {
					return err
				}
				return f.output.raw(cmd.OutOrStdout(), result)
			})
		},
	}
	request.addTo(cmd)
	cmd.Flags().BoolVar(&stream, "stream", false, "the function streams: print its items, one after another")
	return cmd
}

func (f *flags) printStream(ctx context.Context, cmd *cobra.Command, function string, payload json.RawMessage, headers map[string]string) error {
	for item, err := range task.StreamJSON(ctx, function, payload, headers) {
		if err != nil {
			return err
		}
		if f.output.format == asYAML { // one document an item
			if _, err := cmd.OutOrStdout().Write([]byte("---\n")); err != nil {
				return err
			}
		}
		if err := f.output.raw(cmd.OutOrStdout(), item); err != nil {
			return err
		}
	}
	return nil
}
