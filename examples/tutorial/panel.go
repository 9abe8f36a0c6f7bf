package main

import (
	"image/color"

	"golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Colours that stay apart for colour-blind eyes, after Okabe and Ito.
var (
	blue   = color.NRGBA{R: 0x00, G: 0x72, B: 0xB2, A: 0xFF}
	orange = color.NRGBA{R: 0xE6, G: 0x9F, B: 0x00, A: 0xFF}
	green  = color.NRGBA{R: 0x00, G: 0x9E, B: 0x73, A: 0xFF}
	purple = color.NRGBA{R: 0xAA, G: 0x4F, B: 0x8C, A: 0xFF}
	red    = color.NRGBA{R: 0xD5, G: 0x3E, B: 0x2A, A: 0xFF}
	grey   = color.NRGBA{R: 0x70, G: 0x70, B: 0x70, A: 0xFF}
	faint  = color.NRGBA{R: 0xE2, G: 0xE2, B: 0xE2, A: 0xFF}
)

// A panel is one of the figure's plots: samples on a logarithmic x axis, and a legend that grows with the curves.
type panel struct {
	*plot.Plot
	runs   []estimate
	legend plot.Legend
}

func newPanel(title, yLabel string, runs []estimate) *panel {
	p := &panel{Plot: plot.New(), runs: runs, legend: plot.NewLegend()}
	p.Title.Text, p.Title.Padding = " ", vg.Points(10) // room for the caption
	p.X.Label.Text, p.X.Label.Padding = "samples", vg.Points(6)
	p.Y.Label.Text, p.Y.Label.Padding = yLabel, vg.Points(6)
	p.X.Padding, p.Y.Padding = 0, 0
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades(short)
	p.X.Min, p.X.Max = float64(runs[0].samples)/1.4, float64(runs[len(runs)-1].samples)*1.4
	p.legend.Padding, p.legend.ThumbnailWidth = vg.Points(5), vg.Points(34)
	p.legend.YPosition = draw.PosCenter

	typeset(&p.Title.TextStyle, 19, font.WeightBold)
	typeset(&p.legend.TextStyle, 14, font.WeightNormal)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		typeset(&axis.Label.TextStyle, 15, font.WeightNormal)
		typeset(&axis.Tick.Label, 13, font.WeightNormal)
		axis.Tick.Length = vg.Points(5)
	}
	line := draw.LineStyle{Color: faint, Width: vg.Points(1)}
	p.Add(&plotter.Grid{Vertical: line, Horizontal: line}, caption{title, p.Title.TextStyle})
	return p
}

// A caption stands over the middle of the data, where the title of gonum/plot stands over that of data and axis.
type caption struct {
	text  string
	style text.Style
}

func (t caption) Plot(c draw.Canvas, _ *plot.Plot) {
	t.style.YAlign = draw.YBottom
	c.FillText(t.style, vg.Point{X: c.Center().X, Y: c.Max.Y + vg.Points(12)}, t.text)
}

func typeset(style *text.Style, size float64, weight font.Weight) {
	style.Font.Variant, style.Font.Size, style.Font.Weight = "Sans", vg.Points(size), weight
}

// measured draws one value of every run: dots on a solid line.
func (p *panel) measured(name string, c color.Color, value func(estimate) float64) {
	curve := make(plotter.XYs, len(p.runs))
	for i, run := range p.runs {
		curve[i] = plotter.XY{X: float64(run.samples), Y: value(run)}
	}
	line := &plotter.Line{XYs: curve, LineStyle: draw.LineStyle{Color: c, Width: vg.Points(2.5)}}
	dots := &plotter.Scatter{XYs: curve, GlyphStyle: draw.GlyphStyle{Color: c, Radius: vg.Points(5), Shape: draw.CircleGlyph{}}}
	p.Add(line, dots)
	p.legend.Add(name, line, dots)
}

// reference draws what a run is compared with: a dashed line from edge to edge.
// Two points suffice, because a constant and a power law are straight on the scales used here.
func (p *panel) reference(name string, c color.Color, value func(samples float64) float64) {
	line := &plotter.Line{
		XYs: plotter.XYs{{X: p.X.Min, Y: value(p.X.Min)}, {X: p.X.Max, Y: value(p.X.Max)}},
		LineStyle: draw.LineStyle{
			Color: c, Width: vg.Points(2), Dashes: []vg.Length{vg.Points(7), vg.Points(5)},
		},
	}
	p.Add(line)
	p.legend.Add(name, line)
}

// strip shades the values between low and high.
func (p *panel) strip(name string, c color.NRGBA, low, high float64) {
	c.A = 0x30
	area := &plotter.Polygon{
		XYs:   []plotter.XYs{{{X: p.X.Min, Y: low}, {X: p.X.Max, Y: low}, {X: p.X.Max, Y: high}, {X: p.X.Min, Y: high}}},
		Color: c,
	}
	p.Add(area)
	p.legend.Add(name, area)
}

// logY makes the y axis logarithmic, with some room above and below the curves. Its label must be short: gonum/plot
// keeps room for it around the arithmetic middle of the range, which is close to the top of a logarithmic axis.
func (p *panel) logY(label func(float64) string) {
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decades(label)
	p.Y.Min, p.Y.Max = p.Y.Min/1.5, p.Y.Max*1.5
}
