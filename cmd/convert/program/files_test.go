package program

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
)

// realFiles are files of other programs with right outputs, in a folder beside the
// repository. No test needs them.
const realFiles = "../../../../shared/data/models"

// Files of other programs compute what is recorded.
func TestRealFilesVerify(t *testing.T) {
	root, err := filepath.Abs(realFiles)
	require.NoError(t, err)
	if _, err := os.Stat(root); err != nil {
		t.Skipf("files of other programs are not here: %v", err)
	}
	for name, c := range map[string]struct {
		folder string
		args   []string
		arrays string // that are compared
	}{
		"Darknet 0.1":      {"darknet/made_classifier", []string{"made.cfg", "made_v0.1.weights", "-map", "logits=8,prob=9,maxpool_s1=5"}, "3 arrays are within"},
		"Darknet 0.2":      {"darknet/made_classifier", []string{"made.cfg", "made_v0.2.weights", "-map", "logits=8,prob=9,maxpool_s1=5"}, "3 arrays are within"},
		"YOLO":             {"darknet/yolo_fastest_1.1", []string{"yolo-fastest-1.1.cfg", "yolo-fastest-1.1.weights", "-map", "head1_first85=head1[:,:85]", "-force"}, "2 arrays are within"},
		"DenseNet":         {"pytorch/densenet_tiny", []string{"densenet_tiny.pt", "-input", "3x64x64", "-map", "out0=fc", "-verify", "../../onnx/torch_densenet_tiny/io.npz"}, "1 arrays are within"},
		"DenseNet, legacy": {"pytorch/densenet_tiny", []string{"densenet_tiny_legacy.pth", "-input", "3x64x64", "-map", "out0=fc", "-verify", "../../onnx/torch_densenet_tiny/io.npz"}, "1 arrays are within"},
		"Keras 3":          {"keras/small_functional", []string{"small_functional.keras"}, "19 arrays are within"},
		"Keras 3, HDF5":    {"keras/lenet_like", []string{"lenet_like_model.h5"}, "8 arrays are within"},
		"Keras 3, weights": {"keras/lenet_like", []string{"lenet_like.json", "lenet_like.weights.h5"}, "8 arrays are within"},
		"Keras 2":          {"keras/legacy_keras2", []string{"model.h5"}, "1 arrays are within"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(filepath.Join(root, c.folder))
			out := filepath.Join(t.TempDir(), "net.safetensors")
			code, stdout, stderr := call(append([]string{"-verify", "io.npz", "-tolerance", "1e-5", "-o", out}, c.args...)...)
			require.Equal(t, command.Done, code, "%s%s", stdout, stderr)
			require.Contains(t, stdout, c.arrays)
			require.FileExists(t, out)
		})
	}
}
