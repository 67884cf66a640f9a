package program

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// tinyNetwork learns images of 8x8 in 10 classes.
const tinyNetwork = `{
  "name": "tiny",
  "inputs": [{"name": "data", "dtype": "float32", "shape": [1, 8, 8]}, {"name": "label", "dtype": "int32", "shape": []}],
  "layers": [
    {"name": "conv1", "type": "conv", "in": ["data"], "options": {"filters": 4, "kernel": 3}},
    {"name": "pool1", "type": "max-pool", "in": ["conv1"], "options": {"window": 2, "stride": 2}},
    {"name": "relu1", "type": "relu", "in": ["pool1"]},
    {"name": "fc2", "type": "dense", "in": ["relu1"], "options": {"out": 10}},
    {"name": "prob", "type": "softmax", "in": ["fc2"]},
    {"name": "loss", "type": "softmax-loss", "in": ["fc2", "label"]},
    {"name": "accuracy", "type": "accuracy", "in": ["fc2", "label"]}
  ],
  "outputs": ["prob"]
}`

// The sizes of tinySet.
const (
	tinyTrain = 320
	tinyTest  = 64
)

// tinySet writes a data set in MNIST's format into a folder: images of 8x8
// where a bright column or row, and a faint dot that differs from image to
// image, give each of the ten classes away.
func tinySet(t *testing.T, folder string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(folder, 0o777))
	for part, n := range map[string]int{"train": tinyTrain, "t10k": tinyTest} {
		pixels := make([]byte, n*64)
		labels := make([]byte, n)
		for i := range n {
			class := i * 7 % 10
			labels[i] = byte(class)
			image := pixels[i*64 : (i+1)*64]
			image[i%64] = 100
			for k := range 8 {
				if class < 5 {
					image[8*k+class] = 250
				} else {
					image[8*(class-5)+k] = 250
				}
			}
		}
		writeIDX(t, filepath.Join(folder, part+"-images-idx3-ubyte"), pixels, n, 8, 8)
		writeIDX(t, filepath.Join(folder, part+"-labels-idx1-ubyte"), labels, n)
	}
}

// writeIDX writes a file of bytes in MNIST's format.
func writeIDX(t *testing.T, path string, content []byte, shape ...int) {
	t.Helper()
	b := bytes.NewBuffer([]byte{0, 0, 8, byte(len(shape))})
	for _, d := range shape {
		require.NoError(t, binary.Write(b, binary.BigEndian, uint32(d)))
	}
	b.Write(content)
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
}
