package cuda

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// All segments are one launch. Their table goes up when they are others than before; one
// that could not be made is made again.
func TestUpdateLaunches(t *testing.T) {
	spy, q, of := spied(t)
	w, dw, rates, rate := expr.Input(0, expr.Whole), expr.Input(2, expr.Whole), expr.Input(3, expr.Channel), expr.Input(4, expr.One)
	p := expr.MustNew(expr.Add(w, expr.Mul(expr.Mul(rates, rate), dw)), dw)
	const long = 2*updateElements + 3
	segments := []device.Segment{{Weight: 5, Grad: 9000, Len: 7}, {Weight: 16, Grad: 3}, {Weight: 64, Grad: 32, Len: long}}
	out, in := []device.Tensor{of(0, 9999), of(0, 9999)}, []device.Tensor{of(0, 9999), {}, of(0, 9999), of(0, 3), of(0, 1)}
	update := func(segments []device.Segment) error {
		q.Update(p, out, in, segments)
		return q.Sync()
	}
	for range 3 {
		require.NoError(t, update(append([]device.Segment{}, segments...)))
	}
	require.Len(t, spy.uploads, 1)
	require.Equal(t, []updateBlock{
		{weight: 5, grad: 9000, count: 7},
		{weight: 64, grad: 32, count: updateElements, segment: 2},
		{weight: 64 + updateElements, grad: 32 + updateElements, count: updateElements, segment: 2},
		{weight: 64 + 2*updateElements, grad: 32 + 2*updateElements, count: 3, segment: 2},
	}, unsafe.Slice((*updateBlock)(unsafe.Pointer(&spy.uploads[0][0])), len(spy.uploads[0])/int(unsafe.Sizeof(updateBlock{}))))
	require.Len(t, spy.launches, 3)
	for _, l := range spy.launches {
		require.Equal(t, "update", l.kernel)
		require.Equal(t, driver.Dim{X: 4, Y: 1, Z: 1}, l.grid)
		var want []uint64
		for _, x := range []device.Tensor{out[0], out[1], in[0], in[2], in[3], in[4]} {
			want = append(want, uint64(q.(*queue).at(x)))
		}
		require.Equal(t, want, l.slots[:6])
	}
	require.Equal(t, []string{"update " + p.Hash()}, spy.loaded)

	empty := []device.Segment{{Weight: 5}, {}, {Grad: 7}}
	require.NoError(t, update(empty))
	require.NoError(t, update(nil))
	require.Len(t, spy.launches, 3)
	spy.scarce = errors.New("no room")
	segments[2].Len += 2 * updateElements // more blocks than there is room for
	in[2], out[1], out[0], in[0] = of(0, 30000), of(0, 30000), of(0, 30000), of(0, 30000)
	require.EqualError(t, update(segments), "update: table of 6 blocks of segments: no room")
	require.NoError(t, update(nil))
	require.NoError(t, update(empty))
	require.Len(t, spy.launches, 3)
	spy.scarce = nil
	require.NoError(t, update(segments))
	require.Len(t, spy.launches, 4)
	require.Len(t, spy.uploads, 2)

	q.Scope("update")
	require.EqualError(t, update([]device.Segment{{}, {}, {Len: 30001}}), "update: update: output 0 is 30000 elements, but the segments reach to 30001")
	spy.refuse = errors.New("too long")
	q.Update(expr.MustNew(w), out[:1], in, segments)
	require.EqualError(t, q.Sync(), "update: update: update of the program in0: too long")
	require.Len(t, spy.launches, 4)
}

// editedDriver loads another text in place of a module's.
type editedDriver struct {
	driver.Driver
	module, text string
}

func (d editedDriver) Load(name, text string) (driver.Module, error) {
	if name == d.module {
		text = d.text
	}
	return d.Driver.Load(name, text)
}

// The suite's cases see changes to what Go writes for an update.
func TestUpdateMutations(t *testing.T) {
	const name = "nesterov"
	count, least := 15, 85
	if n, err := strconv.Atoi(os.Getenv("HUBEL_MUTATIONS")); err == nil {
		count, least = n, 95
	}
	p := devicetest.Updates()[slices.IndexFunc(devicetest.Updates(), func(p *expr.Program) bool { return len(p.Inputs()) == 7 })]
	cases := slices.DeleteFunc(simulated(mutantOptions), func(c devicetest.Case) bool {
		return c.Op != "update" || !strings.HasPrefix(c.Name, name)
	})
	require.Greater(t, len(cases), 10)
	var counters ptxsim.Counters
	sim := ptxsim.New(ptxsim.Config{MaxInstructions: enough, OnLaunch: func(r ptxsim.Report) { counters.Add(&r.Counters) }})
	defer sim.Close()
	test := func(body []string) error {
		for _, dev := range suiteDevices(t, sim, editedDriver{sim, "update " + p.Hash(), strings.Join(body, "\n")}, &counters) {
			for _, c := range cases {
				if err := dev.check(c, mutantOptions); err != nil {
					return err
				}
			}
		}
		return nil
	}
	k := mutated{body: strings.Split(updateText(p), "\n")}
	require.NoError(t, test(k.body))
	caught := 0
	for i := range count {
		body, change := k.change(rand.New(rand.NewPCG(7, uint64(i))))
		if test(body) != nil {
			caught++
		} else {
			t.Logf("survived: %s", change)
		}
	}
	t.Logf("%d of %d caught", caught, count)
	require.GreaterOrEqual(t, caught*100, count*least)
}
