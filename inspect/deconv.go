package inspect

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/hubel-go/hubel/predict"
)

// Reconstruction shows what of a picture a unit responds to.
type Reconstruction struct {
	Name        string    // of the file
	Sample      []float32 // raw, [C,H,W]
	Activation  float32
	Row, Column int // where in the unit's map it is the strongest

	// Field is the receptive field of that place, in pixels of the image. It may lie
	// outside in part.
	Field image.Rectangle

	Pixels []float32 // [C,H,W] of the whole image
}

// Projection says what Deconv projects back.
type Projection struct {
	Layer string
	Unit  int // channel of the layer's output; -1 is that of the largest activation
	Most  int // pictures, those in which the unit is the strongest
	Rule  Rule
}

// Check says what is wrong with the projection, if anything.
func (x *Inspector) Check(p Projection) error {
	shape, err := x.mapsOf(p.Layer)
	if err != nil {
		return err
	}
	_, known := rules[p.Rule]
	switch {
	case p.Unit < -1 || p.Unit >= shape[0]:
		return fmt.Errorf("unit %d must be 0 to %d, the channels of %s", p.Unit, shape[0]-1, p.Layer)
	case p.Most < 1:
		return fmt.Errorf("%d pictures must be at least 1", p.Most)
	case !known && p.Rule != Gradient:
		return fmt.Errorf("rule %.40q is unknown; there are %s, %s and %s", p.Rule, Deconv, Guided, Gradient)
	}
	return nil
}

// Project looks for the picture files in which a unit is the strongest, and projects its
// strongest activation in each back to the pixels (Zeiler and Fergus 2014, section 2):
// the gradient of that one activation, by the rule of a deconvnet, or another, at each
// ReLU. Max pooling sends it to where the maximum was. The strongest picture comes first.
// Files that cannot be read, and those with an output of NaN, are told to skip.
func (x *Inspector) Project(ctx context.Context, names []string, p Projection, skip func(name string, err error)) (unit int, list []Reconstruction, err error) {
	if err := x.Check(p); err != nil {
		return 0, nil, err
	}
	shape, err := x.mapsOf(p.Layer)
	if err != nil {
		return 0, nil, err
	}
	found, err := x.peaks(ctx, names, p.Layer, shape, skip)
	if err != nil || len(found) == 0 {
		return 0, nil, err
	}
	unit = p.Unit
	if unit < 0 {
		largest := float32(math.Inf(-1))
		for _, f := range found {
			for c, top := range f.tops {
				if top.value > largest {
					unit, largest = c, top.value
				}
			}
		}
	}
	slices.SortStableFunc(found, func(a, b peaks) int { return cmp.Compare(b.tops[unit].value, a.tops[unit].value) })

	n := *x.model.Network
	n.Outputs, n.Metrics = []string{p.Layer}, nil
	fields, err := ReceptiveFields(x.device.Traits(), &n)
	if err != nil {
		return 0, nil, err
	}
	field := fields[len(fields)-1]
	b, err := x.backward(p.Layer, p.Rule)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = cmp.Or(err, b.Close()) }()
	for _, f := range found[:min(p.Most, len(found))] {
		top := f.tops[unit]
		r := Reconstruction{Name: f.name, Activation: top.value, Row: top.at / shape[2], Column: top.at % shape[2]}
		r.Field = field.At(r.Row, r.Column)
		if r.Sample, err = Read(x.model, f.name); err != nil {
			return 0, nil, err
		}
		if err := b.run(r.Sample, b.oneHot(unit*shape[1]*shape[2]+top.at)); err != nil {
			return 0, nil, err
		}
		if r.Pixels, err = b.read(gradientOf(x.image.Name)); err != nil {
			return 0, nil, err
		}
		list = append(list, r)
	}
	return unit, list, nil
}

// peaks are the largest values of the channels of a layer's output for a picture.
type peaks struct {
	name string
	tops []peak
}

// peaks finds those of all pictures.
func (x *Inspector) peaks(ctx context.Context, names []string, layer string, shape []int, skip func(string, error)) (list []peaks, err error) {
	p, err := x.predictor(min(len(names), 32), layer)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, p.Close()) }()
	err = p.Files(ctx, names, func(i int, y predict.Prediction, err error) {
		if err != nil {
			skip(names[i], err)
			return
		}
		of := peaks{name: names[i]}
		for _, m := range channels(y.Features[0], shape) {
			of.tops = append(of.tops, peakOf(m))
		}
		list = append(list, of)
	})
	return list, err
}

// peak is the largest value of a map, the first of equals.
type peak struct {
	value float32
	at    int
}

func peakOf(m Map) peak {
	p := peak{m.Values[0], 0}
	for i, v := range m.Values {
		if v > p.value {
			p = peak{v, i}
		}
	}
	return p
}
