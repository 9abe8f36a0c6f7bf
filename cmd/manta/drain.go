package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"manta/node"
)

func drainCommand(f *flags) *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use:   "drain NODE",
		Short: "Have a node finish what it has, take no more, and leave",
		Long: `Drain asks a node, by its id, its name if no other has it, or the beginning of its id, to take no more work, to finish what it has and to leave. The process
of a node ends with it if it waits in Node.Run or RunUntilSignal, as one of manta start does.`,
		Example: `  manta drain worker-3
  manta drain worker-3 --wait --timeout 5m`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completing(f, nodes, nothing),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.join(cmd, func(ctx context.Context, _ *node.Node) error {
				m, err := findNode(ctx, args[0])
				if err != nil {
					return err
				}
				asking, cancel := f.bounded(ctx)
				defer cancel()
				if err := node.DrainNode(asking, m.ID); err != nil {
					return err
				}
				say(cmd, "node %s (%s) drains", m.ID, m.Name)
				if !wait {
					return nil
				}
				waiting, cancel := f.patient(ctx)
				defer cancel()
				if err := node.AwaitMembers(waiting, func(members []node.Info) bool {
					return !slices.ContainsFunc(members, func(o node.Info) bool { return o.ID == m.ID })
				}); err != nil {
					return fmt.Errorf("node %s has not left: %w", m.ID, err)
				}
				say(cmd, "it has left")
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "return when it has left, at the latest after --timeout if that is given")
	return cmd
}

// findNode finds a node by its id, by a name that no other has, or by the beginning of its id.
func findNode(ctx context.Context, text string) (node.Info, error) {
	members, err := node.Members(ctx)
	if err != nil {
		return node.Info{}, err
	}
	for _, is := range []func(node.Info) bool{
		func(m node.Info) bool { return m.ID == text },
		func(m node.Info) bool { return m.Name == text },
		func(m node.Info) bool { return text != "" && strings.HasPrefix(m.ID, text) },
	} {
		var found []node.Info
		for _, m := range members {
			if is(m) {
				found = append(found, m)
			}
		}
		switch len(found) {
		case 0:
			continue
		case 1:
			return found[0], nil
		}
		var ids []string
		for _, m := range found {
			ids = append(ids, m.ID)
		}
		return node.Info{}, usagef("%q is %d nodes: say which, %s", text, len(found), strings.Join(ids, " or "))
	}
	return node.Info{}, fmt.Errorf("node %q: %w", text, node.ErrUnknownNode)
}
