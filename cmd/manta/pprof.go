package main

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"manta/node"
)

func pprofCommand(f *flags) *cobra.Command {
	var takes time.Duration
	var file string
	cmd := &cobra.Command{
		Use:   "pprof NODE " + strings.Join(profiles, "|"),
		Short: "Take a profile of a node's process, for go tool pprof",
		Long: `Pprof has a node take a profile of its process and writes it to a file. Goroutines that run tasks have the label manta_task, those of actors manta_actor and
manta_method.`,
		Example: `  manta pprof worker-3 cpu --for 5s
  manta pprof worker-3 heap --file heap.pprof && go tool pprof heap.pprof
  manta pprof worker-3 goroutine --file - | go tool pprof -raw -`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(profiles, args[1]) {
				return usagef("%q is no profile: want %s", args[1], strings.Join(profiles, ", "))
			}
			return f.join(cmd, func(ctx context.Context, _ *node.Node) error {
				m, err := findNode(ctx, args[0])
				if err != nil {
					return err
				}
				profile, err := node.Profile(ctx, m.ID, args[1], takes)
				if err != nil {
					return err
				}
				name := cmp.Or(file, m.Name+"-"+args[1]+".pprof")
				return writeTo(cmd, name, func(w io.Writer) error {
					_, err := w.Write(profile)
					return err
				})
			})
		},
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return profiles, cobra.ShellCompDirectiveNoFileComp
		}
		return completing(f, nodes, nothing)(cmd, args, toComplete)
	}
	cmd.Flags().DurationVar(&takes, "for", 0, "how `long` a profile of cpu, mutex or block is taken (default: 10s)")
	cmd.Flags().StringVar(&file, "file", "", "the `file` to write; \"-\" is stdout (default: NODE-KIND.pprof)")
	return cmd
}

var profiles = []string{"cpu", "heap", "goroutine", "allocs", "mutex", "block"}
