package main

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A ticker places the marks of an axis.
type ticker func(low, high float64) []plot.Tick

func (t ticker) Ticks(low, high float64) []plot.Tick { return t(low, high) }

// decades marks the powers of ten, and twice and five times them too when few powers are in view.
func decades(label func(float64) string) ticker {
	return func(low, high float64) (ticks []plot.Tick) {
		narrow := high/low < 100
		for exponent := math.Floor(math.Log10(low)); math.Pow(10, exponent) <= high; exponent++ {
			for step := 1.0; step < 10; step++ {
				tick := plot.Tick{Value: step * math.Pow(10, exponent)}
				if step == 1 || narrow && (step == 2 || step == 5) {
					tick.Label = label(tick.Value)
				}
				if low <= tick.Value && tick.Value <= high {
					ticks = append(ticks, tick)
				}
			}
		}
		return ticks
	}
}

// evenly marks about six round values.
func evenly(label func(float64) string) ticker {
	return func(low, high float64) (ticks []plot.Tick) {
		step := roundStep((high - low) / 6)
		for i := math.Ceil(low / step); i*step <= high; i++ {
			ticks = append(ticks, plot.Tick{Value: i * step, Label: label(i * step)})
		}
		return ticks
	}
}

// roundStep is the smallest 1, 2 or 5 times a power of ten that is not below atLeast.
func roundStep(atLeast float64) float64 {
	decade := math.Pow10(int(math.Floor(math.Log10(atLeast))))
	for _, factor := range []float64{1, 2, 5} {
		if factor*decade >= atLeast {
			return factor * decade
		}
	}
	return 10 * decade
}

// A corner is where a panel has room for its legend.
type corner struct{ top, left bool }

var (
	topLeft     = corner{top: true, left: true}
	topRight    = corner{top: true}
	bottomRight = corner{}
)

// withLegend adds the legend as the last thing to draw.
func (p *panel) withLegend(where corner) *plot.Plot {
	p.legend.Top, p.legend.Left = where.top, where.left
	p.Add(boxed{p.legend})
	return p.Plot
}

// boxed draws a legend on a white ground, so that no grid line runs through its words.
type boxed struct{ plot.Legend }

func (b boxed) Plot(c draw.Canvas, _ *plot.Plot) {
	const margin, padding = vg.Length(10), vg.Length(9)
	inner := draw.Crop(c, margin+padding, -margin-padding, margin+padding, -margin-padding)
	size := b.Rectangle(inner).Size()

	ground := inner.Rectangle
	if b.Left {
		ground.Max.X = ground.Min.X + size.X
	} else {
		ground.Min.X = ground.Max.X - size.X
	}
	if b.Top {
		ground.Min.Y = ground.Max.Y - size.Y
	} else {
		ground.Max.Y = ground.Min.Y + size.Y
	}
	ground.Min = ground.Min.Sub(vg.Point{X: padding, Y: padding})
	ground.Max = ground.Max.Add(vg.Point{X: padding, Y: padding})
	c.SetColor(color.White)
	c.Fill(ground.Path())
	c.SetLineStyle(draw.LineStyle{Color: faint, Width: 1})
	c.Stroke(ground.Path())
	b.Draw(inner)
}
