package program

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/solver"
)

// TestTrainOnAList trains on a list as Caffe has it, whose classes have the
// names of the folders.
func TestTrainOnAList(t *testing.T) {
	inPhotos(t)
	var train, val strings.Builder
	for label, class := range []string{"blue", "red"} {
		for i := range 20 {
			to := &train
			if i%5 == 0 {
				to = &val
			}
			fmt.Fprintf(to, "%s/%d.jpg %d\n", class, i, label)
		}
	}
	require.NoError(t, os.WriteFile("set/train.txt", []byte(train.String()), 0o666))
	require.NoError(t, os.WriteFile("set/val.txt", []byte(val.String()), 0o666))
	require.NoError(t, os.WriteFile("set/labels.txt", []byte("blue\nred\n"), 0o666))
	flags := []string{"-net", "colour.json", "-batch", "8", "-preprocess", "mean,scale=0.01", "-augment", "resize=18,crop=16", "-epochs", "3"}
	stdout := succeed(t, append(flags, "-data", "set/train.txt", "-val", "set/val.txt", "-strict", "-out", "run")...)
	require.Contains(t, stdout, "tiny on train into run: 32 images to train, 8 to test; 12 iterations of 8")
	m, err := modelfile.Read("run/" + solver.WeightsFile)
	require.NoError(t, err)
	require.Equal(t, []string{"blue", "red"}, m.Classes)

	// What the list calls blue is what the folder does.
	require.Regexp(t, `tiny on the 8 test images of val: .* accuracy 100`, succeed(t, "-eval", "-weights", "run/weights.safetensors", "-data", "set/val.txt"))
	photos(t, "folder", 5)
	require.Regexp(t, `tiny on the 10 test images of folder: .* accuracy 100`, succeed(t, "-eval", "-weights", "run/weights.safetensors", "-data", "folder"))

	require.NoError(t, os.WriteFile("elsewhere.txt", []byte(train.String()), 0o666))
	refused(t, "elsewhere.txt: 32 of its pictures are not there, such as blue/1.jpg: paths begin at the list's folder", append(flags, "-data", "elsewhere.txt", "-val", "set/val.txt")...)
	require.NoError(t, os.WriteFile("set/more.txt", []byte(train.String()+"red/99.jpg 1\n"), 0o666))
	refused(t, "files that cannot be used: 1; red/99.jpg: it is not there, for one", append(flags, "-data", "set/more.txt", "-val", "set/val.txt", "-strict")...)
}
