package report

import (
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"io"
	"math"

	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/results"
)

// A panel of the monitor's picture.
const (
	panelWidth  = 240
	panelHeight = 112
)

// quantities are the columns of the monitor's picture.
var quantities = []struct {
	name string
	of   func(l results.LayerNumbers) *results.Distribution
}{
	{"outputs", func(l results.LayerNumbers) *results.Distribution { return l.Outputs }},
	{"their gradients", func(l results.LayerNumbers) *results.Distribution { return l.OutputGradients }},
	{"weights", func(l results.LayerNumbers) *results.Distribution { return l.Weights }},
	{"their gradients", func(l results.LayerNumbers) *results.Distribution { return l.WeightGradients }},
}

// Monitor draws the distributions of a run's layers to a PNG file: a row for each layer;
// in it, from left to right, its outputs, their gradients, its weights and their
// gradients. A panel is a histogram over time: a column is an update, the first of the
// run on the left, and a line is a range of numbers from one power of two to the next,
// positive ones above the blue line of 0 and negative ones below. The darker, the more
// numbers. All panels below each other have the same range. The lines under a panel are
// its range of magnitudes, and the mean and the deviation at the end.
func Monitor(path string, log []results.MonitorLine) error {
	if len(log) == 0 {
		return errors.New("picture of the monitor: there are no lines yet")
	}
	m := drawSheet(monitorPanels(log), len(quantities))
	return atomicfile.Write(path, func(out io.Writer) error { return png.Encode(out, m) })
}

func monitorPanels(log []results.MonitorLine) (panels []Captioned) {
	var scales []scale
	for _, q := range quantities {
		scales = append(scales, scaleOf(log, q.of))
	}
	for _, layer := range log[len(log)-1].Layers {
		for k, q := range quantities {
			last := q.of(layer)
			if last == nil {
				panels = append(panels, blank())
				continue
			}
			p := scales[k].panel(history(log, layer.Layer, q.of))
			p.Lines = []string{layer.Layer + ": " + q.name, scales[k].String(), fmt.Sprintf("%.2g +- %.2g", last.Mean, last.Deviation)}
			if last.Bad > 0 {
				p.Lines[2] += fmt.Sprintf(", %d not finite", last.Bad)
			}
			panels = append(panels, p)
		}
	}
	return panels
}

// scale is the range of a column of panels: bins from 0 on, on either side. What is nearer
// to 0 than inner is drawn as 0.
type scale struct{ inner, outer int }

// nearZero is the share of numbers that are drawn as 0, at most, of those that are not.
const nearZero = 0.05

// scaleOf is that of a quantity of all layers: none of its numbers is beyond outer, and of
// the mean of its distributions, zeros apart, less than nearZero is below inner.
func scaleOf(log []results.MonitorLine, of func(results.LayerNumbers) *results.Distribution) scale {
	var shares [results.ZeroBin + 1]float64 // by distance from 0
	s, all := scale{inner: 1, outer: 1}, 0.0
	for _, line := range log {
		for _, l := range line.Layers {
			d := of(l)
			if d == nil {
				continue
			}
			total := 0
			for _, n := range d.Counts {
				total += n
			}
			for i, n := range d.Counts {
				if bin := d.First + i; n > 0 && bin != results.ZeroBin {
					distance := max(bin-results.ZeroBin, results.ZeroBin-bin)
					s.outer = max(s.outer, distance)
					shares[distance] += float64(n) / float64(total)
					all += float64(n) / float64(total)
				}
			}
		}
	}
	for below := shares[1]; s.inner < s.outer && below < nearZero*all; below += shares[s.inner] {
		s.inner++
	}
	return s
}

// String is the range of magnitudes.
func (s scale) String() string {
	from, to := math.Log2(results.BinEdge(results.ZeroBin+s.inner)), math.Log2(results.BinEdge(results.ZeroBin+s.outer))
	return fmt.Sprintf("+-2^%g to 2^%g", from, to+1)
}

// history is a quantity of a layer in each line, nil where it has none.
func history(log []results.MonitorLine, layer string, of func(results.LayerNumbers) *results.Distribution) []*results.Distribution {
	list := make([]*results.Distribution, len(log))
	for i, line := range log {
		for _, l := range line.Layers {
			if l.Layer == layer {
				list[i] = of(l)
			}
		}
	}
	return list
}

// panel draws distributions over time.
func (s scale) panel(list []*results.Distribution) Captioned {
	p := blank()
	side := s.outer - s.inner + 1
	for x := range panelWidth {
		d := list[x*len(list)/panelWidth]
		if d == nil {
			continue
		}
		shares := make([]float64, 2*side+1) // from the top
		total := 0
		for _, n := range d.Counts {
			total += n
		}
		for i, n := range d.Counts {
			row := side
			switch distance := d.First + i - results.ZeroBin; {
			case distance >= s.inner:
				row = s.outer - distance
			case -distance >= s.inner:
				row = 2*side - s.outer - distance
			}
			shares[row] += float64(n) / float64(total)
		}
		for y := range panelHeight {
			row := y * len(shares) / panelHeight
			c := tint(color.RGBA{A: 0xff}, shares[row])
			if row == side {
				c = tint(lossColour, max(shares[row], 0.02)) // the line of 0
			}
			for k, v := range [3]uint8{c.R, c.G, c.B} {
				p.Pixels[(k*panelHeight+y)*panelWidth+x] = float32(v)
			}
		}
	}
	return p
}

// blank is an empty panel.
func blank() Captioned {
	p := Captioned{Pixels: make([]float32, 3*panelHeight*panelWidth), C: 3, H: panelHeight, W: panelWidth}
	for i := range p.Pixels {
		p.Pixels[i] = 255
	}
	return p
}
