package program

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/npy"
)

// first are the first n samples of an array.
func first(x npy.Numbers, n int) npy.Numbers {
	size := len(x.Values) / x.Shape[0]
	return npy.Numbers{Shape: append([]int{n}, x.Shape[1:]...), Values: x.Values[:n*size], Bytes: x.Bytes}
}

// channelsLast is an array [N,C,H,W] as [N,H,W,C].
func channelsLast(x npy.Numbers) npy.Numbers {
	n, c, plane := x.Shape[0], x.Shape[1], x.Shape[2]*x.Shape[3]
	y := npy.Numbers{Shape: []int{n, x.Shape[2], x.Shape[3], c}, Bytes: x.Bytes, Values: make([]float32, len(x.Values))}
	for i := range n {
		for k := range c {
			for p := range plane {
				y.Values[(i*plane+p)*c+k] = x.Values[(i*c+k)*plane+p]
			}
		}
	}
	return y
}

func TestVerify(t *testing.T) {
	v := folder(t)
	labels := npy.Numbers{Shape: []int{5}, Values: []float32{0, 1, 2, 0, 1}}
	conv := "features.0-conv"
	for name, c := range map[string]struct {
		arrays map[string]npy.Numbers
		flags  []string
		want   []string
	}{
		"names of the network": {map[string]npy.Numbers{"data": v["data"], "prob": v["prob"], "features_0_conv": v[conv], "labels": labels, "sum": {Shape: []int{}, Values: []float32{3}}}, nil,
			[]string{"features_0_conv features.0-conv 5x3x5x4 ", "2 arrays are within 0.0001 of their largest value, for 5 samples", "not compared: sum: the network has no value of this name"}},
		"bytes of pictures":  {map[string]npy.Numbers{"image_uint8": v["image_uint8"], "prob": v["prob"]}, nil, []string{"1 arrays are within"}},
		"bytes elsewhere":    {map[string]npy.Numbers{"pictures": v["image_uint8"], "prob": v["prob"]}, nil, []string{"1 arrays are within"}},
		"the named input":    {map[string]npy.Numbers{"image_uint8": {Shape: []int{5, 2, 5, 4}, Values: make([]float32, 200), Bytes: true}, "data": v["data"], "prob": v["prob"]}, nil, []string{"1 arrays are within"}},
		"usual names":        {map[string]npy.Numbers{"input": v["data"], "output": v["prob"]}, nil, []string{"output prob "}},
		"outputs by numbers": {map[string]npy.Numbers{"input": v["data"], "out0": v["prob"]}, nil, []string{"out0 prob "}},
		"channels last": {map[string]npy.Numbers{"input": channelsLast(v["data"]), "layer0_" + conv: first(channelsLast(v[conv]), 1), "layer0_fc": first(v["fc"], 2)}, nil,
			[]string{"features.0-conv 1x5x4x3 ", "layer0_fc fc 2x3 "}},
		"bytes, channels last": {map[string]npy.Numbers{"input": channelsLast(v["image_uint8"]), "prob": v["prob"]}, nil, []string{"1 arrays are within"}},
		"ones in the shape":    {map[string]npy.Numbers{"data": v["data"], "fc": {Shape: []int{5, 3, 1, 1}, Values: v["fc"].Values}, "relu1": {Shape: []int{5, 60}, Values: v["relu1"].Values}}, nil, []string{"2 arrays are within"}},
		"mapped": {map[string]npy.Numbers{"a": v["data"], "b": v["prob"], "c": v[conv]}, []string{"-map", "a=data,b=prob", "-map", "c=" + conv},
			[]string{"b prob ", "2 arrays are within"}},
		"a part": {map[string]npy.Numbers{"data": v["data"], "head": {Shape: []int{1, 1, 1, 2}, Values: v[conv].Values[1*20+2*4+2:][:2]}}, []string{"-map", "head=" + conv + "[:,1:2,2:3,2:]"},
			[]string{"head features.0-conv[:,1:2,2:3,2:] 1x1x1x2 "}},
	} {
		archive(t, c.arrays)
		code, stdout, stderr := call(append([]string{"net.safetensors", "-verify", "io.npz"}, c.flags...)...)
		require.Equal(t, command.Done, code, "%s: %s%s", name, stdout, stderr)
		for _, want := range c.want {
			require.Contains(t, strings.Join(strings.Fields(stdout), " "), want, name)
		}
	}
}

func TestVerifyFindsDifferences(t *testing.T) {
	v := folder(t)
	changed := func(x npy.Numbers, i int, to float32) npy.Numbers {
		x.Values = slices.Clone(x.Values)
		x.Values[i] = to
		return x
	}
	for name, bad := range map[string]npy.Numbers{
		"last sample": changed(v["fc"], 14, v["fc"].Values[14]+0.01),
		"NaN":         changed(v["fc"], 3, float32(math.NaN())),
		"infinity":    changed(v["fc"], 3, float32(math.Inf(1))),
	} {
		archive(t, map[string]npy.Numbers{"data": v["data"], "prob": v["prob"], "fc": bad})
		code, stdout, stderr := call("net.safetensors", "-verify", "io.npz", "-o", "out.safetensors")
		require.Equal(t, command.Broken, code, name)
		require.Contains(t, stdout, "differs", name)
		require.Contains(t, stdout, "1 of 2 arrays differ by more than 0.0001 of their largest value\n")
		require.Equal(t, "convert: the network computes other values than those recorded; out.safetensors was not written: -force writes it all the same\n", stderr)
		require.NoFileExists(t, "out.safetensors")
		code, _, stderr = call("net.safetensors", "-verify", "io.npz")
		require.Equal(t, command.Broken, code, name)
		require.Equal(t, "convert: the network computes other values than those recorded\n", stderr)
	}
	archive(t, map[string]npy.Numbers{"data": v["data"], "fc": changed(v["fc"], 14, v["fc"].Values[14]*1.0001)})
	code, _, stderr := call("net.safetensors", "-verify", "io.npz", "-tolerance", "0.01", "-o", "out.safetensors")
	require.Equal(t, command.Done, code, stderr)
	require.FileExists(t, "out.safetensors")
}

func TestArraysThatDoNotFit(t *testing.T) {
	v := folder(t)
	for want, c := range map[string]struct {
		arrays map[string]npy.Numbers
		flags  []string
	}{
		"no array is named as a value of network small":                  {map[string]npy.Numbers{"data": v["data"]}, nil},
		"no array is the input data, of the shape Nx2x5x4":               {map[string]npy.Numbers{"prob": v["prob"], "input": v["fc"]}, nil},
		"array data has the shape 5x3, and the input data takes Nx2":     {map[string]npy.Numbers{"prob": v["prob"], "data": v["fc"]}, nil},
		"array prob has the shape 5x3x5x4, and the value prob of":        {map[string]npy.Numbers{"data": v["data"], "prob": v["features.0-conv"]}, nil},
		"array prob has the shape 5x3, and the value prob of the ne":     {map[string]npy.Numbers{"data": first(v["data"], 2), "prob": v["prob"]}, nil},
		"-map x: io.npz has no such array; it has":                       {map[string]npy.Numbers{"data": v["data"]}, []string{"-map", "x=prob"}},
		`-map data: network small has no value "x"`:                      {map[string]npy.Numbers{"data": v["data"]}, []string{"-map", "data=x"}},
		`-map data: "prob[:" has no ] at its end`:                        {map[string]npy.Numbers{"data": v["data"]}, []string{"-map", "data=prob[:"}},
		`is not a range, such as 0:8`:                                    {map[string]npy.Numbers{"data": v["data"]}, []string{"-map", "data=prob[:,5]"}},
		"the first range is of the samples, and : is all that it can be": {map[string]npy.Numbers{"data": v["data"]}, []string{"-map", "data=prob[0:1]"}},
		"-map p: [:,1:9] is not all in the value, 5x3":                   {map[string]npy.Numbers{"data": v["data"], "p": v["prob"]}, []string{"-map", "p=prob[:,1:9]"}},
		"-map p: [:,:,:] has 3 dimensions, and the value, 5x3, 2":        {map[string]npy.Numbers{"data": v["data"], "p": v["prob"]}, []string{"-map", "p=prob[:,:,:]"}},
	} {
		archive(t, c.arrays)
		code, stdout, stderr := call(append([]string{"net.safetensors", "-verify", "io.npz"}, c.flags...)...)
		require.Equal(t, command.Wrong, code, "%s: %s", want, stdout)
		require.Contains(t, stderr, want)
	}
}

// Names that a file has for values are those of its reader.
func TestVerifyByTheNamesOfTheFile(t *testing.T) {
	v := folder(t)
	lossy(t, func(m *formats.Model) {
		m.Lost, m.Values = nil, map[string]string{"in:0": "data", "conv/1": "features.0-conv", "out": "prob"}
	})
	archive(t, map[string]npy.Numbers{"in:0": v["data"], "conv_1": v["features.0-conv"], "out": v["prob"]})
	code, stdout, stderr := call("a.lossy", "-verify", "io.npz")
	require.Equal(t, command.Done, code, stderr)
	require.Contains(t, stdout, "2 arrays are within")
}

// What a model with channels last flattens is compared in its order.
func TestFlattenedChannelsLast(t *testing.T) {
	values := folder(t)
	flat := channelsLast(values["relu1"])
	flat.Shape = []int{5, 60}
	archive(t, map[string]npy.Numbers{"data": values["data"], "flat": flat})
	for last, want := range map[bool]int{false: command.Broken, true: command.Done} {
		lossy(t, func(m *formats.Model) {
			m.Lost, m.ChannelsLast, m.Values = nil, last, map[string]string{"flat": "relu1"}
		})
		code, stdout, stderr := call("a.lossy", "-verify", "io.npz")
		require.Equal(t, want, code, "%s%s", stdout, stderr)
	}
}
