package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
	"github.com/hubel-go/hubel/kernels/cpu/guarded"
)

// TestConvShapes holds the three passes of small convolutions, of every kind of
// geometry that device.Conv allows, on every path against the reference: 4,000 of
// them or, with HUBEL_LONG=1, a million, which take two cores with AVX-512 some five
// minutes. An operand begins or ends at a page that
// faults, and what lies around it, in scratch, in packed weights and in a worker's
// own memory is NaN. Numbers are small and whole, so that direct sums are exact.
// Geometry i is the same in every run.
func TestConvShapes(t *testing.T) {
	geometries := int64(4000)
	switch {
	case os.Getenv("HUBEL_LONG") != "":
		geometries = 1e6
	case testing.Short():
		geometries = 400
	}
	var next, wrong atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		b := newShapeBench(t)
		workers.Go(func() {
			debug.SetPanicOnFault(true) // for this goroutine
			for i := next.Add(1) - 1; i < geometries && wrong.Load() < 20; i = next.Add(1) - 1 {
				if err := b.check(i); err != nil {
					wrong.Add(1)
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
}

// shapeConv draws a geometry. Most are tiny; some have the channels, filters,
// rows or taps that are cut into blocks, or that Winograd's algorithm is for.
func shapeConv(r *rand.Rand) device.Conv {
	few := func(limit int) int { return 1 + r.IntN(1+r.IntN(limit)) } // small rather than large
	for {
		c := device.Conv{N: few(3), C: few(5), H: few(12), W: few(12), K: few(5), R: few(7), S: few(7),
			StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: few(3)}
		if r.IntN(8) > 0 {
			c.StrideH, c.StrideW = few(9), few(9)
		}
		if r.IntN(2) == 0 {
			c.DilationH, c.DilationW = few(4), few(4)
		}
		if r.IntN(4) > 0 {
			c.PadTop, c.PadBottom, c.PadLeft, c.PadRight = few(10)-1, few(10)-1, few(10)-1, few(10)-1
		}
		limit := int64(shapeFLOPs)
		switch r.IntN(51) {
		case 0: // panels of channels and filters
			c.C, c.K = few(40), few(70)
			limit <<= 3
		case 1: // blocks of windows
			c.N, c.H, c.W = few(9), few(40), few(40)
			limit <<= 3
		case 2: // pieces of a row
			c.H, c.W, c.R, c.S, c.StrideW = few(3), few(1700), few(2), few(3), few(2)
			limit <<= 3
		case 3: // filters of many taps
			c.H, c.W, c.R, c.S = few(30), few(30), few(30), few(30)
			limit <<= 3
		case 4: // a stride past the image: as many phases of pixels as it has pixels
			if r.IntN(4) == 0 {
				c.StrideH, c.StrideW = 1<<r.IntN(31), 1<<r.IntN(31)
			}
		case 5: // for Winograd's algorithm, by phases or not
			n, s := 3+2*r.IntN(2), few(4)
			c.N, c.C, c.K, c.Groups = few(2), (15+s*s)/(s*s)+r.IntN(3), 16+r.IntN(3), 1
			c.R = (n-1)*s + few(s)
			c.S, c.StrideH, c.StrideW, c.DilationH, c.DilationW = c.R, s, s, 1, 1
			c.H, c.W = c.R+r.IntN(8), c.R+r.IntN(8)
			limit <<= 7
		case 6, 7, 8: // depthwise
			c.N, c.C, c.K, c.Groups, c.H, c.W = few(2), 1, 1, few(6), few(70), few(90)
			switch r.IntN(3) {
			case 0: // more outputs than that, too
				c.K, c.H, c.W = few(depthwiseOutputs+3), few(30), few(30)
			case 1: // bands of a plane
				c.N, c.Groups, c.H, c.W, c.R, c.S = 1, few(2), 60+r.IntN(90), 60+r.IntN(90), few(3), few(3)
			}
			c.StrideH, c.StrideW = few(5), few(5)
			limit <<= 3
		case 9: // pointwise
			c = device.Conv{N: few(9), C: few(30), H: few(20), W: few(35), K: few(130), R: 1, S: 1,
				StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: few(3)}
			if r.IntN(3) == 0 { // blocks of the depth
				c.N, c.C, c.K = 1, few(600), few(20)
			}
			if limit <<= 8; c.N*c.Groups*max(c.C, c.K)*c.H*c.W > shapeOperand/2 {
				continue
			}
		}
		c.C, c.K = c.Groups*c.C, c.Groups*c.K
		if c.Check() == nil && c.FLOPs() <= limit {
			return c
		}
	}
}

// shapeBench is the devices and the memory of one goroutine.
type shapeBench struct {
	devices []*Device // of each path, one that only convolves directly and one that may do otherwise
	oracle  *reference.Device
	memory  map[string][]float32 // of an operand: all NaN between two uses
}

// The most operations of a small geometry; the most elements of an operand, of
// scratch and of a worker's own memory; and those of the last that a small
// geometry uses.
const (
	shapeFLOPs   = 1 << 15
	shapeOperand = 1 << 18
	shapeScratch = 1 << 22
	shapeWorker  = 1 << 17
	shapeSmall   = 1 << 14
)

// shapeOperands are what a pass reads and what it writes.
var shapeOperands = map[device.Pass]struct{ in, out []string }{
	device.Forward:        {[]string{"x", "w", "bias", "other"}, []string{"y"}},
	device.BackwardData:   {[]string{"dy", "w"}, []string{"dx"}},
	device.BackwardFilter: {[]string{"x", "dy"}, []string{"dw", "dbias"}},
}

func newShapeBench(t *testing.T) *shapeBench {
	b := &shapeBench{oracle: reference.New(), memory: map[string][]float32{}}
	for _, tile := range gemm.Tiles() {
		t.Setenv("HUBEL_CPU", tile.Name)
		for _, direct := range []bool{true, false} {
			d, err := Open(device.Options{Threads: 1, DirectConv: direct})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, d.Close()) })
			d.engine.Reserve(shapeWorker)
			b.devices = append(b.devices, d)
		}
	}
	for _, name := range []string{"x", "w", "bias", "dy", "y", "dx", "dw", "dbias", "packed", "other"} {
		b.memory[name] = guarded.Floats(t, shapeOperand, true) // whole pages: both ends are guarded
	}
	b.memory["scratch"] = guarded.Floats(t, shapeScratch, true)
	for _, m := range b.memory {
		forget(m)
	}
	return b
}

// nans are all bits set.
var nans = slices.Repeat([]float32{math.Float32frombits(^uint32(0))}, shapeSmall)

// forget makes NaNs of x.
func forget(x []float32) {
	for len(x) > 0 {
		x = x[copy(x, nans):]
	}
}

// shapeCase is a geometry, its operands' numbers before a pass, and the
// reference's after it.
type shapeCase struct {
	device.Conv
	mode   device.Mode
	atEnd  bool // operands end at a page that faults, or begin at one
	cutFor int  // workers: one does all of it
	before map[string][]float32
	shapes map[string]tensor.Shape
	want   map[string][]float64
}

// newCase draws geometry i and its numbers.
func (b *shapeBench) newCase(i int64) shapeCase {
	r := rand.New(rand.NewPCG(uint64(i), 1))
	conv := shapeConv(r)
	c := shapeCase{Conv: conv, mode: device.Mode(r.IntN(2)), atEnd: r.IntN(2) == 0, cutFor: []int{1, 20, 128}[i%3],
		before: map[string][]float32{}, want: map[string][]float64{}, shapes: map[string]tensor.Shape{
			"x": conv.XShape(), "dx": conv.XShape(), "w": conv.WShape(), "dw": conv.WShape(),
			"y": conv.YShape(), "dy": conv.YShape(), "bias": {conv.K}, "dbias": {conv.K}, "other": conv.YShape(),
		}}
	tensors := map[string]device.Tensor{}
	for _, name := range []string{"x", "dx", "w", "dw", "y", "dy", "bias", "dbias", "other"} {
		n := device.Elements(c.shapes[name])
		buffer, err := b.oracle.Alloc(int64(4 * n))
		if err != nil {
			panic(err)
		}
		defer buffer.Free()
		tensors[name] = device.Tensor{Buffer: buffer, Shape: c.shapes[name]}
		c.before[name] = make([]float32, n)
		c.want[name], _ = reference.Floats(tensors[name])
		for i := range n {
			v := r.IntN(6) - 3
			if v >= 0 {
				v++ // not 0, which hides what it is multiplied with
			}
			c.before[name][i], c.want[name][i] = float32(v), float64(v)
		}
	}
	q, err := b.oracle.NewQueue()
	if err != nil {
		panic(err)
	}
	for pass := range shapeOperands {
		c.enqueue(q, pass, tensors, nil, nil, nil)
	}
	return c
}

// enqueue enqueues a pass. The forward pass has no mode, and may have maps.
func (c *shapeCase) enqueue(q device.Queue, p device.Pass, t map[string]device.Tensor, packed, scratch device.Buffer, maps []device.EpilogueMap) {
	w := device.Filter{Tensor: t["w"], Packed: packed}
	switch p {
	case device.Forward:
		q.ConvForward(c.Conv, t["y"], t["x"], w, device.Epilogue{Bias: t["bias"], Maps: maps}, scratch)
	case device.BackwardData:
		q.ConvBackwardData(c.Conv, t["dx"], t["dy"], w, c.mode, scratch)
	case device.BackwardFilter:
		q.ConvBackwardFilter(c.Conv, t["dw"], t["dbias"], t["x"], t["dy"], c.mode, scratch)
	}
}

// check says what is wrong with geometry i.
func (b *shapeBench) check(i int64) error {
	c := b.newCase(i)
	for _, d := range b.devices {
		for _, p := range []device.Pass{device.Forward, device.BackwardData, device.BackwardFilter} {
			if !d.traits.direct && !d.traits.usesWinograd(c.Conv, p) {
				continue // as the direct device does
			}
			if err := b.pass(d, &c, p); err != nil {
				return fmt.Errorf("geometry %d, %+v, %v %v on %s, direct %t: %w", i, c.Conv, p, c.mode, d.Tile(), d.traits.direct, err)
			}
		}
	}
	return nil
}

// pass runs a pass and says what is wrong with it.
func (b *shapeBench) pass(d *Device, c *shapeCase, p device.Pass) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	tensors := map[string]device.Tensor{}
	place := func(name string, n int) []float32 {
		if c.atEnd {
			return b.memory[name][len(b.memory[name])-n:]
		}
		return b.memory[name][:n]
	}
	span := func(x []float32) *buffer {
		return &buffer{mem: unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))}
	}
	o := shapeOperands[p]
	for _, name := range slices.Concat(o.in, o.out) {
		x := place(name, len(c.before[name]))
		defer forget(x)
		if slices.Contains(o.in, name) || c.mode == device.Accumulate && p != device.Forward {
			copy(x, c.before[name])
		}
		tensors[name] = device.Tensor{Buffer: span(x), Shape: c.shapes[name]}
	}
	packed := place("packed", int(d.traits.convPacked(c.Conv, p)/4))
	defer forget(packed)
	scratch := place("scratch", int(d.traits.convScratch(c.Conv, p)/4))
	defer forget(scratch)
	own := d.engine.Scratch(0, shapeWorker)
	if c.FLOPs() <= shapeFLOPs {
		own = own[:shapeSmall]
	}
	forget(own)

	q, err := d.NewQueue()
	if err != nil {
		return err
	}
	d.engine.CutFor = c.cutFor
	q.ConvPack(c.Conv, p, span(packed), tensors["w"])
	c.enqueue(q, p, tensors, span(packed), span(scratch), nil)
	if err := q.Sync(); err != nil {
		return err
	}
	for _, name := range o.out {
		if err := b.compare(name, floats(tensors[name]), c.want[name], d.traits.usesWinograd(c.Conv, p)); err != nil {
			return err
		}
	}
	if p != device.Forward {
		return nil
	}

	// With maps, the bits are those of Map after the convolution.
	y, maps := tensors["y"], c.maps(tensors)
	for i := range maps {
		m := &maps[i]
		q.Map(m.Program, m.View(y), []device.Tensor{y}, m.In, []device.Mode{device.Overwrite}, device.Random{})
	}
	want := slices.Clone(floats(y))
	forget(floats(y))
	forget(own)
	c.enqueue(q, p, tensors, span(packed), span(scratch), maps)
	if err := q.Sync(); err != nil {
		return err
	}
	for i, v := range floats(y) {
		if math.Float32bits(v) != math.Float32bits(want[i]) {
			return fmt.Errorf("with maps, y[%d] is %v, want %v", i, v, want[i])
		}
	}
	return b.beside("y", len(want))
}

// The maps of a convolution: a sum, what lies between two numbers, and a function that has a
// loop of its own.
var (
	shapeInput = expr.Input(0, expr.Whole)
	shapeSum   = expr.MustNew(expr.Add(expr.Input(1, expr.Whole), shapeInput))
	shapeClip  = expr.MustNew(expr.Min(expr.Max(shapeInput, expr.Const(-20)), expr.Const(9)))
	shapeSiLU  = expr.MustNew(expr.Mul(shapeInput, expr.Sigmoid(shapeInput)))
)

// maps are one or two of them, one after the other.
func (c *shapeCase) maps(t map[string]device.Tensor) []device.EpilogueMap {
	y, other := t["y"], t["other"]
	all := []device.EpilogueMap{{Program: shapeSum, In: []device.Tensor{y, other}}, {Program: shapeClip, In: []device.Tensor{y}}, {Program: shapeSiLU, In: []device.Tensor{y}}}
	return all[c.H%2:][:1+c.W%2]
}

// compare holds a result, and the NaNs beside it, against the reference's. What
// Winograd's algorithm makes is rounded.
func (b *shapeBench) compare(name string, got []float32, want []float64, fast bool) error {
	largest := 0.
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	for i, v := range got {
		if e := math.Abs(float64(v) - want[i]); e != 0 && !(fast && e <= 1e-4*largest) {
			return fmt.Errorf("%s[%d] is %v, want %v", name, i, v, want[i])
		}
	}
	return b.beside(name, len(got))
}

// beside looks for the NaNs beside n elements of an operand.
func (b *shapeBench) beside(name string, n int) error {
	mem := b.memory[name]
	for _, v := range slices.Concat(mem[n:n+64], mem[len(mem)-n-64:len(mem)-n]) {
		if v == v {
			return fmt.Errorf("%s: %v was written beside it", name, v)
		}
	}
	return nil
}
