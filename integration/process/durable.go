package main

import (
	"context"
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
	s := submission{Command: c, begun: time.Now()}
	for n, name := range c.IDs {
		id, err := objstore.ParseID(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "process:", err)
			os.Exit(2)
		}
		v, err := task.Result[int](ctx, id)
		s.result(id, n, v, err, s.begun)
	}
	here.say(line.Event{Event: line.Done, Tag: c.Tag, TookMS: millis(time.Since(s.begun)), OK: s.ok, Failed: s.failed})
}
