package report

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"

	"github.com/hubel-go/hubel/results"
)

// runsHeight is that of the plot of several runs: 500 pixels.
const runsHeight = 5 * vg.Inch

// Run is a training run in a plot of several.
type Run struct {
	Name string
	Log  []results.LogLine
}

// Runs plots the test losses of runs over their epochs to a PNG file, on a logarithmic
// axis, or a metric of the tests if it has a name, in percent if it is a share. Runs without
// a test are left out; if that is all of them, it is an error.
func Runs(path, title string, metric results.Metric, runs []Run) error {
	p := newPanel()
	p.Title.Text = shown(title, maxTitle)
	p.X.Label.Text = "epoch"
	p.Y.Label.Text = "test loss"
	p.Legend.Top = true
	if metric.Name != "" {
		p.Y.Label.Text = shown(metric.Name, maxTitle)
		p.Legend.Top = !metric.Share
		if metric.Share {
			p.Y.Label.Text += ", %"
		}
	}
	low, high := math.Inf(1), math.Inf(-1)
	for i, r := range runs {
		xy := tests(r.Log, metric)
		if len(xy) == 0 {
			continue
		}
		for _, at := range xy {
			low, high = min(low, at.Y), max(high, at.Y)
		}
		if err := addPoints(p, shown(r.Name, maxTitle), xy, plotutil.Color(i), plotutil.Shape(i)); err != nil {
			return fmt.Errorf("plot of runs: %w", err)
		}
	}
	switch {
	case high < low:
		return errors.New("plot of runs: no run has a test yet")
	case metric.Name == "":
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, logTicks{}
		p.Y.Min, p.Y.Max = low/1.2, high*1.2
	default:
		room := max(0.05*(high-low), 1e-6)
		p.Y.Min, p.Y.Max = low-room, high+room
	}
	p.X.Min = 0
	return column(path, runsHeight, p)
}

// tests are the losses of tests over epochs, those above 0 alone, or a metric. Values that
// are not finite are left out.
func tests(log []results.LogLine, metric results.Metric) (xy plotter.XYs) {
	for _, l := range log {
		y, ok := l.Test.Get(metric.Name)
		switch {
		case metric.Name == "":
			if ok = l.TestLoss != nil && *l.TestLoss > 0; ok {
				y = *l.TestLoss
			}
		case metric.Share:
			y *= 100
		}
		if ok && !math.IsNaN(y) && !math.IsInf(y, 0) {
			xy = append(xy, plotter.XY{X: l.Epoch, Y: y})
		}
	}
	return xy
}
