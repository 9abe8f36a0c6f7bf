package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// comparePi is cell 13: both ways at several sizes, as a table.
func (t *tutorial) comparePi(ctx context.Context) error {
	step, done := t.bar(len(t.size.compare))
	defer done()
	tab := newTable("samples", "one CPU", "Manta", "speed-up", "inside, both")
	var speedups []float64
	for _, samples := range t.size.compare {
		alone, manta, err := compared(ctx, samples)
		if err != nil {
			return err
		}
		step()
		speedup := alone.took.Seconds() / manta.took.Seconds()
		speedups = append(speedups, speedup)
		tab.AppendRow(table.Row{
			grouped(samples), seconds(alone.took.Seconds()), seconds(manta.took.Seconds()),
			fmt.Sprintf("%.2f×", speedup), grouped(manta.inside),
		})
	}
	t.printf("%s", tab.Render())
	t.printf("A sample takes nanoseconds, so the small runs are over before %d tasks have gone out and come back.", batches)
	t.printf("Average speed-up: %.2f×, on a machine with %d CPUs for the %d of the node", mean(speedups), runtime.NumCPU(), cpus)
	return nil
}

// convergence is cell 14: larger and larger runs, and the figure of them.
func (t *tutorial) convergence(ctx context.Context) error {
	step, done := t.bar(len(t.size.converge))
	defer done()
	tab := newTable("samples", "π ≈", "off by", "time")
	for _, samples := range t.size.converge {
		run, err := scattered(ctx, samples)
		if err != nil {
			return err
		}
		step()
		t.runs = append(t.runs, run)
		tab.AppendRow(table.Row{
			grouped(samples), fmt.Sprintf("%.6f", run.pi()), fmt.Sprintf("%.6f", run.distance()), seconds(run.took.Seconds()),
		})
	}
	t.printf("%s", tab.Render())
	return t.saveFigures()
}

func (t *tutorial) saveFigures() error {
	folder, err := filepath.Abs(t.out)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, name := range t.size.figures {
		path := filepath.Join(folder, name)
		if err := saveFigure(path, t.runs); err != nil {
			return err
		}
		t.printf("Figure: %s", path)
	}
	return nil
}

// newTable is a table of numbers: everything to the right.
func newTable(columns ...any) table.Writer {
	tab := table.NewWriter()
	tab.SetStyle(table.StyleLight)
	tab.Style().Format.Header = text.FormatDefault
	tab.AppendHeader(columns)
	var configs []table.ColumnConfig
	for i := range columns {
		configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	tab.SetColumnConfigs(configs)
	return tab
}
