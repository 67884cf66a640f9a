package program

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// facesFile writes faces of 8x8 in Kaggle's layout: a bright pixel is the left
// eye, one four columns to the left of it the right eye. Row 3 misses one.
func facesFile(t *testing.T, name string) {
	var b strings.Builder
	b.WriteString("left_eye_x,left_eye_y,right_eye_x,right_eye_y,Image\n")
	for i := range 40 {
		x, y := 4+i%4, i/4%8
		left := fmt.Sprintf("%d.5,%d.5", x, y)
		if i == 2 {
			left = ","
		}
		fmt.Fprintf(&b, "%s,%d.5,%d.5,", left, x-4, y)
		pixels := strings.Fields(strings.Repeat("0 ", 64))
		pixels[8*y+x], pixels[8*y+x-4] = "255", "255"
		fmt.Fprintln(&b, strings.Join(pixels, " "))
	}
	require.NoError(t, os.WriteFile(name, []byte(b.String()), 0o666))
}

func TestKeypoints(t *testing.T) {
	t.Chdir(t.TempDir())
	facesFile(t, "faces.csv")
	flags := []string{"-model", "net1", "-batch", "8", "-lr", "0.1", "-epochs", "40", "-decay", "0"}
	stdout := succeed(t, append(flags, "-data", "keypoints:faces.csv")...)
	require.Contains(t, stdout, "net1 on keypoints into runs/net1-keypoints: 32 images to train, 7 to test")
	require.Contains(t, stdout, "faces.csv, 1 of its 40 rows: a point is missing, in row 3 for one; keypoints-missing:faces.csv keeps them")

	stdout = succeed(t, append(flags, "-data", "keypoints-missing:faces.csv")...)
	require.Contains(t, stdout, "into runs/net1-keypoints-missing: 32 images to train, 8 to test")
	require.NotContains(t, stdout, "NaN")
	stdout = succeed(t, "-eval", "-weights", "runs/net1-keypoints-missing/weights.safetensors", "-data", "keypoints-missing:faces.csv")
	require.NotContains(t, stdout, "NaN")
	stdout = succeed(t, append(flags, "-data", "keypoints-missing:faces.csv", "-check")...)
	require.Contains(t, stdout, "half the square of the targets")

	refused(t, "-strict: faces.csv, 1 of its 40 rows: a point is missing", append(flags, "-data", "keypoints:faces.csv", "-strict", "-out", "strict")...)
	refused(t, "-val, -split, -classes, -each and -order are for folders", append(flags, "-data", "keypoints:faces.csv", "-split", "0.1", "-out", "split")...)
	refused(t, "classes cannot be balanced: the data set has 4 numbers to predict instead", append(flags, "-data", "keypoints:faces.csv", "-balance", "-out", "balance")...)
	refused(t, "keypoints:training.csv", append(flags, "-data", "keypoints", "-out", "none")...)
}

// Flips move points, and a run with them is resumed exactly.
func TestKeypointsAugmented(t *testing.T) {
	t.Chdir(t.TempDir())
	facesFile(t, "faces.csv")
	flags := []string{"-model", "net1", "-batch", "8", "-lr", "0.1", "-decay", "0", "-augment", "flip,translate=0.1", "-data", "keypoints:faces.csv"}
	succeed(t, append(flags, "-epochs", "4", "-out", "whole")...)
	succeed(t, append(flags, "-epochs", "2", "-out", "resumed")...)
	succeed(t, "-resume", "resumed", "-epochs", "4")
	same(t, "whole", "resumed")
	succeed(t, "-eval", "-weights", "whole/weights.safetensors", "-data", "keypoints:faces.csv")
	refused(t, "-ten-crop takes the mean over answers", "-eval", "-weights", "whole/weights.safetensors", "-data", "keypoints:faces.csv", "-ten-crop")
	require.Contains(t, succeed(t, append(flags, "-check")...), "half the square of the targets")

	stdout := succeed(t, "-preview", "8", "out.png", "-augment", "flip@1,resize=32", "-data", "keypoints:faces.csv")
	require.Contains(t, stdout, "8 images of 32x32 from keypoints in out.png")
	require.Contains(t, stdout, "a point is missing")
}
