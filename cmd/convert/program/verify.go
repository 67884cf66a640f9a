package program

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/npy"
	"github.com/hubel-go/hubel/internal/printable"
)

// samplesOfAPass is how many samples run at a time: all values that are compared have memory
// of their own.
const samplesOfAPass = 8

// recorded is an array of the archive that a value of the network is compared with.
type recorded struct {
	name  string
	value string // of the network
	part  part   // of the value
	npy.Numbers

	channelsLast bool // the model has its images so

	used    int     // numbers of it that were compared
	worst   float64 // largest difference
	largest float64 // value of the array
}

// relative is the largest difference as a part of the array's largest value. It is NaN if
// one of the two is.
func (r *recorded) relative() float64 {
	if r.worst == 0 {
		return 0
	}
	return r.worst / r.largest
}

// verification is a run of a network on recorded inputs.
type verification struct {
	model   *formats.Model
	samples int
	inputs  map[string]npy.Numbers // by the network's names
	outputs []*recorded
	ignored []string // arrays, with the reason

	// channelsLast says that the archive has images as [N,H,W,C], as its input shows, or the
	// model.
	channelsLast bool
}

// compare runs the network on the recorded inputs, and prints how far its values are from
// those recorded. It reports whether one is too far.
func (o *options) compare(ctx context.Context, stdout io.Writer, m *formats.Model, d device.Device, w *graph.Weights) (differs bool, err error) {
	v, err := o.match(m, d.Traits())
	if err != nil {
		return false, err
	}
	if err := v.run(ctx, d, w); err != nil {
		return false, err
	}
	t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "array\tvalue\tshape\tlargest error\tof the largest")
	bad := 0
	for _, r := range v.outputs {
		verdict := ""
		if !(r.relative() <= o.tolerance) { // also where it is NaN
			verdict = "\tdiffers"
			bad++
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.2g\t%.2g%s\n", printable.Name(r.name), printable.Name(r.value+r.part.String()), dims(r.Shape), r.worst, r.relative(), verdict)
	}
	if err := t.Flush(); err != nil {
		return false, command.BrokenError{Err: err}
	}
	for _, line := range v.ignored {
		fmt.Fprintf(stdout, "not compared: %s\n", line)
	}
	if bad > 0 {
		_, err = fmt.Fprintf(stdout, "%d of %d arrays differ by more than %g of their largest value\n", bad, len(v.outputs), o.tolerance)
	} else {
		_, err = fmt.Fprintf(stdout, "%d arrays are within %g of their largest value, for %d samples\n", len(v.outputs), o.tolerance, v.samples)
	}
	return bad > 0, err
}

// run runs the network in passes of a few samples, and compares.
func (v *verification) run(ctx context.Context, d device.Device, w *graph.Weights) (err error) {
	var keep []string
	for _, r := range v.outputs {
		if !slices.Contains(keep, r.value) {
			keep = append(keep, r.value)
		}
	}
	batch := min(v.samples, samplesOfAPass)
	plan, err := v.model.Network.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Infer, Batch: batch, Keep: keep})
	if err != nil {
		return err
	}
	e, err := graph.NewExecutor(plan, w)
	if err != nil {
		return err
	}
	defer command.Close(e, &err)
	for begin := 0; begin < v.samples; begin += batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(batch, v.samples-begin)
		if err := e.SetBatch(n); err != nil {
			return err
		}
		for _, in := range v.model.Network.Inputs {
			x, ok := v.inputs[in.Name]
			if !ok {
				continue
			}
			size := device.Elements(in.Shape)
			if err := e.Upload(in.Name, dense(in, n, x.Values[begin*size:(begin+n)*size])); err != nil {
				return err
			}
		}
		e.Forward(graph.Pass{})
		for _, r := range v.outputs {
			x, err := e.Read(r.value)
			if err != nil {
				return command.BrokenError{Err: err}
			}
			r.compare(x, begin, v.channelsLast)
		}
	}
	return nil
}

// dense is n samples of an input.
func dense(in graph.Input, n int, values []float32) *tensor.Dense {
	shape := tensor.WithShape(append([]int{n}, in.Shape...)...)
	if in.DType == device.Int32 {
		whole := make([]int32, len(values))
		for i, x := range values {
			whole[i] = int32(x)
		}
		return tensor.New(shape, tensor.WithBacking(whole))
	}
	return tensor.New(shape, tensor.WithBacking(slices.Clone(values))) // the pass may not be over when it is used again
}

// compare compares the samples from begin on with those recorded, which may be fewer.
func (r *recorded) compare(x *tensor.Dense, begin int, channelsLast bool) {
	shape := []int(x.Shape())
	got := r.part.of(floats(x), shape)
	sample := r.part.shape(shape)[1:]
	n := min(shape[0], r.Shape[0]-begin)
	if n <= 0 {
		return
	}
	size := device.Elements(sample)
	want := r.Values[begin*size : (begin+n)*size]
	if r.flattened(sample) || transposed(r.Shape[1:], sample, channelsLast) {
		want = channelsFirst(want, n, sample)
	}
	for i, y := range want {
		difference := math.Abs(float64(got[i]) - float64(y))
		if got[i] == y { // infinities too
			difference = 0
		}
		r.worst, r.largest = larger(r.worst, difference), larger(r.largest, math.Abs(float64(y)))
	}
	r.used += len(want)
}

// larger is the larger of two numbers, or NaN if one is.
func larger(a, b float64) float64 {
	if math.IsNaN(a) || a > b {
		return a
	}
	return cmp.Or(b, a)
}

// floats are the elements of a value.
func floats(x *tensor.Dense) []float32 {
	if x.Dtype() == tensor.Float32 {
		return x.Float32s()
	}
	whole := x.Int32s()
	list := make([]float32, len(whole))
	for i, v := range whole {
		list[i] = float32(v)
	}
	return list
}

// channelsFirst turns n samples [H,W,C] or [L,C] to the shape [C,H,W] or [C,L].
func channelsFirst(x []float32, n int, shape []int) []float32 {
	c, plane := shape[0], device.Elements(shape[1:])
	y := make([]float32, len(x))
	for i := range n {
		from, to := x[i*c*plane:], y[i*c*plane:]
		for k := range c {
			for p := range plane {
				to[k*plane+p] = from[p*c+k]
			}
		}
	}
	return y
}

// transposed reports whether a recorded sample is the value [C,H,W] as [H,W,C] or, where
// channels are last, [C,L] as [L,C].
func transposed(recorded, value []int, channelsLast bool) bool {
	if len(value) != 3 && (len(value) != 2 || !channelsLast) || !slices.Equal(recorded, append(slices.Clone(value[1:]), value[0])) {
		return false
	}
	return channelsLast || !slices.Equal(recorded, value)
}

// flattened reports whether a recorded sample is the value [C,H,W] in the order [H,W,C] and
// without a shape, as a model with channels last flattens it.
func (r *recorded) flattened(value []int) bool {
	return r.channelsLast && len(r.Shape) == 2 && len(value) > 1
}

// fits reports whether a recorded sample can be one of a value: of its shape, or with the
// channels last, or of as many numbers without a shape of its own, as [C,1,1] and [C] are.
func fits(recorded, value []int, channelsLast bool) bool {
	flat := func(shape []int) bool {
		return len(slices.DeleteFunc(slices.Clone(shape), func(d int) bool { return d == 1 })) <= 1
	}
	return slices.Equal(recorded, value) || transposed(recorded, value, channelsLast) ||
		device.Elements(recorded) == device.Elements(value) && (flat(recorded) || flat(value) || slices.Equal(squeeze(recorded), squeeze(value)))
}

// squeeze is a shape without dimensions of 1.
func squeeze(shape []int) []int {
	return slices.DeleteFunc(slices.Clone(shape), func(d int) bool { return d == 1 })
}
