package bench

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cpu"
)

// The bytes of a program are those of what it reads and writes, and not of inputs that
// are there besides.
func TestBytesOfPrograms(t *testing.T) {
	inner, err := cpu.New(1)
	require.NoError(t, err)
	d := &timedDevice{Device: inner, pass: forward}
	defer func() { require.NoError(t, d.Close()) }()
	q, err := d.NewQueue()
	require.NoError(t, err)
	defer func() { require.NoError(t, q.Close()) }()
	of := func(n int) device.Tensor {
		b, err := d.Alloc(int64(4 * n))
		require.NoError(t, err)
		return device.Tensor{Buffer: b, Shape: []int{n}}
	}
	x, y := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole)
	v, in := device.View{N: 2, C: 50, Inner: 1}, []device.Tensor{of(100), of(100)}
	d.record()
	for _, p := range []*expr.Program{expr.MustNew(y), expr.MustNew(expr.Add(x, y))} {
		q.Map(p, v, []device.Tensor{of(100)}, in, []device.Mode{device.Overwrite}, device.Random{})
		q.Map(p, v, []device.Tensor{of(100)}, in, []device.Mode{device.Accumulate}, device.Random{})
		q.Reduce(p, v, device.Sum, expr.Sample, of(2), in, device.Overwrite, device.Random{})
	}
	spans, err := d.stop()
	require.NoError(t, err)
	var bytes []int64
	for _, s := range spans {
		bytes = append(bytes, s.Bytes)
	}
	require.Equal(t, []int64{800, 1200, 408, 1200, 1600, 808}, bytes)
}

// movesOnly are the operations that compute nothing: they have bytes, and no FLOPs.
var movesOnly = map[string]bool{"ConvPack": true, "Fill": true, "CopyStrided": true, "PoolGather": true}

// Every operation of device.Kernels has a case in the conformance suite, its timing, and
// the FLOPs and bytes of it. The suite is run through the queue that times.
func TestEveryOperationIsCheckedAndTimed(t *testing.T) {
	inner, err := cpu.New(1) // it packs weights
	require.NoError(t, err)
	d := &timedDevice{Device: inner, pass: forward}
	defer func() { require.NoError(t, d.Close()) }()
	q, err := d.NewQueue()
	require.NoError(t, err)
	defer func() { require.NoError(t, q.Close()) }()
	seen := map[string]work{} // by the kernel's name as a method's in lower case, the largest of all cases
	traffic := map[string]int64{}
	tidy := strings.NewReplacer(" of ", "", " ", "", "-", "")
	timed := map[string]bool{}
	for _, c := range devicetest.Cases(devicetest.Options{Short: true, Seed: 1}) {
		_, packs := seen["convpack"]
		if timed[c.Op] && timed[c.Op+" flops"] && (packs || c.Op != "conv forward") {
			continue // one call of an operation is enough, and one whose weights are packed
		}
		d.record()
		b, err := c.Bind(d) // packs
		require.NoError(t, err)
		b.Launch(q)
		require.NoError(t, q.Sync(), "%s %s", c.Op, c.Name)
		spans, err := d.stop()
		require.NoError(t, err)
		for _, s := range spans {
			name := tidy.Replace(s.Kernel)
			seen[name] = work{flops: max(seen[name].flops, s.FLOPs)}
			traffic[name] = max(traffic[name], s.Bytes)
			timed[c.Op] = true
			timed[c.Op+" flops"] = timed[c.Op+" flops"] || s.FLOPs > 0
		}
		require.NoError(t, b.Close())
	}
	kernels := reflect.TypeFor[device.Kernels]()
	for i := range kernels.NumMethod() {
		op := kernels.Method(i).Name
		w, ok := seen[strings.ToLower(op)]
		if !ok {
			t.Errorf("%s: device/devicetest has no case that runs it, or bench times it under another name", op)
			continue
		}
		if traffic[strings.ToLower(op)] == 0 {
			t.Errorf("%s: bench counts no bytes", op)
		}
		if (w.flops > 0) == movesOnly[op] {
			t.Errorf("%s: bench counts %d FLOPs; only operations in movesOnly compute nothing", op, w.flops)
		}
	}
}
