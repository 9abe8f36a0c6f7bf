package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/cwriter"
	"github.com/vbauerster/mpb/v8/decor"

	"manta/objstore"
)

// A screen takes the lines that the cells print, and shows bars if it is a terminal.
type screen struct {
	out      io.Writer
	terminal bool
}

func newScreen(out io.Writer) *screen {
	file, ok := out.(*os.File)
	return &screen{out: out, terminal: ok && cwriter.IsTerminal(int(file.Fd()))}
}

// parts names the cells that begin a part of the tutorial.
var parts = map[int]string{
	1: "Setup", 2: "Part 1: tasks", 5: "Part 2: actors", 7: "Part 3: objects",
	9: "Part 4: patterns", 11: "Part 5: Monte Carlo", 16: "Shutdown",
}

func (s *screen) heading(cell int, title string) {
	if part, ok := parts[cell]; ok {
		s.printf("\n━━ %s ━━", part)
	}
	s.printf("\n[%d] %s", cell, title)
}

func (s *screen) printf(format string, args ...any) {
	fmt.Fprintf(s.out, format+"\n", args...)
}

// bar shows how many of total steps are done. Lines printed meanwhile scroll by above it, and done removes it.
// Without a terminal there is no bar, and both functions do nothing.
func (s *screen) bar(total int) (step, done func()) {
	if !s.terminal {
		return func() {}, func() {}
	}
	terminal := s.out
	progress := mpb.New(mpb.WithOutput(terminal), mpb.WithWidth(60))
	bar := progress.AddBar(int64(total),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.CountersNoUnit("%d of %d")),
		mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_GO)),
	)
	s.out = progress
	return bar.Increment, func() {
		bar.Abort(true)
		progress.Wait()
		s.out = terminal
	}
}

// watch waits for all of refs behind a bar. Without a terminal it returns at once: the caller waits anyway.
func watch[T any](ctx context.Context, s *screen, refs []objstore.Ref[T]) {
	if !s.terminal {
		return
	}
	step, done := s.bar(len(refs))
	defer done()
	for range objstore.Ready(ctx, refs) {
		step()
	}
}
