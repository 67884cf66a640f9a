package cpu

import (
	"fmt"
	"maps"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
	"github.com/hubel-go/hubel/kernels/cpu/parallel"
	"github.com/hubel-go/hubel/models"
	"github.com/hubel-go/hubel/solver"
)

// smallTasks are loops of AlexNet's training step at batch 16 that have fewer items than a
// machine may have cores, the fewest that they have on each path, and why that is enough. All
// others have an item for each of 128 workers.
var smallTasks = map[string]struct {
	avx512, avx2, generic int
	why                   string
}{
	"map":                        {1, 1, 1, "an item has 16,384 elements"},
	"runs":                       {1, 1, 1, "an item has 16,384 elements: losses of 16 samples"},
	"combine":                    {1, 1, 1, "it adds up what items of 16,384 elements came to"},
	"fill":                       {1, 1, 1, "an item has 16,384 elements"},
	"pool":                       {43, 43, 43, "an item has 16,384 elements"},
	"poolBack":                   {43, 43, 43, "an item has 16,384 elements"},
	"columnSums":                 {4, 4, 4, "biases of dense layers: 65,536 additions"},
	"rowSums":                    {96, 96, 96, "biases of conv1: a filter each"},
	"product, packing":           {3, 2, 4, "the smaller matrix, of at most 147,456 elements"},
	"product":                    {43, 18, 47, "an item has 524,288 multiply-adds, or a panel"},
	"product, dotting":           {40, 84, 125, "an item has 524,288 multiply-adds"},
	"winograd":                   {48, 128, 128, "12 blocks of 12 tiles, and pieces of 32 rows or more"},
	"winogradPack":               {36, 72, 128, "conv1: 6 vectors of filters, and 6 parts of their depth"},
	"winogradFilter, last tiles": {2, 2, 2, "what is left of them"},
	"winogradFilter, stores":     {48, 48, 48, "an input channel each"},
	"winogradFilter, joins":      {96, 96, 96, "a filter of conv1 each"},
}

// TestTasks counts the items of AlexNet's training step at batch 16 for 1 to 128 workers. No
// loop has fewer items than workers, or it is named above. With -v, HUBEL_TASKS=1 prints
// them.
func TestTasks(t *testing.T) {
	met := map[string]bool{}
	counted := 0
	for _, tile := range gemm.Tiles() {
		t.Run(tile.Name, func(t *testing.T) {
			countTasks(t, tile.Name, met)
			counted++
		})
	}
	for name := range smallTasks {
		require.True(t, met[name] || counted < 3, "%s has an item for each of 128 workers on every path: leave it out", name)
	}
}

func countTasks(t *testing.T, path string, met map[string]bool) {
	var workers int
	least := map[string]int{} // items of what has fewer than workers
	step := alexNetStep(t, path, func(task parallel.Task, items int) (run bool) {
		if name := taskName(task); items < workers {
			if n, ok := least[name]; !ok || items < n {
				least[name] = items
			}
		}
		return false
	})
	for _, workers = range []int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128} {
		clear(least)
		step(workers)
		for _, name := range slices.Sorted(maps.Keys(least)) {
			items := least[name]
			small, ok := smallTasks[name]
			fewest := map[string]int{"avx512": small.avx512, "avx2": small.avx2, "generic": small.generic}[path]
			require.True(t, ok, "%d workers: %s has %d items", workers, name, items)
			require.GreaterOrEqual(t, items, min(workers, fewest), "%d workers: %s, %s", workers, name, small.why)
			met[name] = true
			if os.Getenv("HUBEL_TASKS") != "" {
				fmt.Printf("%-8s %3d workers  %-26s  at least %3d items: %s\n", path, workers, name, items, small.why)
			}
		}
	}
}

// alexNetStep makes a training step of AlexNet at batch 16 on one worker, cut for any number
// of them, whose tasks are watched.
func alexNetStep(t testing.TB, path string, watch func(task parallel.Task, items int) (run bool)) func(workers int) {
	d, err := Open(device.Options{Threads: 1, CPUPath: path})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	n, err := models.Build("alexnet", models.Options{})
	require.NoError(t, err)
	p, err := n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 16})
	require.NoError(t, err)
	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	e, err := graph.NewExecutor(p, w)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	u, err := solver.NewUpdater(d, e, solver.Optimiser{Schedule: solver.Schedule{Policy: solver.Fixed, Rate: 1e-5}, Momentum: 0.9})
	require.NoError(t, err)
	d.pool.Watch(watch)
	return func(workers int) {
		d.engine.CutFor = workers
		e.Forward(graph.Pass{})
		e.Backward(graph.Pass{}, device.Overwrite)
		u.Update(0)
		require.NoError(t, e.Sync())
	}
}

// BenchmarkTasks predicts how many times as fast AlexNet's training step at batch 16 is on
// many cores. One core does all that it would take, cut for as many; then each task takes as
// long as the core with the most items of it, and what is between tasks takes as long as
// before. Nothing is said of memory, which cores share, nor of the time in which a task is
// handed over.
func BenchmarkTasks(b *testing.B) {
	var workers int
	var all, parts map[string]time.Duration // of one core, and of the one with the most items
	step := alexNetStep(b, "", func(task parallel.Task, items int) (run bool) {
		name, start := taskName(task), time.Now()
		for i := range items {
			task.Run(i, 0)
		}
		took := time.Since(start)
		most := time.Duration((items + workers - 1) / workers)
		all[name] += took
		parts[name] += took * most / time.Duration(max(items, 1))
		return false
	})
	once := func() (one, many time.Duration) { // the step
		all, parts = map[string]time.Duration{}, map[string]time.Duration{}
		start := time.Now()
		step(workers)
		one = time.Since(start)
		many = one
		for name := range all {
			many += parts[name] - all[name]
		}
		return one, many
	}
	workers = 1
	once()
	alone := map[string]time.Duration{}
	var total time.Duration
	for _, workers = range []int{1, 2, 8, 16, 32, 64, 128} {
		b.Run(strconv.Itoa(workers), func(b *testing.B) {
			best, bestParts := time.Duration(math.MaxInt64), map[string]time.Duration{}
			for b.Loop() {
				if _, many := once(); many < best {
					best, bestParts = many, maps.Clone(parts)
				}
			}
			if workers == 1 {
				total, alone = best, bestParts
			}
			b.ReportMetric(float64(total)/float64(best), "x-step")
			for name, d := range bestParts {
				if alone[name] > total/100 {
					b.ReportMetric(float64(alone[name])/float64(d), "x-"+strings.ReplaceAll(name, ", ", "-"))
				}
			}
		})
	}
}

// taskName is the name of a task, and of what it does of several things.
func taskName(task parallel.Task) string {
	switch t := task.(type) {
	case *gemm.Product:
		return [...]string{"product, packing", "product", "product, dotting"}[reflect.ValueOf(t).Elem().FieldByName("phase").Int()]
	case *winogradFilterTask:
		stage := [...]string{"transforms", "multiplies", "sums", "stores", "joins"}[t.stage]
		if t.stage == transforms && t.n < t.depth {
			stage = "last tiles"
		}
		return "winogradFilter, " + stage
	}
	name := fmt.Sprintf("%T", task) // such as *cpu.lrnTask
	return name[len("*cpu.") : len(name)-len("Task")]
}

// TestItemsOfLayers counts the items of what AlexNet has not: direct gradients of filters, and
// depthwise convolutions. 64 workers have an item each.
func TestItemsOfLayers(t *testing.T) {
	const workers = 64
	d, err := Open(device.Options{Threads: 1, DirectConv: true})
	require.NoError(t, err)
	defer d.Close()
	d.engine.CutFor = workers
	most := map[string]int{}
	d.pool.Acquire()
	d.pool.Watch(func(task parallel.Task, items int) (run bool) {
		most[taskName(task)] = items
		return true
	})
	d.pool.Release()
	c := device.Conv{N: 1, C: 16, H: 14, W: 14, K: 1024, R: 1, S: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
	cut := cutFilter(d.engine.Tile, &c)
	require.Less(t, cut.pieces()*cut.parts, workers, "by its shape")
	convOn(t, d, c, device.BackwardFilter)
	require.GreaterOrEqual(t, most["convFilter"], min(workers, 1024/d.engine.Tile.NR), "a panel each")

	c.C, c.K, c.Groups, c.R, c.S = 64, 64, 64, 3, 3
	shape := newDepthwise(&c, device.Forward)
	require.Less(t, shape.items(), workers, "by its shape")
	convOn(t, d, c, device.Forward)
	require.GreaterOrEqual(t, most["depthwise"], workers)
	convOn(t, d, c, device.BackwardData)
	require.GreaterOrEqual(t, most["depthwise"], workers)
}

// More workers never have fewer items of a direct convolution.
func TestItemsOfMoreWorkers(t *testing.T) {
	for _, tile := range gemm.Tiles() {
		for _, c := range []device.Conv{
			{N: 1, C: 16, H: 14, W: 14, K: 256, R: 1, S: 1},
			{N: 3, C: 16, H: 20, W: 20, K: 256, R: 2, S: 2},
			{N: 7, C: 8, H: 30, W: 30, K: 128, R: 1, S: 1},
			{N: 2, C: 8, H: 56, W: 56, K: 512, R: 1, S: 1},
		} {
			c.StrideH, c.StrideW, c.DilationH, c.DilationW, c.Groups = 1, 1, 1, 1, 1
			p := newConvProduct(tile, c, device.Forward)
			k := p.phase(0)
			shape := p.cut(&k, 1)
			for workers := range 200 {
				cut := p.cut(&k, workers)
				require.GreaterOrEqual(t, cut.items(), shape.items(), "%s, %+v, %d workers", tile.Name, c, workers)
				require.Equal(t, shape.block, cut.block, "its bits")
				require.GreaterOrEqual(t, cut.pieces*cut.panels, p.panels())
			}
		}
	}
}
