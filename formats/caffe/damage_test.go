package caffe

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hubel-go/hubel/formats"
)

// small is a network in text with much of the grammar in it, and its weights.
const small = "\xef\xbb\xbf" + `# a comment
name: "a" 'b\n\x41\101\u00e9\U0001F600' ; input: ["data"], input_shape: < dim: [ 0x1, 03, 4, 4 ] >
layer { name: 'c' type: "Convolution" bottom: "data" top: "y"
  convolution_param { num_output: 2, kernel_size: 1; weight_filler: { type: "gaussian" std: 1e-2f } bias_term: True } }
layer { name: "s" type: "Power" bottom: "y" top: "z" power_param { scale: - 2.5 shift: -1.e+0 } }
`

func smallWeights() []named { return []named{{"c", []tensorOf{normal(1, 2, 3, 1, 1), normal(2, 2)}}} }

func TestTheGrammarOfText(t *testing.T) {
	m, err := parseText(schema()["NetParameter"], []byte(small))
	require.NoError(t, err)
	require.Equal(t, "ab\nAA\u00e9\U0001F600", m.text("name", ""))
	require.Equal(t, []int64{1, 3, 4, 4}, m.subs("input_shape")[0].ints("dim"))
	p := m.subs("layer")[1].sub("power_param")
	require.Equal(t, float32(-2.5), p.float("scale", 0))
	require.Equal(t, float32(-1), p.float("shift", 0))
	require.Equal(t, float32(0.01), m.subs("layer")[0].sub("convolution_param").sub("weight_filler").float("std", 0))
	for text, want := range map[string]string{
		`name: "x`:                           "line 1, column 7: the string that begins here does not end in its line",
		"name:\n  'x\n'":                     "line 2, column 3: the string that begins here",
		`name: "\q"`:                         `line 1, column 8: \ is not followed by an escape`,
		`name: "\u12"`:                       `line 1, column 8: \ is not followed by an escape`,
		`name: "\777"`:                       `line 1, column 8: \ is not followed by an escape`,
		`name "x"`:                           `line 1, column 6: there is the string "x" where ":" behind name is expected`,
		`name: x`:                            `line 1, column 7: there is x where a string in quotes for name is expected`,
		`name: ["x", "y"]`:                   `name is one value, not a list`,
		`name: "x" name: "y"`:                `line 1, column 11: name of the NetParameter is given a second time`,
		`input: ["x",]`:                      `the list of input ends with a comma`,
		`input: ["x" "y" 3]`:                 `there is 3 where "," or "]" is expected`,
		`nam: "x"`:                           `line 1, column 1: NetParameter has no field "nam" in BVLC's caffe.proto`,
		`"x"`:                                `where the name of a field is expected`,
		`}`:                                  `there is } where the name of a field is expected`,
		"layer {\n name: \"q\"\n":            `line 3, column 1: layer "q": the file ends inside of the LayerParameter that begins in line 1: "}" is missing`,
		"layer <\n name: \"q\" }":            `there is } where the name of a field is expected`,
		`layer: "x"`:                         `there is the string "x" where "{" behind layer is expected`,
		"layer { name: \"q\" phase: 7 }":     `layer "q": Phase has no value 7`,
		"layer { name: \"q\" phase: TESTS }": `Phase has no value TESTS`,
		`layers { name: "q" type: "RELU" }`:  `layer "q": type takes the name RELU without quotes`,
		`force_backward: maybe`:              `there is maybe where true or false for force_backward is expected`,
		`input_dim: 1.5`:                     `there is 1.5 where a whole number for input_dim is expected`,
		`input_dim: 99999999999999999999`:    `where a whole number for input_dim is expected`,
		`layer { convolution_param { num_output: -1 } }`: `the layer that begins in line 1: num_output must not be negative`,
		`layer { loss_weight: 0x10 }`:                    `where a decimal number for loss_weight is expected`,
		"name: \"x\" \x01":                               `the character '\x01' means nothing in a prototxt`,
		"name: \"x\" \xff":                               `the byte 0xff is no text`,
		"name: \"x\" [ext.y]: 3":                         `there is [ where the name of a field is expected`,
		strings.Repeat("layer { include { ", 30):         `in another layer`,
	} {
		_, err := parseText(schema()["NetParameter"], []byte(text))
		if strings.HasPrefix(text, "layer { include { layer") {
			require.Error(t, err)
			continue
		}
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "\n")
	}
	deep := strings.Repeat("net_param { layer { ", 1)
	_, err = parseText(schema()["SolverParameter"], []byte(deep))
	require.ErrorContains(t, err, "the file ends inside of")
	_, err = parseText(schema()["NetParameter"], make([]byte, largestText+1))
	require.ErrorContains(t, err, "at most 16777216 are read")
	_, err = parseText(schema()["NetParameter"], []byte("input_dim: ["+strings.Repeat("1,", mostValues)+"1]"))
	require.ErrorContains(t, err, "more than 1048576 values")
}

// TestDamagedFilesAreErrors cuts files at every length, and changes every byte: neither may
// panic, and a file that was cut is no network.
func TestDamagedFilesAreErrors(t *testing.T) {
	text := []byte(small)
	try := func(b []byte) error {
		m, err := parseText(schema()["NetParameter"], b)
		if err != nil {
			return err
		}
		n, err := newNetwork(m, false)
		if err != nil {
			return err
		}
		_, err = build(n, nil, formats.Options{}, false)
		return err
	}
	require.NoError(t, try(text))
	for i := range text {
		_ = try(text[:i])
		for _, c := range []byte{0, 1, '"', '{', '}', 'z', 0x80, 0xff} {
			damaged := slices.Clone(text)
			damaged[i] ^= c
			_ = try(damaged)
		}
	}
	for _, old := range []bool{false, true} {
		weights := caffemodel(smallWeights(), old)
		m, err := parseText(schema()["NetParameter"], text)
		require.NoError(t, err)
		load := func(b []byte) error {
			w, err := parseBinary(schema()["NetParameter"], b)
			if err != nil {
				return err
			}
			nw, err := newNetwork(w, true)
			if err != nil {
				return err
			}
			_, _ = build(nw, nil, formats.Options{}, false)
			n, err := newNetwork(m, false)
			require.NoError(t, err)
			b2, err := build(n, nil, formats.Options{}, false)
			require.NoError(t, err)
			_, err = b2.load(nw)
			return err
		}
		require.NoError(t, load(weights))
		for i := range weights {
			require.Error(t, load(weights[:i]), "cut at byte %d", i)
			for _, c := range []byte{1, 0x80, 0xff} {
				damaged := slices.Clone(weights)
				damaged[i] ^= c
				_ = load(damaged)
			}
		}
	}
}

// TestBombsAreRefused has sizes that the files do not hold.
func TestBombsAreRefused(t *testing.T) {
	field := func(number protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
	}
	var huge []byte
	for i := range 4 {
		huge = protowire.AppendVarint(protowire.AppendTag(huge, protowire.Number(1+i), protowire.VarintType), 1<<62)
	}
	m, err := parseBinary(schema()["BlobProto"], huge)
	require.NoError(t, err)
	_, err = newBlob(m)
	require.ErrorContains(t, err, "has 0 numbers")
	_, err = parseBinary(schema()["BlobProto"], append(protowire.AppendTag(nil, 5, protowire.BytesType), 0xff, 0xff, 0xff, 0xff, 0x7f))
	require.ErrorContains(t, err, "byte 0: the file is truncated or damaged, in a BlobProto")
	_, err = parseBinary(schema()["NetParameter"], field(3, bytes.Repeat([]byte{0x1a, 0}, 10)))
	require.NoError(t, err)
	_, err = parseBinary(schema()["NetParameter"], bytes.Repeat([]byte{0x1a, 0}, mostValues+1)) // inputs of no name
	require.ErrorContains(t, err, "more than 1048576 values")
	_, err = parseBinary(schema()["NetParameter"], bytes.Repeat([]byte{0x08, 0}, 1))
	require.ErrorContains(t, err, "name of NetParameter is damaged, or the file is none of Caffe's")
	_, err = parseBinary(schema()["NetParameter"], field(2, []byte{0x28, 0x7f}))
	require.ErrorContains(t, err, "byte 2: type of V1LayerParameter is 127, and LayerType has no such value")
	_, err = parseBinary(schema()["SolverState"], []byte{0x0b})
	require.Error(t, err)
	text := "input: \"data\" input_shape { dim: 1 dim: 1 }\n" + strings.Repeat("layer{name:\"a\"}\n", mostLayers+1)
	_, err = read(t, text, formats.Options{})
	require.ErrorContains(t, err, "at most 50000 are read")
}

// TestAForkInABinaryFileIsAnError: the network of a file with fields that Caffe does not have
// would compute something else. As weights for a network in text it is read.
func TestAForkInABinaryFileIsAnError(t *testing.T) {
	b := caffemodel(smallWeights(), false)
	layer := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "x")
	layer = protowire.AppendBytes(protowire.AppendTag(layer, 9999, protowire.BytesType), nil)
	b = protowire.AppendBytes(protowire.AppendTag(b, 100, protowire.BytesType), layer)
	path := write(t, "net.caffemodel", string(b))
	_, err := Read(context.Background(), []string{path}, formats.Options{})
	require.ErrorContains(t, err, "the LayerParameter there has a field 9999, which BVLC's caffe.proto does not have: the file is of a fork of Caffe")
	_, err = Read(context.Background(), []string{path, write(t, "net.prototxt", small)}, formats.Options{})
	require.NoError(t, err)
}

// FuzzText reads any text as a network and as a solver.
func FuzzText(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(trainVal))
	f.Add([]byte(`net: "x" base_lr: .1 test_iter: [1, 2] net_param { layers { layer { name: "p" type: "padding" pad: 1 } bottom: "d" top: "p" } }`))
	f.Add([]byte(`input: "d" input_dim: [1,3,9,9] layers { layer { name: "p" type: "padding" pad: 1 } bottom: "d" top: "p" } layers { layer { name: "c" type: "conv" num_output: 2 kernelsize: 3 } bottom: "p" top: "c" }`))
	f.Add([]byte(`input: "d" input_shape { dim: 1 dim: 2 dim: 4 dim: 4 } layer { name: "a" type: "SPP" bottom: "d" top: "y" spp_param { pyramid_height: 2 } } layer { name: "b" type: "Reshape" bottom: "y" top: "z" reshape_param { shape { dim: 0 dim: -1 dim: 2 } axis: 0 num_axes: 1 } }`))
	f.Fuzz(func(t *testing.T, b []byte) {
		kindOf(b, "a")
		if s, err := newSolver(b); err == nil {
			_, _ = s.Flags(), s.Lost()
		}
		m, err := parseText(schema()["NetParameter"], b)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		n, err := newNetwork(m, false)
		if err != nil {
			return
		}
		if made, err := build(n, nil, formats.Options{Input: []int{3, 8, 8}}, false); err == nil {
			require.NoError(t, made.net.Check())
			_, _ = made.load(n)
		}
	})
}

// FuzzBinary reads any bytes as weights, a mean image and a solver's state.
func FuzzBinary(f *testing.F) {
	f.Add(caffemodel(smallWeights(), false))
	f.Add(caffemodel(smallWeights(), true))
	blob := appendBlob(nil, 3, normal(1, 1, 3, 2, 2), true)
	f.Add(append([]byte("\x08\xa0\x1f\x12\x0cx.caffemodel"), blob...))
	_, _, n := protowire.ConsumeTag(blob)
	content, _ := protowire.ConsumeBytes(blob[n:])
	f.Add(content)
	f.Fuzz(func(t *testing.T, b []byte) {
		kindOf(b, "a.caffemodel")
		_, _ = newState(b)
		if m, err := parseBinary(schema()["BlobProto"], b); err == nil {
			if mean, err := newMean("m", m); err == nil {
				_, _, _ = mean.centre([]int{mean.shape[0], 1, 1})
			}
		}
		m, err := parseBinary(schema()["NetParameter"], b)
		if err != nil {
			return
		}
		n, err := newNetwork(m, true)
		if err != nil {
			return
		}
		if made, err := build(n, nil, formats.Options{Input: []int{3, 8, 8}}, false); err == nil {
			_, _ = made.load(n)
		}
	})
}
