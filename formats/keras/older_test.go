package keras

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/npy"
	"github.com/hubel-go/hubel/layers"
)

// Keras 2 turned filters round on Theano; depthwise ones it did not.
func TestFiltersOfTheano(t *testing.T) {
	x := []float32{1, 2, 3, 4, 5, 6} // three pixels, of two numbers
	require.Equal(t, x, (&weights{}).correlated(x, 3))
	require.Equal(t, []float32{5, 6, 3, 4, 1, 2}, (&weights{theano: true}).correlated(x, 3))

	b, err := os.ReadFile(file(t, "plain.old.h5"))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(b), "tensorflow"))
	other := write(t, "theano.h5", strings.Replace(string(b), "tensorflow", "theano\x00\x00\x00\x00", 1))
	was := read(t, formats.Options{}, file(t, "plain.json"), file(t, "plain.old.h5"))
	for name, now := range map[string]*formats.Model{
		"description": read(t, formats.Options{}, file(t, "plain.json"), other),
		"network":     read(t, formats.Options{Network: was.Network}, other),
	} {
		turned := 0
		for key, x := range was.Weights {
			y := now.Weights[key].Float32s()
			if shape := x.Shape(); len(shape) == 4 && shape[2]*shape[3] > 1 && !strings.Contains(key, "depthwise") {
				turned++
				y = slices.Clone(y)
				for i := 0; i < len(y); i += shape[2] * shape[3] {
					slices.Reverse(y[i : i+shape[2]*shape[3]])
				}
			}
			require.Equal(t, x.Float32s(), y, "%s: %s", name, key)
		}
		require.NotZero(t, turned)
	}
}

// Layers of rows of pixels without a data_format work along the first axis, which here are the
// channels.
func TestRowsOfAnOrderThatIsNotSaid(t *testing.T) {
	for class, option := range map[string]string{"ZeroPadding1D": `, "padding": 1`, "Cropping1D": `, "cropping": 1`, "UpSampling1D": `, "size": 2`} {
		text := strings.Replace(sequential(layerOf("MaxPooling1D", `, "data_format": "channels_first"`),
			`{"class_name": "`+class+`", "config": {"name": "rows"`+option+`}}`), "8, 8, 2", "8, 8", 1)
		_, err := Reader.Read(t.Context(), []string{write(t, "net.json", text)}, formats.Options{})
		require.ErrorContains(t, err, `"rows" (`+class+`): it works along the first axis`)
		read(t, formats.Options{}, write(t, "net.json", strings.Replace(text, `"rows"`, `"rows", "data_format": "channels_first"`, 1)))
	}
}

// Numbers as Keras until 2.3 wrote those of NumPy.
func TestNumbersOfOldFiles(t *testing.T) {
	m := read(t, formats.Options{}, write(t, "net.json", sequential(layerOf("LeakyReLU", `, "alpha": {"type": "ndarray", "value": 0.25}`))))
	require.Empty(t, m.Lost)
	other := read(t, formats.Options{}, write(t, "net.json", sequential(layerOf("LeakyReLU", `, "alpha": 0.25`))))
	require.Equal(t, other.Network, m.Network)
}

// A model without an input of its own has that of the model that is first in it.
func TestTheInputOfTheFirstModel(t *testing.T) {
	inner := `{"class_name": "Model", "config": {"name": "m", "layers": [{"class_name": "InputLayer", "name": "i", "config": {"batch_input_shape": [null, 8, 8, 2]}}, ` +
		`{"class_name": "ReLU", "name": "r", "config": {}, "inbound_nodes": [[["i", 0, 0, {}]]]}], "input_layers": [["i", 0, 0]], "output_layers": [["r", 0, 0]]}}`
	m := read(t, formats.Options{}, write(t, "net.json", `{"class_name": "Sequential", "config": [`+inner+`]}`))
	require.Equal(t, []int{2, 8, 8}, m.Network.Inputs[0].Shape)
}

// Networks of Caffe's weights, as some of keras.applications, take B, G, R.
func TestOrderOfColours(t *testing.T) {
	require.Empty(t, read(t, formats.Options{Order: "rgb"}, file(t, "forms3.keras")).Preprocess)
	m := read(t, formats.Options{Order: "bgr"}, file(t, "forms3.keras"))
	require.Equal(t, data.Floats{0, 0, 1, 0, 1, 0, 1, 0, 0}, m.Preprocess.Whiten)
	require.Contains(t, m.Facts, "channels: B, G, R, as -order says")
	_, err := Reader.Read(t.Context(), []string{write(t, "net.json", sequential(layerOf("ReLU", "")))}, formats.Options{Order: "bgr"})
	require.ErrorContains(t, err, "-order bgr is for images of three channels")
}

// Numbers of classes are no names: a network that has some of them by chance is refused.
func TestNumbersOfClassesAreNoNames(t *testing.T) {
	weights := file(t, "count.weights.h5") // of two layers of one shape, conv2d_1 and conv2d_2
	recorded := arrays(t, file(t, "count.npz"))
	network := func(a, b string) *graph.Network {
		n := &graph.Network{}
		x := n.Image("image", 3, 6, 5)
		for _, name := range []string{a, b} {
			x = n.Add(name, &layers.Conv{Filters: 3, Kernel: layers.Square(1)}, x)
		}
		n.Outputs = []string{x}
		return n
	}
	_, err := Reader.Read(t.Context(), []string{weights}, formats.Options{Network: network("conv2d_1", "conv2d_2")})
	require.ErrorContains(t, err, "no names of layers but numbers of each class, such as conv2d, ")
	for _, names := range [][2]string{{"conv2d", "conv2d_1"}, {"a", "b"}} {
		m := read(t, formats.Options{Network: network(names[0], names[1])}, weights)
		require.Empty(t, m.Lost)
		m.Values = map[string]string{"out": names[1]}
		compare(t, m, recorded, true)
	}
}

// Names of layers had slashes in Keras 2, and those of layers of a model in the model too.
func TestNamesWithSlashes(t *testing.T) {
	m := read(t, formats.Options{}, file(t, "slash.h5"))
	require.Empty(t, m.Lost)
	compare(t, m, arrays(t, file(t, "slash.npz")), true)
}

// What batch renormalization keeps for training does not hinder.
func TestRenorm(t *testing.T) {
	for _, name := range []string{"renorm.h5", "renorm.weights.h5"} {
		m := read(t, formats.Options{}, file(t, "renorm.json"), file(t, name))
		require.Equal(t, []string{"layer bn (BatchNormalization): renorm: batches are normalised by their own mean and variance in training"}, m.Lost)
		compare(t, m, arrays(t, file(t, "renorm.npz")), true)
	}
}

// Keras 2.12 counts layers twice that have weights.
func TestWeightsOfKeras212(t *testing.T) {
	m := read(t, formats.Options{}, file(t, "v2_12.json"), file(t, "v2_12.weights.h5"))
	require.Empty(t, m.Lost)
	compare(t, m, arrays(t, file(t, "v2_12.npz")), true)
}

// Rows of pixels are pooled to a number of windows that overlap where it does not divide theirs;
// Identity changes nothing, and the first version of batch normalisation is read as the second.
func TestLayersOfOneName(t *testing.T) {
	rows := func(layers ...string) string { return strings.Replace(sequential(layers...), "8, 8, 2", "5, 2", 1) }
	identity := `{"class_name": "Identity", "config": {"name": "i"}}`
	x := npy.Numbers{Shape: []int{1, 2, 5}, Values: []float32{1, 5, 2, 0, 4, -1, -5, -2, 0, -4}} // [C,L]
	for class, want := range map[string][]float64{
		"AdaptiveMaxPooling1D":     {5, 4, -1, 0},
		"AdaptiveAveragePooling1D": {8. / 3, 2, -8. / 3, -2},
	} {
		m := read(t, formats.Options{}, write(t, "net.json", rows(layerOf(class, `, "output_size": 2`), identity)))
		require.Equal(t, m.Values["l"], m.Values["i"])
		got := values(t, m, x, []string{"i"})["i"].Float32s()
		for i := range want {
			require.InDelta(t, want[i], got[i], 1e-6, class)
		}
	}
	m := read(t, formats.Options{}, write(t, "net.json", sequential(layerOf("BatchNormalizationV1", `, "epsilon": 0.5`))))
	norm := m.Network.Nodes[0].Layer.(*layers.BatchNorm)
	require.Equal(t, float32(0.5), *norm.Eps)
}
