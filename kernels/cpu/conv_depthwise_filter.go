package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/depthwise"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

// depthwiseFilterTask is the gradient of the weights: of each channel, and of each part of
// the samples where channels are few.
type depthwiseFilterTask struct {
	depthwiseCut
	engine *gemm.Engine
	loops  *depthwise.Loops
	x, dy  []float32
	sums   []float32 // [parts][K,taps]
	at     []int
}

// depthwiseParts is how many parts the samples are cut into. It does not fall when the batch
// grows: scratch for a batch holds that of a smaller one.
func depthwiseParts(c *device.Conv) int { return min(c.N, (filterItems+c.C-1)/c.C) }

func (q *queue) depthwiseFilter(c device.Conv, dw, x, dy device.Tensor, m device.Mode, ws device.Buffer) {
	t := &q.depthwiseFilterTask
	parts := depthwiseParts(&c)
	*t = depthwiseFilterTask{
		depthwiseCut: newDepthwise(&c, device.BackwardFilter), engine: q.engine, loops: depthwise.Named(q.engine.Tile.Name),
		x: floats(x), dy: floats(dy), sums: scratch(ws),
	}
	t.at, _ = q.depthwiseSteps(&t.depthwiseCut)
	sums, dst := t.sums, floats(dw)
	runWithScratch(q, t, c.C*parts, t.room())
	for i := range dst {
		sum := 0.0
		for part := range parts {
			sum += float64(sums[part*len(dst)+i])
		}
		if m == device.Accumulate {
			sum += float64(dst[i])
		}
		dst[i] = float32(sum)
	}
}

func (t *depthwiseFilterTask) Run(item, worker int) {
	c, taps := &t.c, t.c.R*t.c.S
	channel, part, parts := item%c.C, item/c.C, depthwiseParts(&t.c)
	room := t.engine.Scratch(worker, t.room())
	x, room := room[:t.in()], room[t.in():]
	dy, lanes := room[:t.out()], room[t.out():][:t.multiple*taps*depthwise.Width]
	clear(lanes)
	size := t.lines * t.columns
	for sample := part * c.N / parts; sample < (part+1)*c.N/parts; sample++ {
		plane := sample*c.C + channel
		for band := range t.bands {
			first := band * t.band
			lines := min(t.band, t.lines-first)
			t.pad(t.loops, x, t.x[plane*c.H*c.W:], 1, 0, first)
			t.loops.Pad(dy, t.dy[plane*t.multiple*size+first*t.columns:], depthwise.Rows{
				Planes: t.multiple, Rows: lines, Width: t.columns, Next: t.columns, NextPlane: size,
				Tail: depthwise.Width, Pitch: t.pitch, Plane: t.output(),
			})
			n := roundUp(lines*t.pitch, depthwise.Width)
			for k := range t.multiple {
				t.loops.Dots(lanes[k*taps*depthwise.Width:][:taps*depthwise.Width], dy[k*t.output():][:n], x, t.at)
			}
		}
	}
	sums := t.sums[(part*c.C+channel)*t.multiple*taps:][:t.multiple*taps]
	for i := range sums {
		sum := 0.0
		for _, v := range lanes[i*depthwise.Width:][:depthwise.Width] {
			sum += float64(v)
		}
		sums[i] = float32(sum)
	}
}
