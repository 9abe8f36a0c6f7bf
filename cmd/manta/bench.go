package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"manta/cmd/manta/bench"
)

// benchFlags are the flags of manta bench.
type benchFlags struct {
	match     string
	rounds    int
	server    string
	output    string
	inProcess bool
	quick     bool
}

func benchCommand() *cobra.Command {
	var flags benchFlags
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure Manta beside plain NATS",
		Long: `Bench measures Manta beside plain NATS in this one process. Every round runs each measure right behind its baseline;
the ratio of the two, of which the median over all rounds is printed, is what can be compared between machines. The
baseline of tasks that sleep is a pool of goroutines that sleep as often.

The measures, by family:

` + listOfMeasures(),
		Example: `  manta bench
  manta bench -run '^tasks_' --rounds 3
  manta bench -run 'sync' -o json
  manta bench -run '^(pool|mix|placement)_' --rounds 1
  manta bench --server nats://127.0.0.1:4222`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, cfg, err := flags.read()
			if err != nil {
				return usageError{err}
			}
			cfg.Progress = cmd.ErrOrStderr()
			results, err := bench.Run(cmd.Context(), cfg)
			if err != nil {
				return flags.explain(err)
			}
			return write(cmd.OutOrStdout(), results)
		},
	}
	set := cmd.Flags()
	set.StringVar(&flags.match, "run", "",
		"only measures whose name, in the list above, matches this `regexp`, and their baselines (default: all)")
	set.IntVar(&flags.rounds, "rounds", 5, "how often each measure runs")
	set.StringVar(&flags.server, "server", "",
		"the `URL` of a NATS server with JetStream (default: servers inside this process, on loopback)")
	set.StringVarP(&flags.output, "output", "o", "table", "`format` of the results on stdout: table or json")
	set.BoolVar(&flags.inProcess, "in-process", false, "connect to the server inside this process without TCP")
	set.BoolVar(&flags.quick, "quick", false, "shrink every measure: shows that all of them work, and measures nothing")
	_ = set.MarkHidden("quick") // the flag exists
	return cmd
}

func listOfMeasures() string {
	var list strings.Builder
	for i, family := range bench.Families() {
		if i > 0 {
			list.WriteByte('\n')
		}
		for _, m := range family {
			fmt.Fprintf(&list, "  %-31s %s\n", m.Name, m.About)
		}
	}
	return list.String()
}

type write func(io.Writer, []bench.Result) error

// read checks the flags. Its errors name the flag and what to write instead.
func (f benchFlags) read() (write, bench.Config, error) {
	cfg := bench.Config{Rounds: f.rounds, Server: f.server, InProcess: f.inProcess, Quick: f.quick}
	var err error
	if cfg.Match, err = regexp.Compile(f.match); err != nil {
		return nil, cfg, fmt.Errorf("--run is %q: want a regular expression, for example '^tasks_': %w", f.match, err)
	}
	if f.rounds < 1 {
		return nil, cfg, fmt.Errorf("--rounds is %d: want 1 or more", f.rounds)
	}
	if f.inProcess && f.server != "" {
		return nil, cfg, fmt.Errorf("--in-process and --server %s are both given: leave one out, since only a server inside this "+
			"process can be reached without TCP", f.server)
	}
	switch f.output {
	case "table":
		return bench.WriteTable, cfg, nil
	case "json":
		return bench.WriteJSON, cfg, nil
	}
	return nil, cfg, fmt.Errorf("--output is %q: want table or json", f.output)
}

// explain adds to an error the flag that it comes from, where one does.
func (f benchFlags) explain(err error) error {
	if none, ok := errors.AsType[*bench.NoMatchError](err); ok {
		return usagef("--run is %q: %w", f.match, none)
	}
	if errors.Is(err, bench.ErrServer) {
		return unreachable{fmt.Errorf("--server is %q: %w; start one with nats-server -js, or leave the flag out", f.server, err)}
	}
	return err
}
