package task

import (
	"errors"
	"fmt"
	"reflect"

	"manta/bus"
	"manta/internal/call"
)

var (
	// ErrNotRegistered is the outcome of a task whose function no node serves; one with Labels or OnNode waits for a node as long as an
	// infeasible one. It did not run.
	ErrNotRegistered = bus.RegisterError("not_registered", errors.New("no node serves the function"))

	// ErrWorkerLost is the outcome of a task whose node was lost, after all retries; of a durable task, when it was handed to as many nodes as it has
	// attempts, and none recorded an outcome. It may have run.
	ErrWorkerLost = bus.RegisterError("worker_lost", errors.New("the node that ran the task was lost"))

	// ErrInfeasible is the outcome of a task that no node could ever run: none has what it needs, or where its strategy allows it, for as
	// long as node.Config.InfeasibleAfter says. It did not run, unless it is ErrWorkerLost too.
	ErrInfeasible = bus.RegisterError("infeasible", errors.New("no node could ever meet the need"))

	// ErrOverload is what a plain client gets when as many requests wait at a node as it takes, and the outcome of a call to an actor of which
	// as many are under way as its class allows, or at whose node calls of 1 GiB wait. It did not run: try later.
	ErrOverload = call.ErrOverload

	// ErrArgument is what a task fails with, inside an [Error], when its arguments do not fit its function: another type, or
	// another number. The function did not run.
	ErrArgument = call.ErrArgument

	// ErrCancelled is the outcome of a task whose ctx was cancelled. It may have run, in part or in whole. errors.Is finds context.Canceled too.
	ErrCancelled = call.ErrCancelled

	// ErrDeadline is the outcome of a task whose ctx or Timeout ended. It may have run. errors.Is finds context.DeadlineExceeded too.
	ErrDeadline = call.ErrDeadline
)

// Error is a function's own word that it failed: it returned an error or panicked. It ran.
//
// errors.Is finds the error that was registered under Code with [RegisterError], errors.As one of a type that was registered with
// [RegisterErrorType].
type Error struct {
	Func    string // its name; for an actor's method, class and method
	Node    string // id of the node, or of the worker, that ran it; empty if a worker answered a node with Config.Caller
	Attempt int    // 1 the first time
	Code    string // of the registered error that it returned, else "error"
	Message string
	Stack   string // of a panic, else empty

	fields string // of an error of a registered type
	advice call.Advice
}

func errorOf(f *call.Failure) *Error {
	return &Error{f.Func, f.Node, f.Attempt, f.Code, f.Message, f.Stack, f.Fields, f.Advice}
}

func (e *Error) Error() string {
	if e.Node == "" {
		return fmt.Sprintf("%s failed: %s", e.Func, e.Message)
	}
	return fmt.Sprintf("%s failed on node %s: %s", e.Func, e.Node, e.Message)
}

// Unwrap returns the registered error, or one of the registered type.
func (e *Error) Unwrap() error { return bus.Recognised(e.Code, []byte(e.fields)) }

// EncodeFailure implements bus.FailureEncoder: the error can travel on.
func (e *Error) EncodeFailure() bus.Failure {
	f := call.Failure{Func: e.Func, Node: e.Node, Attempt: e.Attempt, Code: e.Code, Message: e.Message, Stack: e.Stack, Fields: e.fields, Advice: e.advice}
	return f.EncodeFailure()
}

func init() {
	bus.RegisterFailure(call.FailedCode, func(f bus.Failure) error { return errorOf(call.DecodeFailure(f)) })
}

// RegisterError makes errors.Is(err, sentinel) true at the caller when a function returned sentinel, or an error that wraps
// it. Every process that is to recognise it registers it under the same code: letters, digits, '_' and '-'. It panics if the
// code is taken, and names both places.
func RegisterError(code string, sentinel error) {
	if err := bus.CheckName("error code", code); err != nil {
		panic("task.RegisterError: " + err.Error())
	}
	bus.RegisterErrorAt(bus.CallerOf(1), code, sentinel)
}

// RegisterErrorType makes errors.As find an E at the caller when a function returned one, or an error that wraps it: with its exported
// fields, as a result travels, up to 32 KiB of them. E is the type that functions return, a struct or a pointer to one. Every process that
// is to recognise it registers it under the same code; where it is not, code and words are all there is. Of several registered errors
// that one wraps, the outermost counts.
//
// It panics if the code is taken, and names both places, or if E could not come back: it has a field of an interface type
// such as error (leave it out with the tag `json:"-"`).
func RegisterErrorType[E error](code string) {
	if err := bus.CheckName("error code", code); err != nil {
		panic("task.RegisterErrorType: " + err.Error())
	}
	bus.RegisterErrorTypeAt(bus.CallerOf(1), code, reflect.TypeFor[E]())
}
