package main

import (
	"context"
	"errors"
	"time"

	"manta/integration/process/line"
	"manta/objstore"
	"manta/task"
)

// A job is the argument of every function.
type job struct {
	Tag    string
	N      int
	Micros int64
	Depth  int
}

func (j job) duration() time.Duration { return time.Duration(j.Micros) * time.Microsecond }

// functions are what a process serves, by name. They return their job's number.
var functions = map[string]task.Func[job, int]{
	"noop":  task.Define("noop", func(_ context.Context, j job) (int, error) { return j.N, nil }),
	"nap":   task.Define("nap", func(ctx context.Context, j job) (int, error) { return j.N, pause(ctx, j) }), // in silence
	"sleep": task.Define("sleep", told(pause)),
	"cling": task.Define("cling", told(cling)),
	"deaf":  task.Define("deaf", deaf),
	"fail":  task.Define("fail", told(func(context.Context, job) error { return errRefused })),
}

var errRefused = errors.New("refused, as asked")

func init() { task.RegisterError("refused", errRefused) }

// no_job takes no job, which its callers do not know.
var _ = task.Define("no_job", func(context.Context, []string) (int, error) { return 0, nil })

// nested is apart since it calls itself.
func init() {
	functions["nested"] = task.Define("nested", func(ctx context.Context, j job) (int, error) {
		if j.Depth == 0 {
			return j.N, nil
		}
		return functions["nested"].Call(ctx, job{Tag: j.Tag, N: j.N, Depth: j.Depth - 1})
	})
}

// family starts as many children as its job is deep, and waits for them: a node that runs it is an owner too. The tag of the children is
// another, and no two of them have the same number.
func init() {
	functions["family"] = task.Define("family", told(func(ctx context.Context, j job) error {
		children := make([]job, j.Depth)
		for i := range children {
			children[i] = job{Tag: j.Tag + " child", N: j.N*j.Depth + i, Micros: j.Micros}
		}
		_, err := objstore.GetAll(ctx, functions["sleep"].Map(ctx, children))
		return err
	}))
}

// told says when a task starts and ends, within the time in which it holds what it needs.
func told(do func(context.Context, job) error) func(context.Context, job) (int, error) {
	return func(ctx context.Context, j job) (int, error) {
		info := task.Current(ctx)
		event := line.Event{Task: info.ID.String(), Func: info.Func, Attempt: info.Attempt, Tag: j.Tag, N: j.N}
		event.Event = line.Start
		here.say(event)
		err := do(ctx, j)
		event.Event = line.End
		if err != nil {
			event.Error = err.Error()
		}
		here.say(event)
		return j.N, err
	}
}

// cling takes until its ctx ends the first time, and no time when it is sent again.
func cling(ctx context.Context, _ job) error {
	if task.Current(ctx).Attempt > 1 {
		return nil
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// deaf says that it ends when its ctx does, and stays all the same.
func deaf(ctx context.Context, j job) (int, error) {
	_, _ = told(func(ctx context.Context, _ job) error {
		<-ctx.Done()
		return context.Cause(ctx)
	})(ctx, j)
	select {}
}

// pause takes as long as the job says.
func pause(ctx context.Context, j job) error {
	timer := time.NewTimer(j.duration())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
