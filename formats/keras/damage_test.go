package keras

import (
	"archive/zip"
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
)

// sequential is a sequential model of these layers in JSON, of images [8,8,2].
func sequential(layers ...string) string {
	input := `{"class_name": "InputLayer", "config": {"batch_shape": [null, 8, 8, 2], "name": "in"}}`
	return `{"class_name": "Sequential", "config": {"name": "s", "layers": [` + strings.Join(append([]string{input}, layers...), ", ") + `]}}`
}

// layerOf is a layer in JSON, with options that begin with a comma.
func layerOf(class, options string) string {
	return `{"class_name": "` + class + `", "config": {"name": "l"` + options + `}}`
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	return path
}

func TestDescriptionsThatAreRefused(t *testing.T) {
	functional := func(layers, in, out string) string {
		return `{"class_name": "Functional", "config": {"layers": [` + layers + `], "input_layers": ` + in + `, "output_layers": ` + out + `}}`
	}
	input := `{"class_name": "InputLayer", "name": "i", "config": {"batch_shape": [null, 8, 8, 2], "name": "i"}, "inbound_nodes": []}`
	for want, text := range map[string]string{
		`net.json: layer 1, "l" (LSTM): layers of this class are not read; the nearest that hubel has: none: there are no recurrent`: sequential(layerOf("LSTM", "")),
		`layer 1, "l" (Lambda): layers of this class are not read; the nearest that hubel has: formula`:                              sequential(layerOf("Lambda", "")),
		`(MyLayer): layers of this class are not read; docs/interop/keras.md lists those that are`:                                   sequential(layerOf("MyLayer", "")),
		`layer 1, "l" (Pack>Mine): it is a layer of somebody's own`:                                                                  sequential(layerOf("Pack>Mine", "")),
		`(Conv2D): data_format "up" is neither`:                                                                                      sequential(layerOf("Conv2D", `, "data_format": "up"`)),
		`(Conv2D): filters is 0, and must be a whole number from 1`:                                                                  sequential(layerOf("Conv2D", `, "kernel_size": 1`)),
		`(Conv2D): kernel_size is [0], and must be whole numbers from 1`:                                                             sequential(layerOf("Conv2D", `, "filters": 1, "kernel_size": 0`)),
		`(Conv2D): kernel_size has 3 numbers, want 2`:                                                                                sequential(layerOf("Conv2D", `, "filters": 1, "kernel_size": [1, 1, 1]`)),
		`(Conv2D): groups 3 does not divide 2 channels and 3 filters`:                                                                sequential(layerOf("Conv2D", `, "kernel_size": 1, "filters": 3, "groups": 3`)),
		`(Conv2D): padding "full" is neither valid nor same`:                                                                         sequential(layerOf("Conv2D", `, "kernel_size": 1, "filters": 1, "padding": "full"`)),
		`(Conv2D): the activation "stair" is not read; there are linear, softmax, celu`:                                              sequential(layerOf("Conv2D", `, "kernel_size": 1, "filters": 1, "activation": "stair"`)),
		`(Conv2D): the activation "mine" is a function of somebody's own`:                                                            sequential(layerOf("Conv2D", `, "kernel_size": 1, "filters": 1, "activation": {"module": "m", "class_name": "function", "config": "mine"}`)),
		`(Conv2D): it is quantised (int8_from_float32)`:                                                                              sequential(layerOf("Conv2D", `, "kernel_size": 1, "filters": 1, "dtype": {"class_name": "QuantizedDTypePolicy", "config": {"name": "int8_from_float32"}}`)),
		`(Conv1D): its input is [2,8,8], and it takes 1 axes of pixels`:                                                              sequential(layerOf("Conv1D", `, "filters": 1, "kernel_size": 1`)),
		`(Dense): it multiplies along the last axis of [8,8,2], and the channels are the first`:                                      sequential(layerOf("Dense", `, "units": 1`), `{"class_name": "Conv2D", "config": {"name": "c", "filters": 1, "kernel_size": 1, "data_format": "channels_first"}}`),
		`(MaxPooling2D): it has channels_first, and layers before it channels_last`:                                                  sequential(layerOf("Conv2D", `, "filters": 1, "kernel_size": 1, "data_format": "channels_last"`), `{"class_name": "MaxPooling2D", "config": {"name": "c", "data_format": "channels_first"}}`),
		`(BatchNormalization): it normalises axis [1] of [2,8,8], and hubel's batch-norm channels`:                                   sequential(layerOf("BatchNormalization", `, "axis": 1`)),
		`(BatchNormalization): axis 9 is none of the samples, which have 3`:                                                          sequential(layerOf("BatchNormalization", `, "axis": 9`)),
		`(PReLU): its slopes have the shape [8 8 2]; hubel's prelu has one for each channel`:                                         sequential(layerOf("PReLU", "")),
		`(Softmax): a softmax over axis 1 of [2,8,8] is not read`:                                                                    sequential(layerOf("Softmax", `, "axis": 1`)),
		`(Reshape): target_shape [3 7] does not hold the 128 elements`:                                                               sequential(layerOf("Reshape", `, "target_shape": [3, 7]`)),
		`(Reshape): target_shape [1000000 1000000 -1] does not hold`:                                                                 sequential(layerOf("Reshape", `, "target_shape": [1000000, 1000000, -1]`)),
		`(Cropping2D): it cuts 5 and 5 pixels off axis 1 of [2,8,8]`:                                                                 sequential(layerOf("Cropping2D", `, "cropping": 5`)),
		`(UpSampling2D): interpolation "bicubic" is not read; nearest and bilinear are`:                                              sequential(layerOf("UpSampling2D", `, "interpolation": "bicubic"`)),
		`(UpSampling2D): as a layer of the type upsample: output`:                                                                    sequential(layerOf("UpSampling2D", `, "size": 1000000`)),
		`(Permute): dims [1 1 2] must have each of the 3 axes once`:                                                                  sequential(layerOf("Permute", `, "dims": [1, 1, 2]`)),
		`(Flatten): its data_format is channels_first, and that of the network channels_last`:                                        sequential(layerOf("Flatten", `, "data_format": "channels_first"`)),
		`layer 2, "l": there are two layers of this name`:                                                                            sequential(layerOf("ReLU", ""), layerOf("ReLU", "")),
		`-input CxHxW says what they are`:                                                                                            strings.Replace(sequential(layerOf("ReLU", "")), "8, 8", "null, 8", 1),
		`its input has 4 dimensions besides the batch`:                                                                               strings.Replace(sequential(layerOf("ReLU", "")), "8, 8", "8, 8, 8", 1),
		`(Add): it is called with 1 inputs, and takes at least two`:                                                                  sequential(layerOf("Add", "")),
		`there are no layers that compute anything`:                                                                                  sequential(layerOf("Flatten", "")),
		`output_layers: there are none`:                                                                                              functional(input, `[["i", 0, 0]]`, `[]`),
		`input_layers names "x", which is no InputLayer`:                                                                             functional(input, `[["x", 0, 0]]`, `[["i", 0, 0]]`),
		`there is no layer "x", which others read`:                                                                                   functional(input, `["i", 0, 0]`, `["x", 0, 0]`),
		`layer 1, "r" (ReLU): call 3 of it is read, and it has 1`:                                                                    functional(input+`, {"class_name": "ReLU", "name": "r", "config": {}, "inbound_nodes": [[["i", 0, 0, {}]]]}`, `["i", 0, 0]`, `["r", 3, 0]`),
		`layer 1, "r" (ReLU): it waits for itself`:                                                                                   functional(input+`, {"class_name": "ReLU", "name": "r", "config": {}, "inbound_nodes": [[["r", 0, 0, {}]]]}`, `["i", 0, 0]`, `["r", 0, 0]`),
		`(Multiply): it is an operation and no layer`:                                                                                functional(input+`, {"class_name": "Multiply", "module": "keras.src.ops.numpy", "name": "r", "config": {}}`, `["i", 0, 0]`, `["r", 0, 0]`),
		`call 0: it is called with 0.5, which is no output of a layer`:                                                               functional(input+`, {"class_name": "Multiply", "name": "r", "config": {}, "inbound_nodes": [{"args": [0.5], "kwargs": {}}]}`, `["i", 0, 0]`, `["r", 0, 0]`),
		`call 0: it is called with the argument y=2`:                                                                                 functional(input+`, {"class_name": "ReLU", "name": "r", "config": {}, "inbound_nodes": [[["i", 0, 0, {"y": 2}]]]}`, `["i", 0, 0]`, `["r", 0, 0]`),
		`it is called with training=True`:                                                                                            functional(input+`, {"class_name": "BatchNormalization", "name": "r", "config": {}, "inbound_nodes": [[["i", 0, 0, {"training": true}]]]}`, `["i", 0, 0]`, `["r", 0, 0]`),
		`models lie in one another more than 20 deep`:                                                                                strings.Repeat(`{"class_name": "Sequential", "config": {"layers": [`, 30) + strings.Repeat("]}}", 30),
		`the description of the network is no JSON`:                                                                                  `{"class_name": "Sequential", `,
	} {
		_, err := Reader.Read(t.Context(), []string{write(t, "net.json", text)}, formats.Options{})
		require.ErrorContains(t, err, want, "%s", text)
		require.NotContains(t, err.Error(), "\n")
	}
}

// What a layer says and the network does not is told.
func TestWhatIsLost(t *testing.T) {
	m := read(t, formats.Options{Input: []int{2, 6, 7}}, write(t, "net.json", strings.Replace(sequential(
		`{"class_name": "Conv2D", "config": {"name": "c", "filters": 3, "kernel_size": 3, "kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.1}}, "new\u001b": 7}}`,
		layerOf("RandomFlip", `, "mode": "horizontal"`)), "8, 8", "null, null", 1)))
	require.Equal(t, []int{2, 6, 7}, m.Network.Inputs[0].Shape)
	require.Equal(t, []string{
		`layer c (Conv2D): "new\x1b"=7 is not known`,
		"layer l (RandomFlip): it changes pictures at random in training: it is left out",
		"for training alone: c kernel_regularizer L2",
	}, m.Lost)
}

func TestFilesThatDoNotFit(t *testing.T) {
	for want, c := range map[string]struct {
		paths []string
		o     formats.Options
	}{
		"both have a network":                                    {[]string{file(t, "forms3.json"), file(t, "forms3.keras")}, formats.Options{}},
		"both have weights":                                      {[]string{file(t, "forms3.weights.h5"), file(t, "forms2.old.h5")}, formats.Options{}},
		"leave out -net and -model":                              {[]string{file(t, "forms3.keras")}, formats.Options{Network: &graph.Network{}}},
		`"grb" is neither rgb nor`:                               {[]string{file(t, "forms3.keras")}, formats.Options{Order: "grb"}},
		"there are weights alone":                                {[]string{file(t, "forms3.weights.h5")}, formats.Options{Order: "bgr"}},
		"its input is [3,5,5], and -input has the shape [3 9 9]": {[]string{file(t, "forms3.keras")}, formats.Options{Input: []int{3, 9, 9}}},
		"no such file":                                           {[]string{"absent.h5"}, formats.Options{}},
		`"conv_a" (Conv2D): `:                                    {[]string{file(t, "plain.json"), file(t, "forms2.old.h5")}, formats.Options{}},
	} {
		_, err := Reader.Read(t.Context(), c.paths, c.o)
		require.ErrorContains(t, err, want)
	}
	text, err := os.ReadFile(file(t, "plain.json"))
	require.NoError(t, err)
	other := write(t, "plain.json", strings.Replace(string(text), `"filters": 4`, `"filters": 5`, 1))
	_, err = Reader.Read(t.Context(), []string{other, file(t, "plain.weights.h5")}, formats.Options{})
	require.ErrorContains(t, err, "plain.weights.h5, and the network wants [3 3 3 5]")
	require.ErrorContains(t, err, "its kernel has the shape [3 3 3 4]")
}

func TestIs(t *testing.T) {
	h5, err := os.ReadFile(file(t, "forms3.weights.h5"))
	require.NoError(t, err)
	require.True(t, Reader.Is(h5[:4096], "a.h5"))
	require.False(t, Reader.Is(h5[:4096], "a.caffemodel.h5"))
	matlab := append(append([]byte("MATLAB 7.3"), make([]byte, 502)...), h5[:4096-512]...)
	require.False(t, Reader.Is(matlab, "a.h5"))
	for name, is := range map[string]bool{"forms3.keras": true, "forms2.keras": true, "forms3.json": true, "forms2.json": true, "../keras.go": false} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		require.Equal(t, is, Reader.Is(b[:min(len(b), 4096)], name), name)
	}
	require.False(t, Reader.Is([]byte(`{"inputs": []}`), "a.json"))
	require.False(t, Reader.Is([]byte("PK\x03\x04"), "a.keras"))
}

// repack makes an archive again, with other contents of its files.
func repack(t testing.TB, method uint16, change func(name string, b []byte) []byte) string {
	t.Helper()
	z, err := zip.OpenReader(file(t, "forms3.keras"))
	require.NoError(t, err)
	defer z.Close()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range z.File {
		r, err := e.Open()
		require.NoError(t, err)
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		if b = change(e.Name, b); b == nil {
			continue
		}
		to, err := w.CreateHeader(&zip.FileHeader{Name: e.Name, Method: method})
		require.NoError(t, err)
		_, err = to.Write(b)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return write(t, "a.keras", out.String())
}

func TestArchivesThatAreRefused(t *testing.T) {
	same := func(_ string, b []byte) []byte { return b }
	read(t, formats.Options{}, repack(t, zip.Store, same))
	for want, change := range map[string]func(name string, b []byte) []byte{
		"the zip archive has no config.json": func(name string, b []byte) []byte {
			if name == configEntry {
				return nil
			}
			return b
		},
		"the zip archive has no model.weights.h5": func(name string, b []byte) []byte {
			if name == weightsEntry {
				return nil
			}
			return b
		},
		`entry "config.json" has 33554432 bytes: at most 16777216 are read`: func(name string, b []byte) []byte {
			if name == configEntry {
				return bytes.Repeat([]byte(" "), 32<<20)
			}
			return b
		},
		`entry "model.weights.h5" has 134217728 bytes: at most`: func(name string, b []byte) []byte {
			if name == weightsEntry {
				return append(b, make([]byte, 128<<20-len(b))...)
			}
			return b
		},
		"a.keras: model.weights.h5: not an HDF5 file": func(name string, b []byte) []byte {
			if name == weightsEntry {
				return []byte("no")
			}
			return b
		},
	} {
		_, err := Reader.Read(t.Context(), []string{repack(t, zip.Deflate, change)}, formats.Options{})
		require.ErrorContains(t, err, want)
	}
	stored, err := os.ReadFile(repack(t, zip.Store, same))
	require.NoError(t, err)
	at := bytes.Index(stored, []byte("\x89HDF")) + 9000
	stored[at] ^= 1
	_, err = Reader.Read(t.Context(), []string{write(t, "b.keras", string(stored))}, formats.Options{})
	require.ErrorContains(t, err, `entry "model.weights.h5": its checksum does not match: the file is damaged`)
}

// Files that are cut or changed anywhere are an error at most.
func TestTruncatedAndChangedFiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"forms3.keras", "forms2.h5", "forms2.old.h5", "forms3.weights.h5", "forms3.json"} {
		whole, err := os.ReadFile(file(t, name))
		require.NoError(t, err)
		for range 25 {
			_, err := Reader.Read(t.Context(), []string{write(t, name, string(whole[:r.IntN(len(whole)-1)]))}, formats.Options{})
			require.Error(t, err, name)
		}
		for range 60 {
			b := bytes.Clone(whole)
			for range 1 + r.IntN(3) {
				b[r.IntN(len(b))] ^= byte(1 << r.IntN(8))
			}
			m, err := Reader.Read(t.Context(), []string{write(t, name, string(b))}, formats.Options{})
			if err == nil && m.Network != nil {
				require.NoError(t, m.Network.Check())
			}
		}
	}
}

// A few bytes of a model that is called again and again do not make a network without end.
func TestModelsThatMultiply(t *testing.T) {
	// Each model calls the one in it twice.
	inner := `{"class_name": "Functional", "name": "m", "config": {"layers": [{"class_name": "InputLayer", "name": "i", "config": {"batch_shape": [null, 8, 8, 2]}}, %s], "input_layers": ["i", 0, 0], "output_layers": ["m", 1, 0]}, "inbound_nodes": [[["i", 0, 0, {}]], [["m", 0, 0, {}]]]}`
	model := `{"class_name": "ReLU", "name": "m", "config": {}, "inbound_nodes": [[["i", 0, 0, {}]], [["m", 0, 0, {}]]]}`
	for range 18 {
		model = strings.Replace(inner, "%s", model, 1)
	}
	_, err := Reader.Read(t.Context(), []string{write(t, "net.json", model)}, formats.Options{})
	require.ErrorContains(t, err, "the network has more than 16384 layers")
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"forms3.keras", "forms2.keras", "forms2.h5", "forms2.old.h5", "forms3.weights.h5"} {
		b, err := os.ReadFile(file(f, name))
		require.NoError(f, err)
		f.Add(b, "")
	}
	b, err := os.ReadFile(file(f, "plain.weights.h5"))
	require.NoError(f, err)
	text, err := os.ReadFile(file(f, "plain.json"))
	require.NoError(f, err)
	f.Add(b, string(text))
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		paths := []string{write(t, "a", string(b))}
		if text != "" {
			paths = append(paths, write(t, "b", text))
		}
		m, err := Reader.Read(t.Context(), paths, formats.Options{})
		if err == nil && m.Network != nil {
			require.NoError(t, m.Network.Check())
		}
	})
}
