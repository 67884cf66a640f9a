// Package report draws what a training run leaves behind: its curve of loss
// and of a metric, a test of learning rates, its confusion matrix, and pictures of
// filters and of augmented images.
package report

import (
	"cmp"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/results"
)

// A curve is 1000 by 700 pixels.
const (
	curveDPI    = 100
	curveWidth  = 10 * vg.Inch
	curveHeight = 7 * vg.Inch
)

// shortLog is the number of losses up to which each is drawn as a point.
const shortLog = 30

var (
	lossColour     = color.RGBA{0x1f, 0x77, 0xb4, 0xff}
	rawColour      = color.RGBA{0xbf, 0xd7, 0xea, 0xff} // the loss colour, faint
	testColour     = color.RGBA{0xd6, 0x4a, 0x1e, 0xff}
	trainingColour = color.RGBA{0xb5, 0xdb, 0xba, 0xff} // the metric's, faint
	averageColour  = color.RGBA{0x7b, 0x4f, 0xa6, 0xff} // of averaged weights
	metricColour   = color.RGBA{0x2c, 0x8a, 0x3d, 0xff}
	gridColour     = color.RGBA{0xe4, 0xe4, 0xe4, 0xff}
)

// Curve plots a training log to a PNG file: above, the training loss as it
// was logged and smoothed, and the test loss, on a logarithmic axis; below,
// a metric of the tests and, smoothed, of training, in percent where it is a share.
// Both run over the iterations, and have the tests of averaged weights, if there are
// some. Of the metric, the number is not read; one without a
// name leaves the panel below empty. A log without a finite loss is an error.
func Curve(path, title string, log []results.LogLine, metric results.Metric) error {
	s := seriesOf(log, metric)
	if len(s.loss) == 0 {
		return errors.New("curve of a training run: the log holds no loss yet")
	}
	loss, err := lossPanel(s)
	if err != nil {
		return fmt.Errorf("curve of a training run: %w", err)
	}
	loss.Title.Text = shown(title, maxTitle)
	below, err := metricPanel(s)
	if err != nil {
		return fmt.Errorf("curve of a training run: %w", err)
	}
	for _, p := range []*plot.Plot{loss, below} {
		p.X.Min, p.X.Max = 0, max(s.last, 1)
	}
	return column(path, curveHeight, loss, below)
}

// column writes plots, one under the other, to a PNG file.
func column(path string, height vg.Length, plots ...*plot.Plot) error {
	canvas := vgimg.NewWith(vgimg.UseWH(curveWidth, height), vgimg.UseDPI(curveDPI))
	margin := vg.Points(10)
	tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadTop: margin, PadBottom: margin, PadLeft: margin, PadRight: 2 * margin, PadY: margin}
	rows := make([][]*plot.Plot, len(plots))
	for i, p := range plots {
		rows[i] = []*plot.Plot{p}
	}
	for i, row := range plot.Align(rows, tiles, draw.New(canvas)) {
		plots[i].Draw(row[0])
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
		return err
	})
}

// series is a log as it is drawn.
type series struct {
	loss, testLoss plotter.XYs
	averageLoss    plotter.XYs // of the test of averaged weights
	metric         results.Metric
	test, training plotter.XYs // of the metric
	average        plotter.XYs // of the metric
	last           float64     // iteration
	perEpoch       float64     // iterations
}

// seriesOf picks what can be drawn from a log. Losses of zero, which a
// logarithmic axis has no place for, are drawn at the smallest positive one.
func seriesOf(log []results.LogLine, metric results.Metric) series {
	s := series{metric: metric}
	scale := 1.0
	if metric.Share {
		scale = 100
	}
	add := func(to *plotter.XYs, iteration int, y float64) {
		if math.IsNaN(y) || math.IsInf(y, 0) {
			return
		}
		*to = append(*to, plotter.XY{X: float64(iteration), Y: y})
	}
	for _, l := range log {
		add(&s.loss, l.Iteration, l.Loss)
		if l.TestLoss != nil {
			add(&s.testLoss, l.Iteration, *l.TestLoss)
		}
		if l.AverageLoss != nil {
			add(&s.averageLoss, l.Iteration, *l.AverageLoss)
		}
		if x, ok := l.Average.Get(metric.Name); ok {
			add(&s.average, l.Iteration, scale*x)
		}
		if x, ok := l.Test.Get(metric.Name); ok {
			add(&s.test, l.Iteration, scale*x)
		}
		if x, ok := l.Train.Get(metric.Name); ok {
			add(&s.training, l.Iteration, scale*x)
		}
		s.last = max(s.last, float64(l.Iteration))
		if l.Epoch > 0 {
			s.perEpoch = float64(l.Iteration) / l.Epoch
		}
	}
	positive(s.loss, s.testLoss, s.averageLoss)
	return s
}

// positive raises values of zero to the smallest above it of all, or to 1.
func positive(lists ...plotter.XYs) {
	smallest := math.Inf(1)
	for _, xy := range lists {
		for _, p := range xy {
			if p.Y > 0 {
				smallest = min(smallest, p.Y)
			}
		}
	}
	if math.IsInf(smallest, 1) {
		smallest = 1
	}
	for _, xy := range lists {
		for i := range xy {
			xy[i].Y = max(xy[i].Y, smallest)
		}
	}
}

func lossPanel(s series) (*plot.Plot, error) {
	p := newPanel()
	p.Y.Label.Text = "loss"
	p.Y.Scale = plot.LogScale{}
	p.Y.Tick.Marker = logTicks{}
	p.Legend.Top = true
	if len(s.loss) <= shortLog {
		if err := addPoints(p, "training", s.loss, lossColour, draw.CircleGlyph{}); err != nil {
			return nil, err
		}
	} else {
		if err := addSmoothed(p, "as logged", s.loss, smoothed(s.loss)); err != nil {
			return nil, err
		}
	}
	if len(s.testLoss) > 0 {
		if err := addPoints(p, "test", s.testLoss, testColour, draw.BoxGlyph{}); err != nil {
			return nil, err
		}
	}
	if len(s.averageLoss) > 0 {
		if err := addPoints(p, "test, averaged weights", s.averageLoss, averageColour, draw.TriangleGlyph{}); err != nil {
			return nil, err
		}
	}
	p.Y.Min, p.Y.Max = logRange(s)
	return p, nil
}

// addSmoothed adds training losses, as they are, under a name, and smoothed.
func addSmoothed(p *plot.Plot, raws string, loss, smoothed plotter.XYs) error {
	raw, err := plotter.NewLine(loss)
	if err != nil {
		return err
	}
	smooth, err := plotter.NewLine(smoothed)
	if err != nil {
		return err
	}
	raw.Color, raw.Width = rawColour, vg.Points(0.75)
	smooth.Color, smooth.Width = lossColour, vg.Points(2)
	p.Add(raw, smooth)
	p.Legend.Add("training, "+raws, raw)
	p.Legend.Add("training, smoothed", smooth)
	return nil
}

// logRange is the range of the losses with a little room. The raw losses may
// leave it below: one lucky batch would squeeze everything else.
func logRange(s series) (low, high float64) {
	low, high = math.Inf(1), 0
	for _, xy := range []plotter.XYs{smoothed(s.loss), s.testLoss, s.averageLoss} {
		for _, p := range xy {
			low, high = min(low, p.Y), max(high, p.Y)
		}
	}
	for _, p := range s.loss {
		high = max(high, p.Y)
	}
	return low / 1.5, high * 1.3
}

func metricPanel(s series) (*plot.Plot, error) {
	p := newPanel()
	p.Y.Label.Text = shown(s.metric.Name, maxTitle)
	if s.metric.Share || s.metric.Name == "" {
		p.Y.Label.Text = shown(cmp.Or(s.metric.Name, "accuracy"), maxTitle) + ", %"
	}
	p.X.Label.Text = "iteration"
	if s.perEpoch >= 1 {
		p.X.Label.Text = fmt.Sprintf("iteration (an epoch has %.0f)", s.perEpoch)
	}
	if len(s.test) == 0 {
		p.Y.Min, p.Y.Max = 0, 100
		return p, nil
	}
	if len(s.training) > shortLog {
		line, err := plotter.NewLine(smoothed(s.training))
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = trainingColour, vg.Points(2)
		p.Add(line)
		p.Legend.Add("training, smoothed", line)
		p.Legend.YOffs = vg.Points(8) // at the bottom, where curves seldom are
	}
	if err := addPoints(p, "test", s.test, metricColour, draw.CircleGlyph{}); err != nil {
		return nil, err
	}
	if len(s.average) > 0 {
		if err := addPoints(p, "test, averaged weights", s.average, averageColour, draw.TriangleGlyph{}); err != nil {
			return nil, err
		}
		p.Legend.YOffs = vg.Points(8)
	}
	if !s.metric.Share {
		room := cmp.Or(0.15*(p.Y.Max-p.Y.Min), 1)
		p.Y.Min, p.Y.Max = p.Y.Min-room, p.Y.Max+2*room
		return p, labelLast(p, s)
	}
	room := max(0.15*(p.Y.Max-p.Y.Min), 0.2)
	p.Y.Min, p.Y.Max = max(0, p.Y.Min-room), min(100, p.Y.Max+2*room)
	return p, labelLast(p, s)
}

// labelLast writes the last number above its point, or below it where the
// curve of training runs above.
func labelLast(p *plot.Plot, s series) error {
	last := s.test[len(s.test)-1:]
	text := fmt.Sprintf("%.4g", last[0].Y)
	if s.metric.Share {
		text = fmt.Sprintf("%.2f %%", last[0].Y)
	}
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: last, Labels: []string{text}})
	if err != nil {
		return err
	}
	style := &labels.TextStyle[0]
	style.Font.Variant = "Sans"
	style.Font.Size, style.Color, style.XAlign = vg.Points(11), metricColour, draw.XRight
	labels.Offset.Y = vg.Points(8)
	if n := len(s.training); n > shortLog && smoothed(s.training)[n-1].Y > last[0].Y {
		labels.Offset.Y = vg.Points(-17)
	}
	p.Add(labels)
	return nil
}

// addPoints adds points joined by a line, under a name unless that is empty.
func addPoints(p *plot.Plot, name string, xy plotter.XYs, c color.Color, glyph draw.GlyphDrawer) error {
	line, points, err := plotter.NewLinePoints(xy)
	if err != nil {
		return err
	}
	line.Color, line.Width = c, vg.Points(1.5)
	points.Color, points.Shape, points.Radius = c, glyph, vg.Points(3)
	p.Add(line, points)
	if name != "" {
		p.Legend.Add(name, line, points)
	}
	return nil
}

// newPanel is an empty plot in the house's style.
func newPanel() *plot.Plot {
	p := plot.New()
	p.Title.TextStyle.Font.Size = vg.Points(14)
	p.Title.Padding = vg.Points(6)
	p.X.Tick.Marker, p.Y.Tick.Marker = linearTicks{}, linearTicks{}
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font.Size = vg.Points(12)
		axis.Label.Padding = vg.Points(4)
		axis.Tick.Label.Font.Size = vg.Points(10)
		axis.Padding = 0
	}
	p.Legend.TextStyle.Font.Size = vg.Points(11)
	for _, style := range []*text.Style{&p.Title.TextStyle, &p.Legend.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		style.Font.Variant = "Sans"
	}
	p.Legend.Padding = vg.Points(4)
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(-6), vg.Points(-6)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = gridColour, gridColour
	p.Add(grid)
	return p
}

// smoothed is the mean over a window of about a fifteenth of the points
// around each. The window is cut at the end; at the start, where the loss
// falls fastest, it stays symmetric.
func smoothed(xy plotter.XYs) plotter.XYs {
	reach := len(xy) / 30
	sums := make([]float64, len(xy)+1)
	for i, p := range xy {
		sums[i+1] = sums[i] + p.Y
	}
	mean := make(plotter.XYs, len(xy))
	for i, p := range xy {
		from, to := i-min(reach, i), i+1+min(reach, i, len(xy)-1-i)
		mean[i] = plotter.XY{X: p.X, Y: (sums[to] - sums[from]) / float64(to-from)}
	}
	return mean
}
