package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"manta/actor"
	"manta/bus"
	"manta/node"
	"manta/objstore"
	"manta/task"
)

// The exit codes, which scripts rely on.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitUnavailable = 4
	exitTimeout     = 5
	exitInterrupted = 130 // as shells have it for an interrupt
)

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What manta ends with",
		Long: fmt.Sprintf(`Manta ends with

  0    it is done
  %-4d it failed: the function returned an error, a check of doctor did, or something that has no code of its own
  %-4d it was called wrongly: an unknown command or flag, or an argument that does not fit
  %-4d what it was to act on is not there: no such function, class, actor, object, task or node
  %-4d the cluster cannot be reached or has no room, or does not permit it: nothing was done, unless the words say that it may have been
  %-4d it took longer than --timeout, or (result --no-wait) is not there yet
  %-4d a signal interrupted it`, exitFailed, exitUsage, exitNotFound, exitUnavailable, exitTimeout, exitInterrupted),
		Example: "  manta exit-codes",
	}
}

// A usageError says that the command was called wrongly.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// An unreachable error says why the command has no cluster.
type unreachable struct{ error }

func (e unreachable) Unwrap() error { return e.error }

var (
	errNotYet = errors.New("there is no result yet")
	errChecks = errors.New("something is wrong")
)

// exitCode is what a program ends with that has met err.
func exitCode(ctx context.Context, err error) int {
	is := func(errs ...error) bool {
		for _, e := range errs {
			if errors.Is(err, e) {
				return true
			}
		}
		return false
	}
	_, usage := errors.AsType[usageError](err)
	_, unreached := errors.AsType[unreachable](err)
	_, own := errors.AsType[*task.Error](err)
	switch {
	case err == nil, is(errWatched):
		return 0
	case ctx.Err() != nil:
		return exitInterrupted
	case usage, is(task.ErrArgument), strings.HasPrefix(err.Error(), "unknown command "): // cobra's word
		return exitUsage
	case own: // the function's own word, whatever it says
		return exitFailed
	case is(bus.ErrNotFound, task.ErrNotRegistered, actor.ErrNotRegistered, actor.ErrNotFound, actor.ErrDead, node.ErrUnknownNode,
		objstore.ErrFreed, objstore.ErrExpired, objstore.ErrOwnerDead, objstore.ErrNoResult):
		return exitNotFound
	case is(bus.ErrDenied, bus.ErrConfined, bus.ErrFull, task.ErrOverload, task.ErrInfeasible, task.ErrWorkerLost, actor.ErrUnavailable):
		return exitUnavailable
	case is(errNotYet, context.DeadlineExceeded):
		return exitTimeout
	case unreached, is(bus.ErrClosed, bus.ErrNoJetStream):
		return exitUnavailable
	}
	return exitFailed
}

// adviceOn says what to try after an error; "" if that says so itself.
func adviceOn(err error) string {
	for _, a := range []struct {
		is     error
		advice string
	}{
		{task.ErrNotRegistered, "manta list nodes -o json shows the functions that each node serves"},
		{actor.ErrNotRegistered, "manta list nodes -o json shows the classes that each node hosts"},
		{actor.ErrNotFound, "manta list actors shows the actors that there are"},
		{node.ErrUnknownNode, "manta list nodes shows the nodes that there are"},
		{task.ErrOverload, "again in a moment, or with a longer --timeout, which is how long a task may wait for room"},
		{task.ErrInfeasible, "manta list nodes shows what each node has"},
		{bus.ErrDenied, "manta doctor shows what this user may do"},
		{errNotYet, "without --no-wait it is waited for, and manta why says what for"},
	} {
		if errors.Is(err, a.is) {
			return a.advice
		}
	}
	if _, unreached := errors.AsType[unreachable](err); unreached {
		return "manta doctor looks for the reason; --server, --context and NATS_URL say where the server is"
	}
	if _, usage := errors.AsType[usageError](err); usage || strings.HasPrefix(err.Error(), "unknown command ") {
		return "manta help, or the command with --help, shows how it is called"
	}
	return ""
}
