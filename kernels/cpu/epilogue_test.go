package cpu

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
	"github.com/hubel-go/hubel/layers"
)

// epilogueNet has a convolution of each algorithm, and a dense layer, with maps in their
// epilogues.
func epilogueNet() *graph.Network {
	n := &graph.Network{Name: "epilogues"}
	conv := func(name string, filters, kernel, stride, groups int, x string) string {
		return n.Add(name, &layers.Conv{Filters: filters, Kernel: layers.Square(kernel), Stride: layers.Square(stride), Pad: layers.Around(kernel / 2), Groups: groups}, x)
	}
	relu6 := func(x string) string { return n.Add(x+"_relu6", &layers.Activation{Function: "relu6"}, x) }
	a := relu6(conv("direct", 16, 3, 2, 1, n.Image("data", 3, 41, 38)))
	b := n.Add("silu", &layers.Activation{Function: "silu"}, conv("depthwise", 16, 3, 1, 16, a))
	c := n.Add("sum", &layers.Add{}, a, conv("pointwise", 16, 1, 1, 1, b))
	d := relu6(conv("winograd", 32, 3, 1, 1, c))
	e := n.Add("relu", &layers.Unary{Op: device.ReLU}, n.Add("residual", &layers.Add{}, conv("winograd2", 32, 3, 1, 1, d), d))
	f := relu6(conv("strided", 20, 5, 2, 1, e))
	n.Outputs = []string{relu6(n.Add("dense", &layers.Dense{Out: 10}, f))}
	return n
}

// A network with maps in its epilogues gives the bits of one whose layers run one by one, on
// each path and for any number of workers.
func TestEpiloguesInANetwork(t *testing.T) {
	for _, tile := range gemm.Tiles() {
		var want []float32
		for _, threads := range []int{1, 2, 5} {
			d, err := Open(device.Options{Threads: threads, CPUPath: tile.Name})
			require.NoError(t, err)
			w, err := graph.NewWeights(epilogueNet(), d)
			require.NoError(t, err)
			require.NoError(t, w.Fill(7))
			for _, alone := range []bool{true, false} {
				p, err := w.Network().Plan(d.Traits(), graph.PlanOptions{Batch: 3, Unshared: alone})
				require.NoError(t, err)
				maps := 0
				for _, s := range p.Steps {
					maps += len(s.Maps)
				}
				require.Equal(t, map[bool]int{true: 0, false: 8}[alone], maps)
				e, err := graph.NewExecutor(p, w)
				require.NoError(t, err)
				x := make([]float32, 3*3*41*38)
				for i := range x {
					x[i] = float32(math.Sin(float64(i * i)))
				}
				require.NoError(t, e.Upload("data", tensor.New(tensor.WithShape(3, 3, 41, 38), tensor.WithBacking(x))))
				e.Forward(graph.Pass{})
				y, err := e.Read(w.Network().Outputs[0])
				require.NoError(t, err)
				got := slices.Clone(y.Float32s())
				require.NotZero(t, slices.Max(got))
				if want == nil {
					want = got
				}
				require.Equal(t, want, got, "%s, %d threads, alone %v", tile.Name, threads, alone)
				require.NoError(t, e.Close())
			}
			require.NoError(t, w.Close())
			require.NoError(t, d.Close())
		}
	}
}

// What a map may not be is an error of the call, and nothing runs after it.
func TestEpilogueErrors(t *testing.T) {
	d, err := New(1)
	require.NoError(t, err)
	defer d.Close()
	q, err := d.NewQueue()
	require.NoError(t, err)
	c := conv(1, 2, 4, 2, 1, 1, 0, 1)
	y, x, w := ones(t, d, 1, 2, 4, 4), ones(t, d, 1, 2, 4, 4), ones(t, d, 2, 2, 1, 1)
	q.ConvForward(c, y, x, device.Filter{Tensor: w}, device.Epilogue{Maps: []device.EpilogueMap{{Program: shapeSum, In: []device.Tensor{y, w}}}}, nil)
	require.ErrorContains(t, q.Sync(), "epilogue: input 1 is 4 elements of float32, but [N,C,Inner] of [1,1,32] are 32 of float32")
	product := ones(t, d, 1, 2)
	q.DenseForward(device.Dense{N: 1, In: 2, Out: 2}, product, x, w, device.Epilogue{Maps: []device.EpilogueMap{{Program: shapeSiLU, In: []device.Tensor{product}}, {}}}, nil)
	require.EqualError(t, q.Sync(), "epilogue: there is no program")
	require.Equal(t, make([]evaluation, 1), q.(*queue).epilogue, "the map before holds no tensor")
	for _, m := range q.(*queue).finishing {
		require.Equal(t, evaluation{}, m.update)
	}
}

// Once a call has returned, nothing of its epilogue holds its tensors.
func TestEpiloguesForget(t *testing.T) {
	d, err := New(2)
	require.NoError(t, err)
	defer d.Close()
	q, err := d.NewQueue()
	require.NoError(t, err)
	for _, c := range []device.Conv{conv(3, 4, 20, 4, 3, 1, 1, 1), conv(3, 4, 20, 4, 3, 1, 1, 4), conv(3, 16, 20, 16, 3, 1, 1, 1)} {
		y, x, w, other := ones(t, d, c.YShape()...), ones(t, d, c.XShape()...), ones(t, d, c.WShape()...), ones(t, d, c.YShape()...)
		needs := d.Traits().Needs(c.Of(device.Forward))
		f := device.Filter{Tensor: w, Packed: ones(t, d, int(needs.Packed/4)+1).Buffer}
		q.ConvPack(c, device.Forward, f.Packed, w)
		maps := []device.EpilogueMap{{Program: shapeSum, In: []device.Tensor{y, other}}, {Program: shapeSiLU, In: []device.Tensor{y}}}
		q.ConvForward(c, y, x, f, device.Epilogue{Maps: maps}, ones(t, d, int(needs.Scratch/4)+1).Buffer)
		require.NoError(t, q.Sync())
		own := q.(*queue)
		require.Len(t, own.finishing, 4)
		for _, m := range own.finishing {
			require.Equal(t, evaluation{}, m.update)
			for _, code := range m.code {
				for _, i := range code {
					require.Zero(t, i)
				}
			}
		}
		require.Equal(t, make([]evaluation, 2), own.epilogue)
		require.Zero(t, own.after)
	}
}
