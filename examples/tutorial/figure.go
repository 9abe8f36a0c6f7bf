package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// band is how far from π an estimate may be and still fall inside the shaded strip of the first panel.
const band = 0.001

// saveFigure draws the runs as four panels. The extension of path, .png or .svg, names the format.
func saveFigure(path string, runs []estimate) error {
	format := strings.TrimPrefix(filepath.Ext(path), ".")
	canvas, err := draw.NewFormattedCanvas(15*vg.Inch, 11.5*vg.Inch, format)
	if err != nil {
		return err
	}
	drawPanels(draw.New(canvas), [][]*plot.Plot{
		{estimatePanel(runs), errorPanel(runs)},
		{timePanel(runs), ratePanel(runs)},
	})
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = canvas.WriteTo(file)
	return errors.Join(err, file.Close())
}

// drawPanels lays the panels out so that their axes line up.
func drawPanels(canvas draw.Canvas, panels [][]*plot.Plot) {
	margin, gap := vg.Points(28), vg.Points(40)
	tiles := draw.Tiles{
		Rows: len(panels), Cols: len(panels[0]), PadX: gap, PadY: gap,
		PadTop: margin, PadBottom: margin, PadLeft: margin, PadRight: margin,
	}
	for row, canvases := range plot.Align(panels, tiles, canvas) {
		for col, c := range canvases {
			panels[row][col].Draw(c)
		}
	}
}

func estimatePanel(runs []estimate) *plot.Plot {
	p := newPanel("Convergence to π", "estimate of π", runs)
	p.strip(fmt.Sprintf("π ± %g", band), red, math.Pi-band, math.Pi+band)
	p.reference(fmt.Sprintf("π = %.6f", math.Pi), red, func(float64) float64 { return math.Pi })
	p.measured("estimate", blue, estimate.pi)
	room := 0.08 * (p.Y.Max - p.Y.Min)
	p.Y.Min, p.Y.Max = p.Y.Min-room, p.Y.Max+room
	p.Y.Tick.Marker = evenly(func(v float64) string { return fmt.Sprintf("%.3f", v) })
	return p.withLegend(topRight)
}

func errorPanel(runs []estimate) *plot.Plot {
	p := newPanel("Absolute error", "error", runs)
	p.reference("1/√n", grey, func(n float64) float64 { return 1 / math.Sqrt(n) })
	p.measured("measured", orange, estimate.distance)
	p.logY(func(v float64) string { return fmt.Sprintf("%g", v) })
	return p.withLegend(topRight)
}

// timePanel compares the runs with time that grows in step with the samples, drawn through the largest run:
// what lies above the line at the small end is the fixed cost of sending twenty batches out and back.
func timePanel(runs []estimate) *plot.Plot {
	p := newPanel("Execution time", "time", runs)
	last := runs[len(runs)-1]
	perSample := last.took.Seconds() / float64(last.samples)
	p.reference("linear in samples", grey, func(n float64) float64 { return n * perSample })
	p.measured("measured", purple, func(e estimate) float64 { return e.took.Seconds() })
	p.logY(seconds)
	return p.withLegend(bottomRight)
}

func ratePanel(runs []estimate) *plot.Plot {
	p := newPanel("Throughput", "samples per second", runs)
	average := mean(rates(runs))
	p.reference("mean: "+short(average)+" per second", red, func(float64) float64 { return average })
	p.measured("measured", green, estimate.rate)
	p.Y.Min, p.Y.Max = 0, 1.08*p.Y.Max
	p.Y.Tick.Marker = evenly(short)
	return p.withLegend(topLeft)
}
