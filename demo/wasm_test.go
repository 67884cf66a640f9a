package demo

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/modelfile"
)

// The program that the page runs computes in WebAssembly what package demo computes here. It
// runs in Node, as it does in a worker of the page.
func TestWebAssembly(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node to run WebAssembly in")
	}
	if testing.Short() {
		t.Skip("all of hubel is compiled for WebAssembly: skipped with -short")
	}
	d := cpu(t)
	m := untrained(t, d, "lenet")
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }

	metadata, err := modelfile.Encode(m.Network, m.Preprocess, m.Classes)
	require.NoError(t, err)
	var tensors []safetensors.Tensor
	for name, x := range m.Weights {
		tensors = append(tensors, safetensors.Tensor{Name: name, Value: x})
	}
	require.NoError(t, safetensors.Write(file("weights"), tensors, metadata))
	all, some, err := data.Open("synthetic", data.OpenOptions{Synthetic: data.SyntheticOptions{Train: 64, Test: 20}})
	require.NoError(t, err)
	packed, err := Pack(all, some, 64, 20)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file("digits"), packed, 0o666))
	ink := drawing(280, 280, 150, 120, 90, 40)
	require.NoError(t, os.WriteFile(file("drawing"), ink, 0o666))

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-o", file("hubel.wasm"), "./wasm")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	said, err := build.CombinedOutput()
	require.NoError(t, err, "%s", said)
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	require.NoError(t, err)
	support := filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js")
	said, err = exec.CommandContext(ctx, node, "testdata/node.mjs", support, dir).CombinedOutput()
	require.NoError(t, err, "%s", said)

	var got struct {
		Open struct {
			Network    string
			Parameters int
			Layers     []Layer
		}
		Values  []float32
		Unit    Unit
		Digits  map[string]int
		Digit   []float32
		Steps   []Progress
		Right   int
		Filters int
		Trained struct{ Parameters int }
		Errors  []string
	}
	result, err := os.ReadFile(file("result"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(result, &got))
	lens, err := NewLens(d, m)
	require.NoError(t, err)
	defer lens.Close()
	require.Equal(t, "lenet", got.Open.Network)
	require.Equal(t, lens.Parameters(), got.Open.Parameters)
	require.Len(t, got.Open.Layers, len(lens.Layers))
	digit := Normalise(ink, 280)
	values, err := lens.Look(digit)
	require.NoError(t, err)
	require.InDeltaSlice(t, append(digit, values...), got.Values, 1e-4)
	unit, err := lens.Explain(3, 7, 2, 5)
	require.NoError(t, err)
	require.Equal(t, unit.Field, got.Unit.Field)
	require.Equal(t, unit.Weights, got.Unit.Weights)
	require.InDelta(t, unit.Value, got.Unit.Value, 1e-4)

	require.Equal(t, map[string]int{"train": 64, "test": 20}, got.Digits)
	_, test, err := Unpack(packed)
	require.NoError(t, err)
	label, err := test.Read(digit, 3)
	require.NoError(t, err)
	require.Equal(t, append(digit, float32(label)), got.Digit)
	train, test, err := Unpack(packed)
	require.NoError(t, err)
	training, err := NewTraining(d, m, train, test, TrainOptions{Iterations: 3, Batch: 16, Rate: 0.01, Seed: 1})
	require.NoError(t, err)
	defer training.Close()
	require.Len(t, got.Steps, 3)
	for _, p := range got.Steps {
		want, err := training.Step()
		require.NoError(t, err)
		require.Equal(t, want.Iteration, p.Iteration)
		require.InDelta(t, want.Loss, p.Loss, 1e-3)
	}
	require.LessOrEqual(t, got.Right, 20)
	require.Equal(t, 20*25, got.Filters)
	require.Equal(t, lens.Parameters(), got.Trained.Parameters)
	require.Len(t, got.Errors, 4)
	require.Contains(t, got.Errors[0], "no weights are open")
	require.Contains(t, got.Errors[1], "layer conv1 has no unit 99")
	require.Contains(t, got.Errors[2], "this is no file of digits")
	require.Contains(t, got.Errors[3], "explain: ", "a call without its arguments")
}
