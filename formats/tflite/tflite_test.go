package tflite

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	gorgonia "gorgonia.org/tensor"

	exact "github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/npy"
	"github.com/hubel-go/hubel/modelfile"
)

// run computes the only output of a model, of samples [N,H,W,C] of its only input, and gives it
// back with the channels last.
func run(t testing.TB, m *formats.Model, x npy.Numbers) npy.Numbers {
	t.Helper()
	d := exact.New()
	w, err := graph.NewWeights(m.Network, d)
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, modelfile.SetWeights(w, m.Weights, "file", nil))
	plan, err := m.Network.Plan(d.Traits(), graph.PlanOptions{Batch: x.Shape[0]})
	require.NoError(t, err)
	e, err := graph.NewExecutor(plan, w)
	require.NoError(t, err)
	defer e.Close()
	in := turned(x, true)
	require.NoError(t, e.Upload(m.Network.Inputs[0].Name, gorgonia.New(gorgonia.WithShape(in.Shape...), gorgonia.WithBacking(in.Values))))
	e.Forward(graph.Pass{})
	require.Len(t, m.Network.Outputs, 1)
	y, err := e.Read(m.Network.Outputs[0])
	require.NoError(t, err)
	return turned(npy.Numbers{Shape: y.Shape(), Values: y.Float32s()}, false)
}

// turned puts the channels of samples first or last.
func turned(x npy.Numbers, first bool) npy.Numbers {
	rank := len(x.Shape)
	if rank < 3 {
		return x
	}
	pixels, channels, shape := x.Shape[1:rank-1], x.Shape[rank-1], []int{x.Shape[0], x.Shape[rank-1]}
	shape = append(shape, pixels...)
	if !first {
		channels, pixels = x.Shape[1], x.Shape[2:]
		shape = append(append([]int{x.Shape[0]}, pixels...), channels)
	}
	n := len(x.Values) / x.Shape[0] / channels
	y := npy.Numbers{Shape: shape, Values: make([]float32, len(x.Values))}
	for s := range x.Shape[0] {
		for p := range n {
			for c := range channels {
				last, front := (s*n+p)*channels+c, (s*channels+c)*n+p
				if first {
					y.Values[front] = x.Values[last]
				} else {
					y.Values[last] = x.Values[front]
				}
			}
		}
	}
	return y
}

// Networks of TensorFlow's converter compute what its interpreter has recorded.
// tools/interop/tflite.py makes them.
func TestWhatTheInterpreterComputes(t *testing.T) {
	for _, name := range []string{"every_layer", "flattened", "twins"} {
		t.Run(name, func(t *testing.T) {
			m, err := Reader.Read(t.Context(), []string{filepath.Join("testdata", name+".tflite")}, formats.Options{})
			require.NoError(t, err)
			require.Empty(t, m.Lost)
			a, err := npy.OpenArchive(filepath.Join("testdata", name+".npz"))
			require.NoError(t, err)
			defer a.Close()
			x, err := a.Read("input")
			require.NoError(t, err)
			want, err := a.Read("output")
			require.NoError(t, err)
			near(t, want, run(t, m, x), 4e-6)
			_, twice := m.Network.Nodes[len(m.Network.Nodes)-1].Share["weight"]
			shares := slices.ContainsFunc(m.Network.Nodes, func(n graph.Node) bool { return n.Share != nil })
			require.Equal(t, name == "twins", shares || twice, "a layer that is called twice shares its weights, and no other does")
		})
	}
}

func near(t testing.TB, want, got npy.Numbers, tolerance float64) {
	t.Helper()
	require.Equal(t, want.Shape, got.Shape)
	largest, worst := 0.0, 0.0
	for i, v := range want.Values {
		largest = max(largest, math.Abs(float64(v)))
		worst = max(worst, math.Abs(float64(v)-float64(got.Values[i])))
	}
	require.Greater(t, largest, 0.0)
	require.LessOrEqual(t, worst, tolerance*largest)
}

// made1 is a model of one operator, of an input and what else it reads.
func made1(operator string, options fields, shape []int, more ...func(m *made) int) []byte {
	m := &made{}
	in := []int{m.input("x", shape...)}
	for _, f := range more {
		if f == nil {
			in = append(in, -1)
			continue
		}
		in = append(in, f(m))
	}
	return m.file(m.add(operator, "y", options, in...))
}

func ofFloats(shape ...int) func(m *made) int {
	return func(m *made) int { return m.floats("c", shape...) }
}
func ofInts(list ...int) func(m *made) int { return func(m *made) int { return m.ints("i", list...) } }

// Each operator computes what a plain loop over [H,W,C] does.
func TestOperators(t *testing.T) {
	image := []int{1, 4, 5, 3}
	at := func(x []float32, h, w, c int) float64 { // of one image
		if h < 0 || h >= 4 || w < 0 || w >= 5 {
			return 0
		}
		return float64(x[(h*5+w)*3+c])
	}
	// pixels computes an image of so many pixels and channels.
	pixels := func(h, w, c int, f func(x []float32, i, j, k int) float64) func(x []float32) npy.Numbers {
		return func(x []float32) npy.Numbers {
			y := npy.Numbers{Shape: []int{1, h, w, c}}
			for n := range h * w * c {
				y.Values = append(y.Values, float32(f(x, n/c/w, n/c%w, n%c)))
			}
			return y
		}
	}
	each := func(f func(x float64, c int) float64) func(x []float32) npy.Numbers {
		return pixels(4, 5, 3, func(x []float32, i, j, k int) float64 { return f(at(x, i, j, k), k) })
	}
	row := func(n int, f func(x []float32, k int) float64) func(x []float32) npy.Numbers {
		return func(x []float32) npy.Numbers {
			y := npy.Numbers{Shape: []int{1, n}}
			for k := range n {
				y.Values = append(y.Values, float32(f(x, k)))
			}
			return y
		}
	}
	weight := func(i int) float64 { return float64(i+1) / 16 }
	hold := func(low, high float64) func(x float64, _ int) float64 {
		return func(x float64, _ int) float64 { return min(max(x, low), high) }
	}
	for name, c := range map[string]struct {
		file []byte
		want func(x []float32) npy.Numbers
	}{
		"CONV_2D, VALID": {made1("CONV_2D", fields{0: byte(1), 1: 2, 2: 1}, image, ofFloats(2, 2, 3, 3), ofFloats(2)),
			pixels(3, 2, 2, func(x []float32, i, j, k int) (y float64) {
				for n := range 18 {
					y += weight(k*18+n) * at(x, i+n/9, 2*j+n/3%3, n%3)
				}
				return y + weight(k)
			})},
		"CONV_2D, SAME, RELU6": {made1("CONV_2D", fields{0: byte(0), 1: 2, 2: 2, 3: byte(3), 4: 1, 5: 1}, image, ofFloats(1, 3, 2, 3)),
			pixels(2, 3, 1, func(x []float32, i, j, _ int) (y float64) {
				for n := range 18 { // the pixel more is at the end: below, and on the right
					y += weight(n) * at(x, 2*i+n/6, 2*j+n/3%2, n%3)
				}
				return min(max(y, 0), 6)
			})},
		"CONV_2D, dilations and groups": {made1("CONV_2D", fields{0: byte(1), 1: 1, 2: 1, 4: 3, 5: 2}, image, ofFloats(3, 2, 2, 1)),
			pixels(2, 2, 3, func(x []float32, i, j, k int) (y float64) {
				for n := range 4 {
					y += weight(k*4+n) * at(x, i+n/2*2, j+n%2*3, k)
				}
				return y
			})},
		"DEPTHWISE_CONV_2D": {made1("DEPTHWISE_CONV_2D", fields{0: byte(0), 1: 1, 2: 1, 3: 2, 4: byte(1)}, image, ofFloats(1, 1, 3, 6), ofFloats(6)),
			pixels(4, 5, 6, func(x []float32, i, j, k int) (y float64) {
				for n := range 3 {
					y += weight(n*6+k) * at(x, i, j+n-1, k/2)
				}
				return max(y+weight(k), 0)
			})},
		"TRANSPOSE_CONV": {made1("TRANSPOSE_CONV", fields{0: byte(1), 1: 2, 2: 2}, image), nil},
		"FULLY_CONNECTED of an image": {made1("FULLY_CONNECTED", nil, image, ofFloats(2, 60), nil),
			row(2, func(x []float32, k int) (y float64) {
				for n, v := range x {
					y += weight(k*60+n) * float64(v)
				}
				return y
			})},
		"FULLY_CONNECTED of pixels": {made1("FULLY_CONNECTED", fields{2: true}, image, ofFloats(2, 3), ofFloats(2)),
			pixels(4, 5, 2, func(x []float32, i, j, k int) (y float64) {
				for n := range 3 {
					y += weight(k*3+n) * at(x, i, j, n)
				}
				return y + weight(k)
			})},
		"MAX_POOL_2D": {made1("MAX_POOL_2D", fields{0: byte(1), 1: 1, 2: 2, 3: 3, 4: 2, 5: byte(1)}, image),
			pixels(2, 3, 3, func(x []float32, i, j, k int) float64 {
				y := 0.0
				for n := range 6 {
					y = max(y, at(x, 2*i+n/3, j+n%3, k))
				}
				return y
			})},
		"AVERAGE_POOL_2D, SAME": {made1("AVERAGE_POOL_2D", fields{0: byte(0), 1: 2, 2: 2, 3: 2, 4: 2}, image),
			pixels(2, 3, 3, func(x []float32, i, j, k int) float64 { // the padding does not count
				if j == 2 {
					return (at(x, 2*i, 4, k) + at(x, 2*i+1, 4, k)) / 2
				}
				return (at(x, 2*i, 2*j, k) + at(x, 2*i+1, 2*j, k) + at(x, 2*i, 2*j+1, k) + at(x, 2*i+1, 2*j+1, k)) / 4
			})},
		"MEAN": {made1("MEAN", nil, image, ofInts(1, -2)),
			row(3, func(x []float32, k int) (y float64) {
				for n := range 20 {
					y += float64(x[n*3+k]) / 20
				}
				return y
			})},
		"REDUCE_MAX, keep_dims": {made1("REDUCE_MAX", fields{0: true}, image, ofInts(2, 1)),
			pixels(1, 1, 3, func(x []float32, _, _, k int) float64 {
				y := math.Inf(-1)
				for n := range 20 {
					y = max(y, float64(x[n*3+k]))
				}
				return y
			})},
		"RESHAPE to a row":           {made1("RESHAPE", nil, image, ofInts(-1, 60)), row(60, func(x []float32, k int) float64 { return float64(x[k]) })},
		"RESHAPE of pixels":          {made1("RESHAPE", fields{0: []int{1, 5, 4, 3}}, image), pixels(5, 4, 3, func(x []float32, i, j, k int) float64 { return float64(x[(i*4+j)*3+k]) })},
		"RESHAPE of channels":        {made1("RESHAPE", nil, image, ofInts(1, 3, 10, -1)), pixels(3, 10, 2, func(x []float32, i, j, k int) float64 { return float64(x[(i*10+j)*2+k]) })},
		"TRANSPOSE":                  {made1("TRANSPOSE", nil, image, ofInts(0, 3, 1, 2)), pixels(3, 4, 5, func(x []float32, i, j, k int) float64 { return at(x, j, k, i) })},
		"PADV2":                      {made1("PADV2", nil, image, ofInts(0, 0, 1, 0, 0, 2, 0, 0), ofFloats(1)), pixels(5, 7, 3, func(x []float32, i, j, k int) float64 { return padded(x, i, j, k, at) })},
		"CONCATENATION of rows":      {made1("CONCATENATION", fields{0: 1, 1: byte(1)}, image, first), pixels(8, 5, 3, func(x []float32, i, j, k int) float64 { return max(at(x, i%4, j, k), 0) })},
		"CONCATENATION of channels":  {made1("CONCATENATION", fields{0: -1}, image, first), pixels(4, 5, 6, func(x []float32, i, j, k int) float64 { return at(x, i, j, k%3) })},
		"RESIZE_NEAREST_NEIGHBOR":    {made1("RESIZE_NEAREST_NEIGHBOR", nil, image, ofInts(8, 15)), pixels(8, 15, 3, func(x []float32, i, j, k int) float64 { return at(x, i/2, j/3, k) })},
		"ADD of channels, RELU":      {made1("ADD", fields{0: byte(1)}, image, ofFloats(3)), each(func(x float64, c int) float64 { return max(x+weight(c), 0) })},
		"SUB of channels":            {made1("SUB", nil, image, ofFloats(1, 1, 1, 3)), each(func(x float64, c int) float64 { return x - weight(c) })},
		"MUL of channels, TANH":      {made1("MUL", fields{0: byte(4)}, image, ofFloats(3)), each(func(x float64, c int) float64 { return math.Tanh(x * weight(c)) })},
		"DIV of channels":            {made1("DIV", nil, image, ofFloats(3)), each(func(x float64, c int) float64 { return x / weight(c) })},
		"DIV of a number":            {made1("DIV", nil, image, ofFloats(1)), each(func(x float64, _ int) float64 { return 16 * x })},
		"MAXIMUM of a number":        {made1("MAXIMUM", nil, image, ofFloats(1)), each(func(x float64, _ int) float64 { return max(x, 1.0/16) })},
		"MINIMUM of itself":          {made1("MINIMUM", nil, image, first), each(func(x float64, _ int) float64 { return x })},
		"SQUARED_DIFFERENCE":         {made1("SQUARED_DIFFERENCE", nil, image, ofFloats(1)), each(func(x float64, _ int) float64 { return (x - 1.0/16) * (x - 1.0/16) })},
		"DIV of itself":              {made1("DIV", nil, image, first), each(func(float64, int) float64 { return 1 })},
		"ADD_N":                      {made1("ADD_N", nil, image, first, first), each(func(x float64, _ int) float64 { return 3 * x })},
		"RELU_N1_TO_1":               {made1("RELU_N1_TO_1", nil, image), each(hold(-1, 1))},
		"RELU_0_TO_1":                {made1("RELU_0_TO_1", nil, image), each(hold(0, 1))},
		"RELU6":                      {made1("RELU6", nil, image), each(hold(0, 6))},
		"LOGISTIC":                   {made1("LOGISTIC", nil, image), each(func(x float64, _ int) float64 { return 1 / (1 + math.Exp(-x)) })},
		"HARD_SWISH":                 {made1("HARD_SWISH", nil, image), each(func(x float64, _ int) float64 { return x * min(max(x+3, 0), 6) / 6 })},
		"LEAKY_RELU":                 {made1("LEAKY_RELU", fields{0: float32(0.25)}, image), each(func(x float64, _ int) float64 { return max(x, 0.25*x) })},
		"LEAKY_RELU of a steep side": {made1("LEAKY_RELU", fields{0: float32(2)}, image), each(func(x float64, _ int) float64 { return min(x, 2*x) })},
		"ELU":                        {made1("ELU", nil, image), each(func(x float64, _ int) float64 { return max(x, math.Exp(min(x, 0))-1) })},
		"PRELU":                      {made1("PRELU", nil, image, ofFloats(1, 1, 3)), each(func(x float64, c int) float64 { return max(x, 0) + weight(c)*min(x, 0) })},
		"EXP":                        {made1("EXP", nil, image), each(func(x float64, _ int) float64 { return math.Exp(x) })},
		"ABS":                        {made1("ABS", nil, image), each(func(x float64, _ int) float64 { return math.Abs(x) })},
		"NEG":                        {made1("NEG", nil, image), each(func(x float64, _ int) float64 { return -x })},
		"SQUARE":                     {made1("SQUARE", nil, image), each(func(x float64, _ int) float64 { return x * x })},
		"SOFTMAX": {made1("SOFTMAX", fields{0: float32(2)}, image), pixels(4, 5, 3, func(x []float32, i, j, k int) float64 {
			sum := 0.0
			for c := range 3 {
				sum += math.Exp(2 * at(x, i, j, c))
			}
			return math.Exp(2*at(x, i, j, k)) / sum
		})},
	} {
		if name == "TRANSPOSE_CONV" {
			m := &made{}
			x, shape, w := m.input("x", image...), m.ints("shape", 1, 9, 11, 2), m.floats("w", 2, 3, 2, 3)
			c.file = m.file(m.add("TRANSPOSE_CONV", "y", fields{0: byte(1), 1: 2, 2: 2}, shape, w, x))
			c.want = pixels(9, 11, 2, func(x []float32, i, j, k int) (y float64) {
				for n := range 18 {
					r, s, ch := n/6, n/3%2, n%3
					if (i-r)%2 == 0 && (j-s)%2 == 0 {
						y += weight(k*18+n) * at(x, (i-r)/2, (j-s)/2, ch)
					}
				}
				return y
			})
		}
		t.Run(name, func(t *testing.T) {
			m, err := convert(t.Context(), c.file, formats.Options{})
			require.NoError(t, err)
			require.Empty(t, m.Lost)
			x := npy.Numbers{Shape: image}
			for i := range 60 {
				x.Values = append(x.Values, float32(math.Sin(float64(7*i+1)))*1.5)
			}
			near(t, c.want(slices.Clone(x.Values)), run(t, m, x), 1e-6)
		})
	}
}

// first is the input of the model once more.
func first(*made) int { return 0 }

// padded is an image with a row above and two columns on the right, of 1/16.
func padded(x []float32, i, j, k int, at func(x []float32, h, w, c int) float64) float64 {
	if i == 0 || j > 4 {
		return 1.0 / 16
	}
	return at(x, i-1, j, k)
}

// Shapes may be computed, of the batch that the file has, and weights may be of float16.
func TestWhatIsComputedOfConstants(t *testing.T) {
	m := &made{}
	x := m.input("x", 1, 2, 3, 2)
	shape := m.add("SHAPE", "shape", nil, x)
	n := m.add("STRIDED_SLICE", "n", fields{4: 1}, shape, m.ints("from", 0), m.ints("to", 1), m.ints("by", 1))
	y := m.add("RESHAPE", "row", nil, x, m.add("PACK", "to", fields{0: 2}, n, m.ints("twelve", 12)))
	half := m.tensor("half", float16Type, slices.Concat(slices.Repeat([]byte{0, 0x3c}, 12), slices.Repeat([]byte{0, 0xc0}, 12)), 2, 12)
	file := m.file(m.add("FULLY_CONNECTED", "y;and;more", nil, y, m.add("DEQUANTIZE", "w", nil, half), -1))
	model, err := convert(t.Context(), file, formats.Options{})
	require.NoError(t, err)
	require.Equal(t, "y", model.Network.Outputs[0])
	require.Equal(t, "y", model.Values["y;and;more"])
	got := run(t, model, npy.Numbers{Shape: []int{1, 2, 3, 2}, Values: ramp(12)})
	near(t, npy.Numbers{Shape: []int{1, 2}, Values: []float32{78.0 / 16, -156.0 / 16}}, got, 1e-6)
	require.Contains(t, model.Facts, "description: made by a test")
	require.Contains(t, model.Facts, "operators: 6")
}

// TensorFlow writes convolutions with dilations in three operators.
func TestBlocks(t *testing.T) {
	x := npy.Numbers{Shape: []int{1, 5, 6, 2}, Values: ramp(60)}
	for i := range x.Values {
		x.Values[i] = float32(math.Cos(float64(3 * i)))
	}
	m := &made{}
	in, w := m.input("x", 1, 5, 6, 2), m.floats("w", 3, 3, 3, 2)
	plain, err := convert(t.Context(), m.file(m.add("CONV_2D", "y", fields{0: byte(0), 1: 1, 2: 1, 3: byte(1), 4: 2, 5: 2}, in, w)), formats.Options{})
	require.NoError(t, err)

	m = &made{}
	in, w = m.input("x", 1, 5, 6, 2), m.floats("w", 3, 3, 3, 2)
	block := m.ints("block", 2, 2)
	pads, crops := m.tensor("pads", int32Type, intBytes(2, 3, 2, 2), 2, 2), m.tensor("crops", int32Type, intBytes(0, 1, 0, 0), 2, 2)
	y := m.add("SPACE_TO_BATCH_ND", "blocks", nil, in, block, pads)
	y = m.add("CONV_2D", "conv", fields{0: byte(1), 1: 1, 2: 1, 3: byte(1)}, y, w)
	y = m.add("BATCH_TO_SPACE_ND", "y", nil, y, block, crops)
	apart, err := convert(t.Context(), m.file(y), formats.Options{})
	require.NoError(t, err)
	near(t, run(t, plain, x), run(t, apart, x), 1e-6)

	m.operators[2][1] = []int{m.inputs[0], block, crops}
	_, err = convert(t.Context(), m.file(y), formats.Options{})
	require.ErrorContains(t, err, "its input is no convolution of an image in the same blocks")
	y = m.add("RELU", "r", nil, 6)
	_, err = convert(t.Context(), m.file(y), formats.Options{})
	require.Error(t, err)
	m.operators = m.operators[:1]
	y = m.add("RELU", "r2", nil, int(m.operators[0][2].([]int)[0]))
	_, err = convert(t.Context(), m.file(y), formats.Options{})
	require.ErrorContains(t, err, "its input is in blocks, of SPACE_TO_BATCH_ND")
}

// Operators of several inputs, and SHAPE, do not take an image in blocks for the image.
func TestBlocksAreNoImage(t *testing.T) {
	for _, op := range []string{"ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "ADD_N", "CONCATENATION", "SHAPE"} {
		m := &made{}
		in := m.input("x", 1, 4, 4, 2)
		block, pads := m.ints("block", 2, 2), m.tensor("pads", int32Type, make([]byte, 16), 2, 2)
		a, b := m.add("SPACE_TO_BATCH_ND", "a", nil, in, block, pads), m.add("SPACE_TO_BATCH_ND", "b", nil, in, block, pads)
		y := m.add(op, "y", nil, a, b)
		if op == "SHAPE" {
			m.operators[2][1] = []int{a}
			y = m.add("RESHAPE", "r", nil, in, y)
		}
		_, err := convert(t.Context(), m.file(y), formats.Options{})
		require.ErrorContains(t, err, errBlocks.Error(), op)
	}
}

// A buffer that two operators read is one tensor of the network. One of zeros may only be alike.
func TestSharedBuffers(t *testing.T) {
	m := &made{}
	x, w := m.input("x", 1, 4, 4, 2), m.floats("w", 2, 3, 3, 2)
	zeros := m.tensor("b", float32Type, make([]byte, 8), 2)
	options := fields{1: 1, 2: 1}
	y := m.add("CONV_2D", "a", options, x, w, zeros)
	y = m.add("CONV_2D", "b", options, y, w, zeros)
	y = m.add("CONV_2D", "c", options, y, m.floats("v", 2, 3, 3, 2), zeros)
	model, err := convert(t.Context(), m.file(y), formats.Options{})
	require.NoError(t, err)
	require.Nil(t, model.Network.Nodes[0].Share)
	require.Equal(t, map[string]string{"weight": "a.weight", "bias": "a.bias"}, model.Network.Nodes[1].Share)
	require.Nil(t, model.Network.Nodes[2].Share, "another buffer of the same numbers")
	require.Len(t, model.Weights, 4)
}

func TestOpenSizesAndOrder(t *testing.T) {
	m := &made{}
	x := m.input("x", 1, 1, 1, 3)
	m.tensors[x][7] = []int{-1, -1, -1, 3}
	file := m.file(m.add("RELU", "y", nil, x))
	_, err := convert(t.Context(), file, formats.Options{})
	require.EqualError(t, err, `input "x": it leaves sizes open, [-1 -1 -1 3]: -input CxHxW says what they are`)
	model, err := convert(t.Context(), file, formats.Options{Input: []int{3, 6, 5}, Order: "bgr"})
	require.NoError(t, err)
	require.Equal(t, []int{3, 6, 5}, model.Network.Inputs[0].Shape)
	require.Len(t, model.Preprocess.Whiten, 9)
	_, err = convert(t.Context(), file, formats.Options{Input: []int{4, 6, 5}})
	require.ErrorContains(t, err, "-input has the shape [4 6 5]")
	path := filepath.Join(t.TempDir(), "net.tflite")
	require.NoError(t, os.WriteFile(path, file, 0o666))
	_, err = Reader.Read(t.Context(), []string{path}, formats.Options{Order: "gbr"})
	require.ErrorContains(t, err, `"gbr" is neither rgb nor bgr`)
	_, err = Reader.Read(t.Context(), []string{path, path}, formats.Options{})
	require.ErrorContains(t, err, "a network of TFLite is one file")
	_, err = Reader.Read(t.Context(), []string{path}, formats.Options{Network: model.Network})
	require.ErrorContains(t, err, "leave out -net and -model")
	require.True(t, strings.HasPrefix(string(file[4:]), "TFL3"))
	require.True(t, Reader.Is(file, ""))
}
