package bench

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The roofline picture is 1100 by 700 points.
const (
	rooflineWidth  = 1100
	rooflineHeight = 700
)

// WriteRoofline draws the layers of the first network under the machine's
// roof, as a PNG picture: operations a second over operations a byte, both
// logarithmic, a point for each pass of each layer (Williams et al. 2009). Of
// several numbers of threads it shows the last.
func (r *Report) WriteRoofline(w io.Writer) error {
	last := Result{}
	for _, x := range r.Results {
		if _, ok := r.Machine.roof(x); ok && x.Kind == KindLayers && (last.Model == "" || x.Model == last.Model) {
			last = x
		}
	}
	roof, ok := r.Machine.roof(last)
	if !ok {
		return errors.New("a roofline shows layers on the CPU; measure layers on device cpu")
	}
	var passes []string
	points := map[string][]Result{}
	for _, x := range r.Results {
		if x.Kind != KindLayers || x.Model != last.Model || x.Where() != last.Where() || x.FLOPs == 0 || x.Bytes == 0 {
			continue
		}
		if points[x.Pass] == nil {
			passes = append(passes, x.Pass)
		}
		points[x.Pass] = append(points[x.Pass], x)
	}

	p := plot.New()
	p.Title.Text = fmt.Sprintf("%s, batch %d, on %s (%s, %s)", last.Model, last.Batch, last.Where(), r.Machine.CPU, r.Machine.Path)
	p.X.Label.Text = "operations a byte of memory traffic"
	p.Y.Label.Text = "GFLOP/s"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Points(3)
	p.Add(plotter.NewGrid())

	from, to := math.Inf(1), 0.0
	lowest := roof.FLOPS / 1e9
	names := &labels{}
	for i, pass := range passes {
		at := plotter.XYLabels{}
		for _, x := range points[pass] {
			at.XYs, at.Labels = append(at.XYs, plotter.XY{X: x.Intensity(), Y: x.GFLOPS()}), append(at.Labels, x.Name)
			from, to, lowest = min(from, x.Intensity()), max(to, x.Intensity()), min(lowest, x.GFLOPS())
		}
		dots, err := plotter.NewScatter(at)
		if err != nil {
			return err
		}
		dots.GlyphStyle = draw.GlyphStyle{Color: plotutil.Color(i), Radius: vg.Points(4), Shape: plotutil.Shape(i)}
		names.series = append(names.series, labelled{at, plotutil.Color(i)})
		p.Add(dots)
		p.Legend.Add(pass, dots)
	}

	from, to = from/2, to*4
	ridge := roof.FLOPS / roof.Bandwidth
	line, err := plotter.NewLine(plotter.XYs{
		{X: min(from, ridge), Y: min(from, ridge) * roof.Bandwidth / 1e9},
		{X: ridge, Y: roof.FLOPS / 1e9}, {X: max(to, ridge), Y: roof.FLOPS / 1e9}})
	if err != nil {
		return err
	}
	line.Color, line.Width = color.Gray{0x40}, vg.Points(1.5)
	p.Add(line, names)
	p.Legend.Add(fmt.Sprintf("roof: %.0f GFLOP/s, %.0f GB/s", roof.FLOPS/1e9, roof.Bandwidth/1e9), line)
	p.Y.Min = lowest / 2
	picture, err := p.WriterTo(vg.Points(rooflineWidth), vg.Points(rooflineHeight), "png")
	if err != nil {
		return err
	}
	_, err = picture.WriteTo(w)
	return err
}
