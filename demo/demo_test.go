package demo

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/models"
)

func cpu(t *testing.T) device.Device {
	t.Helper()
	d, err := device.Open("cpu", device.Options{Threads: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// untrained is a network with the weights that training begins with.
func untrained(t *testing.T, d device.Device, name string) *modelfile.Model {
	t.Helper()
	n, err := models.Build(name, models.Options{})
	require.NoError(t, err)
	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, w.Fill(1))
	tensors, err := modelfile.Download(w)
	require.NoError(t, err)
	m := &modelfile.Model{Network: n, Preprocess: data.Preprocess{Scale: 1. / 256}, Classes: digitClasses, Weights: map[string]*tensor.Dense{}}
	for _, x := range tensors {
		m.Weights[x.Name] = x.Value
	}
	// Biases begin with 0: others show a bias that is left out.
	for name, x := range m.Weights {
		if x.Dims() == 1 {
			for i, v := range x.Float32s() {
				x.Float32s()[i] = v + 0.1*float32(i%7-3)
			}
			require.Contains(t, name, ".bias")
		}
	}
	return m
}

// drawing is a blot: the pixels of a drawing of w by h inside an ellipse.
func drawing(w, h int, cx, cy, rx, ry float64) []uint8 {
	d := make([]uint8, w*h)
	for i := range d {
		x, y := (float64(i%w)+0.5-cx)/rx, (float64(i/w)+0.5-cy)/ry
		if x*x+y*y < 1 {
			d[i] = 255
		}
	}
	return d
}

// As MNIST's authors did it: the longer side has 20 pixels, wherever the drawing is and
// however large, and its centre of mass is in the middle.
func TestNormalise(t *testing.T) {
	for _, c := range []struct{ w, h, cx, cy, rx, ry float64 }{
		{280, 280, 140, 140, 100, 60}, {280, 280, 30, 200, 20, 30}, {200, 350, 100, 300, 5, 40}, {90, 90, 45, 45, 45, 45}, {280, 280, 3, 5, 40, 12},
	} {
		d := drawing(int(c.w), int(c.h), c.cx, c.cy, c.rx, c.ry)
		digit := Normalise(d, int(c.w))
		left, right, top, bottom := Side, 0, Side, 0
		var mass, sumX, sumY float64
		for i, v := range digit {
			require.GreaterOrEqual(t, v, float32(0))
			require.LessOrEqual(t, v, float32(255))
			if v > 0 {
				x, y := i%Side, i/Side
				left, right, top, bottom = min(left, x), max(right, x+1), min(top, y), max(bottom, y+1)
			}
			mass += float64(v)
			sumX += float64(v) * (float64(i%Side) + 0.5)
			sumY += float64(v) * (float64(i/Side) + 0.5)
		}
		require.Equal(t, box, max(right-left, bottom-top))
		require.InDelta(t, Side/2, sumX/mass, 0.51)
		require.InDelta(t, Side/2, sumY/mass, 0.51)
	}
	whole := make([]uint8, 280*280)
	for i := range whole {
		whole[i] = 200
	}
	require.Equal(t, float32(200), Normalise(whole, 280)[14*Side+14], "a pixel is a mean")

	// A line of one pixel, a single point and a border that would be outside.
	line := make([]uint8, 100*100)
	for x := range 100 {
		line[50*100+x] = 255
	}
	require.Equal(t, float32(255), Normalise(line, 100)[Side/2*Side+Side/2])
	point := make([]uint8, 100)
	point[99] = 1
	require.Equal(t, float32(1), Normalise(point, 10)[Side/2*Side+Side/2])
	odd := drawing(280, 280, 20, 140, 20, 20) // nearly all the ink is at one end
	for x := range 280 {
		odd[140*280+x] = max(odd[140*280+x], 1)
	}
	require.NotPanics(t, func() { Normalise(odd, 280) })
	for _, empty := range [][]uint8{make([]uint8, 100), {}} {
		require.Equal(t, make([]float32, Side*Side), Normalise(empty, 10))
	}
}

func TestPack(t *testing.T) {
	train, test, err := data.Open("synthetic", data.OpenOptions{Synthetic: data.SyntheticOptions{Train: 30, Test: 20}})
	require.NoError(t, err)
	file, err := Pack(train, test, 25, 20)
	require.NoError(t, err)
	a, b, err := Unpack(file)
	require.NoError(t, err)
	require.Equal(t, 25, a.Len())
	require.Equal(t, 20, b.Len())
	want, got := make([]float32, Side*Side), make([]float32, Side*Side)
	for _, pair := range []struct{ from, to data.Dataset }{{train, a}, {test, b}} {
		require.Equal(t, pair.from.Shape(), pair.to.Shape())
		for i := range pair.to.Len() {
			label, err := pair.from.Read(want, i)
			require.NoError(t, err)
			same, err := pair.to.Read(got, i)
			require.NoError(t, err)
			require.Equal(t, label, same)
			for k := range want {
				require.InDelta(t, want[k], got[k], 8.5)
			}
		}
	}
	for v := range 256 { // what has 4 bits already stays as it is
		if v%17 == 0 {
			require.Equal(t, byte(v/17), level(float32(v)))
		}
	}
	_, err = Pack(train, test, 31, 20)
	require.ErrorContains(t, err, "there must be 31 of 784")
	for _, broken := range [][]byte{nil, []byte("PNG"), file[:len(file)-1], append(bytes.Clone(file), 0), bytes.Replace(file, []byte("digits 1"), []byte("digits 2"), 1)} {
		_, _, err := Unpack(broken)
		require.Error(t, err)
	}
	huge := bytes.Clone(file[:len(magic)+8])
	for i := range 8 {
		huge[len(magic)+i] = 0xff
	}
	_, _, err = Unpack(huge)
	require.Error(t, err)
	label := bytes.Clone(file)
	label[len(magic)+8] = 10
	_, _, err = Unpack(label)
	require.ErrorContains(t, err, "digit 0 has the label 10")
}

// Each unit of a network comes to the number that Explain says, from nothing but what is in
// its receptive field.
func TestExplain(t *testing.T) {
	d := cpu(t)
	l, err := NewLens(d, untrained(t, d, "lenet"))
	require.NoError(t, err)
	defer l.Close()
	require.Equal(t, 431_080, l.Parameters())
	_, err = l.Explain(1, 0, 0, 0)
	require.ErrorContains(t, err, "there is no digit yet")

	r := rand.New(rand.NewPCG(1, 2))
	digit := make([]float32, Side*Side)
	for i := range digit {
		digit[i] = float32(r.IntN(256))
	}
	values, err := l.Look(digit)
	require.NoError(t, err)
	before := append([]float32(nil), values...)
	rules := map[string]string{"conv": "sum", "max-pool": "max", "dense": "sum", "relu": "relu", "softmax": "softmax"}
	var names []string
	for i, x := range l.Layers {
		names = append(names, x.Name)
		if i == 0 {
			continue
		}
		for range 30 {
			c, row, column := r.IntN(x.Channels), r.IntN(x.Height), r.IntN(x.Width)
			u, err := l.Explain(i, c, row, column)
			require.NoError(t, err)
			require.Equal(t, rules[x.Type], u.Rule)
			is := float64(before[x.Offset+(c*x.Height+row)*x.Width+column])
			require.InDelta(t, is, u.Value, 1e-4*(1+math.Abs(is)), "%s %d,%d,%d", x.Name, c, row, column)
			require.Equal(t, len(u.Weights), len(u.Sums)/max(1, len(u.Sums))*len(u.Inputs))
			require.GreaterOrEqual(t, u.Field.Left, 0)
			require.LessOrEqual(t, u.Field.Bottom, Side)
		}
	}
	require.Equal(t, []string{"data", "conv1", "pool1", "conv2", "pool2", "ip1", "relu1", "ip2", "prob"}, names)

	// What is outside of the field of a unit does not matter; what is inside does.
	u, err := l.Explain(4, 7, 1, 2)
	require.NoError(t, err)
	require.Equal(t, Rect{8, 4, 24, 20}, u.Field)
	x := l.Layers[4]
	at := x.Offset + (7*x.Height+1)*x.Width + 2
	outside := make([]float32, Side*Side)
	for i, v := range digit {
		outside[i] = v
		if c, row := i%Side, i/Side; c < u.Field.Left || c >= u.Field.Right || row < u.Field.Top || row >= u.Field.Bottom {
			outside[i] = 255 - v
		}
	}
	values, err = l.Look(outside)
	require.NoError(t, err)
	require.InDelta(t, before[at], values[at], 1e-5) // other sums may round otherwise
	inside := append([]float32(nil), digit...)
	for row := u.Field.Top; row < u.Field.Bottom; row++ {
		for c := u.Field.Left; c < u.Field.Right; c++ {
			inside[row*Side+c] = 255 - inside[row*Side+c]
		}
	}
	values, err = l.Look(inside)
	require.NoError(t, err)
	require.Greater(t, math.Abs(float64(before[at]-values[at])), 1e-3)

	for _, bad := range [][4]int{{0, 0, 0, 0}, {9, 0, 0, 0}, {1, 20, 0, 0}, {1, 0, -1, 0}, {1, 0, 0, 24}} {
		_, err := l.Explain(bad[0], bad[1], bad[2], bad[3])
		require.Error(t, err)
	}
}

// A layer that uses the weights of one before it is explained with these.
func TestExplainSharedWeights(t *testing.T) {
	d := cpu(t)
	m := untrained(t, d, "lenet")
	n := &graph.Network{Name: "twice"}
	conv := &layers.Conv{Filters: 1, Kernel: layers.Square(3)}
	n.Outputs = []string{n.Add("b", conv, n.Add("a", conv, n.Image("data", 1, 28, 28)))}
	n.Nodes[1].Share = map[string]string{"weight": "a.weight", "bias": "a.bias"}
	m.Network, m.Weights = n, map[string]*tensor.Dense{
		"a.weight": tensor.New(tensor.WithShape(1, 1, 3, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9})),
		"a.bias":   tensor.New(tensor.WithShape(1), tensor.WithBacking([]float32{0.5})),
	}
	l, err := NewLens(d, m)
	require.NoError(t, err)
	defer l.Close()
	_, err = l.Look(Normalise(drawing(Side, Side, 14, 14, 9, 6), Side))
	require.NoError(t, err)
	u, err := l.Explain(2, 0, 10, 12)
	require.NoError(t, err)
	require.Equal(t, m.Weights["a.weight"].Float32s(), u.Weights)
	require.Equal(t, 0.5, u.Bias)
}

func TestNetworksThatAreNotExplained(t *testing.T) {
	d := cpu(t)
	_, err := NewLens(d, untrained(t, d, "lenet5")) // tanh
	require.ErrorContains(t, err, "layer tanh1 of the type tanh cannot be explained here")
}

// A training learns, its file is a weights file that looks the same, and the same seed gives
// the same bytes.
func TestTraining(t *testing.T) {
	d := cpu(t)
	all, some, err := data.Open("synthetic", data.OpenOptions{Synthetic: data.SyntheticOptions{Train: 400, Test: 60}})
	require.NoError(t, err)
	file, err := Pack(all, some, 400, 60)
	require.NoError(t, err)
	train, test, err := Unpack(file)
	require.NoError(t, err)
	m := untrained(t, d, "lenet")
	run := func() (files []byte, right int, steps []Progress) {
		tr, err := NewTraining(d, m, train, test, TrainOptions{Iterations: 40, Batch: 30, Rate: 0.02, Seed: 3})
		require.NoError(t, err)
		defer tr.Close()
		for range 40 {
			p, err := tr.Step()
			require.NoError(t, err)
			steps = append(steps, p)
		}
		right, err = tr.Test(10, 60)
		require.NoError(t, err)
		files, err = tr.File()
		require.NoError(t, err)
		require.NoError(t, tr.Close())
		return files, right, steps
	}
	a, right, steps := run()
	require.Greater(t, steps[0].Loss, 2.0)
	require.Less(t, steps[39].Loss, 0.5*steps[0].Loss)
	require.Equal(t, 40, steps[39].Iteration)
	require.Less(t, steps[39].Rate, steps[0].Rate)
	require.Greater(t, right, 25, "of 50")
	b, _, _ := run()
	require.True(t, bytes.Equal(a, b))

	back, err := modelfile.ReadFrom(bytes.NewReader(a), int64(len(a)))
	require.NoError(t, err)
	l, err := NewLens(d, back)
	require.NoError(t, err)
	defer l.Close()
	known := 0
	digit := make([]float32, Side*Side)
	for i := 10; i < 60; i++ {
		label, err := test.Read(digit, i)
		require.NoError(t, err)
		values, err := l.Look(digit)
		require.NoError(t, err)
		prob := values[len(values)-10:]
		best := 0
		for k, p := range prob {
			if p > prob[best] {
				best = k
			}
		}
		if best == int(label) {
			known++
		}
	}
	require.Equal(t, right, known)

	for _, o := range []TrainOptions{{Batch: 1, Rate: 1}, {Iterations: 1, Rate: 1}, {Iterations: 1, Batch: 401, Rate: 1}, {Iterations: 1, Batch: 1}} {
		_, err := NewTraining(d, m, train, test, o)
		require.Error(t, err)
	}
	_, err = modelfile.ReadFrom(bytes.NewReader(a[:1000]), 1000)
	require.Error(t, err)
}
