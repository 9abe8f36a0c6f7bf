package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"manta/node"
)

// completionTimeout bounds what a shell waits for names of the cluster.
const completionTimeout = time.Second

// A completer names what an argument may be.
type completer func(ctx context.Context, args []string) ([]string, error)

// completing completes one argument after another, from the live cluster; the last completer is that of all that follow. A cluster that does not answer
// within a second completes nothing.
func completing(f *flags, by ...completer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		complete := by[min(len(args), len(by)-1)]
		if complete == nil || f.connection.read(cmd.InheritedFlags()) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		f.timeout, f.joining = completionTimeout, completionTimeout
		var names []string
		_ = f.join(cmd, func(ctx context.Context, _ *node.Node) (err error) { // whoever completes sees no errors
			ctx, cancel := f.bounded(ctx)
			defer cancel()
			names, err = complete(ctx, args)
			return err
		})
		slices.Sort(names)
		return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
	}
}

var nothing completer

func functions(ctx context.Context, _ []string) (names []string, err error) {
	members, err := node.Members(ctx)
	for _, m := range members {
		names = append(names, m.Functions...)
	}
	return names, err
}

func classes(ctx context.Context, _ []string) (names []string, err error) {
	members, err := node.Members(ctx)
	for _, m := range members {
		names = append(names, m.Classes...)
	}
	return names, err
}

// nodes are the ids of the nodes, and the names that are unique and not an id.
func nodes(ctx context.Context, _ []string) (names []string, err error) {
	members, err := node.Members(ctx)
	count := make(map[string]int)
	for _, m := range members {
		count[m.Name]++
	}
	for _, m := range members {
		if names = append(names, m.ID); count[m.Name] == 1 {
			names = append(names, m.Name)
		}
	}
	return names, err
}

func actors(context.Context, []string) ([]string, error) { return nil, nil }

func methods(context.Context, []string) ([]string, error) { return nil, nil }
