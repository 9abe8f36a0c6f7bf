package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"manta/cmd/manta/doctor"
)

func doctorCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong with the cluster, and say how it is put right",
		Long: `Doctor looks at the connection, TLS, the server, what this user may do, JetStream and its copies, the nodes, their versions and their clocks. Each line says
ok, warn or fail, and what to do. It ends with 1 if something fails.`,
		Example: "  manta doctor\n  manta doctor --context work -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.config(cmd)
			if err != nil {
				return err
			}
			checks := doctor.Examine(cmd.Context(), doctor.Config{Config: cfg, Source: f.source(), Timeout: f.timeout})
			if f.output.format == asTable {
				writeChecks(cmd, checks)
			} else if err := show(cmd, &f.output, checks, nil); err != nil {
				return err
			}
			if doctor.Failed(checks) {
				return errChecks
			}
			return nil
		},
	}
}

// source says where the way to the server comes from.
func (c *connection) source() string {
	if c.given.URL != "" {
		return "--server or " + variable["server"]
	}
	how, err := c.resolve()
	if err != nil || how.Name == "" {
		return "default, since there is no --server, " + variable["server"] + " or selected context"
	}
	return "the NATS context " + how.Name
}

func writeChecks(cmd *cobra.Command, checks []doctor.Check) {
	w := cmd.OutOrStdout()
	widest := 0
	for _, c := range checks {
		widest = max(widest, len([]rune(c.Name)))
	}
	for _, c := range checks {
		paint := map[doctor.State]string{doctor.OK: green, doctor.Warn: yellow, doctor.Fail: red}[c.State]
		pad := strings.Repeat(" ", widest-len([]rune(c.Name)))
		fmt.Fprintf(w, "%s  %s%s  %s\n", colour(w, paint, fmt.Sprintf("%-4s", c.State)), c.Name, pad, c.Says)
		if c.Fix != "" {
			fmt.Fprintf(w, "      %s  → %s\n", strings.Repeat(" ", widest), c.Fix)
		}
	}
}
