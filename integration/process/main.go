// Process is one process of an integration test: a node that serves a few functions, tells on stdout as JSON lines what
// happens in it, and obeys commands that come as JSON lines on stdin (package line).
//
//	process -url nats://127.0.0.1:4222 -cpus 4
//	{"event":"ready", …}
//	{"do":"submit","func":"sleep","count":8,"micros":500000,"tag":"x"}
//	{"event":"start","task":"…", …}
//
// SIGTERM or an interrupt drains it, a second one cancels. It ends with 0 if the drain went well, or when stdin ends or says quit, and
// else as node.ExitCode says.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"go.uber.org/zap"

	"manta/integration/process/line"
	"manta/node"
	"manta/node/embedded"
)

func main() {
	cfg := readFlags()
	err := run(context.Background(), cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, "process:", err)
	}
	os.Exit(node.ExitCode(err))
}

func run(ctx context.Context, cfg config) error {
	n, nodeCtx, err := cfg.start(ctx)
	if err != nil {
		return err
	}
	here.say(line.Event{Event: line.Ready, Node: n.ID(), URL: cfg.reachedAt(n)})
	go obey(nodeCtx, n, os.Stdin)
	return n.RunUntilSignal(ctx)
}

// config is what the flags say.
type config struct {
	embedded.Config
	inside bool // the server is inside this process
}

func readFlags() config {
	var cfg config
	flag.StringVar(&cfg.URL, "url", "", "the NATS server's `URL`")
	flag.StringVar(&cfg.Name, "name", "", "the node's `name`")
	flag.Float64Var(&cfg.CPUs, "cpus", 0, "how many CPUs the node offers")
	flag.BoolVar(&cfg.ClientOnly, "client-only", false, "submit tasks and serve none")
	flag.Func("resources", "what else the node offers, as `JSON`: {\"gpu\":2}", asJSON(&cfg.Resources))
	flag.DurationVar(&cfg.DrainTimeout, "drain-timeout", 0, "how long a drain may take")
	flag.BoolVar(&cfg.inside, "embedded", false, "run a NATS server inside")
	flag.StringVar(&cfg.Listen, "listen", "", "where the server inside listens for clients, `host:port`")
	routeFlags(&cfg.Config)
	flag.Parse()
	return cfg
}

func (cfg config) start(ctx context.Context) (*node.Node, context.Context, error) {
	log := zap.NewDevelopmentConfig() // to stderr
	log.Level.SetLevel(zap.WarnLevel)
	log.DisableStacktrace = true
	var err error
	if cfg.Logger, err = log.Build(); err != nil {
		return nil, nil, err
	}
	if cfg.inside {
		return embedded.Start(ctx, cfg.Config)
	}
	return node.Start(ctx, cfg.Config.Config)
}

// reachedAt is where other processes find the server.
func (cfg config) reachedAt(n *node.Node) string {
	if cfg.inside && cfg.Listen != "" {
		return "nats://" + cfg.Listen
	}
	return n.Server()
}
