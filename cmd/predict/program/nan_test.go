package program

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/modelfile"
)

// A score that is NaN is no answer: of weights that are NaN nothing is asked, and
// of others the pictures are named.
func TestNaN(t *testing.T) {
	colours(t)
	f, err := safetensors.Open("w.safetensors")
	require.NoError(t, err)
	metadata := f.Metadata()
	require.NoError(t, f.Close())
	spoil := func(name string, v float32) {
		m, err := modelfile.Read("w.safetensors")
		require.NoError(t, err)
		var list []safetensors.Tensor
		for tensor, x := range m.Weights {
			if tensor == name {
				for i := range x.Float32s() {
					x.Float32s()[i] = v
				}
			}
			list = append(list, safetensors.Tensor{Name: tensor, Value: x})
		}
		require.NoError(t, safetensors.Write("spoilt.safetensors", list, metadata))
	}
	spoil("conv1.weight", float32(math.NaN()))
	code, stdout, stderr := call("-weights", "spoilt.safetensors", "photos")
	require.Equal(t, command.Broken, code)
	require.Empty(t, stdout)
	require.Equal(t, "predict: spoilt.safetensors: the weights are spoilt: 108 of the 108 values of conv1.weight are NaN\n", stderr)

	spoil("fc2.bias", float32(math.Inf(1))) // softmax takes one infinity from another
	code, stdout, stderr = call("-weights", "spoilt.safetensors", "-features", "conv1", "photos/red/0.png", "photos/red/1.png")
	require.Equal(t, command.Broken, code)
	require.Empty(t, stdout)
	const why = "the network's output is NaN: on the way to it a number left the range of float32"
	require.Equal(t, "predict: photos/red/0.png: "+why+"\npredict: photos/red/1.png: "+why+
		"\npredict: 2 of 2 pictures could not be read, or gave NaN\n", filepath.ToSlash(stderr))
	shape, _ := readFeatures(t, "conv1.npy")
	require.Equal(t, "(0, 4, 14, 14)", shape)
	code, stdout, _ = call("-weights", "spoilt.safetensors", "-json", "photos/red/0.png")
	require.Equal(t, command.Broken, code)
	require.Equal(t, `{"file":"photos/red/0.png","error":"`+why+"\"}\n", filepath.ToSlash(stdout))
}
