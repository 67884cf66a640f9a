package devicetest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/hubel-go/hubel/device"
)

func poolCases(o Options) []Case {
	geometries := []device.Pool{
		poolOf(1, 1, 1, 1, 0, 1),
		poolOf(3, 20, 24, 2, 0, 2), poolOf(3, 50, 8, 2, 0, 2), // LeNet's
		poolOf(2, 3, 6, 2, 0, 2),
		poolOf(2, 3, 7, 2, 0, 2),  // stride does not divide
		poolOf(1, 8, 55, 3, 0, 2), // AlexNet's: windows overlap
		poolOf(2, 3, 8, 3, 1, 2),  // padded
		poolOf(2, 3, 9, 2, 0, 3),  // pixels that no window sees
		poolOf(2, 5, 6, 6, 0, 1),  // global
		poolOf(2, 3, 5, 3, 1, 1),  // same size
		poolOf(1, 2, 3, 5, 2, 1),  // window above image
		poolOf(1, 96, 27, 3, 0, 2),
		{N: 2, C: 3, H: 5, W: 9, R: 2, S: 4, PadTop: 1, PadLeft: 2, PadRight: 3, StrideH: 1, StrideW: 3},
		{N: 1, C: 2, H: 9, W: 4, R: 4, S: 1, PadBottom: 3, StrideH: 3, StrideW: 2},
		{N: 2, C: 3, H: 3, W: 5, R: 3, S: 5, StrideH: 1, StrideW: 1}, // global, of a picture that is not square
		// With Ceil alone: windows above the padded image.
		poolOf(2, 3, 2, 3, 0, 2),
		poolOf(1, 2, 1, 7, 2, 3),
		{N: 2, C: 3, H: 9, W: 2, R: 2, S: 7, PadLeft: 1, PadRight: 2, StrideH: 2, StrideW: 5},
		{N: 1, C: 2, H: 4, W: 20, R: 6, S: 3, PadTop: 1, StrideH: 2, StrideW: 3},
	}
	r := o.geometries("pool")
	for range o.random() {
		geometries = append(geometries, randomPool(r))
	}
	var forward, backward, gather []Case
	seen := map[string]bool{}
	for _, p := range geometries {
		for _, p.Op = range []device.PoolOp{device.MaxPool, device.AveragePool} {
			for _, p.Ceil = range []bool{false, true} {
				for _, p.CountPad = range []bool{false, true} {
					name := poolName(p)
					if p.Op == device.MaxPool && p.CountPad || p.Check() != nil || seen[name] {
						continue
					}
					seen[name] = true
					forward = append(forward, poolForward(p, p.Op == device.MaxPool, uniform, ""))
					backward = append(backward, poolBackward(p, device.Overwrite), poolBackward(p, device.Accumulate))
					if p.Op == device.MaxPool {
						gather = append(gather, poolGather(p, device.Overwrite), poolGather(p, device.Accumulate))
					}
				}
			}
		}
	}
	p := poolOf(2, 4, 13, 3, 1, 2)
	forward = append(forward,
		poolForward(p, false, uniform, " no index"),
		poolForward(p, true, coarse, " ties"),
		poolForward(p, true, these[float32](-5), " all equal, negative"),
		poolForward(p, true, these(float32(math.Inf(-1))), " all -Inf"),
		poolForward(p, true, sprinkled(coarse, 9, float32(math.NaN())), " NaN"),
		poolForward(p, false, sprinkled(coarse, 9, float32(math.NaN())), " NaN no index"),
	)
	for _, m := range []device.Mode{device.Overwrite, device.Accumulate} {
		backward = append(backward, poolBackward(p, m).outsidePlanes(p))
		gather = append(gather, poolGather(p, m).outsidePlanes(p))
	}
	return append(append(forward, backward...), gather...)
}

func poolOf(n, c, size, window, pad, stride int) device.Pool {
	return device.Pool{
		N: n, C: c, H: size, W: size, R: window, S: window,
		PadTop: pad, PadBottom: pad, PadLeft: pad, PadRight: pad, StrideH: stride, StrideW: stride,
	}
}

// randomPool draws geometries until one is valid, rounded up at least.
func randomPool(r *rand.Rand) device.Pool {
	for {
		p := device.Pool{
			N: 1 + r.IntN(3), C: 1 + r.IntN(5), H: 1 + r.IntN(15), W: 1 + r.IntN(15), R: 1 + r.IntN(4), S: 1 + r.IntN(4),
			PadTop: r.IntN(3), PadBottom: r.IntN(3), PadLeft: r.IntN(3), PadRight: r.IntN(3),
			StrideH: 1 + r.IntN(4), StrideW: 1 + r.IntN(4), Ceil: true,
		}
		if p.Check() == nil {
			return p
		}
	}
}

func poolForward(p device.Pool, index bool, x fill, note string) Case {
	tol := exactly
	if p.Op == device.AveragePool {
		tol = products(p.R * p.S)
	}
	call := func(q device.Queue, b *Bound) { q.PoolForward(p, b.t[0], b.t[1], b.t[2]) }
	c := Case{
		Op:   "pool forward",
		Name: poolName(p) + note,
		args: []arg{
			output("y", p.YShape(), tol),
			output("index", p.YShape(), exactly).as(device.Int32).when(index),
			input("x", p.XShape(), x),
		},
		call: call,
	}
	if p.Op == device.AveragePool {
		c.magnitude = call
	}
	return c
}

func poolBackward(p device.Pool, m device.Mode) Case {
	call := func(q device.Queue, b *Bound) { q.PoolBackward(p, b.t[0], b.t[1], b.t[2], m) }
	c := Case{
		Op:   "pool backward",
		Name: fmt.Sprintf("%s %v", poolName(p), m),
		args: []arg{
			destination("dx", p.XShape(), m, products(p.R*p.S)),
			input("dy", p.YShape(), uniform),
			poolIndex(p).when(p.Op == device.MaxPool),
		},
		call:      call,
		magnitude: call,
	}
	if p.Op == device.MaxPool {
		c.relate = poolIndices(p)
	}
	return c
}

func poolGather(p device.Pool, m device.Mode) Case {
	return Case{
		Op:   "pool gather",
		Name: fmt.Sprintf("%s %v", poolName(p), m),
		args: []arg{
			destination("y", p.YShape(), m, exactly),
			input("x", p.XShape(), uniform),
			poolIndex(p),
		},
		call:   func(q device.Queue, b *Bound) { q.PoolGather(p, b.t[0], b.t[2], b.t[1], m) },
		relate: poolIndices(p),
	}
}

func poolIndex(p device.Pool) arg {
	return input("index", p.YShape(), these[int32](0)).as(device.Int32)
}

// poolIndices makes argument 2 the indices of a forward pass over values with ties.
func poolIndices(p device.Pool) func(values []any) {
	return func(values []any) {
		forward := poolForward(p, true, coarse, "")
		x := coarse(rand.New(rand.NewPCG(1, 2)), device.Elements(p.XShape()))
		y, err := forward.onReference(forward.call, []any{allOnes(device.Float32, device.Elements(p.YShape())), values[2], x})
		if err != nil {
			panic(err)
		}
		index := values[2].([]int32)
		for i, v := range y[1] {
			index[i] = int32(v)
		}
	}
}

// outsidePlanes is the case with some indices that name no element of their plane.
func (c Case) outsidePlanes(p device.Pool) Case {
	related := c.relate
	c.relate = func(values []any) {
		related(values)
		index, pixels := values[2].([]int32), int32(p.H*p.W)
		for i, v := range []int32{-1, pixels, math.MaxInt32, math.MinInt32, pixels + 1, -pixels} {
			index[(3*i+1)%len(index)] = v
		}
	}
	c.Name += " outside"
	return c
}

func poolName(p device.Pool) string {
	s := "max"
	if p.Op == device.AveragePool {
		s = "average"
	}
	s += fmt.Sprintf(" N%d C%d %dx%d window %dx%d stride %d,%d", p.N, p.C, p.H, p.W, p.R, p.S, p.StrideH, p.StrideW)
	if p.PadTop|p.PadBottom|p.PadLeft|p.PadRight != 0 {
		s += fmt.Sprintf(" pad %d,%d,%d,%d", p.PadTop, p.PadBottom, p.PadLeft, p.PadRight)
	}
	if p.Ceil {
		s += " ceil"
	}
	if p.CountPad {
		s += " count-pad"
	}
	return s
}
