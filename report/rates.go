package report

import (
	"cmp"
	"errors"
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/hubel-go/hubel/results"
)

// ratesHeight is that of the plot of a range test: 450 pixels.
const ratesHeight = 4.5 * vg.Inch

// Rates plots a range test of learning rates to a PNG file: the losses of batches, as they
// are and smoothed, over the rate on a logarithmic axis, and a dashed line at the
// rate that is suggested, if there is one. A test without losses is an error.
func Rates(path, title string, t *results.RateTest) error {
	if len(t.Losses) == 0 {
		return errors.New("plot of learning rates: the test has no loss yet")
	}
	var loss, smoothed plotter.XYs
	for i, rate := range t.Rates {
		loss = append(loss, plotter.XY{X: rate, Y: t.Losses[i]})
		smoothed = append(smoothed, plotter.XY{X: rate, Y: t.Smoothed[i]})
	}
	p := newPanel()
	p.Title.Text = shown(title, maxTitle)
	p.X.Label.Text, p.Y.Label.Text = "learning rate", "loss"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{}
	p.Legend.Left = true // at the bottom left is no loss yet
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(6), vg.Points(8)
	err := addSmoothed(p, "each batch", loss, smoothed)
	highest := 0.0
	for _, y := range t.Smoothed[:t.Lowest()+1] {
		highest = max(highest, y)
	}
	p.Y.Min, p.Y.Max = 0, cmp.Or(1.3*highest, 1) // a loss that blows up leaves the panel
	if len(loss) == 1 {
		p.X.Min, p.X.Max = p.X.Min/2, p.X.Max*2
	}
	if rate := t.Suggested(); rate > 0 && err == nil {
		var line *plotter.Line
		line, err = plotter.NewLine(plotter.XYs{{X: rate, Y: p.Y.Min}, {X: rate, Y: p.Y.Max}})
		if err == nil {
			line.Color, line.Width, line.Dashes = testColour, vg.Points(1.5), []vg.Length{vg.Points(4), vg.Points(3)}
			p.Add(line)
			p.Legend.Add(fmt.Sprintf("suggested: %.2g", rate), line)
		}
	}
	if err != nil {
		return fmt.Errorf("plot of learning rates: %w", err)
	}
	return column(path, ratesHeight, p)
}
