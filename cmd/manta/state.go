package main

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"manta/node"
)

// A kind is something that can be listed.
type kind struct {
	name      string // one of them
	list      func(*flags, context.Context, *cobra.Command, node.Query) error
	get       func(context.Context, string) (any, error)
	summarize func(context.Context, node.Query) (node.List[node.Summary], error)
}

func (k kind) plural() string { return k.name + "s" }

var kinds = []kind{
	{name: "node", list: lister(node.ListNodes, nodeSheet), get: getter(node.GetNode), summarize: node.SummarizeNodes},
	{name: "task", list: lister(node.ListTasks, taskSheet), get: getter(node.GetTask), summarize: node.SummarizeTasks},
	{name: "actor", list: lister(node.ListActors, actorSheet), get: getter(node.GetActor), summarize: node.SummarizeActors},
	{name: "object", list: lister(node.ListObjects, objectSheet), get: getter(node.GetObject), summarize: node.SummarizeObjects},
	{name: "group", list: lister(node.ListGroups, groupSheet), get: getter(node.GetGroup), summarize: node.SummarizeGroups},
}

// kindNamed finds a kind by its name, also of several.
func kindNamed(name string) (kind, error) {
	for _, k := range kinds {
		if name == k.name || name == k.plural() {
			return k, nil
		}
	}
	return kind{}, usagef("%q is no kind of thing here: want %s", name, strings.Join(kindNames(), ", "))
}

func kindNames() (names []string) {
	for _, k := range kinds {
		names = append(names, k.plural())
	}
	return names
}

// queryFlags are those of what looks for things.
type queryFlags struct {
	filters     []string
	limit, page int
	since       time.Duration
}

func (q *queryFlags) addTo(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringArrayVarP(&q.filters, "filter", "f", nil, "only those of which this holds, `field=value` or field!=value, by the fields that -o json shows; again for more")
	set.IntVar(&q.limit, "limit", 100, "at most so `many`")
	set.IntVar(&q.page, "page", 1, "the next `page` of so many, from 1")
	set.DurationVar(&q.since, "since", time.Hour, "how far `back` to look for what has ended")
}

func (q *queryFlags) read() (query node.Query, err error) {
	if q.limit < 1 || q.page < 1 || q.since < 0 {
		return query, usagef("--limit is %d, --page is %d and --since is %v: want a number from 1, a number from 1 and a duration", q.limit, q.page, q.since)
	}
	query = node.Query{Limit: q.limit, Page: q.page, Since: q.since}
	for _, text := range q.filters {
		f, err := node.ParseFilter(text)
		if err != nil {
			return query, usageError{err}
		}
		query.Filters = append(query.Filters, f)
	}
	return query, nil
}

func listCommand(f *flags) *cobra.Command {
	var wanted queryFlags
	cmd := &cobra.Command{
		Use:   "list " + strings.Join(kindNames(), "|"),
		Short: "List nodes, tasks, actors, objects or placement groups",
		Long:  `List shows what there is, and what has ended within --since. Of what is asked of nodes that do not answer, the rest is shown and stderr says whose is missing.`,
		Example: `  manta list nodes
  manta list tasks -f state=failed -f func=bill --since 10m
  manta list actors -f class!=counter -o jsonl
  manta list objects --limit 20 --page 2`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: choosing(kindNames()),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := kindNamed(args[0])
			if err != nil {
				return err
			}
			return f.list(cmd, k, &wanted)
		},
	}
	wanted.addTo(cmd)
	return cmd
}

// list lists things of a kind.
func (f *flags) list(cmd *cobra.Command, k kind, wanted *queryFlags) error {
	query, err := wanted.read()
	if err != nil {
		return err
	}
	return f.join(cmd, func(ctx context.Context, n *node.Node) error {
		if k.name == "node" { // but this one
			query.Filters = append(query.Filters, node.Filter{Field: "id", Not: true, Value: n.ID()})
		}
		ctx, cancel := f.bounded(ctx)
		defer cancel()
		return k.list(f, ctx, cmd, query)
	})
}

// listObjectsCommand is list objects where those look for it who put one.
func listObjectsCommand(f *flags) *cobra.Command {
	var wanted queryFlags
	cmd := &cobra.Command{
		Use:     "ls",
		Short:   "List objects, as list objects does",
		Example: "  manta object ls\n  manta object ls -f state=stored --limit 20",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := kindNamed("objects")
			if err != nil {
				return err
			}
			return f.list(cmd, k, &wanted)
		},
	}
	wanted.addTo(cmd)
	return cmd
}

// lister lists one kind of things.
func lister[T any](list func(context.Context, node.Query) (node.List[T], error), render func([]T) sheet) func(*flags, context.Context, *cobra.Command, node.Query) error {
	return func(f *flags, ctx context.Context, cmd *cobra.Command, query node.Query) error {
		found, err := list(ctx, query)
		if err != nil {
			return wrongQuery(err)
		}
		sayPartial(cmd, found.Missing, found.LeftOut)
		if rest := found.Total - (query.Page-1)*query.Limit - len(found.Items); rest > 0 {
			say(cmd, "%d more: --page %d has the next, --limit says how many", rest, query.Page+1)
		}
		return show(cmd, &f.output, found.Items, render)
	}
}

// wrongQuery tells a query that asks for what there is not from one that went wrong.
func wrongQuery(err error) error {
	if strings.Contains(err.Error(), "the filter ") {
		return usageError{err}
	}
	return err
}

// sayPartial says what an answer lacks.
func sayPartial(cmd *cobra.Command, missing []node.Missing, leftOut int64) {
	for _, m := range missing {
		switch {
		case m.Node == "":
			say(cmd, "not all is here: %s", m.Reason)
		case m.NodeName != "" && m.NodeName != m.Node:
			say(cmd, "what node %s (%s) has is missing: %s", m.Node, m.NodeName, m.Reason)
		default:
			say(cmd, "what node %s has is missing: %s", m.Node, m.Reason)
		}
	}
	if leftOut > 0 {
		say(cmd, "%d tasks were too many to be told of: they ended, and are not here", leftOut)
	}
}

func getCommand(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get KIND ID",
		Short: "Show all that is known of a node, task, actor, object or placement group",
		Example: `  manta get node worker-3
  manta get task 0t4g8dl5qk1b2o0000000000c8
  manta get actor visits -o json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := kindNamed(args[0])
			if err != nil {
				return err
			}
			return f.join(cmd, func(ctx context.Context, _ *node.Node) error {
				ctx, cancel := f.bounded(ctx)
				defer cancel()
				found, err := k.get(ctx, args[1])
				if err != nil {
					return err
				}
				data, err := json.Marshal(found)
				if err != nil {
					return err
				}
				how := f.output
				if how.format == asTable { // it has one row, and more fields than fit into that
					how.format = asYAML
				}
				return how.raw(cmd.OutOrStdout(), data)
			})
		},
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) != 1 {
			return choosing([]string{"node", "task", "actor", "object", "group"})(cmd, args, toComplete)
		}
		return completing(f, nothing, identities, nothing)(cmd, args, toComplete)
	}
	return cmd
}

func getter[T any](get func(context.Context, string) (T, error)) func(context.Context, string) (any, error) {
	return func(ctx context.Context, id string) (any, error) { return get(ctx, id) }
}

func summaryCommand(f *flags) *cobra.Command {
	var wanted queryFlags
	cmd := &cobra.Command{
		Use:   "summary " + strings.Join(kindNames(), "|"),
		Short: "Count nodes, tasks, actors, objects or placement groups, by name and state",
		Example: `  manta summary tasks
  manta summary tasks -f node_name=worker-3 --since 10m
  manta summary objects -o json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: choosing(kindNames()),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := kindNamed(args[0])
			if err != nil {
				return err
			}
			query, err := wanted.read()
			if err != nil {
				return err
			}
			return f.join(cmd, func(ctx context.Context, _ *node.Node) error {
				ctx, cancel := f.bounded(ctx)
				defer cancel()
				return lister(k.summarize, summarySheet(k))(f, ctx, cmd, query)
			})
		},
	}
	wanted.addTo(cmd)
	return cmd
}
