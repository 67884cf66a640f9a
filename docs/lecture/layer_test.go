// Package lecture has the examples in Go of docs/lecture.md. The page quotes them, and
// `make lecture` copies them there.
package lecture

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	_ "github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// layer is a layer. Text is its type and, after a space, options as in the JSON of -net.
// Parameters that Weights does not name are initialised as at the start of a training.
type layer struct {
	Text    string
	Weights map[string][]float32
}

// batch is a batch of numbers. The first axis of the shape is the samples.
func batch(shape []int, x ...float32) *tensor.Dense {
	if n := tensor.Shape(shape).TotalSize(); len(x) != n {
		check(fmt.Errorf("the shape %v has %d numbers, not %d", shape, n, len(x)))
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
}

// labels are the classes of a batch.
func labels(class ...int32) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(class)), tensor.WithBacking(class))
}

// infer returns the outputs of the layer, as in a test.
func (l layer) infer(in ...*tensor.Dense) []*tensor.Dense {
	y, _ := l.pass(graph.Infer, in)
	return y
}

// train returns the outputs of the layer in training, and the gradient of its first input.
// That is the gradient of the mean loss if the layer is a loss, and otherwise of the sum of
// the first output.
func (l layer) train(in ...*tensor.Dense) (y []*tensor.Dense, dx *tensor.Dense) {
	return l.pass(graph.Train, in)
}

// pass runs the layer once on the reference device, in float64.
func (l layer) pass(mode graph.Mode, in []*tensor.Dense) (y []*tensor.Dense, dx *tensor.Dense) {
	d := must(device.Open("reference", device.Options{}))
	defer d.Close()
	kind, options, _ := strings.Cut(l.Text, " ")
	made := must(layers.FromJSON(kind, []byte(cmp.Or(options, "{}"))))
	n := &graph.Network{Name: "lecture"}
	var names []string
	var inputs []layers.Input
	for i, x := range in {
		dtype := device.Float32
		if x.Dtype() == tensor.Int32 {
			dtype = device.Int32
		}
		names = append(names, n.Input(fmt.Sprintf("in%d", i), dtype, x.Shape()[1:]...))
		inputs = append(inputs, layers.Input{Shape: x.Shape(), DType: dtype})
	}
	spec := must(made.Plan(d.Traits(), inputs, layers.Options{Train: mode == graph.Train}))
	o := graph.PlanOptions{Mode: mode, Batch: in[0].Shape()[0], Keep: []string{n.Add("layer", made, names...)}}
	for i := range spec.Out[1:] {
		o.Keep = append(o.Keep, fmt.Sprintf("layer:%d", 1+i))
	}
	isLoss := spec.LossWeight > 0
	target := batch(spec.Out[0].Shape, make([]float32, spec.Out[0].Shape.TotalSize())...)
	if mode == graph.Train {
		o.InputGrad = names[:1]
		if !isLoss {
			samples := float32(o.Batch)
			n.Add("loss", &layers.L2Loss{Weight: &samples}, "layer", n.Input("target", device.Float32, target.Shape()[1:]...))
		}
	}
	w := must(graph.NewWeights(n, d))
	defer w.Close()
	check(w.Fill(1))
	for name, x := range l.Weights {
		check(w.Set("layer."+name, batch(w.Shape("layer."+name), x...)))
	}
	e := must(graph.NewExecutor(must(n.Plan(d.Traits(), o)), w))
	defer e.Close()
	forward := func() {
		for i, x := range in {
			check(e.Upload(names[i], x))
		}
		if mode == graph.Train && !isLoss {
			check(e.Upload("target", target))
		}
		e.Forward(graph.Pass{Seed: 1})
	}
	forward()
	for _, name := range o.Keep {
		y = append(y, must(e.Read(name)).Clone().(*tensor.Dense))
	}
	if mode == graph.Infer {
		return y, nil
	}
	// The loss is half the sum of (y - target)²: with the target y - 1 its gradient is 1.
	for i, x := range y[0].Data().([]float32) {
		target.Data().([]float32)[i] = x - 1
	}
	forward()
	e.Backward(graph.Pass{Seed: 1}, device.Overwrite)
	return y, must(e.Read(names[0] + "/d"))
}

// each prints what layers without weights make of inputs in training, and the gradient of
// the first input.
func each(in []*tensor.Dense, texts ...string) {
	longest := 0
	for _, text := range texts {
		longest = max(longest, len(text))
	}
	for _, text := range texts {
		y, dx := layer{text, nil}.train(in...)
		made := numbers(y[0])
		fmt.Printf("%-*s  %-*s gradient %s\n", longest, text, 8*len(made), row(3, made), row(3, numbers(dx)))
	}
}

// show prints the rows of tensors, with an empty line between tensors and between channels
// of several rows. Single pixels of all channels are one row.
func show(all ...*tensor.Dense) {
	for i, x := range all {
		if i > 0 {
			fmt.Println()
		}
		s, values := x.Shape(), numbers(x)
		columns, rows := s[len(s)-1], 1
		if len(s) == 4 {
			rows = s[2]
			if s[2]*s[3] == 1 {
				columns = s[1]
			}
		}
		for i := 0; i < len(values); i += columns {
			if rows > 1 && i > 0 && i%(columns*rows) == 0 {
				fmt.Println()
			}
			fmt.Println(row(4, values[i:i+columns]))
		}
	}
}

// numbers are the elements of a tensor.
func numbers(x *tensor.Dense) []float64 {
	var values []float64
	switch x := x.Data().(type) {
	case []float32:
		for _, v := range x {
			values = append(values, float64(v))
		}
	case []int32:
		for _, v := range x {
			values = append(values, float64(v))
		}
	}
	return values
}

// row is numbers of so many digits in columns.
func row(digits int, values []float64) string {
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintf(&b, "%-*.*g ", digits+4, digits, v)
	}
	return strings.TrimRight(b.String(), " ")
}

// must returns x. An example that is wrong ends with one line.
func must[T any](x T, err error) T {
	check(err)
	return x
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "lecture:", err)
		os.Exit(1)
	}
}
