package pytorch

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/formats"
)

// rebuilt is the call that torch.save writes for a tensor: a function of torch._utils, and
// what stands behind storage, offset, sizes and strides.
func rebuilt(name string, v view, more ...any) call {
	args := v.value().(call).args.(tuple)[:4]
	return call{global{"torch._utils", name}, append(args[:4:4], more...)}
}

var noHooks = call{ordered, tuple{}}

// A view of the imaginary parts of complex numbers that are conjugated, as x.conj().imag, has
// its bit "neg" set: its values are those of the storage with the other sign.
func TestTensorsOfMetadata(t *testing.T) {
	inf := float32(math.Inf(1))
	s := store("0", "Float", []float32{1, -2, 0, inf})
	half := store("1", "Half", []uint16{0x3c00, 0xc000})
	c := store("2", "ComplexFloat", []float32{1, 2})
	v := dict{
		"neg", rebuilt("_rebuild_tensor_v2", whole(s, 4), false, noHooks, dict{"neg", true}),
		"not neg", rebuilt("_rebuild_tensor_v2", whole(s, 4), false, noHooks, dict{"neg", false, "conj", false}),
		"none", rebuilt("_rebuild_tensor_v2", whole(s, 4), true, noHooks, nil),
		"empty", rebuilt("_rebuild_tensor_v2", whole(s, 4), true, noHooks, dict{}),
		"plain", whole(s, 4),
		"half", call{global{"torch._utils", "_rebuild_parameter"}, tuple{rebuilt("_rebuild_tensor_v3", whole(half, 2), false, noHooks, global{"torch", "float16"}, dict{"neg", true}), true, noHooks}},
		"h", whole(half, 2),
		"c", rebuilt("_rebuild_tensor_v2", whole(c, 1), false, noHooks, dict{"conj", true, "neg", true}),
		"c0", whole(c, 1),
		"f8", rebuilt("_rebuild_tensor_v3", whole(store("3", "Untyped", []uint8{1}), 1), false, noHooks, global{"torch", "float8_e5m2fnuz"}),
		"c32", rebuilt("_rebuild_tensor_v3", whole(store("4", "Untyped", []uint16{1, 2}), 1), false, noHooks, global{"torch", "complex32"}, dict{"conj", true}),
		"s3", whole(store("3", "Untyped", []uint8{1}), 1), "s4", whole(store("4", "Untyped", []uint16{1, 2}), 4),
	}
	bothForms(t, v, func(t *testing.T, m *formats.Model) {
		require.Equal(t, []float32{-1, 2, 0, -inf}, m.Weights["neg"].Float32s())
		require.True(t, math.Signbit(float64(m.Weights["neg"].Float32s()[2])))
		for _, name := range []string{"not neg", "none", "empty", "plain"} {
			require.Equal(t, []float32{1, -2, 0, inf}, m.Weights[name].Float32s(), name)
		}
		require.Equal(t, []float32{-1, 2}, m.Weights["half"].Float32s())
		require.Equal(t, []float32{1, -2}, m.Weights["h"].Float32s())
		require.Equal(t, []string{"c: hubel has no elements of the type complex64", "c0: hubel has no elements of the type complex64",
			"f8: hubel has no elements of the type float8_e5m2fnuz", "c32: hubel has no elements of the type complex32"}, m.Lost)
	})
}

func TestTensorsWithAttributes(t *testing.T) {
	s := store("0", "Float", []float32{1, 2})
	plain := rebuilt("_rebuild_tensor_v2", whole(s, 2), false, noHooks)
	fromType := func(class global) call {
		return call{global{"torch._tensor", "_rebuild_from_type_v2"}, tuple{plain.f, class, plain.args, dict{"note", "kept"}}}
	}
	v := dict{
		"kept", whole(s, 2), // so that the storage is in the file
		"tensor", fromType(global{"torch", "Tensor"}),
		"buffer", fromType(global{"torch.nn.parameter", "Buffer"}),
		"parameter", call{global{"torch._utils", "_rebuild_parameter_with_state"}, tuple{plain, true, noHooks, dict{"sparse", false}}},
	}
	bothForms(t, v, func(t *testing.T, m *formats.Model) {
		for _, name := range []string{"tensor", "buffer", "parameter"} {
			require.Equal(t, []float32{1, 2}, m.Weights[name].Float32s(), name)
		}
		require.Empty(t, m.Lost)
	})
}

// What makes a tensor another way, or tells more of it than is known, is refused by its name.
func TestTensorsThatAreMoreThanTheirStorage(t *testing.T) {
	s := store("0", "Float", []float32{1, 2})
	long := store("1", "Long", []int64{1, 2})
	v := whole(s, 2)
	plain := rebuilt("_rebuild_tensor_v2", v, false, noHooks)
	fn := func(name string, args ...any) call { return call{global{"torch._utils", name}, tuple(args)} }
	fromType := func(f global, class any, args any) call {
		return call{global{"torch._tensor", "_rebuild_from_type_v2"}, tuple{f, class, args, dict{}}}
	}
	for _, c := range []struct {
		value any
		want  string
	}{
		{rebuilt("_rebuild_tensor_v2", v, false, noHooks, dict{"scale", true}), "torch._utils._rebuild_tensor_v2: the metadata of a tensor have scale, which is not known to leave its values: tensor.clone() makes one without metadata"},
		{rebuilt("_rebuild_tensor_v2", v, false, noHooks, dict{"neg", 1}), "the metadata of a tensor have neg"},
		{rebuilt("_rebuild_tensor_v2", v, false, noHooks, dict{"conj", true}), "the metadata of a tensor have conj"},
		{rebuilt("_rebuild_tensor_v2", whole(long, 2), false, noHooks, dict{"neg", true}), "the metadata of a tensor have neg"},
		{rebuilt("_rebuild_tensor_v2", v, false, noHooks, dict{7, true}), "the metadata of a tensor have 7"},
		{rebuilt("_rebuild_tensor_v2", v, false, noHooks, "neg"), "the metadata of a tensor are a str, not a dictionary"},
		{rebuilt("_rebuild_tensor_v2", v, false, noHooks, nil, nil), "_rebuild_tensor_v2: it takes 6 values, and 8 are given"},
		{rebuilt("_rebuild_tensor_v2", v, false), "_rebuild_tensor_v2: it takes 6 values, and 5 are given"},
		{rebuilt("_rebuild_tensor", v, dict{"neg", true}), "_rebuild_tensor: it takes 4 values, and 5 are given"},
		{rebuilt("_rebuild_tensor_v3", v, false, noHooks, global{"torch", "float32"}, dict{"x", true}), "the metadata of a tensor have x"},
		{rebuilt("_rebuild_tensor_v3", v, false, noHooks, global{"torch", "float7"}), "torch.float7"},
		{rebuilt("_rebuild_tensor_v3", v, false, noHooks, "float32"), "_rebuild_tensor_v3: the type"},
		{fn("_rebuild_parameter", plain), "_rebuild_parameter: it takes 3 values, and 1 are given"},
		{fn("_rebuild_parameter", s.key, true, noHooks), "_rebuild_parameter: a parameter is not a tensor"},
		{fn("_rebuild_parameter_with_state", plain, true, noHooks), "_rebuild_parameter_with_state: it takes 4 values, and 3 are given"},
		{fn("_rebuild_qtensor", plain), "the pickle asks for torch._utils._rebuild_qtensor, which is not on the list of what may be read; nothing was run; tensor.dequantize() makes one that is read"},
		{fn("_rebuild_sparse_tensor", plain), "torch._utils._rebuild_sparse_tensor, which is not on the list of what may be read; nothing was run; tensor.to_dense() makes one that is read"},
		{fn("_rebuild_sparse_csr_tensor", plain), "torch._utils._rebuild_sparse_csr_tensor, which is not on the list of what may be read; nothing was run; tensor.to_dense() makes one that is read"},
		{fn("_rebuild_nested_tensor", plain), "torch._utils._rebuild_nested_tensor, which is not on the list of what may be read; nothing was run; torch.save(model.state_dict(), …) writes a file without it"},
		{fn("_rebuild_meta_tensor_no_storage", plain), "torch._utils._rebuild_meta_tensor_no_storage, which is not on the list of what may be read; nothing was run; a tensor on the device meta has no values to save"},
		{fn("_rebuild_wrapper_subclass", plain), "torch._utils._rebuild_wrapper_subclass, which is not on the list"},
		{fn("_rebuild_device_tensor_from_numpy", plain), "torch._utils._rebuild_device_tensor_from_numpy, which is not on the list"},
		{call{global{"torch.nn.parameter", "UninitializedParameter"}, tuple{}}, "torch.nn.parameter.UninitializedParameter, which is not on the list"},
		{fromType(global{"torch._utils", "_rebuild_tensor_v2"}, global{"torchvision.tv_tensors._image", "Image"}, plain.args), "torchvision.tv_tensors._image.Image, which is not on the list"},
		{fromType(global{"torch._utils", "_rebuild_tensor_v2"}, global{"torch.nn.modules.linear", "Linear"}, plain.args), "a tensor of the class torch.nn.modules.linear.Linear, which may mean other values than it holds: tensor.as_subclass(torch.Tensor) makes a plain one"},
		{fromType(global{"torch._utils", "_rebuild_tensor_v2"}, "x", plain.args), "a tensor of the class"},
		{fromType(global{"collections", "OrderedDict"}, global{"torch", "Tensor"}, tuple{}), "it does not hold a plain tensor"},
		{fromType(global{"torch._utils", "_rebuild_tensor_v2"}, global{"torch", "Tensor"}, tuple{1}), "it takes 6 values, and 1 are given"},
		{call{global{"torch._tensor", "_rebuild_from_type_v2"}, tuple{1}}, "_rebuild_from_type_v2: it takes 4 values, and 1 are given"},
		{rebuilt("_rebuild_tensor_v2", v, false, call{ordered, tuple{list{tuple{0, global{"__main__", "hook"}}}}}), "__main__.hook, which is not on the list"},
	} {
		for _, content := range [][]byte{zipped(dict{"kept", v, "long", whole(long, 2), "w", c.value}), inLegacy(dict{"kept", v, "long", whole(long, 2), "w", c.value})} {
			_, err := readFile(saved(t, content), formats.Options{})
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n")
		}
	}
}
