package program

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/results"
)

// digits writes a set in MNIST's format into a folder: images of 28x28 to train and to test,
// grey of their class's own.
func digits(t *testing.T, dir string, train, test int) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o777))
	for name, n := range map[string]int{"train": train, "t10k": test} {
		images := binary.BigEndian.AppendUint32([]byte{0, 0, 8, 3}, uint32(n))
		images = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(images, 28), 28)
		labels := binary.BigEndian.AppendUint32([]byte{0, 0, 8, 1}, uint32(n))
		for i := range n {
			labels = append(labels, byte(i%10))
			for p := range 28 * 28 {
				images = append(images, byte(20*(i%10)+p%7))
			}
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+"-images-idx3-ubyte"), images, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+"-labels-idx1-ubyte"), labels, 0o600))
	}
}

func TestLeNet5(t *testing.T) {
	t.Chdir(t.TempDir())
	digits(t, "datasets/mnist", 70, 10)
	digits(t, "datasets/fashion-mnist", 70, 10)
	code, out, stderr := call(t, "lenet5 -epochs 1 -seeds 2")
	require.Equal(t, command.Done, code, stderr)
	require.Contains(t, out, "\n| mnist |")
	require.Contains(t, out, "\n| fashion-mnist |")
	require.Contains(t, out, "Means of 2 seeds")
	require.FileExists(t, "runs/lenet5/fashion-mnist-2/weights.safetensors")
	require.FileExists(t, "runs/lenet5/curves.png")
}

func TestTinyVGG(t *testing.T) {
	t.Chdir(t.TempDir())
	digits(t, "set", 70, 10)
	code, out, stderr := call(t, "tiny-vgg -data mnist:set -epochs 2 -at 2")
	require.Equal(t, command.Done, code, stderr)
	require.Contains(t, out, "Gradients of seed 1 in update 3, the first of epoch 2:")
	table, err := os.ReadFile("runs/tiny-vgg/gradients.md")
	require.NoError(t, err)
	require.Contains(t, out, string(table))

	// The numbers are those of the monitor: of a convolution both, of a pooling its outputs'.
	lines, err := results.ReadLines[results.MonitorLine]("runs/tiny-vgg/tiny-vgg-1/monitor.jsonl")
	require.NoError(t, err)
	require.Len(t, lines, 2)
	for _, l := range lines[1].Layers {
		switch d := l.OutputGradients; l.Layer {
		case "conv2_1":
			w := l.WeightGradients
			require.Contains(t, string(table), fmt.Sprintf("| conv2_1 | %.2g | %.2g | %.2g | %.2g | %.2g | %.2g |\n", d.Norm, d.Mean, d.Deviation, w.Norm, w.Mean, w.Deviation))
		case "pool1":
			require.Contains(t, string(table), fmt.Sprintf("| pool1 | %.2g | %.2g | %.2g | | | |\n", d.Norm, d.Mean, d.Deviation))
		}
	}

	for line, want := range map[string]string{
		"tiny-vgg -data mnist:set -epochs 2 -at 3": "-at 3 is after the last epoch, 2",
		"tiny-vgg -data mnist:set -at -1":          "-at must be at least 0",
		"tiny-vgg -data no-set":                    `-data: data set "no-set" is unknown`,
		"lenet5 -at 1":                             "-at has no meaning for lenet5",
	} {
		code, _, stderr := call(t, line)
		require.Equal(t, command.Wrong, code, line)
		require.Contains(t, stderr, want)
	}
}

// photos is a folder with two classes of n pictures each.
func photos(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for class := range 2 {
		folder := filepath.Join(dir, []string{"dark", "light"}[class])
		require.NoError(t, os.Mkdir(folder, 0o777))
		for i := range n {
			m := image.NewRGBA(image.Rect(0, 0, 40, 33))
			for p := range 40 * 33 {
				m.Set(p%40, p/40, color.RGBA{uint8(90*class + p%50), uint8(8 * i), uint8(p), 255})
			}
			f, err := os.Create(filepath.Join(folder, fmt.Sprintf("%d.png", i)))
			require.NoError(t, err)
			require.NoError(t, png.Encode(f, m))
			require.NoError(t, f.Close())
		}
	}
	return dir
}

func TestAblation(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	set := photos(t, 10)
	t.Chdir(t.TempDir())
	line := "ablation -data " + set + " -epochs 1 -seeds 1"
	code, out, stderr := call(t, line)
	require.Equal(t, command.Done, code, stderr)
	require.Equal(t, 8, strings.Count(out, "bin/train -net "))
	require.Equal(t, 5, strings.Count(out, ",flip"), "three rows have no augmentation")
	require.Equal(t, 2, strings.Count(out, " -decay 0 "))
	for _, p := range ablationParts {
		require.Contains(t, out, "\n| "+p.name+" |")
		n, err := graph.ReadFile("runs/ablation/" + p.name + ".json")
		require.NoError(t, err)
		require.Equal(t, p.network([]int{3, 32, 32}, 2), n)
	}

	// A network that somebody changed is kept.
	require.NoError(t, os.WriteFile("runs/ablation/tanh.json", []byte("mine"), 0o600))
	code, _, stderr = call(t, line)
	require.Equal(t, command.Wrong, code)
	require.Contains(t, stderr, "tanh.json has another network than this example")
	kept, err := os.ReadFile("runs/ablation/tanh.json")
	require.NoError(t, err)
	require.Equal(t, "mine", string(kept))

	for line, want := range map[string]string{
		"ablation -val x":             "-val needs -data",
		"ablation -data none":         "-data: ",
		"ablation -- -batch 1":        "-batch after -- is what the example itself gives to train",
		"ablation -data x -seeds -2 ": "-seeds must be at least 1",
	} {
		code, _, stderr := call(t, line)
		require.Equal(t, command.Wrong, code, line)
		require.Contains(t, stderr, "examples: "+want)
	}
}

// Each network lacks its parts alone, and all shapes are those of the base.
func TestAblationNetworks(t *testing.T) {
	traits, err := device.TraitsOf("cpu", device.Options{})
	require.NoError(t, err)
	types := func(p ablationPart, shape []int) (list []string, shapes map[string][]int) {
		n := p.network(shape, 10)
		plan, err := n.Plan(traits, graph.PlanOptions{Mode: graph.Train, Batch: 2})
		require.NoError(t, err)
		shapes = map[string][]int{}
		for _, v := range plan.Values {
			if !strings.HasPrefix(v.Name, "tanh") && !strings.HasPrefix(v.Name, "norm") {
				shapes[v.Name] = v.Shape
			}
		}
		for _, node := range n.Nodes {
			list = append(list, node.Layer.Type())
		}
		return list, shapes
	}
	for _, shape := range [][]int{{3, 32, 32}, {1, 28, 28}} {
		base, sizes := types(ablationPart{}, shape)
		for _, p := range ablationParts {
			list, shapes := types(p, shape)
			for name, s := range shapes {
				require.Equal(t, sizes[name], s, name)
			}
			missing := len(base) - len(list)
			require.Equal(t, map[string]int{"no-lrn": 2, "no-dropout": 1, "plain": 3, "plain-tanh": 3}[p.name], missing, p.name)
			if p.tanh && missing == 0 {
				require.Equal(t, strings.Split(strings.ReplaceAll(strings.Join(base, " "), "relu", "tanh"), " "), list)
			}
		}
	}
}

// steps is a log of batches, one line each quarter of an epoch, with accuracies.
func steps(right ...float64) (log []results.LogLine) {
	for i, x := range right {
		log = append(log, results.LogLine{Iteration: 10 * (i + 1), Epoch: float64(i+1) / 4, Train: results.Metrics{{Name: accuracy, Value: x}}, ImagesPerSecond: 320})
	}
	return log
}

func TestReached(t *testing.T) {
	// The means over half an epoch are 0.9, 0.65, 0.4, 0.35 wrong from line 1 on.
	o := outcome{log: steps(0.1, 0.1, 0.6, 0.6, 0.7)}
	i, ok := reached(o.log, 0.5)
	require.True(t, ok)
	require.Equal(t, 3, i)
	_, ok = reached(o.log, 0.3)
	require.False(t, ok)
	// One good batch at the start is not enough.
	_, ok = reached(steps(1, 0.1, 0.1), 0.2)
	require.False(t, ok)

	epochs, ok := epochsColumn(0.5).value(o)
	require.True(t, ok)
	require.Equal(t, 1.0, epochs)
	seconds, ok := secondsColumn(0.5).value(o)
	require.True(t, ok)
	require.InDelta(t, 40*ablationBatch/320., seconds, 1e-9)
	_, ok = secondsColumn(0.1).value(o)
	require.False(t, ok)

	loss := 1.0
	o.log[4].TestLoss, o.log[4].Test = &loss, results.Metrics{{Name: accuracy, Value: 0.8}}
	share, ok := trainErrorColumn().value(o)
	require.True(t, ok)
	require.InDelta(t, 50, share, 1e-9, "the last epoch is the last four lines")
	wrong, ok := errorColumn().value(o)
	require.True(t, ok)
	require.InDelta(t, 20, wrong, 1e-9)
}
