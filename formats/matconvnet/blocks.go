package matconvnet

import (
	"errors"
	"fmt"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats/matfile"
	"github.com/hubel-go/hubel/layers"
)

// block is a layer of the file, of either kind of network.
type block struct {
	kind, name string
	options    *matfile.Value
	weights    []*matfile.Value
	arrays     []string // their names, in a DagNN
	in         []string
	out        string

	rates, decays []float64 // multipliers for each of the weights; none where there are none
}

func (l *block) isLoss() bool {
	switch strings.ToLower(l.kind) {
	case "loss", "softmaxloss", "pdist", "error":
		return true
	}
	return false
}

// add adds a block and returns the name of its output, or "" if it makes none.
func (b *builder) add(l *block) (string, error) {
	if l.isLoss() {
		return "", b.loss(l)
	}
	var layer layers.Layer
	var err error
	channels := b.channels[l.in[0]]
	weights := map[string]*tensor.Dense{}
	switch strings.ToLower(l.kind) {
	case "conv":
		layer, channels, err = l.conv(channels, weights)
	case "convt", "convtranspose":
		layer, channels, err = l.convTranspose(channels, weights)
	case "pool", "pooling":
		layer, err = l.pool()
	case "relu":
		layer, err = l.relu()
	case "sigmoid":
		layer = &layers.Unary{Op: device.Sigmoid}
	case "tanh":
		layer = &layers.Unary{Op: device.Tanh}
	case "softmax":
		layer = &layers.Softmax{}
	case "normalize", "lrn":
		layer, err = l.lrn()
	case "bnorm", "batchnorm":
		layer, err = l.batchNorm(channels, weights)
	case "dropout":
		var rate []float64
		rate, err = l.numbers("rate", 0.5)
		layer = &layers.Dropout{P: float32(rate[0])}
	case "sum":
		layer = &layers.Add{}
	case "concat":
		var dim []float64
		if dim, err = l.numbers("dim", 3); err == nil && dim[0] != 3 {
			err = fmt.Errorf("it joins along dimension %v; hubel's concat joins channels, dimension 3", dim[0])
		}
		channels = 0
		for _, in := range l.in {
			channels += b.channels[in]
		}
		layer = &layers.Concat{}
	default:
		err = fmt.Errorf("layers of type %q are not read%s", l.kind, hint(l.kind))
	}
	if err != nil {
		return "", err
	}
	if err := b.tune(l, layer); err != nil {
		return "", err
	}
	name := b.names.Make(l.name)
	y := b.Network.Add(name, layer, l.in...)
	b.channels[y] = channels
	for key, w := range weights {
		b.shared.Add(name, key, l.arrays...)
		b.Weights[name+"."+key] = w
	}
	return y, nil
}

// numbers are those of an option, or one default.
func (l *block) numbers(option string, standard float64) ([]float64, error) {
	v := l.options.Field(option)
	if v == nil || v.Len() == 0 {
		return []float64{standard}, nil
	}
	x, err := v.Float64s()
	if err != nil || len(x) == 0 {
		return []float64{standard}, fmt.Errorf("option %s: it is not numbers", option)
	}
	return x, nil
}

// size is an option of a height and a width, or of one number for both.
func (l *block) size(option string, standard int) (layers.Size, error) {
	v := l.options.Field(option)
	if v == nil || v.Len() == 0 {
		return layers.Square(standard), nil
	}
	n, err := integers(v)
	switch {
	case err != nil:
	case len(n) == 1:
		return layers.Square(n[0]), nil
	case len(n) == 2:
		return layers.Size{H: n[0], W: n[1]}, nil
	default:
		err = fmt.Errorf("it has %d numbers, want 1 or 2", len(n))
	}
	return layers.Size{}, fmt.Errorf("option %s: %w", option, err)
}

// pad is an option of top, bottom, left and right, or of one number for all.
func (l *block) pad(option string) (layers.Pad, error) {
	v := l.options.Field(option)
	if v == nil || v.Len() == 0 {
		return layers.Pad{}, nil
	}
	n, err := integers(v)
	switch {
	case err != nil:
	case len(n) == 1:
		return layers.Around(n[0]), nil
	case len(n) == 4:
		return layers.Pad{Top: n[0], Bottom: n[1], Left: n[2], Right: n[3]}, nil
	default:
		err = fmt.Errorf("it has %d numbers, want 1 or 4", len(n))
	}
	return layers.Pad{}, fmt.Errorf("option %s: %w", option, err)
}

// geometry is the options of a sliding window.
func (l *block) geometry(stride, pad string) (s, dilation layers.Size, p layers.Pad, err error) {
	var errs [3]error
	s, errs[0] = l.size(stride, 1)
	dilation, errs[1] = l.size("dilate", 1)
	p, errs[2] = l.pad(pad)
	return s, dilation, p, errors.Join(errs[:]...)
}

// filters turns filters HxWxInxOut to [Out,In,H,W].
func (l *block) filters() (w *tensor.Dense, shape [4]int, err error) {
	if len(l.weights) == 0 || l.weights[0] == nil {
		return nil, shape, errors.New("it has no filters")
	}
	v := l.weights[0]
	x, err := v.Float32s()
	if err != nil {
		return nil, shape, fmt.Errorf("filters: %w", err)
	}
	dims := append([]int{}, v.Dims...)
	for len(dims) < 4 { // MATLAB leaves out ones at the end
		dims = append(dims, 1)
	}
	if len(dims) > 4 || len(x) == 0 {
		return nil, shape, fmt.Errorf("filters have the shape %v, want height, width, in, out", v.Dims)
	}
	h, wd, in, out := dims[0], dims[1], dims[2], dims[3]
	y := make([]float32, len(x))
	for k := range out {
		for c := range in {
			for i := range h {
				for j := range wd {
					y[((k*in+c)*h+i)*wd+j] = x[((k*in+c)*wd+j)*h+i]
				}
			}
		}
	}
	return tensor.New(tensor.WithShape(out, in, h, wd), tensor.WithBacking(y)), [4]int{out, in, h, wd}, nil
}

// vector reads parameter i, a vector of n numbers, or nothing where there is none.
func vector(weights []*matfile.Value, i, n int) (*tensor.Dense, error) {
	if i >= len(weights) || weights[i] == nil || weights[i].Len() == 0 {
		return nil, nil
	}
	x, err := weights[i].Float32s()
	if err == nil && len(x) != n {
		err = fmt.Errorf("parameter %d has the shape %v, want %d numbers", i+1, weights[i].Dims, n)
	}
	if err != nil {
		return nil, err
	}
	return tensor.New(tensor.WithShape(n), tensor.WithBacking(append([]float32{}, x...))), nil
}

// conv is vl_nnconv. Filters that take fewer channels than there are make groups.
func (l *block) conv(channels int, weights map[string]*tensor.Dense) (layers.Layer, int, error) {
	w, shape, err := l.filters()
	if err != nil {
		return nil, 0, err
	}
	if channels < shape[1] || channels%shape[1] != 0 || shape[0]%(channels/shape[1]) != 0 {
		return nil, 0, fmt.Errorf("its filters take %d channels, and its input has %d", shape[1], channels)
	}
	stride, dilation, pad, err := l.geometry("stride", "pad")
	if err != nil {
		return nil, 0, err
	}
	bias, err := vector(l.weights, 1, shape[0])
	if err != nil {
		return nil, 0, err
	}
	weights["weight"] = w
	if bias != nil {
		weights["bias"] = bias
	}
	c := &layers.Conv{Filters: shape[0], Kernel: layers.Size{H: shape[2], W: shape[3]}, Stride: stride, Pad: pad, NoBias: bias == nil}
	if dilation != layers.Square(1) {
		c.Dilation = dilation
	}
	if groups := channels / shape[1]; groups > 1 {
		c.Groups = groups
	}
	return c, shape[0], nil
}

// convTranspose is vl_nnconvt, whose filters are HxWxOutxIn.
func (l *block) convTranspose(channels int, weights map[string]*tensor.Dense) (layers.Layer, int, error) {
	w, shape, err := l.filters()
	if err != nil {
		return nil, 0, err
	}
	if groups, err := l.numbers("numGroups", 1); err != nil || groups[0] != 1 {
		return nil, 0, fmt.Errorf("a transposed convolution of %v groups is not read; of one group it is", groups[0])
	}
	if channels != shape[0] {
		return nil, 0, fmt.Errorf("its filters take %d channels, and its input has %d", shape[0], channels)
	}
	up, dilation, crop, err := l.geometry("upsample", "crop")
	if err == nil && dilation != layers.Square(1) {
		err = errors.New("a transposed convolution with dilation is not read")
	}
	if err != nil {
		return nil, 0, err
	}
	bias, err := vector(l.weights, 1, shape[1])
	if err != nil {
		return nil, 0, err
	}
	weights["weight"] = w
	if bias != nil {
		weights["bias"] = bias
	}
	return &layers.Deconv{Conv: layers.Conv{Filters: shape[1], Kernel: layers.Size{H: shape[2], W: shape[3]}, Stride: up, Pad: crop, NoBias: bias == nil}}, shape[1], nil
}

// pool is vl_nnpool. Its averages do not count the padding.
func (l *block) pool() (layers.Layer, error) {
	method, err := "max", error(nil)
	if v := l.options.Field("method"); v != nil {
		if method, err = text(v); err != nil {
			return nil, fmt.Errorf("option method: %w", err)
		}
	}
	p := &layers.Pool{Op: device.MaxPool}
	switch method {
	case "max":
	case "avg":
		p.Op = device.AveragePool
	default:
		return nil, fmt.Errorf("it pools by %q; max and avg are read", method)
	}
	window := "pool"
	if l.options.Field(window) == nil {
		window = "poolSize"
	}
	if l.options.Field(window) == nil {
		return nil, errors.New("it does not say how large its windows are")
	}
	if p.Window, err = l.size(window, 1); err != nil {
		return nil, err
	}
	p.Stride, _, p.Pad, err = l.geometry("stride", "pad")
	return p, err
}

func (l *block) relu() (layers.Layer, error) {
	leak, err := l.numbers("leak", 0)
	if err != nil || leak[0] == 0 {
		return &layers.Unary{Op: device.ReLU}, err
	}
	slope := float32(leak[0])
	return &layers.Unary{Op: device.LeakyReLU, Slope: &slope}, nil
}

// lrn is vl_nnnormalize, of the numbers N, kappa, alpha and beta.
func (l *block) lrn() (layers.Layer, error) {
	p, err := l.numbers("param", 0)
	switch {
	case err != nil:
		return nil, err
	case len(p) != 4:
		return nil, fmt.Errorf("option param has %d numbers, want N, kappa, alpha and beta", len(p))
	case p[0] != float64(int(p[0])) || int(p[0])%2 == 0:
		return nil, fmt.Errorf("it normalises over %v channels; odd numbers are read", p[0])
	case p[1] == 0:
		return nil, errors.New("its kappa is 0, which hubel's lrn cannot have")
	}
	alpha, beta := float32(p[2]), float32(p[3])
	return &layers.LRN{Size: int(p[0]), K: float32(p[1]), Alpha: &alpha, Beta: &beta}, nil
}

// batchNorm is vl_nnbnorm with its moments: the mean and sqrt(variance + epsilon).
func (l *block) batchNorm(channels int, weights map[string]*tensor.Dense) (layers.Layer, error) {
	if len(l.weights) < 3 || l.weights[2] == nil || l.weights[2].Len() != 2*channels {
		return nil, fmt.Errorf("it has no moments of its %d channels: train it further, or fold it, in MatConvNet", channels)
	}
	for i, name := range []string{"weight", "bias"} {
		w, err := vector(l.weights, i, channels)
		if err == nil && w == nil {
			err = fmt.Errorf("parameter %d is missing", i+1)
		}
		if err != nil {
			return nil, err
		}
		weights[name] = w
	}
	moments, err := l.weights[2].Float32s()
	if err != nil {
		return nil, err
	}
	for i, name := range []string{"running_mean", "running_std"} {
		x := append([]float32{}, moments[i*channels:][:channels]...)
		weights[name] = tensor.New(tensor.WithShape(channels), tensor.WithBacking(x))
	}
	epsilon, err := l.numbers("epsilon", 1e-5)
	eps := float32(epsilon[0])
	return &layers.BatchNorm{Convention: "matconvnet", Eps: &eps}, err
}
