package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"manta/integration/process/line"
	"manta/objstore"
	"manta/task"
)

// stored says of durable tasks when each is stored.
func (s *submission) stored(ctx context.Context, refs []objstore.Ref[int]) {
	for n, ref := range refs {
		err := task.Submitted(ctx, ref)
		here.say(line.Event{Event: line.Stored, Task: ref.ID().String(), Func: s.Func, Tag: s.Tag, N: n, Error: text(err)})
	}
}

// fetch waits for the results of durable tasks that some process submitted, in order, and says what they are.
func fetch(ctx context.Context, c line.Command) {
	each(c, func(id objstore.ID) (int, error) { return task.Result[int](ctx, id) })
}

// each does something with what each id names, in order, and says what comes of it.
func each(c line.Command, do func(objstore.ID) (int, error)) {
	s := submission{Command: c, begun: time.Now()}
	for n, name := range c.IDs {
		id, err := objstore.ParseID(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "process:", err)
			os.Exit(2)
		}
		v, err := do(id)
		s.result(id, n, v, err, s.begun)
	}
	here.say(line.Event{Event: line.Done, Tag: c.Tag, TookMS: millis(time.Since(s.begun)), OK: s.ok, Failed: s.failed})
}

// put makes a durable object of numbers that count from 0.
func put(ctx context.Context, c line.Command) {
	numbers := make([]int64, c.Count)
	for i := range numbers {
		numbers[i] = int64(i)
	}
	ref := objstore.Put(ctx, numbers, objstore.Durable())
	here.say(line.Event{Event: line.Stored, Task: ref.ID().String(), Tag: c.Tag, Error: text(ref.Stored(ctx))})
}

// named returns the ref of an object that some process has put.
func named(id objstore.ID) (ref objstore.Ref[[]int64]) {
	if err := json.Unmarshal(fmt.Appendf(nil, `{"$ref":%q}`, id), &ref); err != nil {
		panic(err) // an id that was parsed
	}
	return ref
}

func read(ctx context.Context, c line.Command) {
	each(c, func(id objstore.ID) (int, error) {
		numbers, err := named(id).Get(ctx)
		for i, v := range numbers {
			if v != int64(i) {
				return 0, fmt.Errorf("number %d is %d", i, v)
			}
		}
		return len(numbers), err
	})
}

func free(ctx context.Context, c line.Command) {
	each(c, func(id objstore.ID) (int, error) { return 0, objstore.Free(ctx, named(id)) })
}
