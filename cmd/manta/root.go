package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"manta/node"
)

// flags are those of every command.
type flags struct {
	connection
	output
}

func rootCommand() *cobra.Command {
	f := &flags{}
	root := &cobra.Command{
		Use:           "manta",
		Short:         "Manta runs tasks, actors and objects of Go programs on a NATS message bus",
		Example:       "  manta dev\n  manta call echo '\"hi\"'\n  manta status\n  manta doctor",
		SilenceUsage:  true,
		SilenceErrors: true, // run prints them
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.connection.read(cmd.InheritedFlags()); err != nil {
				return err
			}
			return f.output.check()
		},
	}
	f.connection.addTo(root.PersistentFlags())
	root.PersistentFlags().StringVarP(&f.output.format, "output", "o", asTable, "`format` of the data on stdout: "+strings.Join(formats, ", "))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	for _, group := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"do", "Tasks, actors and objects:", []*cobra.Command{
			callCommand(f), submitCommand(f), resultCommand(f), cancelCommand(f), actorCommand(f), objectCommand(f),
		}},
		{"see", "What there is and what goes on:", []*cobra.Command{
			statusCommand(f), topCommand(f), listCommand(f), getCommand(f), summaryCommand(f), whyCommand(f), timelineCommand(f),
		}},
		{"run", "Nodes:", []*cobra.Command{devCommand(f), startCommand(f), drainCommand(f)}},
	} {
		root.AddGroup(&cobra.Group{ID: group.id, Title: group.title})
		for _, cmd := range group.commands {
			cmd.GroupID = group.id
			root.AddCommand(cmd)
		}
	}
	root.AddCommand(benchCommand(), versionCommand(f), exitCodesTopic())
	each(root, func(cmd *cobra.Command) {
		if check := cmd.Args; check != nil {
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				if err := check(cmd, args); err != nil {
					return usagef("%w: manta %s", err, strings.TrimPrefix(cmd.UseLine(), "manta "))
				}
				return nil
			}
		}
	})
	return root
}

// each calls f for a command and all beneath it.
func each(cmd *cobra.Command, f func(*cobra.Command)) {
	f(cmd)
	for _, inner := range cmd.Commands() {
		each(inner, f)
	}
}

// family is a command that is nothing but those beneath it.
func family(use, short, example string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Example: example,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q for %q", args[0], cmd.CommandPath())
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(commands...)
	return cmd
}

func versionCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of Manta, of Go and of the platform",
		Example: "  manta version\n  manta version -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := struct {
				Version  string `json:"version"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{node.Version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return f.output.value(cmd, v, func() string { return fmt.Sprintf("manta %s %s %s\n", v.Version, v.Go, v.Platform) })
		},
	}
}

// longFlags lets people write -run for --run, as the go command has it: a word behind one dash that is the name of a flag
// is that flag.
func longFlags(root *cobra.Command, args []string) []string {
	var names []string
	each(root, func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
		cmd.PersistentFlags().VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	})
	out := make([]string, 0, len(args))
	for i, arg := range args {
		if arg == "--" {
			return append(out, args[i:]...)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if strings.HasPrefix(arg, "-") && len(name) > 1 && slices.Contains(names, name) {
			arg = "-" + arg
		}
		out = append(out, arg)
	}
	return out
}
