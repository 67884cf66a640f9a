package bench

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

// Every kernel of timedQueue: the pass it is counted under, its operations
// and its traffic.

// work is what a kernel computes, in float32 operations: an addition, a
// multiplication, a comparison or a function counts as one.
type work struct {
	flops   int64
	product bool // a matrix product or a convolution
}

func product(flops int64) work { return work{flops, true} }

// each is so many operations for each element of a tensor.
func each(t device.Tensor, operations int) work {
	return work{flops: int64(t.Len()) * int64(operations)}
}

// poolBackwardOperations is how often an element of the gradient is added to
// another.
func poolBackwardOperations(p device.Pool) int {
	if p.Op == device.MaxPool {
		return 1
	}
	return p.R * p.S
}

func (q *timedQueue) GEMM(g device.GEMM, c, a, b device.Tensor, ws device.Buffer) {
	q.begin("gemm", forward, product(g.FLOPs()), c, a, b)
	q.Queue.GEMM(g, c, a, b, ws)
	q.end()
}

func (q *timedQueue) DenseForward(d device.Dense, y, x, w device.Tensor, e device.Epilogue, ws device.Buffer) {
	q.begin("dense forward", forward, product(d.FLOPs()), y, x, w, e.Bias)
	q.Queue.DenseForward(d, y, x, w, e, ws)
	q.end()
}

func (q *timedQueue) DenseBackwardData(d device.Dense, dx, dy, w device.Tensor, m device.Mode, ws device.Buffer) {
	q.begin("dense backward-data", backwardData, product(d.FLOPs()), dx, dy, w, again(dx, m))
	q.Queue.DenseBackwardData(d, dx, dy, w, m, ws)
	q.end()
}

func (q *timedQueue) DenseBackwardFilter(d device.Dense, dw, dbias, x, dy device.Tensor, m device.Mode, ws device.Buffer) {
	q.begin("dense backward-filter", backwardFilter, product(d.FLOPs()), dw, dbias, x, dy, again(dw, m))
	q.Queue.DenseBackwardFilter(d, dw, dbias, x, dy, m, ws)
	q.end()
}

func (q *timedQueue) ConvForward(c device.Conv, y, x device.Tensor, w device.Filter, e device.Epilogue, ws device.Buffer) {
	q.begin("conv forward", forward, product(c.FLOPs()), y, x, w.Tensor, e.Bias)
	q.Queue.ConvForward(c, y, x, w, e, ws)
	q.end()
}

func (q *timedQueue) ConvBackwardData(c device.Conv, dx, dy device.Tensor, w device.Filter, m device.Mode, ws device.Buffer) {
	q.begin("conv backward-data", backwardData, product(c.FLOPs()), dx, dy, w.Tensor, again(dx, m))
	q.Queue.ConvBackwardData(c, dx, dy, w, m, ws)
	q.end()
}

func (q *timedQueue) ConvBackwardFilter(c device.Conv, dw, dbias, x, dy device.Tensor, m device.Mode, ws device.Buffer) {
	q.begin("conv backward-filter", backwardFilter, product(c.FLOPs()), dw, dbias, x, dy, again(dw, m))
	q.Queue.ConvBackwardFilter(c, dw, dbias, x, dy, m, ws)
	q.end()
}

func (q *timedQueue) ConvPack(c device.Conv, p device.Pass, packed device.Buffer, w device.Tensor) {
	q.begin("conv pack", pack, work{}, w, w)
	q.Queue.ConvPack(c, p, packed, w)
	q.end()
}

func (q *timedQueue) PoolForward(p device.Pool, y, index, x device.Tensor) {
	q.begin("pool forward", forward, each(y, p.R*p.S), y, index, x)
	q.Queue.PoolForward(p, y, index, x)
	q.end()
}

func (q *timedQueue) PoolBackward(p device.Pool, dx, dy, index device.Tensor, m device.Mode) {
	q.begin("pool backward", backwardData, each(dy, poolBackwardOperations(p)), dx, dy, index, again(dx, m))
	q.Queue.PoolBackward(p, dx, dy, index, m)
	q.end()
}

func (q *timedQueue) PoolGather(p device.Pool, y, index, x device.Tensor, m device.Mode) {
	q.begin("pool gather", forward, work{}, y, y, index, again(y, m)) // of x as much as y
	q.Queue.PoolGather(p, y, index, x, m)
	q.end()
}

func (q *timedQueue) LRNForward(l device.LRN, y, scale, x device.Tensor) {
	q.begin("lrn forward", forward, each(y, 2*l.Size+4), y, scale, x)
	q.Queue.LRNForward(l, y, scale, x)
	q.end()
}

func (q *timedQueue) LRNBackward(l device.LRN, dx, x, scale, dy device.Tensor, m device.Mode) {
	q.begin("lrn backward", backwardData, each(dx, 2*l.Size+6), dx, x, scale, dy, again(dx, m))
	q.Queue.LRNBackward(l, dx, x, scale, dy, m)
	q.end()
}

func (q *timedQueue) SoftmaxForward(s device.Softmax, y, x device.Tensor) {
	q.begin("softmax forward", forward, each(y, 4), y, x)
	q.Queue.SoftmaxForward(s, y, x)
	q.end()
}

func (q *timedQueue) SoftmaxBackward(s device.Softmax, dx, y, dy device.Tensor, m device.Mode) {
	q.begin("softmax backward", backwardData, each(dx, 4), dx, y, dy, again(dx, m))
	q.Queue.SoftmaxBackward(s, dx, y, dy, m)
	q.end()
}

func (q *timedQueue) Fill(y device.Tensor, v float32) {
	q.begin("fill", q.device.pass, work{}, y)
	q.Queue.Fill(y, v)
	q.end()
}

func (q *timedQueue) Copy(dst, src device.Tensor) {
	q.begin("copy", q.device.pass, work{}, dst, src)
	q.Queue.Copy(dst, src)
	q.end()
}

func (q *timedQueue) CopyStrided(s device.Strided, dst, src device.Tensor, m device.Mode) {
	written, read := s.Moved()
	to, from := dst, src // as many elements as it moves
	to.Shape, from.Shape = tensor.Shape{written}, tensor.Shape{read}
	q.begin("copy strided", q.device.pass, work{}, to, from, again(to, m))
	q.Queue.CopyStrided(s, dst, src, m)
	q.end()
}

func (q *timedQueue) Update(p *expr.Program, out, in []device.Tensor, segments []device.Segment) {
	elements := 0
	for _, s := range segments {
		elements += s.Len
	}
	q.begin("update", update, programWork(p, device.UpdateSegment, elements), slices.Concat(out, in)...)
	q.Queue.Update(p, out, in, segments)
	q.end()
}

// programWork is a program's arithmetic for elements that lie along some axes. What is
// the same for all of them counts as nothing.
func programWork(p *expr.Program, axes expr.Axes, elements int) work {
	operations := 0
	code, _ := p.Code()
	for k, invariant := range p.Invariant(axes) {
		if !invariant && code[k].Op.Args() > 0 {
			operations++
		}
	}
	return work{flops: int64(elements) * int64(operations)}
}

// read are the inputs that a program reads.
func read(p *expr.Program, in []device.Tensor) (used []device.Tensor) {
	for i, x := range in {
		if p.Uses(i) {
			used = append(used, x)
		}
	}
	return used
}

func (q *timedQueue) Map(p *expr.Program, v device.View, out, in []device.Tensor, modes []device.Mode, r device.Random) {
	args := append(slices.Clone(out), read(p, in)...)
	for i, m := range modes {
		args = append(args, again(out[i], m))
	}
	q.begin("map", q.device.pass, programWork(p, expr.Whole, v.Elements(expr.Whole)), args...)
	q.Queue.Map(p, v, out, in, modes, r)
	q.end()
}

func (q *timedQueue) Reduce(p *expr.Program, v device.View, op device.ReduceOp, axes expr.Axes, out device.Tensor, in []device.Tensor, m device.Mode, r device.Random) {
	q.begin("reduce", q.device.pass, programWork(p, expr.Whole, v.Elements(expr.Whole)), append(read(p, in), out, again(out, m))...)
	q.Queue.Reduce(p, v, op, axes, out, in, m, r)
	q.end()
}
