// Manta is the command line of a cluster: it calls functions and actors, looks at what there is and at what goes on, and runs nodes.
//
//	manta dev                              # a cluster of one node, with NATS inside, to try things
//	manta call echo '"hi"'                 # a task, by the name of its function
//	id=$(manta submit bill '{"total": 7}') # a durable one, and
//	manta result $id                       # what became of it
//	manta doctor                           # what is wrong, and how it is put right
//
// Data goes to stdout, as -o says, and words to stderr. `manta help exit-codes` has what it ends with.
//
// It knows how to connect as the nats command does: by the same flags, variables and contexts (package natscontext). But for what that leaves open
// (bench, dev and start bring a server of their own) a command joins the cluster as a node that serves nothing, and leaves when it is done. It has no Go
// types of what it calls, so it calls as any NATS client does: task.CallJSON, actor.CallJSON.
//
// One file has one command or family. What they share: connection.go (how a command joins), output.go (how data is written), exit.go (how it ends),
// completion.go (what the shell can complete).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"manta/cmd/manta/bench"
)

func main() {
	bench.NeighbourMain()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program; it returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(longFlags(root, args))
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && !errors.Is(err, errWatched) {
		fmt.Fprintln(stderr, "manta:", err)
		if advice := adviceOn(err); advice != "" {
			fmt.Fprintln(stderr, "try:", advice)
		}
	}
	return exitCode(ctx, err)
}
