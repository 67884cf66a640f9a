package dist_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	_ "github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/dist"
	"github.com/hubel-go/hubel/dist/disttest"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	_ "github.com/hubel-go/hubel/kernels/cuda/simdevice"
)

// open makes a device.
func open(t *testing.T, name string) device.Device {
	d, err := device.Open(name, device.Options{Threads: 1})
	require.NoError(t, err)
	return d
}

func TestPartsAreTheWhole(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 65, 1000, 1 << 20} {
		for _, size := range []int{1, 2, 3, 7, 8, 1024} {
			at := 0
			for rank := range size {
				from, to := dist.Part(n, rank, size)
				require.Equal(t, at, from)
				require.True(t, to >= from && (to%64 == 0 || to == n))
				require.LessOrEqual(t, to-from, n/size+2*64)
				at = to
			}
			require.Equal(t, n, at)
		}
	}
}

func TestGather(t *testing.T) {
	groups := dist.Local(3)
	disttest.Each(groups, func(g dist.Group) {
		for k := range 3 {
			all, err := g.Gather(t.Context(), []byte(fmt.Sprint(g.Rank()*10+k)))
			require.NoError(t, err)
			require.Equal(t, []string{fmt.Sprint(k), fmt.Sprint(10 + k), fmt.Sprint(20 + k)}, []string{string(all[0]), string(all[1]), string(all[2])})
		}
		require.NoError(t, g.Close())
		require.NoError(t, g.Close())
		_, err := g.Gather(t.Context(), nil)
		require.Error(t, err)
	})
}

// Every operation, on memory that the host can reach and on memory that it cannot, of lengths
// that ranks share unevenly.
func TestExchange(t *testing.T) {
	for _, name := range []string{"cpu", "reference", "ptxsim"} {
		for _, size := range []int{1, 2, 3} {
			for _, n := range []int{1, 64, 200} {
				disttest.Each(dist.Local(size), func(g dist.Group) { disttest.Exchange(t, g, open(t, name), n) })
			}
		}
	}
}

func TestAbort(t *testing.T) {
	disttest.Abort(t, dist.Local(3), func() device.Device { return open(t, "cpu") })
}

func TestGatherEndsWithItsContext(t *testing.T) {
	g := dist.Local(2)[0]
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	time.AfterFunc(10*time.Millisecond, func() { cancel(why) })
	_, err := g.Gather(ctx, nil)
	require.ErrorIs(t, err, why)
}

// Ranks that start different operations get an error, not each other's numbers.
func TestOperationsThatDiffer(t *testing.T) {
	disttest.Each(dist.Local(2), func(g dist.Group) {
		d := open(t, "cpu")
		defer func() { require.NoError(t, d.Close()) }()
		q, err := d.NewQueue()
		require.NoError(t, err)
		x, err := g.Exchange(d)
		require.NoError(t, err)
		x.AllReduce(q, disttest.Upload(t, d, q, make([]float32, 10+g.Rank())))
		require.EqualError(t, x.Wait(q), "ranks 0 and 1 have started different operations: all-reduce of 10 elements and all-reduce of 11 elements")
	})
}

func TestAgree(t *testing.T) {
	for _, c := range []struct {
		errs []error // of ranks
		says []bool  // who reports
	}{
		{[]error{nil, nil, nil}, nil},
		{[]error{nil, errors.New("a"), nil}, []bool{false, true, false}},
		{[]error{errors.New("a"), errors.New("a"), errors.New("b")}, []bool{true, false, true}},
	} {
		groups := dist.Local(3)
		disttest.Each(groups, func(g dist.Group) {
			err := dist.Agree(t.Context(), g, c.errs[g.Rank()])
			if c.says == nil {
				require.NoError(t, err)
				return
			}
			if c.says[g.Rank()] {
				require.ErrorAs(t, err, new(*dist.AgreedError))
				require.EqualError(t, err, c.errs[g.Rank()].Error())
			} else {
				require.ErrorAs(t, err, new(*dist.RankError))
			}
		})
	}
}

func TestLaunched(t *testing.T) {
	for _, name := range []string{"OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"} {
		t.Setenv(name, "")
	}
	_, n := dist.Launched()
	require.Zero(t, n)
	t.Setenv("SLURM_STEP_NUM_TASKS", "3")
	by, n := dist.Launched()
	require.Equal(t, "srun", by)
	require.Equal(t, 3, n)
	t.Setenv("OMPI_COMM_WORLD_SIZE", "many")
	_, n = dist.Launched()
	require.Equal(t, 3, n)
}
