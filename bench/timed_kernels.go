package bench

import "github.com/hubel-go/hubel/device"

// Every kernel of timedQueue: the pass it is counted under, its operations
// and its traffic.

func (q *timedQueue) GEMM(g device.GEMM, c, a, b device.Tensor, ws device.Buffer) {
	q.begin("gemm", forward, g.FLOPs(), c, a, b)
	q.Queue.GEMM(g, c, a, b, ws)
	q.end()
}

func (q *timedQueue) DenseForward(d device.Dense, y, x, w device.Tensor, e device.Epilogue, ws device.Buffer) {
	q.begin("dense forward", forward, d.FLOPs(), y, x, w, e.Bias)
	q.Queue.DenseForward(d, y, x, w, e, ws)
	q.end()
}

func (q *timedQueue) DenseBackwardData(d device.Dense, dx, dy, w device.Tensor, m device.Mode, ws device.Buffer) {
	q.begin("dense backward-data", backwardData, d.FLOPs(), dx, dy, w, again(dx, m))
	q.Queue.DenseBackwardData(d, dx, dy, w, m, ws)
	q.end()
}

func (q *timedQueue) DenseBackwardFilter(d device.Dense, dw, dbias, x, dy device.Tensor, m device.Mode, ws device.Buffer) {
	q.begin("dense backward-filter", backwardFilter, d.FLOPs(), dw, dbias, x, dy, again(dw, m))
	q.Queue.DenseBackwardFilter(d, dw, dbias, x, dy, m, ws)
	q.end()
}

func (q *timedQueue) ConvForward(c device.Conv, y, x device.Tensor, w device.Filter, e device.Epilogue, ws device.Buffer) {
	q.begin("conv forward", forward, c.FLOPs(), y, x, w.Tensor, e.Bias)
	q.Queue.ConvForward(c, y, x, w, e, ws)
	q.end()
}

func (q *timedQueue) ConvBackwardData(c device.Conv, dx, dy device.Tensor, w device.Filter, m device.Mode, ws device.Buffer) {
	q.begin("conv backward-data", backwardData, c.FLOPs(), dx, dy, w.Tensor, again(dx, m))
	q.Queue.ConvBackwardData(c, dx, dy, w, m, ws)
	q.end()
}

func (q *timedQueue) ConvBackwardFilter(c device.Conv, dw, dbias, x, dy device.Tensor, m device.Mode, ws device.Buffer) {
	q.begin("conv backward-filter", backwardFilter, c.FLOPs(), dw, dbias, x, dy, again(dw, m))
	q.Queue.ConvBackwardFilter(c, dw, dbias, x, dy, m, ws)
	q.end()
}

func (q *timedQueue) ConvPack(c device.Conv, p device.Pass, packed device.Buffer, w device.Tensor) {
	q.begin("conv pack", pack, 0, w, w)
	q.Queue.ConvPack(c, p, packed, w)
	q.end()
}

func (q *timedQueue) PoolForward(p device.Pool, y, index, x device.Tensor) {
	q.begin("pool forward", forward, 0, y, index, x)
	q.Queue.PoolForward(p, y, index, x)
	q.end()
}

func (q *timedQueue) PoolBackward(p device.Pool, dx, dy, index device.Tensor, m device.Mode) {
	q.begin("pool backward", backwardData, 0, dx, dy, index, again(dx, m))
	q.Queue.PoolBackward(p, dx, dy, index, m)
	q.end()
}

func (q *timedQueue) LRNForward(l device.LRN, y, scale, x device.Tensor) {
	q.begin("lrn forward", forward, 0, y, scale, x)
	q.Queue.LRNForward(l, y, scale, x)
	q.end()
}

func (q *timedQueue) LRNBackward(l device.LRN, dx, x, scale, dy device.Tensor, m device.Mode) {
	q.begin("lrn backward", backwardData, 0, dx, x, scale, dy, again(dx, m))
	q.Queue.LRNBackward(l, dx, x, scale, dy, m)
	q.end()
}

func (q *timedQueue) UnaryForward(u device.Unary, y, x device.Tensor) {
	q.begin("unary forward", forward, 0, y, x)
	q.Queue.UnaryForward(u, y, x)
	q.end()
}

func (q *timedQueue) UnaryBackward(u device.Unary, dx, y, dy device.Tensor, m device.Mode) {
	q.begin("unary backward", backwardData, 0, dx, y, dy, again(dx, m))
	q.Queue.UnaryBackward(u, dx, y, dy, m)
	q.end()
}

func (q *timedQueue) DropoutForward(d device.Dropout, y, mask, x device.Tensor, r device.Random) {
	q.begin("dropout forward", forward, 0, y, mask, x)
	q.Queue.DropoutForward(d, y, mask, x, r)
	q.end()
}

func (q *timedQueue) DropoutBackward(d device.Dropout, dx, dy, mask device.Tensor, m device.Mode) {
	q.begin("dropout backward", backwardData, 0, dx, dy, mask, again(dx, m))
	q.Queue.DropoutBackward(d, dx, dy, mask, m)
	q.end()
}

func (q *timedQueue) SoftmaxForward(s device.Softmax, y, x device.Tensor) {
	q.begin("softmax forward", forward, 0, y, x)
	q.Queue.SoftmaxForward(s, y, x)
	q.end()
}

func (q *timedQueue) SoftmaxBackward(s device.Softmax, dx, y, dy device.Tensor, m device.Mode) {
	q.begin("softmax backward", backwardData, 0, dx, y, dy, again(dx, m))
	q.Queue.SoftmaxBackward(s, dx, y, dy, m)
	q.end()
}

func (q *timedQueue) LogLossForward(l device.LogLoss, loss, prob, x, label device.Tensor) {
	q.begin("log-loss forward", forward, 0, loss, prob, x, label)
	q.Queue.LogLossForward(l, loss, prob, x, label)
	q.end()
}

func (q *timedQueue) LogLossBackward(l device.LogLoss, dx, prob, label device.Tensor, scale float32, m device.Mode) {
	q.begin("log-loss backward", backwardData, 0, dx, prob, label, again(dx, m))
	q.Queue.LogLossBackward(l, dx, prob, label, scale, m)
	q.end()
}

func (q *timedQueue) L2LossForward(l device.L2Loss, loss, x, target device.Tensor) {
	q.begin("l2-loss forward", forward, 0, loss, x, target)
	q.Queue.L2LossForward(l, loss, x, target)
	q.end()
}

func (q *timedQueue) L2LossBackward(l device.L2Loss, dx, x, target device.Tensor, scale float32, m device.Mode) {
	q.begin("l2-loss backward", backwardData, 0, dx, x, target, again(dx, m))
	q.Queue.L2LossBackward(l, dx, x, target, scale, m)
	q.end()
}

func (q *timedQueue) Accuracy(a device.Accuracy, hit, x, label device.Tensor) {
	q.begin("accuracy", forward, 0, hit, x, label)
	q.Queue.Accuracy(a, hit, x, label)
	q.end()
}

func (q *timedQueue) Add(y, a, b device.Tensor) {
	q.begin("add", q.device.pass, 0, y, a, b)
	q.Queue.Add(y, a, b)
	q.end()
}

func (q *timedQueue) Scale(y, x device.Tensor, alpha float32, m device.Mode) {
	q.begin("scale", q.device.pass, 0, y, x, again(y, m))
	q.Queue.Scale(y, x, alpha, m)
	q.end()
}

func (q *timedQueue) Fill(y device.Tensor, v float32) {
	q.begin("fill", q.device.pass, 0, y)
	q.Queue.Fill(y, v)
	q.end()
}

func (q *timedQueue) Copy(dst, src device.Tensor) {
	q.begin("copy", q.device.pass, 0, dst, src)
	q.Queue.Copy(dst, src)
	q.end()
}

func (q *timedQueue) ConcatForward(c device.Concat, y, x device.Tensor, m device.Mode) {
	q.begin("concat forward", forward, 0, x, x, again(x, m))
	q.Queue.ConcatForward(c, y, x, m)
	q.end()
}

func (q *timedQueue) ConcatBackward(c device.Concat, dx, dy device.Tensor, m device.Mode) {
	q.begin("concat backward", backwardData, 0, dx, dx, again(dx, m))
	q.Queue.ConcatBackward(c, dx, dy, m)
	q.end()
}

func (q *timedQueue) SGD(s device.SGD, w, v, dw, norm2 device.Tensor, segments []device.Segment) {
	q.begin("sgd", update, 0, w, w, v, v, dw)
	q.Queue.SGD(s, w, v, dw, norm2, segments)
	q.end()
}

func (q *timedQueue) SumSquares(out, x device.Tensor) {
	q.begin("sum of squares", update, 0, out, x)
	q.Queue.SumSquares(out, x)
	q.end()
}
