package bench

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// labels names the points of a picture where there is room beside them. Names
// of neighbours in one colour stand together.
type labels struct{ series []labelled }

// labelled is points of one colour.
type labelled struct {
	plotter.XYLabels
	colour color.Color
}

// The sizes of labels, in points.
const (
	labelSize  = vg.Length(8)
	labelGap   = vg.Length(6)  // between a point and its name; a point's radius is less
	neighbours = vg.Length(12) // points that share a label are no further apart
	labelRings = 12            // distances that are tried, the last even if it is taken
)

// note is what stands beside a place.
type note struct {
	at     vg.Point
	text   string
	colour color.Color
}

// Plot implements plot.Plotter.
func (l *labels) Plot(c draw.Canvas, p *plot.Plot) {
	notes, taken := l.notes(p.Transforms(&c))
	style := text.Style{Font: plotter.DefaultFont, Handler: plot.DefaultTextHandler, XAlign: text.XCenter, YAlign: text.YCenter}
	style.Font.Size = labelSize
	for _, n := range notes {
		style.Color = n.colour
		middle := placeFor(n, style.Width(n.text), taken)
		taken = append(taken, around(middle, style.Width(n.text)/2, labelSize/2))
		c.FillText(style, middle, n.text)
	}
}

// notes are the labels of all points, and taken is where the points are, by
// maps from what they stand for to the canvas.
func (l *labels) notes(x, y func(float64) vg.Length) (notes []note, taken []vg.Rectangle) {
	for _, s := range l.series {
		first := len(notes)
	points:
		for i, name := range s.Labels {
			at := vg.Point{X: x(s.XYs[i].X), Y: y(s.XYs[i].Y)}
			taken = append(taken, around(at, labelGap-1, labelGap-1))
			for k := first; k < len(notes); k++ {
				if away := at.Sub(notes[k].at); max(away.X, -away.X, away.Y, -away.Y) < neighbours {
					notes[k].text += ", " + name
					continue points
				}
			}
			notes = append(notes, note{at, name, s.colour})
		}
	}
	return notes, taken
}

// placeFor is the middle of the first free place for a name around its point:
// right, left, above, below, in the corners, then further away.
func placeFor(n note, width vg.Length, taken []vg.Rectangle) (middle vg.Point) {
	for ring := range labelRings {
		away := labelGap + vg.Length(ring)*labelSize
		beside, over := away+width/2, away+labelSize/2
		for _, d := range []vg.Point{{X: beside}, {X: -beside}, {Y: over}, {Y: -over}, {X: beside, Y: over}, {X: -beside, Y: over}, {X: beside, Y: -over}, {X: -beside, Y: -over}} {
			middle = n.at.Add(d)
			box := around(middle, width/2, labelSize/2)
			if !overlapsAny(box, taken) {
				return middle
			}
		}
	}
	return middle
}

// around is the rectangle with that middle and half of its sides.
func around(middle vg.Point, halfWidth, halfHeight vg.Length) vg.Rectangle {
	half := vg.Point{X: halfWidth, Y: halfHeight}
	return vg.Rectangle{Min: middle.Sub(half), Max: middle.Add(half)}
}

func overlapsAny(r vg.Rectangle, others []vg.Rectangle) bool {
	for _, o := range others {
		if r.Min.X < o.Max.X && o.Min.X < r.Max.X && r.Min.Y < o.Max.Y && o.Min.Y < r.Max.Y {
			return true
		}
	}
	return false
}
