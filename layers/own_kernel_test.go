package layers_test

import (
	_ "embed"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/graph/gradcheck"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/kernels/cuda"
	_ "github.com/hubel-go/hubel/kernels/cuda/simdevice"
	"github.com/hubel-go/hubel/layers"
)

// Square is y = x², as if no kernel of hubel could compute that: it brings its own for
// the CPU, for the reference device and, in PTX, for GPUs and their simulator.
type Square struct{}

//go:embed testdata/square.ptx
var squarePTX string

var (
	squareKernel         = cuda.NewKernel("square", squarePTX)
	squareGradientKernel = cuda.NewKernel("square_gradient", squarePTX)
)

// squareThreads is how many threads a block has: each computes an element.
const squareThreads = 128

func (*Square) Type() string { return "square" }

func (*Square) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	if len(in) != 1 || in[0].DType != device.Float32 {
		return layers.Spec{}, errors.New("square takes one float32 input")
	}
	return layers.Spec{Out: []layers.Input{in[0]}, Backward: layers.NeedInputs}, nil
}

func (*Square) Forward(q device.Queue, c *layers.Call) {
	if x, ok := cpu.Floats(c.In[0]); ok {
		y, _ := cpu.Floats(c.Out[0])
		square(y, x)
	} else if x, ok := reference.Floats(c.In[0]); ok {
		y, _ := reference.Floats(c.Out[0])
		square(y, x)
	} else if l, ok := squareKernel.On(q); ok {
		n := c.In[0].Len()
		l.Tensor(c.Out[0]).Tensor(c.In[0]).Int(n).Run((n+squareThreads-1)/squareThreads, squareThreads)
	} else {
		q.Fail("square", errors.New("there is no kernel for this device"))
	}
}

func (*Square) Backward(q device.Queue, c *layers.Call) {
	if !c.WantsGradient(0) {
		return
	}
	if x, ok := cpu.Floats(c.In[0]); ok {
		dx, _ := cpu.Floats(c.DIn[0])
		dy, _ := cpu.Floats(c.DOut[0])
		squareGradient(dx, x, dy, c.Modes[0])
	} else if x, ok := reference.Floats(c.In[0]); ok {
		dx, _ := reference.Floats(c.DIn[0])
		dy, _ := reference.Floats(c.DOut[0])
		squareGradient(dx, x, dy, c.Modes[0])
	} else if l, ok := squareGradientKernel.On(q); ok {
		n := c.In[0].Len()
		l.Tensor(c.DIn[0]).Tensor(c.In[0]).Tensor(c.DOut[0]).Int(n).Float32(c.Modes[0].Beta()).
			Run((n+squareThreads-1)/squareThreads, squareThreads)
	} else {
		q.Fail("square gradient", errors.New("there is no kernel for this device"))
	}
}

func square[T float32 | float64](y, x []T) {
	for i, v := range x {
		y[i] = v * v
	}
}

func squareGradient[T float32 | float64](dx, x, dy []T, m device.Mode) {
	for i, v := range x {
		g := 2 * v * dy[i]
		if m == device.Accumulate {
			g += dx[i]
		}
		dx[i] = g
	}
}

func TestLayerWithItsOwnKernel(t *testing.T) {
	n := gradcheck.Layer(&Square{}, graph.Input{Name: "x", Shape: []int{5, 3}})
	require.NoError(t, gradcheck.Check(n, gradcheck.Options{}))
	for _, name := range []string{"cpu", "ptxsim"} {
		d, err := device.Open(name, device.Options{})
		require.NoError(t, err)
		require.NoError(t, gradcheck.Compare(n, d, gradcheck.Options{}), name)
		require.NoError(t, d.Close())
	}
}

// On a device it has no kernel for, the error comes out of Sync with the
// layer's name; the first one stays.
func TestLayerWithoutKernelForTheDevice(t *testing.T) {
	q, err := reference.New().NewQueue()
	require.NoError(t, err)
	q.Scope("sq")
	c := &layers.Call{In: []device.Tensor{{}}, Out: []device.Tensor{{}}}
	(&Square{}).Forward(q, c)
	q.Fail("another", errors.New("that comes later"))
	require.EqualError(t, q.Sync(), "sq: square: there is no kernel for this device")
	require.NoError(t, q.Sync())
}
