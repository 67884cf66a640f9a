package cuda

import (
	"fmt"
	"math"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// The suite lets a device flush subnormal numbers to zero; these kernels do not,
// and nothing that depends on how they are compiled may change that in silence.

// tinyCase is calls of kernels whose results are subnormal numbers.
type tinyCase struct {
	name string
	args []tinyArg
	call func(q device.Queue, t []device.Tensor)
}

// tinyArg is an argument that is read, written, or both.
type tinyArg struct {
	of    device.DType
	n     int
	value func(i int) float64 // nil where it is only written
	back  bool                // is compared
}

func reads(n int, value func(i int) float64) tinyArg { return tinyArg{n: n, value: value} }
func writes(n int) tinyArg                           { return tinyArg{n: n, back: true} }

func updates(n int, value func(i int) float64) tinyArg {
	return tinyArg{n: n, value: value, back: true}
}

// Values: subnormal in all, and of the size of 1.
func tiny(i int) float64   { return float64(i*5%11-5) * 0x1p-131 }
func normal(i int) float64 { return 0.75 + float64(i*3%5)/8 }

var tinyCases = []tinyCase{
	{"program", []tinyArg{updates(37, tiny), reads(37, tiny), reads(37, func(i int) float64 { return tiny(i + 1) })},
		func(q device.Queue, t []device.Tensor) {
			p := expr.MustNew(expr.Sub(expr.Mul(expr.Const(0.75), expr.Input(0, expr.Whole)), expr.Div(expr.Input(1, expr.Whole), expr.Const(3))))
			q.Map(p, device.View{N: 1, C: 1, Inner: 37}, t[:1], t[1:], []device.Mode{device.Accumulate}, device.Random{})
		}},
	tinyLRN(device.LRN{N: 1, C: 7, H: 1, W: 5, Size: 5, Alpha: 1, Beta: 0.75, K: 2}),
	tinyLRN(device.LRN{N: 1, C: 7, H: 1, W: 5, Size: 3, Alpha: 1, Beta: 0.6, K: 2}),
	{"average pooling", []tinyArg{writes(8), reads(32, tiny), writes(32)},
		func(q device.Queue, t []device.Tensor) {
			p := device.Pool{Op: device.AveragePool, N: 1, C: 2, H: 4, W: 4, R: 2, S: 2, StrideH: 2, StrideW: 2}
			q.PoolForward(p, t[0], device.Tensor{}, t[1])
			q.PoolBackward(p, t[2], t[0], device.Tensor{}, device.Overwrite)
		}},
	{"max pooling", []tinyArg{writes(18), {of: device.Int32, n: 18}, reads(32, tiny), writes(32), updates(18, tiny)},
		func(q device.Queue, t []device.Tensor) {
			p := device.Pool{Op: device.MaxPool, N: 1, C: 2, H: 4, W: 4, R: 2, S: 2, StrideH: 1, StrideW: 1}
			q.PoolForward(p, t[0], t[1], t[2])
			q.PoolBackward(p, t[3], t[0], t[1], device.Overwrite)
			q.PoolGather(p, t[4], t[1], t[2], device.Accumulate)
		}},
	{"strided copy", []tinyArg{reads(24, tiny), updates(12, func(i int) float64 { return tiny(i + 2) }), updates(5, tiny)},
		func(q device.Queue, t []device.Tensor) {
			q.CopyStrided(device.Strided{Axes: [device.MaxAxes]device.Axis{{Len: 3, Dst: 4, Src: 8}, {Len: 4, Dst: 1, Src: 1}}, Src: 4}, t[1], t[0], device.Accumulate)
			q.CopyStrided(device.Strided{Axes: [device.MaxAxes]device.Axis{{Len: 4, Src: 6}, {Len: 5, Dst: 1, Src: 1}}}, t[2], t[0], device.Accumulate)
		}},
	tinySoftmax(device.Softmax{N: 2, C: 6, Inner: 1}),
	tinySoftmax(device.Softmax{N: 2, C: 6, Inner: 3}),
}

func tinyLRN(l device.LRN) tinyCase {
	n := l.N * l.C * l.H * l.W
	return tinyCase{fmt.Sprintf("lrn %d", l.Size), []tinyArg{writes(n), writes(n), reads(n, tiny), reads(n, normal), writes(n)},
		func(q device.Queue, t []device.Tensor) {
			q.LRNForward(l, t[0], t[1], t[2])
			q.LRNBackward(l, t[4], t[3], t[1], t[2], device.Overwrite)
		}}
}

func tinySoftmax(s device.Softmax) tinyCase {
	n := s.N * s.C * s.Inner
	logits := func(i int) float64 { return -93 * float64(min(1, i/s.Inner%s.C)) }
	return tinyCase{fmt.Sprintf("softmax %d", s.Inner), []tinyArg{writes(n), reads(n, logits), writes(n), reads(n, normal), reads(n, tiny)},
		func(q device.Queue, t []device.Tensor) {
			q.SoftmaxForward(s, t[0], t[1])
			q.SoftmaxBackward(s, t[2], t[3], t[4], device.Overwrite)
		}}
}

// run returns the arguments that are compared, one behind the other.
func (c tinyCase) run(d device.Device) ([]float32, error) {
	q, err := d.NewQueue()
	if err != nil {
		return nil, err
	}
	defer q.Close()
	var tensors []device.Tensor
	for _, a := range c.args {
		b, err := d.Alloc(int64(a.n) * a.of.Size())
		if err != nil {
			return nil, err
		}
		defer b.Free()
		t := device.Tensor{Buffer: b, Shape: tensor.Shape{a.n}, DType: a.of}
		tensors = append(tensors, t)
		if a.value == nil {
			continue
		}
		if a.of == device.Int32 {
			v := make([]int32, a.n)
			for i := range v {
				v[i] = int32(a.value(i))
			}
			q.Upload(t, tensor.New(tensor.WithShape(a.n), tensor.WithBacking(v)))
			continue
		}
		v := make([]float32, a.n)
		for i := range v {
			v[i] = float32(a.value(i))
		}
		q.Upload(t, tensor.New(tensor.WithShape(a.n), tensor.WithBacking(v)))
	}
	c.call(q, tensors)
	var got []float32
	for i, a := range c.args {
		if a.back {
			v := make([]float32, a.n)
			q.Download(tensor.New(tensor.WithShape(a.n), tensor.WithBacking(v)), tensors[i])
			if err := q.Sync(); err != nil {
				return nil, err
			}
			got = append(got, v...)
		}
	}
	return got, q.Sync()
}

// wrong says where results are further from the reference's than their last few
// bits, among which there are subnormal ones.
func (c tinyCase) wrong(t *testing.T, d device.Device) error {
	got, err := c.run(d)
	if err != nil {
		return err
	}
	want, err := c.run(reference.New())
	require.NoError(t, err)
	subnormals := 0
	for i, w := range want {
		w := float64(w)
		if a := math.Abs(w); a > 0x1p-145 && a < 0x1p-126 {
			subnormals++
		}
		if !(math.Abs(float64(got[i])-w) <= 0x1p-20*math.Abs(w)+8*0x1p-149) {
			return fmt.Errorf("%s: number %d is %g, want %g", c.name, i, got[i], w)
		}
	}
	require.Greater(t, 2*subnormals, len(want)/2, c.name)
	return nil
}

// flushes is an instruction that may flush.
var flushes = regexp.MustCompile(`^(\s*(?:@!?%p\d+\s+)?(?:add|sub|mul|fma|div|rcp|sqrt|rsqrt|lg2|ex2)(?:\.r[nzmp]|\.approx)?)\.f32`)

// TestFlushing adds .ftz to the arithmetic of each kernel that ships, as
// nvcc -ftz=true and -use_fast_math do. Where results are subnormal, the kernels
// pass as they are, and those do not.
func TestFlushing(t *testing.T) {
	products, m := newSubjects(t), &mutator{}
	for _, bn := range products {
		bn.unit = subnormal
	}
	seen := map[string]bool{}
	m.sim = ptxsim.New(ptxsim.Config{OnLaunch: func(r ptxsim.Report) { seen[r.Kernel] = true }})
	d, err := New("ptxsim", mutantDriver{m.sim, m}, device.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	cases := map[string][]tinyCase{} // by kernel
	for _, c := range tinyCases {
		clear(seen)
		require.NoError(t, c.wrong(t, d))
		for kernel := range seen {
			cases[kernel] = append(cases[kernel], c)
		}
	}
	flushing := 0
	least := shipped(t, 50, func(k mutated) {
		body, changed := make([]string, len(k.body)), false
		for i, line := range k.body {
			body[i] = flushes.ReplaceAllString(line, "$1.ftz.f32")
			changed = changed || body[i] != line
		}
		if !changed {
			return
		}
		flushing++
		if suites[k.file] != nil {
			require.NoError(t, products.test(t, k, k.body), "%v %s", k.machine, k.kernel)
			require.Error(t, products.test(t, k, body), "%v %s", k.machine, k.kernel)
			return
		}
		module, err := m.sim.Load(k.file+".ptx", k.with(body))
		require.NoError(t, err)
		defer func() { require.NoError(t, module.Unload()) }()
		m.changed, err = module.Function(k.kernel)
		require.NoError(t, err)
		defer func() { m.changed = nil }()
		for _, c := range cases[k.kernel] {
			if c.wrong(t, d) != nil {
				return
			}
		}
		t.Errorf("%s may flush: of %d cases none sees it", k.kernel, len(cases[k.kernel]))
	})
	t.Logf("%d kernels", flushing)
	require.Greater(t, flushing, least)
}
