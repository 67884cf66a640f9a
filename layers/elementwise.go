package layers

import (
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

// Elementwise is what a layer of one element-wise program needs besides its name:
// its plan, and its passes on every device. The program's inputs are those of the
// layer, all whole and of one shape; it has one output. Gradients follow from it. Draws
// are the same in both passes, so that nothing is kept of them.
type Elementwise struct {
	forward   *expr.Program
	gradients []*expr.Program // by input
	needs     Need
}

var overwrite = []device.Mode{device.Overwrite}

// NewElementwise takes the program of the forward pass. Its errors are a programmer's:
// it panics on a program with several outputs, with inputs that are not whole, or with
// a gradient that is too long.
func NewElementwise(p *expr.Program) *Elementwise {
	if p.Outputs() != 1 || len(p.Inputs()) == 0 {
		panic("layers: an element-wise layer has one output, and an input at least")
	}
	e := &Elementwise{forward: p}
	for i, axes := range p.Inputs() {
		if axes != expr.Whole {
			panic("layers: the inputs of an element-wise layer are whole")
		}
		g, err := p.Gradient(i)
		if err != nil {
			panic("layers: " + err.Error())
		}
		for j := range p.Inputs() {
			if g.Uses(j) {
				e.needs = NeedInputs
			}
		}
		e.gradients = append(e.gradients, g)
	}
	return e
}

// Plan is the layer's.
func (e *Elementwise) Plan(in []Input) (Spec, error) {
	want := make([]operand, len(e.gradients))
	for i := range want {
		want[i] = input
	}
	if err := expect(in, want...); err != nil {
		return Spec{}, err
	}
	if err := expectAlike(in); err != nil {
		return Spec{}, err
	}
	return Spec{Out: like(in[0]), Backward: e.needs, InPlace: len(in) == 1, Streams: e.forward.Draws()}, nil
}

// Forward is the layer's.
func (e *Elementwise) Forward(q device.Queue, c *Call) {
	q.Map(e.forward, viewOf(c.Out[0].Shape), c.Out, c.In, overwrite, c.Random)
}

// Backward is the layer's.
func (e *Elementwise) Backward(q device.Queue, c *Call) {
	in := append(c.Args(c.In...), c.DOut[0])
	for i, g := range e.gradients {
		if c.WantsGradient(i) {
			q.Map(g, viewOf(c.DOut[0].Shape), c.DIn[i:i+1], in, c.Modes[i:i+1], c.Random)
		}
	}
}

// viewOf is a tensor as [N,C,Inner]: dimension 0 is the batch, dimension 1 are the
// channels.
func viewOf(s tensor.Shape) device.View {
	v := device.View{N: s[0], C: 1, Inner: 1}
	for i, d := range s[1:] {
		if i == 0 {
			v.C = d
		} else {
			v.Inner *= d
		}
	}
	return v
}
