package main

import (
	"context"
	"net"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"

	"manta/node"
	"manta/node/embedded"
	"manta/task"
)

// examples are what manta dev serves.
var examples = task.NewRegistry()

var _ = task.Define("echo", func(_ context.Context, v any) (any, error) { return v, nil }, task.In(examples), task.CPUs(0))

func devCommand(f *flags) *cobra.Command {
	var port int
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a cluster of one node on this machine, with NATS inside",
		Long: `Dev runs a NATS server with JetStream in memory at 127.0.0.1, and a node that serves one function, echo, for as long as it is not interrupted. Nothing is
left of it then. Programs join it with node.Config{URL: "nats://127.0.0.1:4222"}, which is the default.`,
		Example: `  manta dev
  manta dev --port 4333`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if port < 0 || port > 65535 {
				return usagef("--port is %d: want a port from 0 to 65535, where 0 takes a free one", port)
			}
			listen := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
			return f.serve(cmd, embedded.Config{
				Listen: listen,
				Config: node.Config{Name: "dev", Namespace: f.namespace, Registry: examples, Logger: logTo(cmd, f.level())},
			}, func(n *node.Node) {
				say(cmd, "NATS with a Manta node is at %s. It ends with Ctrl-C; all that it stores is in memory.", n.Server())
				at := ""
				if port != 4222 {
					at = " -s " + n.Server()
				}
				say(cmd, "\n  manta%s call echo '\"hi\"'\n  manta%s status\n  nats%s service info manta-%s\n", at, at, at, orDefault(f.namespace))
				say(cmd, "In Go: node.Start(ctx, node.Config{URL: %q})", n.Server())
			})
		},
	}
	cmd.Flags().IntVar(&port, "port", 4222, "the `port` of the NATS server; 0 takes a free one")
	return cmd
}

func orDefault(namespace string) string {
	if namespace == "" {
		return "default"
	}
	return namespace
}

func (f *flags) level() zapcore.Level {
	if f.verbose {
		return zapcore.DebugLevel
	}
	return zapcore.WarnLevel
}

// serve runs a node with its server until ctx ends or somebody drains it.
func (f *flags) serve(cmd *cobra.Command, cfg embedded.Config, started func(*node.Node)) error {
	n, _, err := embedded.Start(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	started(n)
	if err := f.output.value(cmd, struct {
		Node   string `json:"node"`
		Server string `json:"server"`
	}{n.ID(), n.Server()}, func() string { return "" }); err != nil {
		return err
	}
	return n.Run(cmd.Context())
}

// startVariable is the one that stands for a flag of manta start.
var startVariable = map[string]string{
	"name": "MANTA_NAME", "listen": "MANTA_LISTEN", "cluster-listen": "MANTA_CLUSTER_LISTEN", "routes": "MANTA_ROUTES", "dir": "MANTA_DIR",
	"labels": "MANTA_LABELS", "server-config": "MANTA_SERVER_CONFIG",
}

func startCommand(f *flags) *cobra.Command {
	var cfg embedded.Config
	var labels map[string]string
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Run a node with its own NATS server, in a cluster of such",
		Long: `Start runs a NATS server with JetStream and a node that serves nothing: it carries what the cluster stores and what its programs say to each other. Give several
of them the same --routes, and they form one NATS cluster. SIGTERM or an interrupt drains the node, as manta drain does; a second one ends it at once.

An address that other machines reach needs --server-config with users and TLS (docs/permissions has one), and --user or --creds of one of them.`,
		Example: `  manta start --listen 127.0.0.1:4222 --dir /var/lib/manta
  manta start --cluster-listen 127.0.0.1:6222 --routes nats://127.0.0.1:6222,nats://127.0.0.1:6223,nats://127.0.0.1:6224`,
		Args: cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			for name, variable := range startVariable {
				value := os.Getenv(variable)
				if value == "" || cmd.Flags().Changed(name) {
					continue
				}
				if err := cmd.Flags().Set(name, value); err != nil {
					return usagef("%s is %q: %w", variable, value, err)
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			how, err := f.given.Options()
			if err != nil {
				return usageError{err}
			}
			cfg.ClientOnly, cfg.Namespace, cfg.Labels, cfg.Options = true, f.namespace, labels, how
			cfg.Logger = logTo(cmd, min(f.level(), zapcore.InfoLevel))
			return f.serve(cmd, cfg, func(n *node.Node) {
				say(cmd, "node %s with its NATS server at %s", n.ID(), n.Server())
			})
		},
	}
	set := cmd.Flags()
	usage := func(name, usage string) string { return usage + " ($" + startVariable[name] + ")" }
	set.StringVar(&cfg.Name, "name", "", usage("name", "the node's `name`, for people (default: its id)"))
	set.StringVar(&cfg.Listen, "listen", "", usage("listen", "the `address` at which clients are taken (default: a free port at 127.0.0.1 with --cluster-listen, else none)"))
	set.StringVar(&cfg.ClusterListen, "cluster-listen", "", usage("cluster-listen", "the `address` at which other servers of the cluster are taken"))
	set.StringSliceVar(&cfg.Routes, "routes", nil, usage("routes", "the `URLs` of all servers of the cluster, the same for each of them"))
	set.StringVar(&cfg.Dir, "dir", "", usage("dir", "the `directory` of what JetStream stores (default: memory)"))
	set.StringToStringVar(&labels, "labels", nil, usage("labels", "the node's labels, `name=value`"))
	set.StringVar(&cfg.ServerConfig, "server-config", "", usage("server-config", "a configuration `file` of nats-server, with users and TLS"))
	set.IntVar(&cfg.Replicas, "replicas", 0, "on how many servers each bucket is kept (default: 3 in a cluster of three or more, else 1)")
	set.BoolVar(&cfg.Insecure, "insecure", false, "listen where other machines reach it without users and TLS")
	return cmd
}
