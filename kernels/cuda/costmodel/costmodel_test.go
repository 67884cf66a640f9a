package costmodel

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// The makers' own figures, in 10¹² operations a second.
func TestPeaks(t *testing.T) {
	for name, peak := range map[string]float64{"v100": 15.7, "a100": 19.5, "h100": 66.9, "rtx4090": 82.6} {
		c, err := Find(name)
		require.NoError(t, err)
		require.InEpsilon(t, peak, c.Peak()/1e12, 0.005, name)
		require.Equal(t, c.Capability, c.sm().Capability)
	}
	for name, peak := range map[string]float64{"v100": 0, "a100": 156, "h100": 494.7, "rtx4090": 82.6} {
		c, err := Find(name)
		require.NoError(t, err)
		require.InDelta(t, peak, c.TF32/1e12, 1e-6, name)
	}
	_, err := Find("gtx480")
	require.EqualError(t, err, `GPU "gtx480" is unknown; there are v100, a100, h100, rtx4090`)
}

// Every kernel that ships is known, for every card.
func TestEveryKernelIsAssembled(t *testing.T) {
	entry := regexp.MustCompile(`\.visible \.entry (\w+)\(`)
	for _, c := range Cards {
		folder := "sm80"
		if c.Capability < 80 {
			folder = "sm70"
		}
		files, err := filepath.Glob(filepath.Join("..", "ptx", folder, "*.ptx"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, f := range files {
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			for _, m := range entry.FindAllSubmatch(text, -1) {
				_, ok := lookUp(string(m[1]), c.Capability)
				require.True(t, ok, "%s for sm_%d; run make sass", m[1], c.Capability)
			}
		}
	}
}

// slow is a card on which everything is easily worked out: 2 multiprocessors
// at 1 kHz with 64 lanes.
var slow = Card{Model: "slow", Capability: 80, SMs: 2, Lanes: 64, Clock: 1e3, Bandwidth: 1e6, L2: 1e5, TF32: 1e4}

// launch is 4 blocks of the kernel add, which did what f says.
func launch(f func(c *ptxsim.Counters)) Launch {
	l := Launch{Report: ptxsim.Report{Kernel: "softmax_backward_rows", Config: driver.Config{Grid: driver.Dim{X: 4}, Block: driver.Dim{X: 256}}}}
	l.Blocks = 4
	f(&l.Counters)
	return l
}

// Each resource by itself: half of the work is on each multiprocessor.
func TestTerms(t *testing.T) {
	for _, c := range []struct {
		limit   Term
		seconds float64
		does    func(c *ptxsim.Counters)
	}{
		{FMA, 4, func(c *ptxsim.Counters) { c.Issued[ptxsim.ClassFMA], c.Issued[ptxsim.ClassFloat] = 10e3, 6e3 }},
		{Tensor, 16, func(c *ptxsim.Counters) { c.Issued[ptxsim.ClassTensor], c.TensorFMAs = 80, 80e3 }},
		{Issue, 2, func(c *ptxsim.Counters) { c.Issued[ptxsim.ClassInt] = 16e3 }},
		{Shared, 8, func(c *ptxsim.Counters) { c.SharedWavefronts = 16e3 }},
		{L2, 32, func(c *ptxsim.Counters) { c.LoadSectors, c.StoreSectors = 60e3, 40e3 }},
	} {
		got, err := slow.Of(launch(c.does))
		require.NoError(t, err)
		require.Equal(t, c.limit, got.Limit, "%+v", got)
		require.InEpsilon(t, c.seconds, got.Seconds, 1e-12, c.limit.String())
	}
	l := launch(func(*ptxsim.Counters) {})
	l.Bytes = 5e6
	got, err := slow.Of(l)
	require.NoError(t, err)
	require.Equal(t, DRAM, got.Limit)
	require.InEpsilon(t, 5.0, got.Seconds, 1e-12)
	require.InEpsilon(t, 1.0, slow.Efficiency(0, 5e6, got.Seconds), 1e-12)
	require.InEpsilon(t, 0.5, slow.Efficiency(128e3*2, 0, 2), 1e-12, "peak is 2 x 2 x 64 x 1000")
}

// With an odd number of blocks one multiprocessor has one more, and where only
// some blocks ran the others count like them.
func TestBlocks(t *testing.T) {
	work := func(c *ptxsim.Counters) { c.Issued[ptxsim.ClassFMA] = 16e3 } // 4 s by 4 blocks on 2
	l := launch(work)
	l.Config.Grid.X, l.Blocks = 5, 5
	got, err := slow.Of(l)
	require.NoError(t, err)
	require.InEpsilon(t, 8*3./5, got.Seconds, 1e-12)

	l.Config.Grid.X, l.Blocks = 400, 4
	got, err = slow.Of(l)
	require.NoError(t, err)
	require.InEpsilon(t, 400, got.Seconds, 1e-12)
}

func TestRefuses(t *testing.T) {
	l := launch(func(*ptxsim.Counters) {})
	l.Kernel = "unheard"
	_, err := slow.Of(l)
	require.ErrorContains(t, err, "kernel unheard was not assembled for sm_80")
	l = launch(func(c *ptxsim.Counters) { c.Blocks = 0 })
	_, err = slow.Of(l)
	require.ErrorContains(t, err, "no block ran")
	none := slow
	none.TF32 = 0
	_, err = none.Of(launch(func(c *ptxsim.Counters) { c.TensorFMAs = 1024 }))
	require.ErrorContains(t, err, "kernel softmax_backward_rows: a slow has no tensor cores for TF32")
	l = launch(func(*ptxsim.Counters) {})
	l.Config.Shared = 200 << 10
	_, err = slow.Of(l)
	require.ErrorContains(t, err, "does not fit sm_80")
}
