package tflite

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/formats"
)

// several is a model of several operators: of an image [1,4,4,2] to 3 numbers.
func several() *made {
	m := &made{}
	x := m.input("x", 1, 4, 4, 2)
	y := m.add("CONV_2D", "conv", fields{0: byte(0), 1: 1, 2: 1, 3: byte(1), 4: 1, 5: 1}, x, m.floats("w", 2, 3, 3, 2), m.floats("b", 2))
	y = m.add("ADD", "sum", nil, x, y)
	y = m.add("MAX_POOL_2D", "pool", fields{0: byte(1), 1: 2, 2: 2, 3: 2, 4: 2}, y)
	y = m.add("RESHAPE", "row", fields{0: []int{1, -1}}, y, m.ints("shape", 1, 8))
	m.add("FULLY_CONNECTED", "y", nil, y, m.floats("m", 3, 8), -1)
	return m
}

func (m *made) last() int { return len(m.tensors) - 1 }

// Whatever happens to a file, there is a network or an error.
func TestDamagedFilesAreErrorsAtMost(t *testing.T) {
	m := several()
	whole := m.file(m.last())
	_, err := convert(t.Context(), whole, formats.Options{})
	require.NoError(t, err)
	for n := range len(whole) - 8 {
		_, err := convert(t.Context(), whole[:n], formats.Options{})
		require.Error(t, err, "the first %d bytes", n)
	}
	check := func(b []byte) {
		if m, err := convert(t.Context(), b, formats.Options{}); err == nil {
			require.NoError(t, m.Network.Check())
		} else {
			require.NotContains(t, err.Error(), "\n")
		}
	}
	for i := range whole {
		for _, v := range []byte{0, 0x7f, 0xff} {
			b := bytes.Clone(whole)
			b[i] = v
			check(b)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		b := bytes.Clone(whole)
		for range 1 + r.IntN(4) {
			at := r.IntN(len(b) - 4)
			binary.LittleEndian.PutUint32(b[at:], uint32(r.IntN(3*len(b)))-uint32(len(b)))
		}
		check(b)
	}
}

// What is not read is named, with its place.
func TestWhatIsNotReadIsNamed(t *testing.T) {
	image := []int{1, 4, 4, 2}
	code := func(n int) []byte {
		m := &made{}
		y := m.add("RELU", "y", nil, m.input("x", image...))
		m.codes[0] = fields{0: byte(min(n, 127)), 3: n, 1: "Fancy\x1b"}
		return m.file(y)
	}
	changed := func(change func(m *made)) []byte {
		m := several()
		change(m)
		return m.file(m.last())
	}
	top := func(change func(f fields)) []byte {
		m := several()
		f := m.model(m.last())
		change(f)
		return flat(f)
	}
	for want, file := range map[string][]byte{
		`operator 0, SPLIT, which makes "y": the operator is not read; the nearest that hubel has: slice`:                           made1("SPLIT", nil, image),
		`operator 0, CUMSUM, which makes "y": the operator is not read; docs/interop/tflite.md lists those that are`:                made1("CUMSUM", nil, image),
		`operator 0, QUANTIZE, which makes "y": the operator is not read; the nearest that hubel has: none: the model is quantised`: made1("QUANTIZE", nil, image),
		`operator 0, CUSTOM "Fancy\x1b", which makes "y": operators of somebody's own have their code elsewhere`:                    code(32),
		`operator 0, number 5000, which makes "y": the operator is not read`:                                                        code(5000),
		`tensor 2, "w", is of int8: the model is quantised, and models of floats are read: convert it without optimizations`: changed(func(m *made) {
			m.tensors[1][1], m.tensors[1][3] = byte(0), "c"
			m.tensors[2][1], m.tensors[2][3] = byte(9), "w"
		}),
		`tensor 1, "w", is sparse`:                                                 changed(func(m *made) { m.tensors[1][6] = fields{} }),
		`tensor 1, "w": it is a constant of float64; those of float32`:             changed(func(m *made) { m.tensors[1][1] = byte(10) }),
		`input "x" is of int32; networks of floats are read`:                       changed(func(m *made) { m.tensors[0][1] = byte(2) }),
		`input "x": its shape is [1]`:                                              changed(func(m *made) { m.tensors[0][0] = []int{1} }),
		`tensor 0, x, has the shape [-1 4 4 2]`:                                    changed(func(m *made) { m.tensors[0][0] = []int{-1, 4, 4, 2} }),
		`its weight has the shape [2 3 3 2], which does not fit 3 channels`:        changed(func(m *made) { m.tensors[0][0] = []int{1, 4, 4, 3} }),
		`tensor 1, "w": its shape [2 3 3 1] does not fit its 144 bytes of float32`: changed(func(m *made) { m.tensors[1][0] = []int{2, 3, 3, 1} }),
		`its bias has the shape [2 3 3 2], and there are 2 filters`:                changed(func(m *made) { m.operators[0][1] = []int{0, 1, 1} }),
		`its weight is computed, and a layer has a constant there`:                 changed(func(m *made) { m.operators[0][1] = []int{0, 0, 2} }),
		`its input, tensor 4, "sum", is not defined before it`:                     changed(func(m *made) { m.operators[0][1] = []int{4, 1, 2} }),
		`what it makes is defined twice`:                                           changed(func(m *made) { m.operators[1][2] = []int{3} }),
		`operator 0 reads or makes tensor 99`:                                      changed(func(m *made) { m.operators[0][1] = []int{99} }),
		`operator 0 has the code 7, and there are 5`:                               changed(func(m *made) { m.operators[0][0] = 7 }),
		`it makes 2 tensors`:                                                       changed(func(m *made) { m.operators[2][2] = []int{5, 4} }),
		`strides [0 1] and dilations [1 1] must be from 1`:                         changed(func(m *made) { m.operators[0][4].(fields)[2] = 0 }),
		`padding 7 is neither SAME nor VALID`:                                      changed(func(m *made) { m.operators[0][4].(fields)[0] = byte(7) }),
		`its fused activation 5 is not read`:                                       changed(func(m *made) { m.operators[0][4].(fields)[3] = byte(5) }),
		`it makes [2 4] of [1,2,2,2], and axis 0, the samples, must stay`:          changed(func(m *made) { m.operators[3][1] = []int{5}; m.operators[3][4] = fields{0: []int{2, 4}} }),
		`the shape [1 9] does not hold 8 elements`:                                 changed(func(m *made) { m.operators[3][1] = []int{5}; m.operators[3][4] = fields{0: []int{1, 9}} }),
		`its weight is shuffled`:                                                   changed(func(m *made) { m.operators[4][4] = fields{1: byte(1)} }),
		`it is of version 2 of the format; version 3 is read`:                      top(func(f fields) { f[0] = 2 }),
		`it has no network`:                                                        top(func(f fields) { delete(f, 2) }),
		`it has no outputs`:                                                        top(func(f fields) { delete(f[2].([]fields)[0], 2) }),
		`it has no inputs`:                                                         top(func(f fields) { delete(f[2].([]fields)[0], 1) }),
		`an input or output is tensor 50`:                                          top(func(f fields) { f[2].([]fields)[0][2] = []int{50} }),
		`the output "w" is a constant`:                                             top(func(f fields) { f[2].([]fields)[0][2] = []int{1} }),
		`it reduces the axes [1] of [1,4,4,2]`:                                     made1("MEAN", nil, image, ofInts(1)),
		`it makes [6 8] pixels of 4x4; whole multiples are read`:                   made1("RESIZE_BILINEAR", nil, image, ofInts(6, 8)),
		`it interpolates between the corners of pixels`:                            made1("RESIZE_BILINEAR", nil, image, ofInts(8, 8)),
		`align_corners is not read`:                                                made1("RESIZE_NEAREST_NEIGHBOR", fields{0: true}, image, ofInts(8, 8)),
		`the order [3 0 1 2] moves axis 0, the samples`:                            made1("TRANSPOSE", nil, image, ofInts(3, 0, 1, 2)),
		`the order [0 1 1 2] must have each of the axes`:                           made1("TRANSPOSE", nil, image, ofInts(0, 1, 1, 2)),
		`its pads [0 0 0 0 0 0 1 1] are not of pixels alone`:                       made1("PAD", nil, image, ofInts(0, 0, 0, 0, 0, 0, 1, 1)),
		`a constant of the shape [4 2] is not taken with [1,4,4,2]`:                made1("MUL", nil, image, ofFloats(4, 2)),
		`a constant of the shape [2] is not taken with [1,4,4,2]`:                  made1("MAXIMUM", nil, image, ofFloats(2)),
		`axis 0 is none of the samples`:                                            made1("CONCATENATION", fields{0: 0}, image, first),
		`its slopes have the shape [4 4 2]`:                                        made1("PRELU", nil, image, ofFloats(4, 4, 2)),
		`takes axis 1 of [1 4 4 2] away`:                                           made1("SQUEEZE", fields{0: []int{1}}, image),
		`takes all axes of 1 of [1 4 4 2] away, the samples too`:                   made1("SQUEEZE", nil, image),
		`it repeats [1,4,4,2] [1 2 1 1] times; axes of one element are repeated`:   made1("TILE", nil, image, ofInts(1, 2, 1, 1)),
		`axis 0 is none of the samples of [1 4 4 2]`:                               made1("EXPAND_DIMS", nil, image, ofInts(0)),
	} {
		_, err := convert(t.Context(), file, formats.Options{})
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
		require.NotContains(t, err.Error(), "\x1b")
	}
	_, err := convert(t.Context(), []byte("TFL3"), formats.Options{})
	require.ErrorContains(t, err, "does not begin as a file of TFLite does")
}

// Sizes that a file only claims take no memory, and lists that lead to the same tables many times
// are refused.
func TestBombsAreRefused(t *testing.T) {
	m := several()
	b := m.file(m.last())
	at := bytes.Index(b, []byte("conv")) - 4
	binary.LittleEndian.PutUint32(b[at:], 0x7fffffff)
	_, err := convert(t.Context(), b, formats.Options{})
	require.ErrorContains(t, err, "a list of 2147483647 elements ends behind the file")

	// Each of many operators refers to the one list of inputs: a square of the file's size.
	list := flat(fields{0: 3, 1: []fields{{}}, 2: []fields{{0: []fields{{}}, 3: []fields{{1: slices.Repeat([]int{0}, 4000)}}}}, 3: string(make([]byte, 8000)), 4: []fields{{}}})
	place := bytes.Index(list, append(binary.LittleEndian.AppendUint32(nil, 8000), 0)) // the description becomes the list of operators
	require.Positive(t, place)
	f := newFile(list)
	graphs := f.table(f.follow(0)).tables(2)
	operator := graphs[0].tables(3)[0].at
	room := place - operator
	require.Positive(t, room)
	// References lead forward: those of a list behind the operator cannot lead back to it.
	for i := range 2000 {
		binary.LittleEndian.PutUint32(list[place+4+4*i:], uint32(operator-(place+4+4*i)))
	}
	field := graphs[0].at + 8 + 8*3
	binary.LittleEndian.PutUint32(list[field:], uint32(place-field))
	binary.LittleEndian.PutUint32(list[place:], 2000)
	_, err = convert(t.Context(), list, formats.Options{})
	require.ErrorContains(t, err, "a reference leads out of the file")

	f = newFile(make([]byte, 100))
	require.True(t, f.take(0, 1000))
	require.False(t, f.take(0, 1000))
	require.ErrorContains(t, f.err, "far more elements than it has bytes")

	// Tensors of one buffer are decoded within bounds.
	many := &made{}
	x := many.input("x", 1, 1<<10, 1<<10, 1)
	w := many.tensor("w", float32Type, make([]byte, 1<<20), 1<<18)
	var y int
	for range 12 {
		many.tensors = append(many.tensors, fields{0: []int{1, 1 << 9, 1 << 9, 1}, 1: byte(0), 2: many.tensors[w][2], 3: "again"})
		y = many.add("CONV_2D", "y", fields{0: byte(0), 1: 1, 2: 1}, x, many.last())
	}
	_, err = convert(t.Context(), many.file(y), formats.Options{})
	require.ErrorContains(t, err, "the constants of the file have far more elements than it has bytes")
}

// Operators that have one constant again and again make a network far larger than the file.
func TestCopiesAreBounded(t *testing.T) {
	m := &made{}
	x, w := m.input("x", 1, 512), m.floats("w", 512, 512)
	for range 40 {
		x = m.add("FULLY_CONNECTED", "y", nil, x, w)
	}
	_, err := convert(t.Context(), m.file(x), formats.Options{})
	require.ErrorContains(t, err, "far more parameters than the file has bytes")
	m.operators = m.operators[:8]
	_, err = convert(t.Context(), m.file(m.operators[7][2].([]int)[0]), formats.Options{})
	require.NoError(t, err)
}

func FuzzRead(f *testing.F) {
	m := several()
	f.Add(m.file(m.last()))
	for _, name := range []string{"twins.tflite", "flattened.tflite"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add(made1("TRANSPOSE", nil, []int{1, 4, 4, 2}, ofInts(0, 3, 1, 2)))
	f.Add(made1("RESIZE_BILINEAR", fields{3: true}, []int{1, 4, 4, 2}, ofInts(8, 8)))
	f.Add(made1("MUL", fields{0: byte(3)}, []int{1, 2}, ofFloats(2)))
	f.Add(made1("STRIDED_SLICE", nil, []int{1, 2}, ofInts(2), ofInts(0), ofInts(1), ofInts(1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := convert(t.Context(), b, formats.Options{})
		if err == nil {
			require.NoError(t, m.Network.Check())
		}
	})
}
