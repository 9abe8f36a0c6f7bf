package main

import (
	"context"

	"github.com/spf13/cobra"

	"manta/actor"
	"manta/node"
)

func actorCommand(f *flags) *cobra.Command {
	return family("actor", "Make, call and end actors", "  manta actor new counter --name visits\n  manta actor call visits Add 5",
		newActorCommand(f), callActorCommand(f), endActorCommand(f, "stop"), endActorCommand(f, "kill"))
}

func newActorCommand(f *flags) *cobra.Command {
	var name string
	var getOrNew bool
	cmd := &cobra.Command{
		Use:   "new CLASS [JSON]",
		Short: "Make an actor and print its id",
		Long: `New makes an actor of a class, with a start value in JSON, and prints its id once its Start has run. Nobody holds the actor, so it lives until it is stopped or
killed.`,
		Example: `  manta actor new counter
  manta actor new counter '{"From": 10}' --name visits
  manta actor new counter --name visits --get`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: completing(f, classes, nothing),
		RunE: func(cmd *cobra.Command, args []string) error {
			start, err := payloadOf(cmd, args[1:])
			if err == nil && getOrNew && name == "" {
				err = usagef("--get is given without --name: which actor is wanted?")
			}
			if err != nil {
				return err
			}
			return f.join(cmd, func(ctx context.Context, _ *node.Node) error {
				ctx, cancel := f.patient(ctx)
				defer cancel()
				born, err := actor.NewJSON(ctx, args[0], start, name, getOrNew)
				if err != nil {
					return err
				}
				return f.output.value(cmd, born, func() string { return born.ID + "\n" })
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "a `name` by which it is found, unique in the namespace")
	cmd.Flags().BoolVar(&getOrNew, "get", false, "an actor that has the name already will do")
	return cmd
}

func callActorCommand(f *flags) *cobra.Command {
	var request requestFlags
	cmd := &cobra.Command{
		Use:   "call ID METHOD [JSON…]",
		Short: "Call a method of an actor and print its result",
		Long: `Call calls a method of an actor, by the actor's name or id, with arguments in JSON, and prints its result in JSON. Calls of one process run in order only if
each is awaited, as those of this command are.`,
		Example: `  manta actor call visits Add 5
  manta actor call visits Value`,
		Args:              cobra.RangeArgs(2, 4),
		ValidArgsFunction: completing(f, actors, nothing),
		RunE: func(cmd *cobra.Command, args []string) error {
			payload, err := payloadOf(cmd, args[2:])
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
				result, err := actor.CallJSON(ctx, args[0], args[1], payload, headers)
				if err != nil {
					return err
				}
				return f.output.raw(cmd.OutOrStdout(), result)
			})
		},
	}
	request.addTo(cmd)
	return cmd
}

func endActorCommand(f *flags, verb string) *cobra.Command {
	cmd := &cobra.Command{
		Use:               verb + " ID",
		Short:             "End an actor at once: calls that wait do not run",
		Example:           "  manta actor " + verb + " visits",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completing(f, actors, nothing),
	}
	end := actor.KillByID
	if verb == "stop" {
		cmd.Short, end = "End an actor when the calls that wait have run", actor.StopByID
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return f.join(cmd, func(ctx context.Context, _ *node.Node) error {
			ctx, cancel := f.patient(ctx)
			defer cancel()
			return end(ctx, args[0])
		})
	}
	return cmd
}
