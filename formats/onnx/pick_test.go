package onnx

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/formats"
)

// single is a model of nodes that read x, [N] and a shape, and make y.
func single(opset int64, shape []int, initializers []tensorProto, nodes ...nodeProto) (*formats.Model, error) {
	in := valueProto{name: "x", kind: typeFloat, shape: true, dims: []dimProto{{name: "N"}}}
	for _, d := range shape {
		in.dims = append(in.dims, dimProto{value: int64(d)})
	}
	return parse(encodeModel(&modelProto{irVersion: 8, opsets: []opsetProto{{version: opset}}, graph: &graphProto{
		name: "one", nodes: nodes, initializers: initializers,
		inputs: []valueProto{in}, outputs: []valueProto{{name: "y", kind: typeFloat}},
	}}), "")
}

// computed runs such a model on random numbers.
func computed(t *testing.T, m *formats.Model, samples int) (x, y array) {
	inputs := randomInputs(m.Network, samples)
	got, err := runOnCPU(m, inputs)
	require.NoError(t, err)
	return inputs[m.Network.Inputs[0].Name], got[m.Network.Outputs[0]]
}

// types are those of the layers.
func types(m *formats.Model) (list []string) {
	for _, n := range m.Network.Nodes {
		list = append(list, n.Layer.Type())
	}
	return list
}

// along takes places of an axis, in the plain way.
func along(x array, axis int, places []int) (y []float32) {
	before, length, behind := product(x.shape[:axis]), x.shape[axis], product(x.shape[axis+1:])
	for b := range before {
		for _, p := range places {
			y = append(y, x.values[(b*length+p)*behind:(b*length+p+1)*behind]...)
		}
	}
	return y
}

func TestGatherIsWhatLayersHave(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)).Perm(60)
	reversed := upTo(50)
	slices.Reverse(reversed)
	for name, c := range map[string]struct {
		length int
		places []int
		axis   int
		types  []string
	}{
		"slice":             {9, []int{1, 4, 7}, 2, []string{"slice"}},
		"all":               {4, []int{0, 1, 2, 3}, 2, []string{"reshape"}}, // an output is no input
		"shuffle":           {6, []int{0, 3, 1, 4, 2, 5}, 1, []string{"channel-shuffle"}},
		"shuffle of three":  {6, []int{0, 2, 4, 1, 3, 5}, 1, []string{"channel-shuffle"}},
		"almost a shuffle":  {6, []int{0, 3, 1, 4, 5, 2}, 1, []string{"slice", "slice", "slice", "slice", "concat"}},
		"shuffle of a row":  {6, []int{0, 3, 1, 4, 2, 5}, 3, []string{"reshape", "permute", "reshape", "slice", "slice", "slice", "concat", "reshape", "permute", "reshape"}},
		"repeated":          {3, []int{0, 0, 1, 1, 2, 2}, 3, []string{"reshape", "upsample", "reshape"}},
		"repeated in part":  {5, []int{1, 1, 3, 3}, 1, []string{"slice", "reshape", "upsample", "reshape"}},
		"repeated unevenly": {4, []int{0, 0, 1, 2, 2}, 1, []string{"slice", "slice", "slice", "concat"}},
		"reversed":          {50, reversed, 1, []string{"reshape", "conv", "reshape"}},
		"random":            {60, random, 1, []string{"reshape", "conv", "reshape"}},
	} {
		shape := []int{3, 2, 2}
		shape[c.axis-1] = c.length
		indices := make([]int64, len(c.places))
		for i, p := range c.places {
			indices[i] = int64(p)
		}
		m, err := single(13, shape, []tensorProto{intTensor("at", indices...)},
			nodeProto{op: "Gather", in: []string{"x", "at"}, out: []string{"y"}, attributes: []attributeProto{whole("axis", c.axis)}})
		require.NoError(t, err, name)
		require.Equal(t, c.types, types(m), name)
		x, y := computed(t, m, 2)
		require.Equal(t, along(x, c.axis, c.places), y.values, name)
	}
}

func TestMatricesAreBounded(t *testing.T) {
	_, err := single(13, []int{1, 3000, 3000}, []tensorProto{intTensor("to", 1, 1, 4001, 4001)},
		nodeProto{op: "Resize", in: []string{"x", "", "", "to"}, out: []string{"y"}, attributes: []attributeProto{word("mode", "linear"), word("coordinate_transformation_mode", "align_corners")}})
	require.ErrorContains(t, err, "it takes a fixed matrix of 4001 x 3000, and the constants of a file of this size may grow by")
}

func TestResizeIsUpsampleWhereThatIsExact(t *testing.T) {
	resized := func(shape []int, scales []float32, attributes ...attributeProto) *formats.Model {
		m, err := single(13, shape, []tensorProto{floatTensor("scales", []int{len(scales)}, scales)},
			nodeProto{op: "Resize", in: []string{"x", "", "scales"}, out: []string{"y"}, attributes: attributes})
		require.NoError(t, err)
		return m
	}
	nearest, floor := []attributeProto{word("mode", "nearest")}, []attributeProto{word("mode", "nearest"), word("coordinate_transformation_mode", "asymmetric"), word("nearest_mode", "floor")}
	linear := []attributeProto{word("mode", "linear")}
	for _, c := range []struct {
		shape      []int
		scales     []float32
		attributes []attributeProto
		types      []string
		axis       int
		places     []int // nil for linear
	}{
		{[]int{2, 3, 2}, []float32{1, 1, 2, 3}, nearest, []string{"upsample"}, 0, nil},
		{[]int{2, 3}, []float32{1, 1, 2}, floor, []string{"reshape", "upsample", "reshape"}, 2, []int{0, 0, 1, 1, 2, 2}},
		{[]int{2, 8, 3}, []float32{1, 1, 0.5, 1}, floor, []string{"slice"}, 2, []int{0, 2, 4, 6}},
		{[]int{4, 3}, []float32{1, 1.5, 1}, floor, []string{"slice", "slice", "slice", "concat"}, 1, []int{0, 0, 1, 2, 2, 3}},
		{[]int{2, 4}, []float32{1, 1, 3}, linear, []string{"reshape", "upsample", "reshape"}, 0, nil},
		{[]int{1, 2, 3, 2}, []float32{1, 1, 2, 1, 2}, linear, []string{"reshape", "upsample", "reshape", "upsample", "reshape"}, 0, nil},
	} {
		m := resized(c.shape, c.scales, c.attributes...)
		require.Equal(t, c.types, types(m), "%v %v", c.shape, c.scales)
		x, y := computed(t, m, 2)
		if c.places != nil {
			require.Equal(t, along(x, c.axis, c.places), y.values, "%v %v", c.shape, c.scales)
			continue
		}
		if c.attributes[0].s[0] == 'n' {
			continue // node cases have it
		}
		want := x
		for axis := 1; axis < len(x.shape); axis++ { // the plain way: the factors of each output
			r := resampling{mode: "linear", coordinates: "half_pixel"}
			length := x.shape[axis] * int(c.scales[axis])
			matrix, err := r.matrix(x.shape[axis], length, float64(c.scales[axis]), 0, 1)
			require.NoError(t, err)
			want = product1(want, axis, length, matrix)
		}
		require.InDeltaSlice(t, want.values, y.values, 1e-5, "%v %v", c.shape, c.scales)
	}
}

// product1 multiplies along an axis by a matrix.
func product1(x array, axis, rows int, matrix []float32) array {
	before, length, behind := product(x.shape[:axis]), x.shape[axis], product(x.shape[axis+1:])
	y := array{shape: with(x.shape, axis, rows)}
	for b := range before {
		for r := range rows {
			for i := range behind {
				sum := float32(0)
				for k := range length {
					sum += matrix[r*length+k] * x.values[(b*length+k)*behind+i]
				}
				y.values = append(y.values, sum)
			}
		}
	}
	return y
}

func TestIntegersWrapAsTheirTypesDo(t *testing.T) {
	for _, c := range []struct {
		from *constant
		to   dataType
		want []int64
	}{
		{integersOf(300, -1, 128, 1<<40+5), typeUint8, []int64{44, 255, 128, 5}},
		{integersOf(300, -1, 128, -129), typeInt8, []int64{44, -1, -128, 127}},
		{integersOf(1<<31, -1<<31-1), typeInt32, []int64{-1 << 31, 1<<31 - 1}},
		{integersOf(-1, 1<<32+7), typeUint32, []int64{1<<32 - 1, 7}},
		{integersOf(0, 2, -3), typeBool, []int64{0, 1, 1}},
		{&constant{kind: typeFloat, shape: []int{5}, floats: []float32{2.9, -2.9, 300, float32(math.NaN()), float32(math.Inf(-1))}}, typeInt8, []int64{2, -2, 44, 0, -128}},
		{&constant{kind: typeFloat, shape: []int{3}, floats: []float32{1e30, 1 << 63, -1}}, typeUint64, []int64{-1, math.MinInt64, -1}},
		{&constant{kind: typeFloat, shape: []int{2}, floats: []float32{1e30, -1e30}}, typeInt64, []int64{math.MaxInt64, math.MinInt64}},
	} {
		require.Equal(t, c.want, castTo(c.from, c.to).ints, "%v", c.to)
	}
	require.Equal(t, []float32{18446744073709551615}, castTo(&constant{kind: typeUint64, shape: []int{1}, ints: []int64{-1}}, typeFloat).floats)
	require.EqualValues(t, 1<<62, integer("Pow", false, typeInt64, 2, 62))
	require.EqualValues(t, 0, integer("Pow", false, typeInt64, 2, -1))
	require.EqualValues(t, -1, integer("Pow", false, typeInt64, -1, -3))
	require.EqualValues(t, -128, integer("Add", false, typeInt8, 127, 1))
	require.EqualValues(t, -2, integer("Max", false, typeUint64, -2, 5), "the bits of 2^64-2")
}

// Operators of before opset 7 say from which axis on the second tensor has axes.
func TestLegacyAxes(t *testing.T) {
	pool := nodeProto{op: "GlobalAveragePool", in: []string{"x"}, out: []string{"p"}}
	flat := nodeProto{op: "Flatten", in: []string{"p"}, out: []string{"f"}}
	m, err := single(6, []int{3, 2, 4}, nil, pool, flat,
		nodeProto{op: "Mul", in: []string{"x", "f"}, out: []string{"y"}, attributes: []attributeProto{whole("broadcast", 1), whole("axis", 0)}})
	require.NoError(t, err)
	x, y := computed(t, m, 2)
	for i, v := range y.values {
		mean := float32(0)
		for k := range 8 {
			mean += x.values[i/8*8+k] / 8
		}
		require.InDelta(t, x.values[i]*mean, v, 1e-5)
	}
	_, err = single(6, []int{3, 2, 4}, nil, pool, flat,
		nodeProto{op: "Mul", in: []string{"x", "f"}, out: []string{"y"}, attributes: []attributeProto{whole("broadcast", 1), whole("axis", 3)}})
	require.ErrorContains(t, err, "axis 3 and [N,3] do not fit [N,3,2,4]")

	// Of constants: [2] along axis 0 of [2,3].
	m, err = single(6, []int{2, 3}, []tensorProto{floatTensor("a", []int{2, 3}, counted(6)), floatTensor("b", []int{2}, []float32{10, 20})},
		nodeProto{op: "Add", in: []string{"a", "b"}, out: []string{"c"}, attributes: []attributeProto{whole("broadcast", 1), whole("axis", 0)}},
		nodeProto{op: "Add", in: []string{"x", "c"}, out: []string{"y"}, attributes: []attributeProto{whole("broadcast", 1)}})
	require.NoError(t, err)
	x, y = computed(t, m, 1)
	for i, v := range y.values {
		require.InDelta(t, x.values[i]+counted(6)[i]+[]float32{10, 20}[i/3], v, 1e-5)
	}
}

func TestSeluOfBeforeOpset6(t *testing.T) {
	for opset, want := range map[int64]float64{1: 1.0507 * 1.6732, 5: 1.0507 * 1.6732, 6: 1.0507009873554805 * 1.6732632423543772} {
		m, err := single(opset, []int{3}, nil, nodeProto{op: "Selu", in: []string{"x"}, out: []string{"y"}})
		require.NoError(t, err)
		got, err := runOnCPU(m, map[string]array{"x": {values: []float32{-30, 0, 1}}})
		require.NoError(t, err)
		require.InDelta(t, -want, got[m.Network.Outputs[0]].values[0], 1e-6, "opset %d", opset)
	}
}

func TestArgMaxIsAnOutputAlone(t *testing.T) {
	arg := nodeProto{op: "ArgMax", in: []string{"x"}, out: []string{"y"}, attributes: []attributeProto{whole("axis", 1), whole("keepdims", 0)}}
	m, err := single(13, []int{4, 2, 3}, nil, arg)
	require.NoError(t, err)
	require.Equal(t, []string{"argmax", "reshape"}, types(m))
	x, y := computed(t, m, 2)
	for i, v := range y.values {
		for c := range 4 {
			require.LessOrEqual(t, x.values[i/6*24+c*6+i%6], x.values[i/6*24+int(v)*6+i%6])
		}
	}
	arg.out[0] = "place"
	_, err = single(13, []int{4}, nil, arg, nodeProto{op: "Exp", in: []string{"place"}, out: []string{"y"}})
	require.ErrorContains(t, err, "is of int32, and layers compute in float")
	for to, ok := range map[dataType]bool{typeInt32: true, typeInt64: true, typeFloat: true, typeUint8: false} {
		_, err = single(13, []int{4}, nil, arg, nodeProto{op: "Cast", in: []string{"place"}, out: []string{"y"}, attributes: []attributeProto{whole("to", int(to))}})
		require.Equal(t, ok, err == nil, "%v: %v", to, err)
	}
}

func TestPowersOfSeveralExponents(t *testing.T) {
	exponents := []float32{0, 1, 2, 3, -1, -2, 0.5, 2.5}
	m, err := single(13, []int{8}, []tensorProto{floatTensor("e", []int{8}, exponents)}, nodeProto{op: "Pow", in: []string{"x", "e"}, out: []string{"y"}})
	require.NoError(t, err)
	for _, x := range []float32{2, -1.5, 0.25, 0, -3} {
		got, err := runOnCPU(m, map[string]array{"x": {values: slices.Repeat([]float32{x}, 8)}})
		require.NoError(t, err)
		for i, v := range got[m.Network.Outputs[0]].values {
			want := math.Pow(float64(x), float64(exponents[i]))
			if math.IsNaN(want) || math.IsInf(want, 0) {
				require.Equal(t, math.IsNaN(want), v != v, "%g to the power of %g is %g", x, exponents[i], v)
				require.Equal(t, math.IsInf(want, 1), math.IsInf(float64(v), 1), "%g to the power of %g is %g", x, exponents[i], v)
				continue
			}
			require.InEpsilon(t, want+1e-9, float64(v)+1e-9, 1e-5, "%g to the power of %g", x, exponents[i])
		}
	}
}

// A scale of 1/3 in float32 is a little more: onnxruntime and PyTorch take each third input.
func TestNearestIsChosenInFloat32(t *testing.T) {
	for _, c := range []struct {
		coordinates, nearest string
		length               int
		scale                float32
		places               []int
	}{
		{"asymmetric", "floor", 9, 1. / 3, []int{0, 3, 6}},
		{"pytorch_half_pixel", "floor", 9, 1. / 3, []int{1, 4, 7}},
		{"half_pixel", "round_prefer_ceil", 12, 1. / 6, []int{3, 9}},
		{"half_pixel", "round_prefer_floor", 12, 1. / 6, []int{2, 8}},
	} {
		m, err := single(13, []int{1, c.length}, []tensorProto{floatTensor("scales", []int{3}, []float32{1, 1, c.scale})},
			nodeProto{op: "Resize", in: []string{"x", "", "scales"}, out: []string{"y"}, attributes: []attributeProto{
				word("mode", "nearest"), word("coordinate_transformation_mode", c.coordinates), word("nearest_mode", c.nearest)}})
		require.NoError(t, err)
		x, y := computed(t, m, 2)
		require.Equal(t, along(x, 2, c.places), y.values, "%s %s", c.coordinates, c.nearest)
	}
}

// Resize of opset 10 takes the next input where it makes less of them, and the previous one
// where it makes more. The first case is ONNX 1.5's test_resize_downsample_nearest.
func TestNearestOfOpset10(t *testing.T) {
	for _, c := range []struct {
		length int
		scale  float32
		places []int
	}{{4, 0.6, []int{0, 2}}, {10, 0.7, []int{0, 2, 3, 5, 6, 8, 9}}, {4, 1.5, []int{0, 0, 1, 2, 2, 3}}} {
		m, err := single(10, []int{1, c.length}, []tensorProto{floatTensor("scales", []int{3}, []float32{1, 1, c.scale})},
			nodeProto{op: "Resize", in: []string{"x", "scales"}, out: []string{"y"}, attributes: []attributeProto{word("mode", "nearest")}})
		require.NoError(t, err)
		x, y := computed(t, m, 2)
		require.Equal(t, along(x, 2, c.places), y.values, "%g", c.scale)
	}
}
