package cuda

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// poolKernels are the kernels of pool.cu.
type poolKernels struct {
	maxForward, maxBackward         driver.Function
	averageForward, averageBackward driver.Function
	gather                          driver.Function
}

// poolThreads is the threads of a block of pool.cu.
const poolThreads = 256

func (k *poolKernels) declare(d driver.Driver) {
	declare(d, "pool", map[string]*driver.Function{
		"pool_max_forward": &k.maxForward, "pool_max_backward": &k.maxBackward,
		"pool_average_forward": &k.averageForward, "pool_average_backward": &k.averageBackward,
		"pool_gather": &k.gather,
	})
}

func (q *queue) PoolForward(p device.Pool, y, indices, x device.Tensor) {
	if q.Err != nil {
		return
	}
	in, out := p.H*p.W, p.OutH()*p.OutW()
	to, at, from := q.at(y), q.at(indices), q.at(x)
	for planes, left := planesEach(in, out), p.N*p.C; left > 0; left -= planes {
		n := min(planes, left) * out
		q.args.Reset().Ptr(to)
		if p.Op == device.MaxPool {
			q.args.Ptr(at)
		}
		q.args.Ptr(from).Int(n).Uint64(divisor(p.OutH())).Uint64(divisor(p.OutW())).
			Int(p.H).Int(p.W).Int(p.OutH()).Int(p.OutW()).Int(p.R).Int(p.S).Int(p.StrideH).Int(p.StrideW)
		f := q.kernels.pool.maxForward
		if p.Op == device.MaxPool {
			q.args.Int(p.PadTop).Int(p.PadLeft)
		} else {
			f = q.kernels.pool.averageForward
			q.args.Int(p.PadTop).Int(p.PadBottom).Int(p.PadLeft).Int(p.PadRight).Int(index(p.CountPad))
		}
		q.launch(f, driver.Dim{X: ceil(n, poolThreads)}, poolThreads)
		to, from = to.Offset(4*int64(n)), from.Offset(4*int64(planes*in))
		if at != 0 {
			at = at.Offset(4 * int64(n))
		}
	}
}

func (q *queue) PoolBackward(p device.Pool, dx, dy, indices device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	in, out := p.H*p.W, p.OutH()*p.OutW()
	to, from := q.at(dx), q.at(dy)
	var at driver.Ptr
	if p.Op == device.MaxPool {
		at = q.at(indices)
	}
	for planes, left := planesEach(in, out), p.N*p.C; left > 0; left -= planes {
		n := min(planes, left) * in
		q.args.Reset().Ptr(to).Ptr(from)
		if p.Op == device.MaxPool {
			q.args.Ptr(at)
		}
		q.args.Int(n).Uint64(divisor(p.H)).Uint64(divisor(p.W)).Uint64(divisor(p.StrideH)).Uint64(divisor(p.StrideW)).
			Int(p.H).Int(p.W).Int(p.OutH()).Int(p.OutW()).Int(p.R).Int(p.S)
		f := q.kernels.pool.maxBackward
		if p.Op == device.MaxPool {
			q.args.Int(p.PadTop).Int(p.PadLeft)
		} else {
			f = q.kernels.pool.averageBackward
			q.args.Int(p.StrideH).Int(p.StrideW).Int(p.PadTop).Int(p.PadBottom).Int(p.PadLeft).Int(p.PadRight).Int(index(p.CountPad))
		}
		q.args.Int(int(m))
		q.launch(f, driver.Dim{X: ceil(n, poolThreads)}, poolThreads)
		to, from = to.Offset(4*int64(n)), from.Offset(4*int64(planes*out))
		if at != 0 {
			at = at.Offset(4 * int64(planes*out))
		}
	}
}

func (q *queue) PoolGather(p device.Pool, y, indices, x device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	in, out := p.H*p.W, p.OutH()*p.OutW()
	to, at, from := q.at(y), q.at(indices), q.at(x)
	for planes, left := planesEach(in, out), p.N*p.C; left > 0; left -= planes {
		n := min(planes, left) * out
		q.args.Reset().Ptr(to).Ptr(at).Ptr(from).Int(n).Uint64(divisor(out)).Int(in).Int(int(m))
		q.launch(q.kernels.pool.gather, driver.Dim{X: ceil(n, poolThreads)}, poolThreads)
		to, at, from = to.Offset(4*int64(n)), at.Offset(4*int64(n)), from.Offset(4*int64(planes*in))
	}
}

// planesEach is how many planes of in pixels and out results a launch works
// on.
func planesEach(in, out int) int { return max(1, limits.elements/max(in, out)) }
