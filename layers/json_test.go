package layers_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// TestJSON holds the options as they stand in a file, and back.
func TestJSON(t *testing.T) {
	for _, c := range []struct {
		layer layers.Layer
		json  string
	}{
		{&layers.Conv{Filters: 20, Kernel: layers.Square(5)}, `{"filters":20,"kernel":5}`},
		{
			&layers.Conv{Filters: 96, Kernel: layers.Size{H: 11, W: 7}, Stride: layers.Square(4), Pad: layers.Pad{Top: 1, Bottom: 1, Left: 2, Right: 2}, Dilation: layers.Square(2), Groups: 2,
				NoBias: true, WeightFiller: layers.Gaussian(0.01), BiasFiller: layers.Constant(1), BiasRate: new(float32(2)), BiasDecay: new(float32(0))},
			`{"filters":96,"kernel":[11,7],"stride":4,"pad":[1,2],"dilation":2,"groups":2,"no_bias":true,` +
				`"weight_filler":{"type":"gaussian","std":0.01},"bias_filler":{"type":"constant","value":1},"bias_rate":2,"bias_decay":0}`,
		},
		{&layers.Dense{Out: 10, WeightFiller: layers.Constant(0)}, `{"out":10,"weight_filler":{"type":"constant"}}`},
		{&layers.Pool{Window: layers.Square(3), Pad: layers.Pad{Bottom: 1, Right: 2}, Ceil: true}, `{"window":3,"pad":[0,1,0,2],"ceil":true}`},
		{&layers.Pool{Window: layers.Square(3), Pad: layers.Pad{Top: 1, Bottom: 1, Right: 2}}, `{"window":3,"pad":[1,1,0,2]}`},
		{&layers.Pool{Window: layers.Square(3), Pad: layers.Pad{Top: 1, Left: 2, Right: 2}}, `{"window":3,"pad":[1,0,2,2]}`},
		{&layers.Pool{Window: layers.Size{H: 2, W: 3}, Pad: layers.Around(1)}, `{"window":[2,3],"pad":1}`},
		{&layers.Pool{Op: device.AveragePool, Global: true}, `{"global":true}`},
		{&layers.Pool{Window: layers.Square(2), Switches: true}, `{"window":2,"switches":true}`},
		{&layers.Unpool{Window: layers.Square(2), Stride: layers.Square(2), Size: layers.Size{H: 3, W: 4}}, `{"window":2,"stride":2,"size":[3,4]}`},
		{&layers.StochasticPool{Pool: layers.Pool{Window: layers.Square(2)}}, `{"window":2}`},
		{&layers.L2Pool{Pool: layers.Pool{Window: layers.Square(2), Pad: layers.Around(1)}, Sum: true}, `{"window":2,"pad":1,"sum":true}`},
		{&layers.AdaptivePool{Op: device.AveragePool, Size: layers.Square(7)}, `{"size":7}`},
		{&layers.Deconv{Conv: layers.Conv{Filters: 2, Kernel: layers.Square(4), WeightFiller: layers.Bilinear()}, OutputPad: layers.Square(1)},
			`{"filters":2,"kernel":4,"weight_filler":{"type":"bilinear"},"output_pad":1}`},
		{&layers.LRN{K: 1, AlphaOverSize: true}, `{"k":1,"alpha_over_size":true}`},
		{&layers.Upsample{Scale: layers.Square(2), Mode: "bilinear"}, `{"scale":2,"mode":"bilinear"}`},
		{&layers.LRN{Region: "within"}, `{"region":"within"}`},
		{&layers.Unary{Op: device.Tanh}, `{}`},
		{&layers.Unary{Op: device.LeakyReLU}, `{}`},
		{&layers.Unary{Op: device.LeakyReLU, Slope: new(float32(0.2))}, `{"slope":0.2}`},
		{&layers.Unary{Op: device.LeakyReLU, Slope: new(float32(0))}, `{"slope":0}`},
		{&layers.Dropout{P: 0.2, Channels: true}, `{"p":0.2,"channels":true}`},
		{&layers.DropConnect{Dense: layers.Dense{Out: 3, NoBias: true}, P: 0.2}, `{"out":3,"no_bias":true,"p":0.2}`},
		{&layers.Maxout{Pieces: 2}, `{"pieces":2}`},
		{&layers.Add{Coefficients: []float32{1, -1}}, `{"coefficients":[1,-1]}`},
		{&layers.Activation{Function: "mish"}, `{}`},
		{&layers.ELU{}, `{"alpha":0}`},
		{&layers.GELU{Tanh: true}, `{"tanh":true}`},
		{&layers.PReLU{Shared: true, WeightDecay: new(float32(1))}, `{"shared":true,"weight_decay":1}`},
		{&layers.Dropout{}, `{"p":0}`},
		{&layers.GaussianNoise{}, `{"stddev":0}`},
		{&layers.SoftmaxLoss{Weight: new(float32(2))}, `{"weight":2}`},
		{&layers.SoftmaxLoss{Weight: new(float32(0))}, `{"weight":0}`},
		{&layers.LRN{Beta: new(float32(0))}, `{"beta":0}`},
		{&layers.Accuracy{TopK: 5}, `{"top_k":5}`},
		{&layers.Scale{Factor: 0.5}, `{"factor":0.5}`},
		{&layers.Formula{Formula: "x * x"}, `{"formula":"x * x"}`},
		{&layers.Split{Channels: []int{1, 2}}, `{"channels":[1,2]}`},
		{&layers.BatchNorm{}, `{}`},
		{
			&layers.BatchNorm{Eps: new(float32(0.001)), Momentum: new(float32(0)), Convention: "caffe", Affine: layers.Affine{
				On: new(true), WeightFiller: layers.Constant(0), BiasFiller: layers.Constant(1), WeightRate: new(float32(2)), BiasDecay: new(float32(0)),
			}},
			`{"eps":0.001,"momentum":0,"convention":"caffe","affine":true,"weight_filler":{"type":"constant"},"bias_filler":{"type":"constant","value":1},"weight_rate":2,"bias_decay":0}`,
		},
		{&layers.GroupNorm{Groups: 4, Affine: layers.Affine{On: new(false)}}, `{"groups":4,"affine":false}`},
		{&layers.InstanceNorm{Affine: layers.Affine{On: new(true)}}, `{"affine":true}`},
		{&layers.LayerNorm{Channels: true, Eps: new(float32(1e-6))}, `{"channels":true,"eps":0.000001}`},
	} {
		b, err := json.Marshal(c.layer)
		require.NoError(t, err)
		require.Equal(t, c.json, string(b))
		l, err := layers.FromJSON(c.layer.Type(), b)
		require.NoError(t, err)
		require.Equal(t, c.layer, l)
	}
}

// A list of one number is that number.
func TestJSONListOfOne(t *testing.T) {
	l, err := layers.FromJSON("max-pool", []byte(`{"window":[3],"pad":[1]}`))
	require.NoError(t, err)
	require.Equal(t, &layers.Pool{Window: layers.Square(3), Pad: layers.Around(1)}, l)
	require.Equal(t, "3x5", layers.Size{H: 3, W: 5}.String())
}

func TestJSONErrors(t *testing.T) {
	for _, c := range []struct{ layerType, json, want string }{
		{"convolution", ``, `layer type "convolution" is unknown; there are accuracy, adaptive-average-pool,`},
		{"conv", `{"filter":3}`, `options of type conv: json: unknown field "filter"`},
		{"conv", `{"kernel":[1,2,3]}`, "size [1,2,3] is neither a number nor [height,width]"},
		{"conv", `{"kernel":[]}`, "size [] is neither a number nor [height,width]"},
		{"conv", `{"kernel":2.5}`, "size 2.5 is neither a number nor [height,width]"},
		{"conv", `{"pad":[]}`, "pad [] is neither"},
		{"conv", `{"pad":"1"}`, `pad "1" is neither`},
		{"conv", `{"pad":[1,2,3]}`, "pad [1,2,3] is neither a number nor [rows,columns] nor [top,bottom,left,right]"},
		{"relu", `{"op":1}`, `unknown field "op"`},
		{"dropout", `{"p":"half"}`, "options of type dropout: p is of the kind string, want number"},
		{"dense", `{"out":2.5}`, "options of type dense: out is of the kind number 2.5, want whole number"},
		{"dense", `{"no_bias":1}`, "options of type dense: no_bias is of the kind number, want bool"},
		{"permute", `{"order":1}`, "options of type permute: order is of the kind number, want array"},
		{"batch-norm", `{"weight_rate":"2"}`, "options of type batch-norm: weight_rate is of the kind string, want number"},
		{"batch-norm", `{"affine":1}`, "options of type batch-norm: affine is of the kind number, want bool"},
		{"dropout", `[]`, "options of type dropout: what they are is of the kind array, want object"},
	} {
		_, err := layers.FromJSON(c.layerType, []byte(c.json))
		require.ErrorContains(t, err, c.want)
	}
}

// FuzzPlan gives FromJSON and Plan options and shapes of every kind: they may
// refuse them, never panic, and what they accept is a tensor each.
func FuzzPlan(f *testing.F) {
	for _, e := range examples() {
		b, err := json.Marshal(e.layer)
		require.NoError(f, err)
		var dims []int64
		for _, d := range e.inputs[0].Shape {
			dims = append(dims, int64(d))
		}
		dims = append(dims, 0, 0, 0)
		f.Add(e.layer.Type(), string(b), len(e.inputs), int64(2), dims[0], dims[1], dims[2], byte(len(e.inputs[0].Shape)), true)
	}
	const huge = 1 << 62
	for _, hostile := range []struct{ layerType, options string }{
		{"conv", `{"filters":1000000000,"kernel":1000000,"pad":1000000}`},
		{"conv", `{"filters":9223372036854775807,"kernel":[9223372036854775807,1],"dilation":9223372036854775807}`},
		{"conv", `{"filters":2,"kernel":3,"pad":[9223372036854775807,9223372036854775807,0,0],"groups":-9223372036854775808}`},
		{"dense", `{"out":4611686018427387904,"weight_filler":{"type":"xavier"}}`},
		{"max-pool", `{"window":2147483647,"pad":2147483646,"stride":2147483647,"ceil":true}`},
		{"average-pool", `{"window":[0,-1],"stride":[0,1]}`},
		{"lrn", `{"size":9223372036854775807}`},
		{"deconv", `{"filters":3,"kernel":2147483647,"stride":2147483647,"dilation":2147483647,"output_pad":2147483646}`},
		{"deconv", `{"filters":9223372036854775807,"kernel":1,"groups":9223372036854775807}`},
		{"maxout", `{"pieces":9223372036854775807}`},
		{"drop-connect", `{"out":4611686018427387904}`},
		{"unpool", `{"window":2147483647,"pad":2147483646,"stride":2147483647}`},
		{"unpool", `{"window":2,"size":[9223372036854775807,-9223372036854775808]}`},
		{"stochastic-pool", `{"window":[3,0],"stride":-1}`},
		{"l2-pool", `{"window":2147483647,"pad":2147483646,"sum":true}`},
		{"adaptive-max-pool", `{"size":[65536,65535]}`},
		{"adaptive-average-pool", `{"size":[9223372036854775807,1]}`},
		{"split", `{"channels":[4611686018427387904,4611686018427387904]}`},
		{"concat", `{}`},
		{"slice", `{"axis":3,"begin":9223372036854775806,"end":9223372036854775807,"step":9223372036854775807}`},
		{"slice", `{"begin":1,"step":9223372036854775807}`},
		{"pad", `{"pad":2147483647}`},
		{"crop", `{"axis":9223372036854775807,"offset":[9223372036854775807]}`},
		{"crop", `{"axis":1,"offset":[-9223372036854775808]}`},
		{"permute", `{"order":[0,9223372036854775807,-9223372036854775808,1]}`},
		{"channel-shuffle", `{"groups":9223372036854775807}`},
		{"group-norm", `{"groups":-9223372036854775808}`},
		{"group-norm", `{"groups":1,"eps":1e-46}`},
		{"layer-norm", `{"channels":true}`},
		{"instance-norm", `{"affine":true}`},
		{"batch-norm", `{"momentum":2,"convention":"caffe"}`},
		{"upsample", `{"scale":[9223372036854775807,2147483648]}`},
		{"reshape", `{"shape":[9223372036854775807,-1,2]}`},
	} {
		f.Add(hostile.layerType, hostile.options, 2, int64(2), int64(huge), int64(huge), int64(3), byte(3), true)
		f.Add(hostile.layerType, hostile.options, 1, int64(1), int64(3), int64(1<<31), int64(0), byte(2), false)
		f.Add(hostile.layerType, hostile.options, 1, int64(2), int64(4), int64(9), int64(9), byte(3), true)
	}
	f.Fuzz(func(t *testing.T, layerType, options string, inputs int, n, a, b, c int64, rank byte, train bool) {
		l, err := layers.FromJSON(layerType, []byte(options))
		if err != nil {
			return
		}
		shape := tensor.Shape{int(n), int(a), int(b), int(c)}[:1+rank%4]
		var in []layers.Input
		for i := range min(inputs, 4) {
			in = append(in, f32(shape...))
			switch {
			case i == 1 && (layerType == "softmax-loss" || layerType == "accuracy" || train && (layerType == "hinge-loss" || layerType == "focal-loss")):
				in[1] = i32(int(n))
			case i == 2 && layerType == "contrastive-loss":
				in[2] = i32(int(n))
			}
			if i == 1 && layerType == "unpool" {
				in[1] = i32(shape...)
			}
		}
		s, err := l.Plan(traits{packed: [device.Passes]int64{1, 2}}, in, layers.Options{Train: train})
		if err != nil {
			return
		}
		for _, out := range s.Out {
			require.NoError(t, device.CheckShape(out.Shape))
			require.Equal(t, shape[0], out.Shape[0])
		}
		for _, p := range s.Params {
			require.NoError(t, device.CheckShape(p.Shape))
			require.NoError(t, p.Filler.Check())
			require.Positive(t, p.Fan.In)
			require.Positive(t, p.Fan.Out)
		}
		require.GreaterOrEqual(t, s.FLOPs, int64(0))
		require.GreaterOrEqual(t, s.Scratch, int64(0))
		again, err := l.Plan(traits{packed: [device.Passes]int64{1, 2}}, in, layers.Options{Train: train})
		require.NoError(t, err)
		require.Equal(t, hashes(s), hashes(again))
		s.Programs, again.Programs = nil, nil
		require.Equal(t, s, again)
		b2, err := json.Marshal(l)
		require.NoError(t, err)
		same, err := layers.FromJSON(layerType, b2)
		require.NoError(t, err)
		require.Equal(t, l, same)
	})
}

// hashes name the programs of a layer.
func hashes(s layers.Spec) (all []string) {
	for _, p := range s.Programs {
		all = append(all, p.Hash())
	}
	return all
}
