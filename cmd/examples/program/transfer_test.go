package program

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
)

// paintings writes n pictures of each of some classes, each class in a colour of its own.
func paintings(t *testing.T, dir string, classes, n int) {
	t.Helper()
	for k := range classes {
		folder := filepath.Join(dir, fmt.Sprintf("class%d", k))
		require.NoError(t, os.MkdirAll(folder, 0o777))
		for i := range n {
			m := image.NewRGBA(image.Rect(0, 0, 36, 36))
			for p := range 36 * 36 {
				shade := uint8(p * (i + 3) % 50)
				m.SetRGBA(p%36, p/36, color.RGBA{uint8(200*(k&1)) + shade, uint8(100*(k>>1)) + shade, 100 + shade, 255})
			}
			f, err := os.Create(filepath.Join(folder, fmt.Sprintf("%d.png", i)))
			require.NoError(t, err)
			require.NoError(t, png.Encode(f, m))
			require.NoError(t, f.Close())
		}
	}
}

func TestTransfer(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(name, t.TempDir())
	}
	paintings(t, "set", 5, 3)
	paintings(t, "val", 5, 2)
	line := "transfer -data set -val val -epochs 1 -seeds 1 -out out"
	code, out, stderr := call(t, line)
	require.Equal(t, command.Done, code, stderr)
	require.Equal(t, 4, strings.Count(out, "bin/train -model tiny-vgg"))
	require.Contains(t, out, "-weights out/source-1/weights.safetensors -classes 2-4 -each 20@1")
	require.Regexp(t, `support vector machines on relu3 of out/source-1, 512 features: C \S+\n  accuracy \d+\.\d\d %\n`, out)
	require.Regexp(t, `machines on pool2 of out/source-1, 4096 features`, out)
	table, err := os.ReadFile("out/table.md")
	require.NoError(t, err)
	for _, row := range []string{"from random weights", "a new last layer", "convolutions kept, new dense layers", "SVM on the hidden layer", "SVM on the second block", "SVM on the first block"} {
		require.Regexp(t, `\| `+row+` \| \d+\.\d\d \|\n`, string(table))
	}
	require.Contains(t, string(table), "| SVM on the first block | 100.00 |", "colours can be told apart there")
	require.Contains(t, out, "each of the classes 2-4, and are tested on those of -val. The networks come from the classes 0-1.")

	_, again, _ := call(t, line)
	require.Equal(t, out, again, "nothing is trained again")

	paintings(t, "few", 3, 2)
	code, _, stderr = call(t, "transfer -data few -val val -out no")
	require.Equal(t, command.Wrong, code)
	require.Equal(t, "examples: -data few has 3 classes: from two to two others, it takes 4 or more\n", stderr)
	require.NoDirExists(t, "no")
}
