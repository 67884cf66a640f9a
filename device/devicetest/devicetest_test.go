package devicetest

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/expr"
)

// A device without a fault passes, and its scratch and packed weights are
// what it asked for.
func TestRunPassesAFaultlessDevice(t *testing.T) {
	Run(t, func() (device.Device, error) { return newFaulty(), nil }, Options{Short: true})
}

var sink []byte

// TestSuiteFindsFaults breaks one kernel at a time. A case of the operation
// must fail and say why.
func TestSuiteFindsFaults(t *testing.T) {
	faults := []struct {
		name  string
		op    string
		says  string // part of the error
		queue faultyQueue
	}{
		{"writes after the last element", "gemm", "c: element 1 was written, there are 1", faultyQueue{
			gemm: func(q *faultyQueue, g device.GEMM, c, a, b device.Tensor, ws device.Buffer) {
				q.Queue.GEMM(g, c, a, b, ws)
				edit(q.Queue, q.uploaded[0], func(v []float32) { v[(len(v)+c.Len())/2] = 0 })
			}}},
		{"writes before the first element", "gemm", "c: element -1 before", faultyQueue{
			gemm: func(q *faultyQueue, g device.GEMM, c, a, b device.Tensor, ws device.Buffer) {
				q.Queue.GEMM(g, c, a, b, ws)
				edit(q.Queue, q.uploaded[0], func(v []float32) { v[(len(v)-c.Len())/2-1] = 0 })
			}}},
		{"writes after its scratch", "gemm", "scratch: element 37 was written", faultyQueue{
			gemm: func(q *faultyQueue, g device.GEMM, c, a, b device.Tensor, ws device.Buffer) {
				q.Queue.GEMM(g, c, a, b, ws)
				whole := q.uploaded[3]
				q.Queue.Upload(device.Tensor{Buffer: whole.Buffer.Slice(256+37, 1), DType: device.Uint8, Shape: tensor.Shape{1}}, host([]uint8{0}))
			}}},
		{"changes an input", "gemm", "b: element 0 of this input was written", faultyQueue{
			gemm: func(q *faultyQueue, g device.GEMM, c, a, b device.Tensor, ws device.Buffer) {
				q.Queue.GEMM(g, c, a, b, ws)
				edit(q.Queue, b, func(v []float32) { v[0] = math.Nextafter32(v[0], 2) })
			}}},
		{"reads the destination although beta is 0", "gemm", "c[0 0] is NaN", faultyQueue{
			gemm: func(q *faultyQueue, g device.GEMM, c, a, b device.Tensor, ws device.Buffer) {
				g.Beta = math.SmallestNonzeroFloat32
				q.Queue.GEMM(g, c, a, b, ws)
			}}},
		{"ignores beta", "gemm", "c[", faultyQueue{
			gemm: func(q *faultyQueue, g device.GEMM, c, a, b device.Tensor, ws device.Buffer) {
				g.Beta = 0
				q.Queue.GEMM(g, c, a, b, ws)
			}}},
		{"is off by one in 100,000", "gemm", "c[", faultyQueue{
			gemm: func(q *faultyQueue, g device.GEMM, c, a, b device.Tensor, ws device.Buffer) {
				g.Alpha *= 1.00001
				q.Queue.GEMM(g, c, a, b, ws)
			}}},
		{"leaves the last element out", "gemm", "is NaN, want", faultyQueue{
			gemm: func(q *faultyQueue, g device.GEMM, c, a, b device.Tensor, ws device.Buffer) {
				q.Queue.GEMM(g, c, a, b, ws)
				edit(q.Queue, c, func(v []float32) { v[len(v)-1] = float32(math.NaN()) })
			}}},
		{"allocates", "gemm", "3 launches on a warm queue made 3 allocations", faultyQueue{
			gemm: func(q *faultyQueue, g device.GEMM, c, a, b device.Tensor, ws device.Buffer) {
				q.Queue.GEMM(g, c, a, b, ws)
				sink = make([]byte, 64)
			}}},
		{"leaves the last term out", "dense forward", "y[", faultyQueue{
			denseForward: func(q *faultyQueue, d device.Dense, y, x, w device.Tensor, e device.Epilogue) {
				var last float32
				edit(q.Queue, x, func(v []float32) { last, v[len(v)-1] = v[len(v)-1], 0 })
				q.Queue.DenseForward(d, y, x, w, e, nil)
				edit(q.Queue, x, func(v []float32) { v[len(v)-1] = last })
			}}},
		{"forgets the bias", "dense forward", "y[", faultyQueue{
			denseForward: func(q *faultyQueue, d device.Dense, y, x, w device.Tensor, e device.Epilogue) {
				e.Bias = device.Tensor{}
				q.Queue.DenseForward(d, y, x, w, e, nil)
			}}},
		{"swaps the pads", "conv forward", "asymmetric pad", faultyQueue{
			convForward: func(q *faultyQueue, c device.Conv, y, x device.Tensor, w device.Filter, e device.Epilogue) {
				c.PadTop, c.PadBottom = c.PadBottom, c.PadTop
				c.PadLeft, c.PadRight = c.PadRight, c.PadLeft
				q.Queue.ConvForward(c, y, x, w, e, nil)
			}}},
		{"forgets the activation", "conv forward", "relu", faultyQueue{
			convForward: func(q *faultyQueue, c device.Conv, y, x device.Tensor, w device.Filter, e device.Epilogue) {
				e.Activation.On = false
				q.Queue.ConvForward(c, y, x, w, e, nil)
			}}},
		{"forgets the maps", "conv forward", "maps", faultyQueue{
			convForward: func(q *faultyQueue, c device.Conv, y, x device.Tensor, w device.Filter, e device.Epilogue) {
				e.Maps = nil
				q.Queue.ConvForward(c, y, x, w, e, nil)
			}}},
		{"runs the maps in another order", "dense forward", "maps", faultyQueue{
			denseForward: func(q *faultyQueue, d device.Dense, y, x, w device.Tensor, e device.Epilogue) {
				e.Maps = slices.Clone(e.Maps)
				slices.Reverse(e.Maps)
				q.Queue.DenseForward(d, y, x, w, e, nil)
			}}},
		{"writes after its packed weights", "conv forward", "packed weights: element", faultyQueue{
			convForward: func(q *faultyQueue, c device.Conv, y, x device.Tensor, w device.Filter, e device.Epilogue) {
				q.Queue.ConvForward(c, y, x, w, e, nil)
				whole := q.uploaded[len(q.uploaded)-1]
				q.Queue.Upload(device.Tensor{Buffer: whole.Buffer.Slice(256+w.Bytes(), 1), DType: device.Uint8, Shape: tensor.Shape{1}}, host([]uint8{0}))
			}}},
		{"leaves out what no window touches", "conv backward-data", "stride above kernel", faultyQueue{
			convData: func(q device.Queue, c device.Conv, dx, dy device.Tensor, w device.Filter, m device.Mode) {
				q.ConvBackwardData(c, dx, dy, w, m, nil)
				if m == device.Overwrite {
					edit(q, dx, func(v []float32) {
						for i := range v {
							if v[i] == 0 {
								v[i] = float32(math.NaN())
							}
						}
					})
				}
			}}},
		{"forgets to accumulate", "conv backward-data", "accumulate: dx[", faultyQueue{
			convData: func(q device.Queue, c device.Conv, dx, dy device.Tensor, w device.Filter, _ device.Mode) {
				q.ConvBackwardData(c, dx, dy, w, device.Overwrite, nil)
			}}},
		{"accumulates although it is to overwrite", "conv backward-filter", "overwrite: dw[", faultyQueue{
			convFilter: func(q device.Queue, c device.Conv, dw, dbias, x, dy device.Tensor, _ device.Mode) {
				q.ConvBackwardFilter(c, dw, dbias, x, dy, device.Accumulate, nil)
			}}},
		{"forgets the bias gradient", "conv backward-filter", "dbias[0] is NaN", faultyQueue{
			convFilter: func(q device.Queue, c device.Conv, dw, _, x, dy device.Tensor, m device.Mode) {
				q.ConvBackwardFilter(c, dw, device.Tensor{}, x, dy, m, nil)
			}}},
		{"skips the bias of frozen weights", "conv backward-filter", "dbias overwrite: dbias[0] is NaN", faultyQueue{
			convFilter: func(q device.Queue, c device.Conv, dw, dbias, x, dy device.Tensor, m device.Mode) {
				if dw.IsNil() {
					return
				}
				q.ConvBackwardFilter(c, dw, dbias, x, dy, m, nil)
			}}},
		{"takes the last of equals", "pool forward", "ties: index[", faultyQueue{
			poolForward: func(q device.Queue, p device.Pool, y, index, x device.Tensor) {
				q.PoolForward(p, y, index, x)
				if index.IsNil() {
					return
				}
				in, out := make([]float32, x.Len()), make([]float32, y.Len())
				q.Download(host(in), x)
				q.Download(host(out), y)
				planes, pixels := p.OutH()*p.OutW(), p.H*p.W
				editInts(q, index, func(v []int32) {
					for o := range v {
						// within the row, the next pixel of the window
						at := int(v[o])
						left := (o%p.OutW())*p.StrideW - p.PadLeft
						if col := at%p.W + 1; col < min(left+p.S, p.W) && in[o/planes*pixels+at+1] == out[o] {
							v[o]++
						}
					}
				})
			}}},
		{"starts its maximum at 0", "pool forward", "negative: y[", faultyQueue{
			poolForward: func(q device.Queue, p device.Pool, y, index, x device.Tensor) {
				q.PoolForward(p, y, index, x)
				if p.Op == device.MaxPool {
					edit(q, y, func(v []float32) {
						for i := range v {
							v[i] = max(v[i], 0)
						}
					})
				}
			}}},
		{"divides by the whole window", "pool forward", "y[", faultyQueue{
			poolForward: func(q device.Queue, p device.Pool, y, index, x device.Tensor) {
				p.CountPad = true
				q.PoolForward(p, y, index, x)
			}}},
		{"keeps one of overlapping windows", "pool backward", "dx[", faultyQueue{
			poolBackward: func(q device.Queue, p device.Pool, dx, dy, index device.Tensor, m device.Mode) {
				q.PoolBackward(p, dx, dy, index, m)
				edit(q, dx, func(v []float32) {
					for i := range v {
						v[i] = max(min(v[i], 1), -1)
					}
				})
			}}},
		{"scatters what is outside of the plane to its ends", "pool backward", "outside", faultyQueue{
			poolBackward: func(q device.Queue, p device.Pool, dx, dy, index device.Tensor, m device.Mode) {
				withinPlanes(q, p, index, func() { q.PoolBackward(p, dx, dy, index, m) })
			}}},
		{"gathers what is outside of the plane from its ends", "pool gather", "outside", faultyQueue{
			poolGather: func(q device.Queue, p device.Pool, y, index, x device.Tensor, m device.Mode) {
				withinPlanes(q, p, index, func() { q.PoolGather(p, y, index, x, m) })
			}}},
		{"gathers from the first plane", "pool gather", "y[", faultyQueue{
			poolGather: func(q device.Queue, p device.Pool, y, index, x device.Tensor, m device.Mode) {
				q.PoolGather(p, y, index, x, m)
				edit(q, y, func(v []float32) {
					for i := range v {
						v[i] = v[i%(p.OutH()*p.OutW())]
					}
				})
			}}},
		{"gathers over what is there", "pool gather", "accumulate: y[", faultyQueue{
			poolGather: func(q device.Queue, p device.Pool, y, index, x device.Tensor, _ device.Mode) {
				q.PoolGather(p, y, index, x, device.Overwrite)
			}}},
		{"does not divide alpha", "lrn forward", "over size", faultyQueue{
			lrnForward: func(q device.Queue, l device.LRN, y, scale, x device.Tensor) {
				l.AlphaOverSize = false
				q.LRNForward(l, y, scale, x)
			}}},
		{"leaves a channel out of the window", "lrn forward", "y[", faultyQueue{
			lrnForward: func(q device.Queue, l device.LRN, y, scale, x device.Tensor) {
				l.Size = max(l.Size-2, 1)
				q.LRNForward(l, y, scale, x)
			}}},
		{"leaves the cross terms out", "lrn backward", "dx[", faultyQueue{
			lrnBackward: func(q device.Queue, l device.LRN, dx, x, scale, dy device.Tensor, m device.Mode) {
				l.Size = 1
				q.LRNBackward(l, dx, x, scale, dy, m)
			}}},
		{"counts draws without the sample", "map", "dropout", faultyQueue{
			mapped: func(q device.Queue, p *expr.Program, v device.View, out, in []device.Tensor, modes []device.Mode, r device.Random) {
				r.Sample = 0
				q.Map(p, v, out, in, modes, r)
			}}},
		{"clears what lies around", "strided copy", "overwrite: dst[", faultyQueue{
			copyStrided: func(q device.Queue, s device.Strided, dst, src device.Tensor, m device.Mode) {
				if m == device.Overwrite {
					q.Fill(dst, 0)
				}
				q.CopyStrided(s, dst, src, m)
			}}},
		{"leaves the last of a sum out", "strided copy", "sum of all accumulate: dst[", faultyQueue{
			copyStrided: func(q device.Queue, s device.Strided, dst, src device.Tensor, m device.Mode) {
				for i := range s.Axes {
					if a := &s.Axes[i]; a.Dst == 0 && a.Len > 1 {
						a.Len--
					}
				}
				q.CopyStrided(s, dst, src, m)
			}}},
		{"updates the gaps between segments", "update", "[", faultyQueue{
			update: func(q device.Queue, p *expr.Program, out, in []device.Tensor, segments []device.Segment) {
				q.Update(p, out, in, segments)
				if len(segments) == 5 {
					edit(q, out[0], func(v []float32) { v[0] += 0.125 })
				}
			}}},
		{"leaves the last segment out", "update", "[", faultyQueue{
			update: func(q device.Queue, p *expr.Program, out, in []device.Tensor, segments []device.Segment) {
				if n := len(segments); n == 5 {
					segments = slices.Clone(segments)
					segments[n-1].Len = 0
				}
				q.Update(p, out, in, segments)
			}}},
		{"gives a segment the numbers of the first", "update", "momentum layout 1, ", faultyQueue{
			update: func(q device.Queue, p *expr.Program, out, in []device.Tensor, segments []device.Segment) {
				for i, axes := range p.Inputs() {
					if axes == expr.Channel && p.Uses(i) && len(segments) > 1 {
						edit(q, in[i], func(v []float32) {
							for k := range v {
								v[k] = v[0]
							}
						})
					}
				}
				q.Update(p, out, in, segments)
			}}},
		{"is off by one in 1,000", "reduce", "squares of ", faultyQueue{
			reduce: func(q device.Queue, p *expr.Program, v device.View, op device.ReduceOp, axes expr.Axes, out device.Tensor, in []device.Tensor, m device.Mode, r device.Random) {
				q.Reduce(p, v, op, axes, out, in, m, r)
				edit(q, out, func(v []float32) { v[0] *= 1.001 })
			}}},
	}
	for _, f := range faults {
		t.Run(f.op+" "+f.name, func(t *testing.T) {
			dev := newFaulty()
			dev.queue = f.queue
			var found []string
			for _, c := range Cases(Options{Short: true}) {
				if c.Op != f.op {
					continue
				}
				if err := c.Check(dev, Options{Seed: 1, NoAllocs: f.name == "allocates"}); err != nil {
					found = append(found, c.Name+": "+err.Error())
				}
			}
			require.NotEmpty(t, found, "no case of %s failed", f.op)
			require.Contains(t, strings.Join(found, "\n"), f.says)
		})
	}
}

func TestCases(t *testing.T) {
	all, short := Cases(Options{Seed: 5}), Cases(Options{Seed: 5, Short: true})
	count := func(cases []Case) map[string]int {
		ops, names := map[string]int{}, map[string]bool{}
		for _, c := range cases {
			require.False(t, names[c.Op+c.Name], "two cases are named %s/%s", c.Op, c.Name)
			names[c.Op+c.Name] = true
			ops[c.Op]++
			require.Positive(t, c.Bytes())
		}
		return ops
	}
	inAll, inShort := count(all), count(short)
	require.Less(t, len(short), len(all))
	for op := range inAll {
		require.Positive(t, inShort[op], "no short case of %s", op)
	}
	require.Equal(t, count(Cases(Options{Seed: 5})), inAll)
}

func TestAlexNetCases(t *testing.T) {
	var forward int64
	for _, c := range AlexNet(2) {
		require.Contains(t, c.Name, "alexnet")
		if c.Op == "conv forward" && !strings.Contains(c.Name, "grouped") || c.Op == "dense forward" {
			forward += c.FLOPs
		}
	}
	// 1,135,256,096 multiply-adds a sample in one tower, without biases.
	require.Equal(t, int64(2*2*1_135_256_096), forward)
}

func TestSupported(t *testing.T) {
	d := device.Dense{N: 1, In: 1, Out: 1}
	tanh := device.Activation{On: true, Unary: device.Unary{Op: device.Tanh}}
	require.False(t, denseForward(d, true, tanh).Supported(greedy{}))
	require.True(t, denseForward(d, true, relu).Supported(greedy{}))
	require.True(t, fillCase(1, 0).Supported(greedy{}))
}

func TestValuesFollowFromTheSeed(t *testing.T) {
	c := gemmCase("", device.GEMM{M: 3, N: 4, K: 5, Alpha: 1, Beta: 1})
	require.Equal(t, c.values(7), c.values(7))
	require.NotEqual(t, c.values(7), c.values(8))
	require.Equal(t, int64(4*(2*12+15+20)), c.Bytes(), "c is read and written")
}

func TestBind(t *testing.T) {
	dev := reference.New()
	before, _, err := dev.MemInfo()
	require.NoError(t, err)
	b, err := fillCase(100, 1.5).Bind(dev)
	require.NoError(t, err)
	q, err := dev.NewQueue()
	require.NoError(t, err)
	b.Launch(q)
	b.Launch(q)
	got, err := download(q, b.t[0])
	require.NoError(t, err)
	require.Equal(t, these[float32](1.5)(nil, 100), got)
	require.NoError(t, b.Close())
	after, _, err := dev.MemInfo()
	require.NoError(t, err)
	require.Equal(t, before, after, "Close frees everything")
}

func TestTolerance(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	sum := products(16) // 24 roundings
	for _, c := range []struct {
		tol                  tolerance
		got, want, magnitude float64
		ok                   bool
	}{
		{sum, 1, 1, 1, true},
		{sum, 1 + 23*unitRoundoff, 1, 1, true},
		{sum, 1 + 25*unitRoundoff, 1, 1, false},
		{sum, 1 + 25*unitRoundoff, 1, 2, true},
		{matrixProduct(1), 1 + 0x1p-10, 1, 1, true},
		{matrixProduct(1), 1 + 0x1.01p-10, 1, 1, false},
		{sum, nan, 1, 1, false},
		{sum, 1, nan, nan, false},
		{sum, nan, nan, nan, true},
		{sum, inf, inf, inf, true},
		{sum, 1, inf, inf, false},
		{sum, inf, 1, 1, false},
		{sum, 0, 1e-40, 1e-40, true}, // flushed to zero
		{exactly, 0.5, 0.5, 0, true},
		{exactly, float64(float32(0.1)), 0.1, 0, true},
		{exactly, 0.5 + unitRoundoff, 0.5, 1, false},
	} {
		require.Equal(t, c.ok, c.tol.allows(c.got, c.want, c.magnitude), "%+v", c)
	}
}

func TestSeedFromTheEnvironment(t *testing.T) {
	t.Setenv("HUBEL_SEED", "0x10")
	require.Equal(t, uint64(16), freshSeed(t))
}

// A blockwise convolution may err everywhere by what the largest element may, and
// by no more.
func TestBlockwiseConvolutionErrsByTheLargest(t *testing.T) {
	c := convForward("", convOf(1, 2, 6, 2, 3, 1, 1, 1), false, device.Activation{})
	values := c.values(1)
	y, err := c.onReference(c.call, values)
	require.NoError(t, err)
	m, err := c.onReference(c.magnitude, absolute(values))
	require.NoError(t, err)
	largest, least := 0.0, 0
	for i, v := range m[0] {
		largest = max(largest, v)
		if v < m[0][least] {
			least = i
		}
	}
	bound := c.args[0].tol.bound(largest)
	off := func(by float64) []any {
		got := make([]float32, len(y[0]))
		for i, v := range y[0] {
			got[i] = float32(v)
		}
		got[least] += float32(by)
		return []any{got, nil, nil, nil}
	}
	require.NoError(t, c.compare(off(0.9*bound), values, true))
	require.Error(t, c.compare(off(0.9*bound), values, false))
	require.Error(t, c.compare(off(1.2*bound), values, true))
}
