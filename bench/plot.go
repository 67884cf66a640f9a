package bench

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// WritePlot draws bars of GFLOP/s for each product of the layers, or of the
// matrix products where layers were not measured, as a PNG picture.
func (r *Report) WritePlot(w io.Writer) error {
	tables := r.grouped()
	i := slices.IndexFunc(tables, func(t *table) bool { return t.kind == KindLayers })
	if i < 0 {
		i = slices.IndexFunc(tables, func(t *table) bool { return t.kind == KindGEMM })
	}
	if i < 0 {
		return errors.New("a plot shows products; measure gemm or layers")
	}
	t := tables[i]
	rows := slices.DeleteFunc(slices.Clone(t.rows), func(row []*Result) bool { return !first(row).Product })
	if len(rows) == 0 {
		return fmt.Errorf("%s has no products to plot", t.model)
	}

	p := plot.New()
	p.Title.Text = fmt.Sprintf("%s (%s, %s)", t.title(), r.Machine.CPU, r.Machine.Path)
	p.Y.Label.Text = "GFLOP/s"
	p.Y.Min = 0
	p.Legend.Top = true
	names := make([]string, len(rows))
	for k, row := range rows {
		names[k] = first(row).Name + " " + first(row).Pass
	}
	width := vg.Points(24 / float64(len(t.places)))
	for place, label := range t.places {
		values := make(plotter.Values, len(rows))
		for k, row := range rows {
			if row[place] != nil {
				values[k] = row[place].GFLOPS()
			}
		}
		bars, err := plotter.NewBarChart(values, width)
		if err != nil {
			return err
		}
		bars.LineStyle.Width = 0
		bars.Color = plotutil.Color(place)
		bars.Offset = width * vg.Length(float64(place)-float64(len(t.places)-1)/2)
		p.Add(bars)
		p.Legend.Add(label, bars)
	}
	p.NominalX(names...)
	p.X.Min, p.X.Max = -1, float64(len(rows))
	p.X.Tick.Label.Rotation = math.Pi / 3
	p.X.Tick.Label.XAlign = -1
	picture, err := p.WriterTo(vg.Length(max(8, len(rows)))*vg.Points(36)+vg.Inch, 5*vg.Inch, "png")
	if err != nil {
		return err
	}
	_, err = picture.WriteTo(w)
	return err
}
