package matconvnet

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/matfile"
)

func TestEveryBlockComputesWhatPlainLoopsDo(t *testing.T) {
	m, err := Reader.Read(t.Context(), []string{filepath.Join("testdata", "blocks.mat")}, formats.Options{})
	require.NoError(t, err)
	require.Equal(t, "MatConvNet, DagNN", m.Format)
	require.Equal(t, []int{4, 9, 8}, m.Network.Inputs[0].Shape)
	require.Equal(t, []string{"prob"}, m.Network.Outputs)
	require.Equal(t, []string{"cat", "dog"}, m.Classes)
	require.Equal(t, []float32{0, 1, 2, 3}, []float32(m.Preprocess.Mean))
	require.Equal(t, []string{
		`layer "loss": Loss is for training alone`,
		"meta.normalization.keepAspect: how pictures are brought to 9x8 is left to who loads them",
	}, m.Lost)

	want := blocks(t)
	for name := range want {
		if name != "input" {
			near(t, want[name], run(t, m, want["input"], m.Values[name])[0], name)
		}
	}
}

// blocks are what testdata/blocks.py computed.
func blocks(t *testing.T) map[string]*tensor.Dense {
	text, err := os.ReadFile(filepath.Join("testdata", "blocks.json"))
	require.NoError(t, err)
	var want map[string]struct {
		Shape  []int
		Values []float32
	}
	require.NoError(t, json.Unmarshal(text, &want))
	all := map[string]*tensor.Dense{}
	for name, w := range want {
		all[name] = tensor.New(tensor.WithShape(append([]int{1}, w.Shape...)...), tensor.WithBacking(w.Values))
	}
	return all
}

func TestTheOldestForm(t *testing.T) {
	path := []string{filepath.Join("testdata", "simple.mat")}
	_, err := Reader.Read(t.Context(), path, formats.Options{})
	require.ErrorContains(t, err, "simple.mat: the file does not say how large its images are")
	m, err := Reader.Read(t.Context(), path, formats.Options{Input: []int{4, 9, 8}})
	require.NoError(t, err)
	require.Equal(t, "MatConvNet, SimpleNN", m.Format)
	require.Equal(t, []float32{3, 3, 3, 3}, []float32(m.Preprocess.Mean))
	require.Equal(t, []string{`layer "layer4": softmaxloss is for training alone`}, m.Lost)
	want := blocks(t)
	near(t, want["r"], run(t, m, want["input"], "layer3")[0], "r")
}

// field finds a value in the variables of the file with every block.
func field(t *testing.T, variables []matfile.Variable, path ...string) *matfile.Value {
	v := variables[0].Value
	for _, name := range path {
		v = v.Field(name)
		require.NotNil(t, v, name)
	}
	return v
}

// Each change makes a network that cannot be carried over; the error says where and why.
func TestWhatIsNotReadIsNamed(t *testing.T) {
	for want, change := range map[string]func(net *matfile.Value){
		`the network takes 4 channels, and -input has the shape [3 9 8]`: nil,
		`layer "relu": layers of type "cat" are not read`: func(net *matfile.Value) {
			net.Field("layers").Fields["type"][2] = cat(t)
		},
		`layer "conv": there is no parameter "f1"`: func(net *matfile.Value) {
			p := net.Field("params")
			p.Fields["name"][0] = p.Fields["name"][1]
		},
		`layer "norm": it has no moments of its 6 channels`: func(net *matfile.Value) {
			p := net.Field("params")
			i := slices.IndexFunc(p.Fields["name"], func(v *matfile.Value) bool { s, _ := v.Text(); return s == "moments" })
			p.Fields["value"][i] = p.Fields["value"][0]
		},
		`waits for itself`: func(net *matfile.Value) {
			l := net.Field("layers")
			l.Fields["inputs"][0] = l.Fields["outputs"][11]
		},
	} {
		variables, err := matfile.Open(filepath.Join("testdata", "blocks.mat"))
		require.NoError(t, err)
		o := formats.Options{}
		if change != nil {
			change(field(t, variables))
		} else {
			o.Input = []int{3, 9, 8}
		}
		_, err = convert(variables, o)
		require.ErrorContains(t, err, want)
	}
	_, err := convert(nil, formats.Options{})
	require.ErrorContains(t, err, "there is no network of MatConvNet")
}

// cat is the text "cat", which is no type of layer.
func cat(t *testing.T) *matfile.Value {
	variables, err := matfile.Open(filepath.Join("testdata", "blocks.mat"))
	require.NoError(t, err)
	return field(t, variables, "meta", "classes", "description").Cells[0]
}

// Whatever a byte becomes, there is a network or an error.
func TestDamagedFilesDoNotPanic(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "blocks_plain.mat"))
	require.NoError(t, err)
	for i := range b {
		convertBytes(b[:i])
	}
	for i := range b {
		b[i] ^= 0xff
		convertBytes(b)
		b[i] ^= 0xff
	}
}

func convertBytes(b []byte) {
	if variables, err := matfile.Read(b); err == nil {
		_, _ = convert(variables, formats.Options{})
	}
}

func FuzzConvert(f *testing.F) {
	for _, name := range []string{"blocks.mat", "blocks_plain.mat"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(_ *testing.T, b []byte) { convertBytes(b) })
}
