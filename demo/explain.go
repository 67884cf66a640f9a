package demo

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// Rect is a rectangle of pixels or of units: columns from Left to before Right.
type Rect struct {
	Left   int `json:"left"`
	Top    int `json:"top"`
	Right  int `json:"right"`
	Bottom int `json:"bottom"`
}

// Unit says how one unit of a layer comes to its number.
type Unit struct {
	Field  Rect `json:"field"`  // the pixels that it depends on, inside the image
	Window Rect `json:"window"` // what it reads of each map of the layer before
	First  int  `json:"first"`  // the first of the maps that it reads

	// Inputs are the numbers in the window, map after map. Weights are those by which they
	// are multiplied, of a unit that sums; Sums is for each map the sum of the products.
	Inputs  []float32 `json:"inputs"`
	Weights []float32 `json:"weights,omitempty"`
	Sums    []float64 `json:"sums,omitempty"`
	Bias    float64   `json:"bias,omitempty"`

	Rule  string  `json:"rule"` // "sum", "max", "relu" or "softmax"
	Value float64 `json:"value"`
}

// explains reports whether Explain knows the type of a layer.
func explains(l layers.Layer) bool {
	switch l := l.(type) {
	case *layers.Conv:
		return l.Groups <= 1 && max(l.Dilation.H, l.Dilation.W) <= 1 && !l.NoBias
	case *layers.Pool:
		return l.Op == device.MaxPool && !l.Switches
	case *layers.Dense:
		return !l.NoBias
	case *layers.Unary:
		return l.Op == device.ReLU
	case *layers.Softmax:
		return true
	}
	return false
}

// Explain explains a unit of a layer, other than the image, in the last look.
func (l *Lens) Explain(layer, channel, row, column int) (*Unit, error) {
	if l.values == nil {
		return nil, fmt.Errorf("there is no digit yet")
	}
	if layer < 1 || layer >= len(l.Layers) {
		return nil, fmt.Errorf("there is no layer %d whose units could be explained", layer)
	}
	x := &l.Layers[layer]
	if channel < 0 || channel >= x.Channels || row < 0 || row >= x.Height || column < 0 || column >= x.Width {
		return nil, fmt.Errorf("layer %s has no unit %d in row %d and column %d", x.Name, channel, row, column)
	}
	from := &l.Layers[x.Source]
	u := &Unit{Window: Rect{0, 0, from.Width, from.Height}}
	f := x.field.At(row, column)
	u.Field = Rect{max(0, f.Min.X), max(0, f.Min.Y), min(Side, f.Max.X), min(Side, f.Max.Y)}
	switch node := x.node.Layer.(type) {
	case layers.Windowed:
		shape := tensor.Shape{1, from.Channels, from.Height, from.Width}
		rows, columns := node.Windows(shape)
		top, left := int(rows.Start)+row*int(rows.Stride), int(columns.Start)+column*int(columns.Stride)
		u.Window = Rect{left, top, left + int(columns.Size), top + int(rows.Size)}
	case *layers.Unary:
		u.Window = Rect{column, row, column + 1, row + 1}
	}
	maps := from.Channels
	if _, dense := x.node.Layer.(*layers.Dense); !dense && x.Type != "conv" && x.Type != "softmax" {
		u.First, maps = channel, 1
	}
	u.Inputs = l.window(x.Source, u.First, maps, u.Window)
	l.compute(u, x, channel, maps)
	return u, nil
}

// window are the numbers of some maps of a layer inside a rectangle; outside the map they
// are 0, the padding.
func (l *Lens) window(layer, first, maps int, r Rect) (list []float32) {
	x, values := &l.Layers[layer], l.of(layer)
	for c := first; c < first+maps; c++ {
		for row := r.Top; row < r.Bottom; row++ {
			for column := r.Left; column < r.Right; column++ {
				v := float32(0)
				if row >= 0 && row < x.Height && column >= 0 && column < x.Width {
					v = values[(c*x.Height+row)*x.Width+column]
				}
				list = append(list, v)
			}
		}
	}
	return list
}

// compute finds what the rule of a unit's layer makes of its inputs.
func (l *Lens) compute(u *Unit, x *Layer, channel, maps int) {
	switch x.node.Layer.(type) {
	case *layers.Pool:
		u.Rule, u.Value = "max", math.Inf(-1)
		for _, v := range u.Inputs {
			u.Value = max(u.Value, float64(v))
		}
	case *layers.Unary:
		u.Rule, u.Value = "relu", max(0, float64(u.Inputs[0]))
	case *layers.Softmax:
		u.Rule = "softmax"
		all := 0.0
		for _, v := range u.Inputs {
			all += math.Exp(float64(v - u.Inputs[channel]))
		}
		u.Value = 1 / all
	default:
		u.Rule = "sum"
		n := len(u.Inputs)
		u.Weights = l.model.Weights[x.node.WeightName("weight")].Float32s()[channel*n : (channel+1)*n]
		u.Bias = float64(l.model.Weights[x.node.WeightName("bias")].Float32s()[channel])
		u.Value = u.Bias
		for c := range maps {
			sum := 0.0
			for i := c * n / maps; i < (c+1)*n/maps; i++ {
				sum += float64(u.Weights[i]) * float64(u.Inputs[i])
			}
			u.Sums = append(u.Sums, sum)
			u.Value += sum
		}
	}
}
