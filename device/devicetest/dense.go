package devicetest

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func denseCases(Options) []Case {
	shapes := []device.Dense{
		{N: 1, In: 1, Out: 1}, {N: 3, In: 7, Out: 5}, {N: 1, In: 100, Out: 30}, {N: 33, In: 65, Out: 17},
		{N: 64, In: 120, Out: 84}, {N: 13, In: 800, Out: 500}, {N: 64, In: 500, Out: 10},
	}
	var forward, data, filter []Case
	for _, d := range shapes {
		forward = append(forward, denseForward(d, false, device.Activation{}), denseForward(d, true, relu), denseForward(d, true, device.Activation{}).withMaps())
		for _, m := range modes {
			data = append(data, denseBackwardData(d, m))
			for _, g := range gradients {
				filter = append(filter, denseBackwardFilter(d, m, g))
			}
		}
	}
	for _, op := range device.UnaryOps() {
		a := device.Activation{On: true, Unary: device.Unary{Op: op, Slope: 0.1}}
		forward = append(forward, denseForward(device.Dense{N: 5, In: 19, Out: 21}, true, a))
		forward = append(forward, denseForward(device.Dense{N: 4, In: 19, Out: 21}, false, a))
	}
	fc6 := device.Dense{N: 3, In: 9216, Out: 4096}
	forward = append(forward, denseForward(fc6, true, relu))
	data = append(data, denseBackwardData(fc6, device.Overwrite))
	filter = append(filter, denseBackwardFilter(fc6, device.Overwrite, bothGradients))
	return append(append(forward, data...), filter...)
}

func denseForward(d device.Dense, bias bool, a device.Activation) Case {
	return Case{
		Op:    "dense forward",
		Name:  denseName(d) + epilogueName(bias, a),
		FLOPs: d.FLOPs(),
		args: []arg{
			output("y", tensor.Shape{d.N, d.Out}, matrixProduct(d.In)),
			input("x", tensor.Shape{d.N, d.In}, uniform),
			input("w", tensor.Shape{d.Out, d.In}, uniform),
			input("bias", tensor.Shape{d.Out}, uniform).when(bias),
		},
		has:       func(t device.Traits) bool { return !a.On || t.Epilogue(a.Unary) },
		operation: d.Of(device.Forward),
		call: func(q device.Queue, b *Bound) {
			q.DenseForward(d, b.t[0], b.t[1], b.t[2], device.Epilogue{Bias: b.t[3], Activation: a, Maps: b.maps}, b.ws)
		},
		// No activation has a slope above 1, so none enlarges an error.
		magnitude: func(q device.Queue, b *Bound) {
			q.DenseForward(d, b.t[0], b.t[1], b.t[2], device.Epilogue{Bias: b.t[3], Maps: b.firstMap()}, nil)
		},
	}
}

func denseBackwardData(d device.Dense, m device.Mode) Case {
	call := func(q device.Queue, b *Bound) { q.DenseBackwardData(d, b.t[0], b.t[1], b.t[2], m, b.ws) }
	return Case{
		Op:    "dense backward-data",
		Name:  fmt.Sprintf("%s %v", denseName(d), m),
		FLOPs: d.FLOPs(),
		args: []arg{
			destination("dx", tensor.Shape{d.N, d.In}, m, matrixProduct(d.Out)),
			input("dy", tensor.Shape{d.N, d.Out}, uniform),
			input("w", tensor.Shape{d.Out, d.In}, uniform),
		},
		operation: d.Of(device.BackwardData),
		call:      call,
		magnitude: call,
	}
}

func denseBackwardFilter(d device.Dense, m device.Mode, wanted gradient) Case {
	call := func(q device.Queue, b *Bound) { q.DenseBackwardFilter(d, b.t[0], b.t[1], b.t[2], b.t[3], m, b.ws) }
	return Case{
		Op:    "dense backward-filter",
		Name:  fmt.Sprintf("%s %s %v", denseName(d), wanted.name, m),
		FLOPs: wanted.flops(d.FLOPs()),
		args: []arg{
			destination("dw", tensor.Shape{d.Out, d.In}, m, matrixProduct(d.N)).when(wanted.weight),
			destination("dbias", tensor.Shape{d.Out}, m, products(d.N)).when(wanted.bias),
			input("x", tensor.Shape{d.N, d.In}, uniform),
			input("dy", tensor.Shape{d.N, d.Out}, uniform),
		},
		operation: d.Of(device.BackwardFilter),
		call:      call,
		magnitude: call,
	}
}

func denseName(d device.Dense) string { return fmt.Sprintf("N%d %d to %d", d.N, d.In, d.Out) }

// gradient is which gradients of a layer's parameters are wanted; the others
// are frozen.
type gradient struct {
	name         string
	weight, bias bool
}

// flops is n if there is a product to make; a bias alone is a sum.
func (g gradient) flops(n int64) int64 {
	if !g.weight {
		return 0
	}
	return n
}

var (
	bothGradients = gradient{"dw dbias", true, true}
	gradients     = []gradient{bothGradients, {"dw", true, false}, {"dbias", false, true}}
)

var (
	modes = []device.Mode{device.Overwrite, device.Accumulate}
	relu  = device.Activation{On: true, Unary: device.Unary{Op: device.ReLU}}
)
