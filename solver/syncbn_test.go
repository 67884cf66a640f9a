package solver

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// plainNorm is hardNet with batch norm whose weight and bias are absent, or not trained.
func plainNorm(affine bool) *graph.Network {
	n := &graph.Network{Name: "plain"}
	label := n.Label("label")
	x := n.Add("conv1", &layers.Conv{Filters: 6, Kernel: layers.Square(3), NoBias: true}, n.Image("data", 1, 12, 12))
	x = n.Add("bn1", &layers.BatchNorm{Affine: layers.Affine{On: &affine}}, x)
	x = n.Add("pool1", &layers.Pool{Window: layers.Square(2), Stride: layers.Square(2)}, x)
	x = n.Add("ip1", &layers.Dense{Out: 20}, x)
	x = n.Add("bn2", &layers.BatchNorm{Affine: layers.Affine{On: &affine}}, x)
	x = n.Add("ip2", &layers.Dense{Out: 10}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	return n
}

// N ranks of batch B with statistics over ranks are one process of batch N B, but for rounding:
// weights, which have the gradients in them, and running statistics. The 90 samples are 7 updates
// of 12 and one of 6, of which 3 ranks have 4, 2 and none.
//
// On the first update the two differ by the order of the sums alone: a mean and a variance are
// sums of at most 16 * 100 terms, of which each order errs by less than 1600 * 2^-24 of the sum of
// magnitudes, 1e-4, if all roundings conspire; as they do not, by its root, 2.4e-6. Later updates
// start from weights that differ, and the difference grows. Statistics of each rank alone are off
// by more than a thousand times as much.
func TestSyncBNIsOneBatch(t *testing.T) {
	for name, net := range map[string]*graph.Network{
		"pytorch": hardNet(""), "caffe": hardNet("caffe"), "matconvnet": hardNet("matconvnet"),
		"without weights": plainNorm(false), "plain": plainNorm(true),
	} {
		for _, shape := range []struct{ ranks, batch, whole int }{{3, 4, 12}, {2, 8, 16}, {4, 2, 8}} {
			if name != "pytorch" && shape.ranks != 3 {
				continue
			}
			for _, frozen := range [][]string{nil, {"bn1.weight"}} {
				if frozen != nil && name != "plain" {
					continue
				}
				c := smallConfig(t)
				c.Network, c.Frozen, c.Optimiser.ClipNorm = net, frozen, 0
				for _, step := range []struct {
					iterations int
					within     float64
				}{{1, 2.4e-6}, {10, 1e-4}} {
					c.Iterations, c.Batch, c.SyncBN = step.iterations, shape.whole, false
					one := weightsOf(t, trainIn(t, c))
					c.Batch, c.SyncBN = shape.batch, true
					many := weightsOf(t, trainTogether(t, shape.ranks, c))
					got := distance(t, one, many)
					c.SyncBN = false
					alone := distance(t, one, weightsOf(t, trainTogether(t, shape.ranks, c)))
					t.Logf("%s, %d ranks, %d updates: %.2g with, %.2g without", name, shape.ranks, step.iterations, got, alone)
					require.LessOrEqual(t, got, step.within)
					require.Greater(t, alone, 1000*step.within)
				}
			}
		}
	}
}

// A run goes on with the ranks that its statistics are of, to the same bits, and with no others.
func TestSyncBNResumes(t *testing.T) {
	c := smallConfig(t)
	c.Network, c.Optimiser.ClipNorm, c.SyncBN, c.Batch, c.CheckpointEvery = hardNet(""), 0, true, 4, 100
	straight := trainTogether(t, 3, c)
	c.Dir = filepath.Join(t.TempDir(), "run")
	stopTogether(t, 3, c, 5, 1)
	for _, ranks := range []int{1, 3} {
		checkpoint, err := ReadCheckpoint(c.Dir)
		require.NoError(t, err)
		r := checkpoint.Config
		r.Train, r.Test, r.Device = c.Train, c.Test, c.Device
		require.NoError(t, r.Spread(ranks))
		if ranks == 1 {
			_, err = Train(t.Context(), r)
			require.EqualError(t, err, "batch norm has the statistics of the samples of 3 ranks: the run can go on with as many, not with 1")
			continue
		}
		trainTogether(t, ranks, r)
	}
	requireSameFiles(t, straight, c.Dir)
}

func TestSyncBNRefuses(t *testing.T) {
	c := smallConfig(t)
	c.SyncBN, c.FixedOrder = true, true
	require.ErrorContains(t, together(t.Context(), t, 2, c, nil)[0], "batch norm over ranks adds in the order of the ranks' engine")
	c.Network, c.FixedOrder = meanConfig(t).Network, false
	require.ErrorContains(t, together(t.Context(), t, 2, c, nil)[0], "cannot be those of samples on several devices")
}
