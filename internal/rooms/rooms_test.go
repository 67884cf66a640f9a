// Package rooms tests which packages may import which.
package rooms

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// allowed lists what the packages of this module may import of it, tests apart.
var allowed = map[string][]string{
	"formats/darknet": {"formats", "graph", "layers", "data", "device", "internal/plain", "internal/printable"},
	"formats":         {"graph", "layers", "modelfile", "device", "formats/safetensors"},
	"formats/pickle":  {},
	"formats/caffe": {"formats", "formats/hdf5", "formats/safetensors", "graph", "layers", "data", "device", "modelfile",
		"internal/printable"},
	"formats/nhwc":    {"formats", "graph", "layers", "data", "device"},
	"formats/tflite":  {"formats", "formats/nhwc", "formats/safetensors", "graph", "layers", "device", "internal/printable"},
	"formats/keras":   {"formats", "formats/nhwc", "formats/hdf5", "graph", "layers", "device", "internal/plain", "internal/printable"},
	"formats/inflate": {},
	"formats/hdf5":    {"formats/inflate", "internal/printable"},
	"formats/lmdb":    {"internal/printable"},
	"formats/pytorch": {"formats", "formats/pickle", "formats/safetensors", "graph", "layers", "modelfile", "models", "data", "device",
		"internal/printable"},
	"formats/matconvnet":  {"formats", "formats/matfile", "modelfile", "graph", "layers", "device"},
	"formats/matfile":     {"formats/hdf5", "formats/inflate"},
	"formats/onnx":        {"formats", "graph", "layers", "modelfile", "data", "device", "expr", "internal/printable"},
	"formats/safetensors": {"internal/atomicfile"},
	"data":                {"data/jpeg", "device", "formats/hdf5", "formats/lmdb", "internal/atomicfile", "internal/npy", "internal/plain", "internal/printable"},
	"modelfile":           {"graph", "data", "formats/safetensors", "internal/printable"},
	"predict":             {"modelfile", "graph", "data", "device"},
	"inspect":             {"predict", "modelfile", "graph", "layers", "data", "device", "expr"},
	"serve":               {"predict", "device", "internal/printable", "internal/webguard"},
	"internal/webguard":   {},
	"live":                {"results", "internal/webguard"},
	"live/watch":          {"live", "solver", "results", "graph", "layers", "data", "device"},
	"results":             {},
	"tensorboard":         {"results"},
	"demo":                {"solver", "inspect", "predict", "modelfile", "graph", "layers", "data", "device", "formats/safetensors"},
	"demo/wasm":           {"demo", "modelfile", "device", "kernels/cpu"},
	"dist":                {"device"},
	"dist/mpi":            {"dist", "device"},
	"dist/nccl":           {"dist", "device", "kernels/cuda", "kernels/cuda/driver", "internal/atomicfile", "internal/printable"},
	"svm":                 {},
	"report":              {"results", "internal/atomicfile", "internal/printable"},
	"solver": {"modelfile", "results", "graph", "layers", "data", "device", "dist", "expr", "formats/safetensors",
		"internal/atomicfile", "internal/printable"},
}

// importsOf are the packages of this module that the files of a folder import,
// those of every platform.
func importsOf(t *testing.T, room string) map[string]bool {
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(room), "*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files, "there is no package %s", room)
	imports := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		f, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
		require.NoError(t, err)
		for _, i := range f.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			require.NoError(t, err)
			if path, ok := strings.CutPrefix(path, "github.com/hubel-go/hubel/"); ok {
				imports[path] = true
			}
		}
	}
	return imports
}

func TestRoomsImportWhatTheyMay(t *testing.T) {
	for room, may := range allowed {
		for path := range importsOf(t, room) {
			require.Contains(t, may, path, "%s must not import %s: docs/architecture.md says which way imports run", room, path)
		}
	}
}

// Whatever stands below: a weights file, predictions and drawings take no
// training loop, and nobody but commands chooses a device.
func TestNoSolverAndNoDeviceBelow(t *testing.T) {
	for _, room := range []string{"modelfile", "predict", "inspect", "report", "serve", "live"} {
		seen := map[string]bool{}
		var walk func(at string)
		walk = func(at string) {
			for path := range importsOf(t, at) {
				if seen[path] {
					continue
				}
				seen[path] = true
				require.NotEqual(t, "solver", path, "%s imports it by way of %s", room, at)
				require.False(t, strings.HasPrefix(path, "kernels/") || path == "device/reference", "%s imports the device %s by way of %s", room, path, at)
				walk(path)
			}
		}
		walk(room)
	}
}
