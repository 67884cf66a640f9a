package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A module of a user's own: a layer of one file, and train with that layer linked in.
var ownModule = map[string]string{
	"layers/softcap.go": `// Package layers has a layer of ours.
package layers

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/layers"
)

func init() { layers.Register(func() layers.Layer { return &SoftCap{Cap: 30} }) }

// SoftCap is cap tanh(x/cap).
type SoftCap struct {
	layers.Elementwise
	Cap float32 ` + "`json:\"cap\"`" + `
}

// Type is "soft-cap".
func (*SoftCap) Type() string { return "soft-cap" }

// Plan checks the cap.
func (l *SoftCap) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	if !(l.Cap > 0) {
		return layers.Spec{}, fmt.Errorf("cap %g must be above 0", l.Cap)
	}
	x, c := expr.Input(0, expr.Whole), expr.Const(l.Cap)
	return layers.PlanElementwise(expr.MustNew(expr.Mul(c, expr.Tanh(expr.Div(x, c)))), 1, in)
}
`,
	"main.go": `package main

import (
	_ "example.com/own/layers"

	"github.com/hubel-go/hubel/cmd/train/program"
)

func main() { program.Main() }
`,
	"net.json": `{
  "version": 1,
  "name": "capped",
  "inputs": [
    {"name": "x", "role": "image", "dtype": "float32", "shape": [1, 8, 8]},
    {"name": "y", "role": "label", "dtype": "int32"}
  ],
  "layers": [
    {"name": "flat", "type": "flatten", "in": ["x"]},
    {"name": "fc", "type": "dense", "in": ["flat"], "options": {"out": 10}},
    {"name": "cap", "type": "soft-cap", "in": ["fc"], "options": {"cap": 5}},
    {"name": "loss", "type": "softmax-loss", "in": ["cap", "y"]}
  ],
  "outputs": ["cap"]
}
`,
}

// A program outside the module links a layer of its own into train, and its networks
// train on every device.
func TestOwnLayerInOwnProgram(t *testing.T) {
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	files := map[string]string{
		"go.mod": strings.Replace(string(mod), "module github.com/hubel-go/hubel\n", "module example.com/own\n", 1) +
			"\nrequire github.com/hubel-go/hubel v0.0.0\n\nreplace github.com/hubel-go/hubel => " + root + "\n",
		"go.sum": string(sum),
	}
	dir := t.TempDir()
	for _, of := range []map[string]string{files, ownModule} {
		for name, text := range of {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777))
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
		}
	}
	train := filepath.Join(dir, "train.exe")
	run := func(name string, args ...string) string {
		c := exec.Command(name, args...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s %v: %s", name, args, out)
		return string(out)
	}
	run("go", "build", "-mod=mod", "-o", train, ".")
	for _, device := range []string{"cpu", "reference", "ptxsim"} {
		out := run(train, "-net", "net.json", "-data", "synthetic:64,16", "-iters", "2", "-device", device, "-out", device)
		require.Contains(t, out, "capped on synthetic", "on %s: %s", device, out)
	}
	require.Contains(t, run(train, "-net", "net.json", "-summary"), "soft-cap")
}
