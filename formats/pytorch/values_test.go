package pytorch

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/formats"
)

// bothForms reads a value in the zip and in the legacy form, and lets check look at each.
func bothForms(t *testing.T, v any, check func(t *testing.T, m *formats.Model)) {
	t.Helper()
	for form, content := range map[string][]byte{"zip": zipped(v), "legacy": inLegacy(v)} {
		t.Run(form, func(t *testing.T) {
			m, err := readFile(saved(t, content), formats.Options{})
			require.NoError(t, err)
			check(t, m)
		})
	}
}

func TestElementsOfAllTypesAreRead(t *testing.T) {
	inf := float32(math.Inf(1))
	v := dict{
		"half", whole(store("0", "Half", []uint16{0x3c00, 0xc000, 0x7c00, 0x8000, 1}), 5),
		"bfloat16", whole(store("1", "BFloat16", []uint16{0x3f80, 0xc000, 0x7f80}), 3),
		"double", whole(store("2", "Double", []float64{0.1, -3, math.Inf(1)}), 3),
		"large", whole(store("3", "Double", []float64{1e300, -1e300, 2}), 3),
		"byte", whole(store("4", "Byte", []uint8{0, 255}), 2),
		"char", whole(store("5", "Char", []int8{-128, 127}), 2),
		"short", whole(store("6", "Short", []int16{-32768, 5}), 2),
		"int", whole(store("7", "Int", []int32{math.MinInt32, 7}), 2),
		"long", whole(store("8", "Long", []int64{math.MinInt64, 1 << 40}), 2),
		"bool", whole(store("9", "Bool", []uint8{1, 0}), 2),
		"complex", whole(store("10", "ComplexFloat", []float32{1, 2}), 1),
		"scalar", whole(store("11", "Float", []float32{3})),
		"empty", whole(store("12", "Float", []float32{}), 0, 3),
	}
	bothForms(t, v, func(t *testing.T, m *formats.Model) {
		for name, want := range map[string]any{
			"half": []float32{1, -2, inf, float32(math.Copysign(0, -1)), 1.0 / (1 << 24)}, "bfloat16": []float32{1, -2, inf},
			"double": []float32{0.1, -3, inf}, "large": []float32{inf, -inf, 2},
			"byte": []uint8{0, 255}, "bool": []uint8{1, 0}, "char": []int32{-128, 127}, "short": []int32{-32768, 5},
			"int": []int32{math.MinInt32, 7}, "long": []int64{math.MinInt64, 1 << 40},
		} {
			require.NotNil(t, m.Weights[name], name)
			require.Equal(t, want, m.Weights[name].Data(), name)
		}
		require.True(t, math.Signbit(float64(m.Weights["half"].Float32s()[3])))
		require.Equal(t, []int{0, 3}, []int(m.Weights["empty"].Shape()))
		require.Empty(t, []int(m.Weights["scalar"].Shape()))
		require.Equal(t, []float32{3}, numbersOfScalar(m.Weights["scalar"]))
		require.Equal(t, []string{
			"complex: hubel has no elements of the type complex64",
			"large: 2 of its values are beyond float32, and became infinite",
		}, m.Lost)
		require.Contains(t, m.Facts, "2 tensors of float64 were rounded to float32")
	})
}

// numbersOfScalar is the one number of a tensor without dimensions.
func numbersOfScalar(x *dense) []float32 {
	if v, ok := x.Data().(float32); ok {
		return []float32{v}
	}
	return x.Float32s()
}

func TestViewsOfAStorageAreRead(t *testing.T) {
	s := store("0", "Float", []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	v := dict{
		"rows", whole(s, 3, 4),
		"transposed", view{s, 0, []int{4, 3}, []int{1, 4}},
		"every second", view{s, 0, []int{3, 2}, []int{4, 2}},
		"offset", view{s, 7, []int{2}, []int{1}},
		"expanded", view{s, 5, []int{2, 3}, []int{0, 0}},
		"overlapping", view{s, 1, []int{3, 3}, []int{1, 1}},
		"channels last", view{s, 0, []int{1, 3, 2, 2}, []int{12, 1, 6, 3}},
	}
	bothForms(t, v, func(t *testing.T, m *formats.Model) {
		for name, want := range map[string][]float32{
			"rows":          {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
			"transposed":    {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11},
			"every second":  {0, 2, 4, 6, 8, 10},
			"offset":        {7, 8},
			"expanded":      {5, 5, 5, 5, 5, 5},
			"overlapping":   {1, 2, 3, 2, 3, 4, 3, 4, 5},
			"channels last": {0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11},
		} {
			require.NotNil(t, m.Weights[name], name)
			require.Equal(t, want, m.Weights[name].Float32s(), name)
		}
		m.Weights["rows"].Float32s()[7] = 100 // each has its own memory
		require.Equal(t, []float32{7, 8}, m.Weights["offset"].Float32s())
	})
}

func TestCheckpointsHoldAStateDict(t *testing.T) {
	w := whole(store("0", "Float", []float32{1, 2}), 2)
	other := whole(store("1", "Float", []float32{3, 4}), 2)
	parameter := call{global{"torch._utils", "_rebuild_parameter"}, tuple{w, true, call{ordered, tuple{}}}}
	state := dict{"fc.weight", parameter, "step", 7, "nothing", nil}
	for _, key := range wrapped {
		bothForms(t, dict{"epoch", 3, key, state, "optimizer", dict{"state", dict{0, dict{"exp_avg", other}}}}, func(t *testing.T, m *formats.Model) {
			require.Len(t, m.Weights, 1)
			require.Equal(t, []float32{1, 2}, m.Weights["fc.weight"].Float32s())
			require.Contains(t, m.Facts, "the state_dict is under the key "+key)
			require.Equal(t, []string{"step: not a tensor, but a int"}, m.Lost)
		})
	}
	bothForms(t, dict{"model", dict{"state_dict", state}, "teacher", dict{"w", other}}, func(t *testing.T, m *formats.Model) {
		require.Equal(t, []float32{1, 2}, m.Weights["fc.weight"].Float32s())
		require.Contains(t, m.Facts, "not read: tensors under the key teacher")
	})
	deep := any(state)
	for range maxNesting {
		deep = dict{"model", deep}
	}
	_, err := readFile(saved(t, zipped(deep)), formats.Options{})
	require.Error(t, err)
}

// A module gives the names that its state_dict has. Buffers that are not kept are left out.
func TestModulesAreReadByTheirAttributes(t *testing.T) {
	w, b := whole(store("0", "Float", []float32{1, 2}), 2), whole(store("1", "Float", []float32{3}), 1)
	module := func(parameters, buffers, modules dict) object {
		return object{global{"torch.nn.modules.container", "Sequential"}, dict{"training", true, "_parameters", parameters, "_buffers", buffers, "_modules", modules}}
	}
	inner := module(dict{"weight", w, "bias", nil}, dict{"running_mean", b}, dict{})
	bothForms(t, dict{"model", module(dict{}, dict{}, dict{"0", inner, "1", nil})}, func(t *testing.T, m *formats.Model) {
		require.Len(t, m.Weights, 2)
		require.Equal(t, []float32{1, 2}, m.Weights["0.weight"].Float32s())
		require.Equal(t, []float32{3}, m.Weights["0.running_mean"].Float32s())
		require.Contains(t, m.Facts, "a whole module, torch.nn.modules.container.Sequential: its tensors were read, and nothing of it was run")
	})
}

func TestGlobalsThatAreNotListedAreRefused(t *testing.T) {
	for _, g := range []global{
		{"os", "system"}, {"posix", "system"}, {"builtins", "eval"}, {"builtins", "getattr"}, {"torch", "load"}, {"torch.nn.modules_x", "Y"},
		{"torch.hub", "load"}, {"numpy", "load"}, {"subprocess", "Popen"}, {"collections", "deque"},
	} {
		for _, content := range [][]byte{zipped(dict{"w", call{g, tuple{"x"}}}), inLegacy(dict{"w", call{g, tuple{"x"}}})} {
			_, err := readFile(saved(t, content), formats.Options{})
			require.ErrorContains(t, err, g[0]+"."+g[1])
			require.ErrorContains(t, err, "nothing was run")
		}
	}
	// A class may be named, and not called as a function.
	_, err := readFile(saved(t, zipped(dict{"w", call{global{"builtins", "int"}, tuple{"x"}}})), formats.Options{})
	require.Error(t, err)
}
