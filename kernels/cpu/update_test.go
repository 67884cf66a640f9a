package cpu

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

// The bits of an update depend neither on the path, nor on the number of workers, nor on
// whether the outputs are inputs; and are those of one segment after the other.
func TestUpdateSameBits(t *testing.T) {
	w, dw, v := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole), expr.Input(2, expr.Whole)
	rate := expr.Mul(expr.Input(3, expr.One), expr.Exp(expr.Input(4, expr.Channel)))
	next := expr.Sub(expr.Mul(expr.Const(0.9), v), expr.Mul(rate, expr.Tanh(expr.Add(dw, expr.Mul(expr.Const(0.01), w)))))
	long := []device.Segment{{Weight: 40_000, Grad: 3, Len: 3*grain + 5}, {Weight: 7, Grad: 60_000, Len: 100}, {Grad: 99_999}, {Weight: 200, Grad: 70_000, Len: 2 * grain}}
	for name, p := range map[string]*expr.Program{
		"blocks": expr.MustNew(expr.Add(w, expr.Mul(expr.Input(3, expr.One), expr.Mul(dw, v))), expr.Mul(dw, v)),
		"strips": expr.MustNew(expr.Add(w, next), next),
	} {
		var want [2][]uint32
		run := func(t *testing.T, workers int, apart, turns bool) {
			d, err := New(workers)
			require.NoError(t, err)
			defer d.Close()
			q, err := d.NewQueue()
			require.NoError(t, err)
			const n = 110_000
			var in []device.Tensor
			for i, length := range []int{n, n, n, 1, len(long)} {
				x := ones(t, d, length)
				for j := range floats(x) {
					floats(x)[j] = float32((j*7+i*5)%23)/16 - 0.7
				}
				in = append(in, x)
			}
			out := []device.Tensor{in[0], in[2]}
			if apart {
				out = []device.Tensor{ones(t, d, n), ones(t, d, n)}
				q.Copy(out[0], in[0])
				q.Copy(out[1], in[2])
			}
			if turns {
				multipliers := slices.Clone(floats(in[4]))
				for k, s := range long {
					one := ones(t, d, 1)
					floats(one)[0] = multipliers[k]
					in[4] = one
					q.Update(p, out, in, []device.Segment{s})
				}
			} else {
				q.Update(p, out, in, long)
			}
			require.NoError(t, q.Sync())
			for k := range out {
				got := bits(floats(out[k]))
				if want[k] == nil {
					want[k] = got
				}
				require.True(t, slices.Equal(want[k], got), "output %d", k)
			}
		}
		for _, tile := range gemm.Tiles() {
			t.Setenv("HUBEL_CPU", tile.Name)
			for _, workers := range []int{1, 3} {
				for k := range 4 {
					t.Run(fmt.Sprintf("%s on %s, %d workers, %d", name, tile.Name, workers, k), func(t *testing.T) { run(t, workers, k%2 == 1, k/2 == 1) })
				}
			}
		}
	}
}
