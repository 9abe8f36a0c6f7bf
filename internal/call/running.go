package call

import (
	"context"

	"manta/internal/logs"
	"manta/internal/member"
	"manta/objstore"
)

// Running is a call where it runs, as spans and log lines name it.
type Running struct {
	ID      objstore.ID // of its result; zero in what an actor does of its own, such as Start
	Attempt int         // 1 the first time
	Owner   member.ID   // the node that submitted it; zero if that does not await it

	Function             string // of a task
	Class, Actor, Method string // of an actor's call
}

// Log is the call as log lines name it.
func (r Running) Log() logs.Work {
	w := logs.Work{Task: r.Function, Attempt: r.Attempt, Class: r.Class, Actor: r.Actor, Method: r.Method}
	if r.ID != (objstore.ID{}) {
		w.ID = r.ID.String()
	}
	if r.Owner != (member.ID{}) {
		w.Owner = r.Owner.String()
	}
	return w
}

// Runner is what a ctx belongs to, or carries, in which user code runs.
type Runner interface{ Running() Running }

type runningKey struct{}

// IsRunningKey says whether key is the one under which a ctx carries its Runner: for contexts that are one.
func IsRunningKey(key any) bool { return key == any(runningKey{}) }

// WithRunner returns a ctx that carries a Runner.
func WithRunner(ctx context.Context, r Runner) context.Context {
	return context.WithValue(ctx, runningKey{}, r)
}

// RunningIn returns the call that runs in ctx, and false if none does.
func RunningIn(ctx context.Context) (Running, bool) {
	r, ok := ctx.(Runner)
	if !ok {
		r, ok = ctx.Value(runningKey{}).(Runner)
	}
	if !ok {
		return Running{}, false
	}
	return r.Running(), true
}
