package solver

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/results"
)

// readJSON reads a file of a run.
func readJSON[T any](t *testing.T, dir, name string) (v T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &v))
	return v
}

// What is kept for those who look at a run changes nothing of it, is told as it is
// written, and goes on where a run is resumed.
func TestWatchedRuns(t *testing.T) {
	straight := trainIn(t, smallConfig(t))
	c := smallConfig(t)
	layer, ok := FirstFilters(c.Network)
	require.True(t, ok)
	c.Dir = filepath.Join(t.TempDir(), "run")
	c.Watch = Watch{FiltersEvery: 4, Answers: true, Machine: []results.Fact{{Name: "cpu", Value: "of a test"}}}
	var filters []results.FiltersLine
	var tests []Test
	c.Observers = []Observer{
		watch(func(e Filtered) { filters = append(filters, e.FiltersLine) }),
		watch(func(e Test) { tests = append(tests, e) }),
	}
	_, err := Train(t.Context(), c)
	require.NoError(t, err)
	requireSameFiles(t, straight, c.Dir)

	require.Equal(t, c.Watch.Machine, readJSON[[]results.Fact](t, c.Dir, results.MachineFile))
	read := func() []results.FiltersLine {
		lines, err := results.ReadLines[results.FiltersLine](filepath.Join(c.Dir, results.FiltersFile))
		require.NoError(t, err)
		return lines
	}
	require.Equal(t, filters, read())
	var at []int
	for _, f := range filters {
		at = append(at, f.Iteration)
		require.Equal(t, layer, f.Layer)
	}
	require.Equal(t, []int{1, 4, 8, 10}, at)
	require.NotEqual(t, filters[0].Levels, filters[3].Levels)

	require.Len(t, tests, 2)
	require.Equal(t, *tests[1].Answers, readJSON[results.Answers](t, c.Dir, results.AnswersFile))
	for _, test := range tests {
		require.Equal(t, test.Iteration, test.Answers.Iteration)
		require.Equal(t, test.Samples, test.Answers.Samples)
		require.Equal(t, test.Confusion.Classes, test.Answers.Classes)
		counts := results.NewConfusion(test.Confusion.Classes, len(test.Confusion.Classes)).Counts
		for _, cell := range test.Answers.Cells {
			counts[cell.Class][cell.Answer] = cell.Count
			require.NotEmpty(t, cell.Samples)
			for _, s := range cell.Samples {
				require.Equal(t, [2]int{cell.Class, cell.Answer}, [2]int{s.Class, s.Answer})
				require.GreaterOrEqual(t, s.Probability, s.OfClass)
			}
		}
		require.Equal(t, test.Confusion.Counts, counts)
	}

	// Longer: the last line of the shorter run stays.
	r := smallConfig(t)
	r.Watch = Watch{FiltersEvery: 4}
	r.Iterations = 12
	resume(t, c.Dir, r)
	at = nil
	for _, f := range read() {
		at = append(at, f.Iteration)
	}
	require.Equal(t, []int{1, 4, 8, 10, 12}, at)
}

// A network without a convolution has no filters, and one without classes no answers.
func TestNothingToWatch(t *testing.T) {
	c := smallConfig(t)
	n := &graph.Network{Name: "dense"}
	image, label := n.Image("data", c.Train.Shape()...), n.Label("label")
	x := n.Add("scores", &layers.Dense{Out: len(c.Train.Classes())}, image)
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	c.Network = n
	c.Watch.FiltersEvery = 1
	c.Observers = []Observer{watch(func(Filtered) { t.Fatal("there are none") }), watch(func(e Test) { require.Nil(t, e.Answers) })}
	_, err := Train(t.Context(), c)
	require.NoError(t, err)
}

// A checkpoint that is asked for is written after the update that is under way.
func TestSaveNow(t *testing.T) {
	c := smallConfig(t)
	c.Dir = filepath.Join(t.TempDir(), "run")
	ask := make(chan struct{}, 1)
	c.SaveNow, c.CheckpointEvery = ask, 100
	var saved []int
	c.Observers = []Observer{
		watch(func(p Progress) {
			if p.Iteration == 2 {
				ask <- struct{}{}
			}
		}),
		watch(func(s Saved) {
			if !s.Best {
				saved = append(saved, s.Iteration)
			}
		}),
	}
	_, err := Train(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, []int{0, 3, 10}, saved)
}
