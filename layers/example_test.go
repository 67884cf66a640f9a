package layers_test

import (
	"errors"
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/graph/gradcheck"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
)

// CReLU is the concatenated ReLU of Shang et al. 2016: from an image of C
// channels it makes 2C, relu(x) and then relu(-x).
type CReLU struct{}

func init() { layers.Register(func() layers.Layer { return &CReLU{} }) }

// The programs: both halves of x, and of the gradient what comes from each, of the half
// and its gradient.
var (
	creluHalves = func() *expr.Program {
		x, zero := expr.Input(0, expr.Whole), expr.Const(0)
		return expr.MustNew(expr.Max(x, zero), expr.Max(expr.Neg(x), zero))
	}()

	overwrite, accumulate = []device.Mode{device.Overwrite, device.Overwrite}, []device.Mode{device.Accumulate}

	creluPositive = expr.MustNew(creluGradient)
	creluNegative = expr.MustNew(expr.Neg(creluGradient))
	creluGradient = expr.Select(expr.Less(expr.Const(0), expr.Input(0, expr.Whole)), expr.Input(1, expr.Whole), expr.Const(0))
)

// Type is "crelu".
func (*CReLU) Type() string { return "crelu" }

// Plan makes one output. Forward keeps both halves, which is all that backward
// reads; backward also needs room for one half's gradient.
func (*CReLU) Plan(_ device.Traits, in []layers.Input, o layers.Options) (layers.Spec, error) {
	if len(in) != 1 || len(in[0].Shape) != 4 || in[0].DType != device.Float32 {
		return layers.Spec{}, errors.New("crelu takes one image, [N,C,H,W]")
	}
	out := layers.Input{Shape: in[0].Shape.Clone(), DType: device.Float32}
	out.Shape[1] *= 2
	if err := device.CheckShape(out.Shape); err != nil {
		return layers.Spec{}, err
	}
	return layers.Spec{
		Out: []layers.Input{out},
		Saved: []layers.Slot{ // inference needs them too: forward joins them
			{Name: "positive", Shape: in[0].Shape, Batched: true},
			{Name: "negative", Shape: in[0].Shape, Batched: true},
		},
		Temporary: []layers.Slot{{Name: "half", Shape: in[0].Shape, Batched: true}},
	}, nil
}

// Forward is out = [relu(x), relu(-x)].
func (*CReLU) Forward(q device.Queue, c *layers.Call) {
	q.Map(creluHalves, view(c), c.Saved, c.In, overwrite, device.Random{})
	first, second := halves(c)
	q.CopyStrided(first, c.Out[0], c.Saved[0], device.Overwrite)
	q.CopyStrided(second, c.Out[0], c.Saved[1], device.Overwrite)
}

// Backward is dx = d(first half) where x > 0, minus d(second half) where x < 0.
func (*CReLU) Backward(q device.Queue, c *layers.Call) {
	if !c.WantsGradient(0) {
		return
	}
	d := c.Temporary[0]
	first, second := halves(c)
	q.CopyStrided(first.Reversed(), d, c.DOut[0], device.Overwrite)
	q.Map(creluPositive, view(c), c.DIn, c.Args(c.Saved[0], d), c.Modes, device.Random{})
	q.CopyStrided(second.Reversed(), d, c.DOut[0], device.Overwrite)
	q.Map(creluNegative, view(c), c.DIn, c.Args(c.Saved[1], d), accumulate, device.Random{})
}

// view is x as samples, channels and pixels.
func view(c *layers.Call) device.View {
	x := c.In[0].Shape
	return device.View{N: x[0], C: x[1], Inner: x[2] * x[3]}
}

// halves are the copies of x to each half of the output's samples.
func halves(c *layers.Call) (first, second device.Strided) {
	n := c.Samples()
	half := c.In[0].Len() / n
	first.Axes = [device.MaxAxes]device.Axis{{Len: n, Dst: 2 * half, Src: half}, {Len: half, Dst: 1, Src: 1}}
	second = first
	second.Dst = half
	return first, second
}

// A layer of your own: its gradient agrees with central differences, and the
// CPU with the float64 reference.
func Example_ownLayer() {
	n := gradcheck.Layer(&CReLU{}, graph.Input{Name: "x", Shape: []int{3, 5, 5}})
	fmt.Println("differences:", gradcheck.Check(n, gradcheck.Options{}))

	d, err := cpu.New(2)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	fmt.Println("cpu:", gradcheck.Compare(n, d, gradcheck.Options{}))

	// Output:
	// differences: <nil>
	// cpu: <nil>
}
