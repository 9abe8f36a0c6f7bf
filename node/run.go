package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Run waits until ctx ends, then drains, for at most Config.DrainTimeout, and closes; it does so earlier if somebody calls [DrainNode]. It returns nil if
// the drain is complete, or the node was closed before ctx ended. Else its error names what was still running, and Close has cancelled that: tasks of other nodes are sent
// elsewhere by their owners, as after a loss ([task.Retries]).
//
// Run takes no notice of signals. In a process whose work is the node, RunUntilSignal does; where more than the node is to end in order, such
// as an HTTP server, end ctx by signal.NotifyContext.
func (n *Node) Run(ctx context.Context) error {
	return n.run(ctx, context.WithoutCancel(ctx))
}

// run waits until ctx ends, then drains, until cut ends, and closes.
func (n *Node) run(ctx, cut context.Context) error {
	select {
	case <-ctx.Done():
	case <-n.closed:
		return n.departed()
	}
	return n.drainAndClose(cut)
}

// drainAndClose drains, until cut ends or Config.DrainTimeout has passed, and closes.
func (n *Node) drainAndClose(cut context.Context) error {
	late := fmt.Errorf("Config.DrainTimeout, %v, has passed", n.config.DrainTimeout)
	draining, cancel := context.WithTimeoutCause(cut, n.config.DrainTimeout, late)
	defer cancel()
	err := n.Drain(draining)
	if cause := context.Cause(draining); err != nil && cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return errors.Join(err, n.Close())
}

// RunUntilSignal is Run for the main function of a process whose work is the node, with the signals that end one. [ExitCode] makes
// an exit status of what it returns:
//
//	func main() {
//		n, _, err := node.Start(context.Background(), node.Config{URL: "nats://127.0.0.1:4222"})
//		if err == nil {
//			err = n.RunUntilSignal(context.Background())
//		}
//		if err != nil {
//			log.Print(err)
//		}
//		os.Exit(node.ExitCode(err))
//	}
//
// The first SIGTERM or interrupt drains, as the end of ctx does. A second one ends the drain: what still runs is cancelled, and
// the error is a [*SignalError] that says so. Close still waits for code that does not obey its ctx, so from then on signals have their default
// effect: a third one ends the process on the spot.
//
// It is the one function of Manta that touches a process's signals, and only while it runs.
func (n *Node) RunUntilSignal(ctx context.Context) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	first, drain := context.WithCancel(ctx)
	defer drain()
	second, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	ended := make(chan error, 1)
	go func() { ended <- n.run(first, second) }()
	for signalled := false; ; signalled = true {
		select {
		case err := <-ended:
			return err
		case s := <-signals:
			if !signalled {
				drain()
				continue
			}
			signal.Stop(signals)
			cut(&SignalError{s})
			return <-ended
		}
	}
}

// SignalError is why a drain is not complete when a second signal has cut it short.
type SignalError struct{ Signal os.Signal }

func (e *SignalError) Error() string { return "cut short by a second signal: " + e.Signal.String() }

// ExitCode is the exit status that tells a process's supervisor what Run or RunUntilSignal returned: 0 for nil, which means that all work
// was finished. If a second signal cut it short it is 128 and the signal's number, as a shell says of a process that a signal ended: 143
// for SIGTERM, 130 for an interrupt. For any other error, such as a drain that took too long, it is 1.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if cut, ok := errors.AsType[*SignalError](err); ok {
		if number, ok := cut.Signal.(syscall.Signal); ok {
			return 128 + int(number)
		}
	}
	return 1
}
