package layers

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

// Elementwise is embedded by layers that are one element-wise program. It has
// their Forward and Backward for every device. Their Plan calls
// PlanElementwise.
type Elementwise struct{}

var overwrite = []device.Mode{device.Overwrite}

// PlanElementwise is the Spec of a layer that runs a program with one output.
// The layer's inputs, of the given number and all of one shape, are the inputs
// of the program. The gradients are derived from the program. Both passes draw
// the same random numbers, so no draws are saved. A program with several outputs,
// inputs that are not whole or not of float32, more inputs than the layer, or a
// gradient that is too long is an error.
func PlanElementwise(p *expr.Program, inputs int, in []Input) (Spec, error) {
	want := make([]operand, inputs)
	for i := range want {
		want[i] = input
	}
	if err := expect(in, want...); err != nil {
		return Spec{}, err
	}
	if err := expectAlike(in); err != nil {
		return Spec{}, err
	}
	if p.Outputs() != 1 {
		return Spec{}, fmt.Errorf("the program %v has %d outputs; that of an element-wise layer has 1", p, p.Outputs())
	}
	for i, axes := range p.Inputs() {
		switch {
		case !p.Uses(i):
		case i >= inputs:
			return Spec{}, fmt.Errorf("the program %v reads input %d, but the layer has %d: inputs count from 0", p, i, inputs)
		case axes != expr.Whole || p.Integer(i):
			return Spec{}, fmt.Errorf("the program %v reads input %d with the axes %v; those of an element-wise layer are expr.Whole, of float32", p, i, axes)
		}
	}
	s := Spec{Out: like(in[0]), InPlace: len(in) == 1, Streams: p.Draws(), Elementwise: device.InEpilogue(p), Programs: []*expr.Program{p}}
	for i := range in {
		g := nothing
		if p.Uses(i) {
			var err error
			if g, err = p.Gradient(i); err != nil {
				return Spec{}, fmt.Errorf("the program %v: %w", p, err)
			}
		}
		for j := range p.Inputs() {
			if g.Uses(j) {
				s.Backward = NeedInputs
			}
		}
		s.Programs = append(s.Programs, g)
	}
	return s, nil
}

// nothing is the gradient of an input that a program does not read.
var nothing = expr.MustNew(expr.Const(0))

// Forward enqueues the program.
func (Elementwise) Forward(q device.Queue, c *Call) { run(q, c, c.Programs[0], c.Out, c.In, overwrite) }

// Backward enqueues the gradient of each input that needs one.
func (Elementwise) Backward(q device.Queue, c *Call) {
	in := append(c.Args(c.In[:len(c.Programs[0].Inputs())]...), c.DOut[0])
	for i := range c.In {
		if c.WantsGradient(i) {
			run(q, c, c.Programs[1+i], c.DIn[i:i+1], in, c.Modes[i:i+1])
		}
	}
}

// run enqueues a program of one output. Where that is an input as it stands, it is a
// copy, which in place is nothing.
func run(q device.Queue, c *Call, p *expr.Program, out, in []device.Tensor, modes []device.Mode) {
	if i, ok := p.Identity(); ok && modes[0] == device.Overwrite {
		q.Copy(out[0], in[i])
		return
	}
	q.Map(p, viewOf(out[0].Shape), out, in, modes, c.Random)
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
