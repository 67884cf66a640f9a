package tensorboard

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hubel-go/hubel/results"
)

// noon is the time of all events here: 1.5 seconds after that of Unix.
func noon() time.Time { return time.Unix(1, 5e8) }

func written(t *testing.T) *Writer {
	t.Helper()
	w, err := create(t.TempDir(), noon)
	require.NoError(t, err)
	t.Cleanup(func() { w.Close() })
	return w
}

// crc is the checksum bit by bit, as RFC 3720 defines it, with the mask of TFRecord.
func crc(b []byte) uint32 {
	c := ^uint32(0)
	for _, x := range b {
		c ^= uint32(x)
		for range 8 {
			if c&1 == 1 {
				c = c>>1 ^ 0x82f63b78
			} else {
				c >>= 1
			}
		}
	}
	c = ^c
	return c>>15 + c<<17 + 0xa282ead8
}

// records reads a file, and checks every checksum.
func records(t *testing.T, path string) (list [][]byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for len(b) > 0 {
		require.GreaterOrEqual(t, len(b), 16)
		n := binary.LittleEndian.Uint64(b)
		require.Equal(t, crc(b[:8]), binary.LittleEndian.Uint32(b[8:]), "checksum of the length")
		b = b[12:]
		require.GreaterOrEqual(t, uint64(len(b)), n+4)
		require.Equal(t, crc(b[:n]), binary.LittleEndian.Uint32(b[n:]), "checksum of the event")
		list = append(list, b[:n])
		b = b[n+4:]
	}
	return list
}

// fields are those of a message by number, in order: uint64 or []byte.
func fields(t *testing.T, b []byte) map[protowire.Number][]any {
	t.Helper()
	m := map[protowire.Number][]any{}
	for len(b) > 0 {
		field, wire, n := protowire.ConsumeTag(b)
		require.NoError(t, protowire.ParseError(n))
		b = b[n:]
		var x any
		switch wire {
		case protowire.VarintType:
			x, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			x = uint64(v)
		case protowire.Fixed64Type:
			x, n = protowire.ConsumeFixed64(b)
		default:
			require.Equal(t, protowire.BytesType, wire)
			x, n = protowire.ConsumeBytes(b)
		}
		require.NoError(t, protowire.ParseError(n))
		m[field] = append(m[field], x)
		b = b[n:]
	}
	return m
}

// inside are the fields of the message that a path of field numbers leads to.
func inside(t *testing.T, b []byte, path ...protowire.Number) map[protowire.Number][]any {
	t.Helper()
	for _, field := range path {
		f := fields(t, b)[field]
		require.Len(t, f, 1, "field %d", field)
		b = f[0].([]byte)
	}
	return fields(t, b)
}

func doublesOf(b any) (list []float64) {
	for b := b.([]byte); len(b) > 0; b = b[8:] {
		list = append(list, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return list
}

// The bytes are those that TensorBoard's own EventFileWriter writes for the same event:
// step 7, the scalar loss/train 0.25.
func TestBytesOfAnEvent(t *testing.T) {
	w := written(t)
	require.NoError(t, w.Write(7, Scalar("loss/train", 0.25)))
	list := records(t, w.Path())
	require.Len(t, list, 2)
	require.Equal(t, "09"+"000000000000f83f"+"1000"+"1a0d"+hex.EncodeToString([]byte("brain.Event:2")), hex.EncodeToString(list[0]))
	b, err := os.ReadFile(w.Path())
	require.NoError(t, err)
	require.Equal(t, golden, hex.EncodeToString(b[len(record(list[0])):]))
}

func TestMaskedChecksum(t *testing.T) {
	for _, c := range []struct {
		text string
		crc  uint32 // without the mask: RFC 3720, B.4, and the check value of CRC-32C
	}{{"123456789", 0xe3069283}, {string(make([]byte, 32)), 0x8a9136aa}, {"", 0}} {
		require.Equal(t, (c.crc>>15|c.crc<<17)+0xa282ead8, masked([]byte(c.text)))
		require.Equal(t, crc([]byte(c.text)), masked([]byte(c.text)))
	}
}

func TestScalars(t *testing.T) {
	w := written(t)
	require.NoError(t, w.Write(1<<40, Scalar("a", 1e-30), Scalar("b/c", math.Inf(1)), Scalar("bad \xff", 0)))
	event := fields(t, records(t, w.Path())[1])
	require.Equal(t, uint64(1<<40), event[eventStep][0])
	require.Equal(t, 1.5, math.Float64frombits(event[eventWallTime][0].(uint64)))
	values := fields(t, event[eventSummary][0].([]byte))[summaryValue]
	require.Len(t, values, 3)
	for i, want := range []struct {
		tag string
		x   float32
	}{{"a", 1e-30}, {"b/c", float32(math.Inf(1))}, {"bad \uFFFD", 0}} {
		v := fields(t, values[i].([]byte))
		require.Equal(t, want.tag, string(v[valueTag][0].([]byte)))
		require.Equal(t, want.x, math.Float32frombits(uint32(v[valueSimple][0].(uint64))))
	}
}

func TestHistogram(t *testing.T) {
	var tally results.Tally
	numbers := []float32{-3, -2, -0.75, 0, 0, 1e-20, 0.5, 0.75, 5, 1e9, float32(math.NaN())}
	tally.Add(numbers)
	w := written(t)
	require.NoError(t, w.Write(3, Histogram("weights/conv1", tally.Distribution())))
	h := inside(t, records(t, w.Path())[1], eventSummary, summaryValue, valueHistogram)
	at := func(field protowire.Number) float64 { return math.Float64frombits(h[field][0].(uint64)) }
	limits, counts := doublesOf(h[histogramLimit][0]), doublesOf(h[histogramCount][0])
	require.Len(t, counts, len(limits))
	require.Equal(t, 10.0, at(histogramNumber))
	require.Equal(t, -4.0, at(histogramMin))
	require.Equal(t, math.Ldexp(1, 16), at(histogramMax))
	require.InEpsilon(t, 1e9, at(histogramSum), 1e-6)
	require.InEpsilon(t, 1e18, at(histogramSquares), 1e-6)
	left := at(histogramMin)
	for i, right := range limits {
		require.Greater(t, right, left)
		want := 0.0
		for _, x := range numbers {
			// Bins of negative numbers have their left end outside, as TensorBoard has
			// none: magnitudes from 2^k to below 2^(k+1) are together.
			in := float64(x) >= left && float64(x) < right
			if right <= 0 {
				in = float64(x) > left && float64(x) <= right
			}
			if in || i == len(limits)-1 && float64(x) >= right {
				want++
			}
		}
		require.Equal(t, want, counts[i], "from %g to %g", left, right)
		left = right
	}

	require.NoError(t, w.Write(4, Histogram("weights/conv1", new(results.Tally).Distribution())))
	h = inside(t, records(t, w.Path())[2], eventSummary, summaryValue, valueHistogram)
	require.Equal(t, uint64(0), h[histogramNumber][0])
	require.Empty(t, h[histogramLimit][0])
}

func TestImage(t *testing.T) {
	m := image.NewRGBA(image.Rect(2, 3, 5, 5)) // 3 wide, 2 high, and not at the origin
	m.Set(4, 3, color.RGBA{1, 2, 3, 255})
	v, err := Image("filters", m)
	require.NoError(t, err)
	w := written(t)
	require.NoError(t, w.Write(0, v))
	f := inside(t, records(t, w.Path())[1], eventSummary, summaryValue, valueImage)
	require.Equal(t, []any{uint64(3)}, f[imageWidth])
	require.Equal(t, []any{uint64(2)}, f[imageHeight])
	back, err := png.Decode(bytes.NewReader(f[imageEncoded][0].([]byte)))
	require.NoError(t, err)
	require.Equal(t, color.RGBAModel.Convert(m.At(4, 3)), color.RGBAModel.Convert(back.At(2, 0)))
	_, err = Image("empty", image.NewRGBA(image.Rectangle{}))
	require.ErrorContains(t, err, "picture empty: ")
}

func TestGraph(t *testing.T) {
	w := written(t)
	require.NoError(t, w.Graph([]Node{
		{Name: "data", Op: "input", Shapes: [][]int{{64, 1, 28, 28}}},
		{Name: "conv1", Op: "conv", In: []string{"data", "other:1"}, Shapes: [][]int{{64, 20, 24, 24}, {}}, Options: `{"kernel":5}`},
	}))
	event := fields(t, records(t, w.Path())[1])
	nodes := fields(t, event[eventGraphDef][0].([]byte))[graphNode]
	require.Len(t, nodes, 2)
	conv := fields(t, nodes[1].([]byte))
	require.Equal(t, "conv1", string(conv[nodeName][0].([]byte)))
	require.Equal(t, "conv", string(conv[nodeOp][0].([]byte)))
	require.Equal(t, []any{[]byte("data"), []byte("other:1")}, conv[nodeInput])
	require.Len(t, fields(t, nodes[0].([]byte))[nodeAttribute], 1, "no options")
	attributes := map[string][]byte{}
	for _, a := range conv[nodeAttribute] {
		f := fields(t, a.([]byte))
		attributes[string(f[entryKey][0].([]byte))] = f[entryValue][0].([]byte)
	}
	require.Equal(t, `{"kernel":5}`, string(fields(t, attributes["options"])[attrBytes][0].([]byte)))
	shapes := inside(t, attributes["_output_shapes"], attrList)[listShape]
	require.Len(t, shapes, 2)
	var dims []uint64
	for _, d := range fields(t, shapes[0].([]byte))[shapeDim] {
		dims = append(dims, fields(t, d.([]byte))[dimSize][0].(uint64))
	}
	require.Equal(t, []uint64{64, 20, 24, 24}, dims)
	require.Empty(t, shapes[1])
}

func TestSettings(t *testing.T) {
	w := written(t)
	require.NoError(t, w.Start(map[string]any{"rate": 0.04, "data": "mnist", "balance": true, "nesterov": false}))
	require.NoError(t, w.End(true))
	require.NoError(t, w.End(false))
	list := records(t, w.Path())
	plugin := inside(t, list[1], eventSummary, summaryValue, valueMetadata, metadataPlugin)
	require.Equal(t, "hparams", string(plugin[pluginName][0].([]byte)))
	info := inside(t, plugin[pluginContent][0].([]byte), hparamsStart)
	require.Equal(t, 1.0, math.Float64frombits(info[startTime][0].(uint64)))
	got := map[string]map[protowire.Number][]any{}
	for _, e := range info[startHParams] {
		f := fields(t, e.([]byte))
		got[string(f[entryKey][0].([]byte))] = fields(t, f[entryValue][0].([]byte))
	}
	require.Equal(t, map[string]map[protowire.Number][]any{
		"rate":     {valueNumber: {math.Float64bits(0.04)}},
		"data":     {valueString: {[]byte("mnist")}},
		"balance":  {valueBool: {uint64(1)}},
		"nesterov": {valueBool: {uint64(0)}},
	}, got)
	for i, status := range map[int]uint64{2: endSuccess, 3: endFailure} {
		plugin := inside(t, list[i], eventSummary, summaryValue, valueMetadata, metadataPlugin)
		require.Equal(t, status, inside(t, plugin[pluginContent][0].([]byte), hparamsEnd)[endStatus][0])
	}
	require.ErrorContains(t, w.Start(map[string]any{"batch": 64}), "setting batch: a int is neither")
}

func TestFilesOfARun(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "events.out.tfevents.folder"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "log.jsonl"), nil, 0o666))
	var paths []string
	for range 12 { // all in the same second
		w, err := create(dir, noon)
		require.NoError(t, err)
		require.NoError(t, w.Resume(8))
		require.NoError(t, w.Close())
		require.NoError(t, w.Close())
		files, err := Files(dir)
		require.NoError(t, err)
		require.Len(t, files, len(paths)+1)
		require.NotContains(t, paths, files[len(files)-1])
		paths = files
	}
	event := fields(t, records(t, paths[0])[1])
	require.Equal(t, uint64(8), event[eventStep][0])
	require.Equal(t, uint64(sessionStart), fields(t, event[eventSessionLog][0].([]byte))[sessionStatus][0])
	_, err := Create(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

const golden = "200000000000000029eda95009000000000000f83f10072a130a110a0a6c6f73732f747261696e150000803edd93c4ad"
