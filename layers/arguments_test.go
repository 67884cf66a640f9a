package layers_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// catcher is a queue that keeps what some kernels were called with.
type catcher struct {
	recorder
	lrn     device.LRN
	filters []device.Filter
}

func (q *catcher) ConvForward(_ device.Conv, _, _ device.Tensor, w device.Filter, _ device.Epilogue, _ device.Buffer) {
	q.filters = append(q.filters, w)
}
func (q *catcher) ConvBackwardData(_ device.Conv, _, _ device.Tensor, w device.Filter, _ device.Mode, _ device.Buffer) {
	q.filters = append(q.filters, w)
}

func (q *catcher) LRNForward(l device.LRN, _, _, _ device.Tensor) { q.lrn = l }

// What is not given is as in the paper.
func TestLRNDefaults(t *testing.T) {
	c, q := &layers.Call{
		In:  []device.Tensor{{Buffer: block(1), Shape: tensor.Shape{2, 3, 4, 5}}},
		Out: []device.Tensor{{Buffer: block(2), Shape: tensor.Shape{2, 3, 4, 5}}},
	}, &catcher{}
	(&layers.LRN{}).Forward(q, c)
	require.Equal(t, device.LRN{N: 2, C: 3, H: 4, W: 5, Size: 5, Alpha: 1e-4, Beta: 0.75, K: 2}, q.lrn)
	(&layers.LRN{Size: 3, Alpha: new(float32(7)), Beta: new(float32(0)), K: 1, AlphaOverSize: true}).Forward(q, c)
	require.Equal(t, device.LRN{N: 2, C: 3, H: 4, W: 5, Size: 3, Alpha: 7, K: 1, AlphaOverSize: true}, q.lrn)
}

// Each pass reads its own packed weights, if there are any.
func TestConvReadsThePackedWeightsOfThePass(t *testing.T) {
	e := examples()[0]
	for _, packed := range [][device.Passes]device.Buffer{{}, {block(100)}, {nil, block(200)}, {block(100), block(200)}} {
		c, q := call(t, e, true), &catcher{}
		c.Packed = packed
		e.layer.Forward(q, c)
		e.layer.Backward(q, c)
		want := []device.Filter{{Tensor: c.Params[0]}, {Tensor: c.Params[0]}}
		for i := range want {
			want[i].Packed = packed[i]
		}
		require.Equal(t, want, q.filters)
	}
}

// What JSON does not say is the default that the documentation names.
func TestDefaultsOfTypes(t *testing.T) {
	for layerType, want := range map[string]layers.Layer{
		"accuracy": &layers.Accuracy{}, "add": &layers.Add{}, "average-pool": &layers.Pool{Op: device.AveragePool},
		"concat": &layers.Concat{}, "conv": &layers.Conv{}, "crelu": &CReLU{}, "dense": &layers.Dense{}, "deconv": &layers.Deconv{},
		"batch-norm": &layers.BatchNorm{}, "group-norm": &layers.GroupNorm{}, "instance-norm": &layers.InstanceNorm{}, "layer-norm": &layers.LayerNorm{},
		"dropout": &layers.Dropout{P: 0.5}, "flatten": &layers.Flatten{}, "gaussian-noise": &layers.GaussianNoise{StdDev: 0.1}, "l2-loss": &layers.L2Loss{},
		"l1-loss": &layers.L1Loss{}, "smooth-l1-loss": &layers.SmoothL1Loss{Beta: 1}, "huber-loss": &layers.HuberLoss{Delta: 1},
		"logistic-loss": &layers.LogisticLoss{}, "focal-loss": &layers.FocalLoss{Gamma: 2, Alpha: 0.25}, "hinge-loss": &layers.HingeLoss{Margin: 1, Norm: 1},
		"contrastive-loss": &layers.ContrastiveLoss{Margin: 1}, "triplet-loss": &layers.TripletLoss{Margin: 1},
		"leaky-relu": &layers.Unary{Op: device.LeakyReLU}, "lrn": &layers.LRN{}, "max-pool": &layers.Pool{},
		"hard-sigmoid": &layers.Activation{Function: "hard-sigmoid"}, "mish": &layers.Activation{Function: "mish"},
		"relu6": &layers.Activation{Function: "relu6"}, "selu": &layers.Activation{Function: "selu"}, "silu": &layers.Activation{Function: "silu"},
		"softplus": &layers.Activation{Function: "softplus"}, "softsign": &layers.Activation{Function: "softsign"},
		"elu": &layers.ELU{Alpha: 1}, "gelu": &layers.GELU{}, "prelu": &layers.PReLU{},
		"drop-connect": &layers.DropConnect{P: 0.5}, "maxout": &layers.Maxout{}, "multiply": &layers.Product{}, "maximum": &layers.Maximum{},
		"unpool": &layers.Unpool{}, "stochastic-pool": &layers.StochasticPool{}, "l2-pool": &layers.L2Pool{},
		"adaptive-max-pool": &layers.AdaptivePool{}, "adaptive-average-pool": &layers.AdaptivePool{Op: device.AveragePool},
		"relu": &layers.Unary{}, "scale": &layers.Scale{Factor: 1}, "sigmoid": &layers.Unary{Op: device.Sigmoid},
		"softmax": &layers.Softmax{}, "softmax-loss": &layers.SoftmaxLoss{}, "split": &layers.Split{},
		"tanh": &layers.Unary{Op: device.Tanh}, "slice": &layers.Slice{}, "pad": &layers.Padding{}, "crop": &layers.Crop{},
		"permute": &layers.Permute{}, "channel-shuffle": &layers.ChannelShuffle{}, "upsample": &layers.Upsample{}, "reshape": &layers.Reshape{},
	} {
		l, err := layers.FromJSON(layerType, nil)
		require.NoError(t, err)
		require.Equal(t, want, l)
		require.Equal(t, layerType, l.Type())
		require.Contains(t, layers.Types(), layerType)
	}
}

func TestSlopes(t *testing.T) {
	require.Equal(t, device.Unary{Op: device.LeakyReLU, Slope: 0.01}, (&layers.Unary{Op: device.LeakyReLU}).Function())
	for _, slope := range []float32{0.2, 0} {
		require.Equal(t, device.Unary{Op: device.LeakyReLU, Slope: slope}, (&layers.Unary{Op: device.LeakyReLU, Slope: &slope}).Function())
	}
	require.Equal(t, device.Unary{Op: device.Tanh}, (&layers.Unary{Op: device.Tanh}).Function())
}

func TestRegisterTwicePanics(t *testing.T) {
	require.PanicsWithValue(t, "layers: type relu is registered twice", func() {
		layers.Register(func() layers.Layer { return &layers.Unary{} })
	})
}

func TestFillerCheck(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, f := range []layers.Filler{
		{}, layers.Constant(-3), layers.Constant(3), layers.Gaussian(0), layers.Gaussian(2), layers.Gaussian(math.MaxFloat32), layers.Xavier(), layers.MSRA(),
		{Type: "uniform"}, {Type: "uniform", Value: 3},
	} {
		require.NoError(t, f.Check(), "%+v", f)
	}
	require.EqualError(t, layers.Filler{Type: "uniform", Value: -3}.Check(), "filler uniform: value -3 must be finite, and as a bound or a gain not negative")
	for _, f := range []layers.Filler{layers.Constant(inf), layers.Constant(-inf), layers.Constant(nan), layers.Gaussian(inf), layers.Gaussian(nan), layers.Gaussian(-1)} {
		require.ErrorContains(t, f.Check(), "must be finite", "%+v", f)
	}
}
