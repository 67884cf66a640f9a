package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/layers/layerstest"
)

// statisticsNet has two batch-norms of one convention.
func statisticsNet(convention string) *graph.Network {
	n := &graph.Network{Name: "norms"}
	label := n.Label("label")
	x := n.Add("bn1", &layers.BatchNorm{Convention: convention}, n.Image("data", 2, 3, 3))
	x = n.Add("conv1", &layers.Conv{Filters: 5, Kernel: layers.Square(2)}, x)
	x = n.Add("bn2", &layers.BatchNorm{Convention: convention}, x)
	x = n.Add("fc", &layers.Dense{Out: 3}, x)
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	return n
}

// Passes that keep their statistics leave the state alone; moving it by them in order gives what
// passes that update it give, but for rounding, and also where a pass had fewer samples.
func TestStatisticsMoveTheState(t *testing.T) {
	d, err := device.Open("cpu", device.Options{Threads: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	for _, convention := range []string{"pytorch", "caffe", "matconvnet"} {
		n := statisticsNet(convention)
		p, err := n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 4})
		require.NoError(t, err)
		run := func(passes func(e *graph.Executor, pass func(k int))) map[string]*tensor.Dense {
			w, err := graph.NewWeights(n, d)
			require.NoError(t, err)
			defer func() { require.NoError(t, w.Close()) }()
			require.NoError(t, w.Fill(3))
			e, err := graph.NewExecutor(p, w)
			require.NoError(t, err)
			defer func() { require.NoError(t, e.Close()) }()
			passes(e, func(k int) {
				samples := 4 - k%2
				require.NoError(t, e.SetBatch(samples))
				x := make([]float32, samples*18)
				for i := range x {
					x[i] = float32((i*7+k*5)%23) - 4
				}
				require.NoError(t, e.Upload("data", tensor.New(tensor.WithShape(samples, 2, 3, 3), tensor.WithBacking(x))))
				require.NoError(t, e.Upload("label", tensor.New(tensor.WithShape(samples), tensor.WithBacking(make([]int32, samples)))))
				e.Forward(graph.Pass{})
				require.NoError(t, e.Sync())
			})
			state, err := w.State()
			require.NoError(t, err)
			return state
		}
		fresh := run(func(*graph.Executor, func(k int)) {})
		want := run(func(_ *graph.Executor, pass func(k int)) {
			for k := range 3 {
				pass(k)
			}
		})
		each, err := p.Statistics()
		require.NoError(t, err)
		require.Equal(t, map[bool]int{true: 128, false: 64}[convention == "caffe"], each) // 6 or 4 slots of a cache line
		keep := func(e *graph.Executor) {
			b, err := d.Alloc(int64(3 * each * 4))
			require.NoError(t, err)
			memory := device.Tensor{Buffer: b, DType: device.Float32, Shape: tensor.Shape{3 * each}}
			require.ErrorContains(t, e.KeepStatistics(memory, 2), "statistics of 2 micro-batches are")
			require.NoError(t, e.KeepStatistics(memory, 3))
		}
		kept := run(func(e *graph.Executor, pass func(k int)) {
			keep(e)
			for _, k := range []int{2, 0, 1} { // made in any order
				e.StatisticsOf(k)
				pass(k)
			}
		})
		got := run(func(e *graph.Executor, pass func(k int)) {
			keep(e)
			for _, k := range []int{2, 0, 1} {
				e.StatisticsOf(k)
				pass(k)
			}
			for k := range 3 {
				e.Average(k)
			}
			require.NoError(t, e.Sync())
		})
		require.NotEmpty(t, want)
		for name := range want {
			require.Equal(t, fresh[name].Float32s(), kept[name].Float32s(), name)
			require.NotEqual(t, fresh[name].Float32s(), got[name].Float32s(), name)
			require.InDeltaSlice(t, want[name].Float32s(), got[name].Float32s(), 1e-5, name)
		}
	}
}

func TestNoStatisticsOfOtherState(t *testing.T) {
	d, err := device.Open("cpu", device.Options{Threads: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	n := &graph.Network{Name: "means"}
	label := n.Label("label")
	x := n.Add("m", &layerstest.RunningMean{}, n.Image("data", 1, 3, 3))
	x = n.Add("fc", &layers.Dense{Out: 3}, x)
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	p, err := n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 4})
	require.NoError(t, err)
	_, err = p.Statistics()
	require.ErrorContains(t, err, "layer m: each pass of a layer of the type running-mean depends on the state")
	p, err = n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 4, Frozen: []string{"m"}})
	require.NoError(t, err)
	each, err := p.Statistics()
	require.NoError(t, err)
	require.Zero(t, each)
}
