package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"manta/node"
)

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "manta",
		Short:         "Manta runs tasks, actors and objects of Go programs on a NATS message bus",
		Example:       "  manta bench -run 'sync'\n  manta version",
		SilenceUsage:  true,
		SilenceErrors: true, // run prints them
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(benchCommand(), versionCommand())
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of Manta, of Go and of the platform",
		Example: "  manta version",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "manta %s %s %s/%s\n", node.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// longFlags lets people write -run for --run, as the go command has it: a word behind one dash that is the name of a flag
// is that flag.
func longFlags(root *cobra.Command, args []string) []string {
	known := func(name string) bool {
		return slices.ContainsFunc(root.Commands(), func(cmd *cobra.Command) bool { return cmd.Flags().Lookup(name) != nil })
	}
	out := make([]string, 0, len(args))
	for i, arg := range args {
		if arg == "--" {
			return append(out, args[i:]...)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if strings.HasPrefix(arg, "-") && len(name) > 1 && known(name) {
			arg = "-" + arg
		}
		out = append(out, arg)
	}
	return out
}
