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

// actors are the ids of those that live.
func actors(ctx context.Context, _ []string) (names []string, err error) {
	found, err := node.ListActors(ctx, node.Query{Limit: mostCompleted, Filters: []node.Filter{{Field: "state", Not: true, Value: "dead"}}})
	for _, a := range found.Items {
		names = append(names, a.ID)
	}
	return names, err
}

// mostCompleted bounds the names that a shell is offered.
const mostCompleted = 1000

// identities are the ids of things whose kind is the first argument.
func identities(ctx context.Context, args []string) (names []string, err error) {
	query := node.Query{Limit: mostCompleted}
	switch args[0] {
	case "node":
		return nodes(ctx, args)
	case "actor":
		return actors(ctx, args)
	case "task":
		found, err := node.ListTasks(ctx, query)
		for _, t := range found.Items {
			names = append(names, t.ID)
		}
		return names, err
	case "object":
		found, err := node.ListObjects(ctx, query)
		for _, o := range found.Items {
			names = append(names, o.ID)
		}
		return names, err
	case "group":
		found, err := node.ListGroups(ctx, query)
		for _, g := range found.Items {
			names = append(names, g.ID)
		}
		return names, err
	}
	return nil, nil
}

// choosing completes the first argument, which is one of a few words.
func choosing(words []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			words = nil
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}
