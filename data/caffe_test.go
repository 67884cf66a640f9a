package data

import (
	"context"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"gorgonia.org/tensor"
)

// caffeFile is a data set of testdata/caffe.
func caffeFile(name string) string { return filepath.Join("testdata", "caffe", name) }

// caffeSample is sample i as testdata/caffe/small.py has it: channel 0 is blue.
func caffeSample(i, channels int) []float32 {
	var x []float32
	for c := range channels {
		for y := range 4 {
			for column := range 5 {
				x = append(x, float32((40*i+10*c+5*y+column)%251))
			}
		}
	}
	return x
}

// turned has the first channel last.
func turned(x []float32) []float32 {
	n := len(x) / 3
	return slices.Concat(x[2*n:], x[n:2*n], x[:n])
}

// TestRecordsOfCaffes reads every sample of the sets that the libraries wrote.
func TestRecordsOfCaffes(t *testing.T) {
	same := func(x []float32) []float32 { return x }
	quarter := func(x []float32) []float32 {
		y := make([]float32, len(x))
		for i, v := range x {
			y[i] = v/4 - 9
		}
		return y
	}
	for _, c := range []struct {
		name, order string
		channels    int
		want        func(x []float32) []float32
		assumed     bool
	}{
		{"colour", "", 3, turned, true},
		{"colour", "bgr", 3, turned, false},
		{"colour", "rgb", 3, same, false},
		{filepath.Join("grey", "data.mdb"), "", 1, same, false},
		{"floats", "", 5, quarter, false},
		{"encoded", "", 3, turned, false}, // the picture knows which channel is red
		{"both.txt", "", 3, turned, true},
		{"both.txt", "rgb", 3, same, false},
	} {
		t.Run(c.name+c.order, func(t *testing.T) {
			path := caffeFile(c.name)
			if c.name == "both.txt" {
				path = filepath.Join(t.TempDir(), c.name)
				absolute, err := filepath.Abs(caffeFile(""))
				require.NoError(t, err)
				lines := "\ufeff" + filepath.Join(absolute, "plain.h5") + "\r\n\r\n" + filepath.Join(absolute, "packed.h5") + "\n"
				require.NoError(t, os.WriteFile(path, []byte(lines), 0o666))
			}
			f, err := openFiles(t.Context(), path, c.order, nil)
			require.NoError(t, err)
			require.Equal(t, 6, f.Len())
			require.Equal(t, []string{"0", "1", "2"}, f.Classes())
			require.Equal(t, c.assumed, f.Assumed() != "")
			augment := Augment(nil)
			if c.name == "encoded" {
				_, err := NewPhotos(f, nil, nil)
				require.Equal(t, ErrNoSize, err)
				augment = Augment{{Op: Crop, H: 4, W: 5, P: 1}}
			}
			_, err = f.Check(context.Background(), augment, CheckOptions{})
			require.NoError(t, err)
			require.Empty(t, f.Skipped())
			p, err := NewPhotos(f, augment, nil)
			require.NoError(t, err)
			require.Equal(t, tensor.Shape{c.channels, 4, 5}, p.Shape())
			x := make([]float32, p.Shape().TotalSize())
			for k := range p.Len() {
				i := k
				if c.name == "both.txt" { // packed.h5 comes first by its name
					i = []int{4, 5, 0, 1, 2, 3}[k]
				}
				label, err := p.Read(x, k)
				require.NoError(t, err)
				require.EqualValues(t, i%3, label)
				require.InDeltaSlice(t, c.want(caffeSample(i, c.channels)), x, 1e-4, "sample %d", i)
			}
			require.Len(t, Digest(p), 32)
		})
	}
	f, err := OpenFiles(caffeFile("colour"))
	require.NoError(t, err)
	require.Equal(t, "00000002_some/2.jpg", f.Name(2))
	require.Contains(t, f.Assumed(), "three channels are taken for blue, green and red, as Caffe's tools write them; -order rgb if")
}

// TestASetOfCaffesIsDividedAndCutOut opens sets as training does.
func TestASetOfCaffesIsDividedAndCutOut(t *testing.T) {
	wanted := func(h, w int) PhotoOptions { // what cmd/train asks for by itself
		return PhotoOptions{Default: true, Normal: Normal{}, Augment: Augment{{Op: Resize, H: 8, P: 1}, {Op: Crop, H: h, W: w, P: 1}, {Op: Flip, P: 0.5}, {Op: Grey, P: 1}}}
	}
	s, err := OpenPhotos(context.Background(), PhotoSpec{Train: caffeFile("grey"), Val: caffeFile("grey")}, wanted(4, 5))
	require.NoError(t, err)
	require.Equal(t, Augment{{Op: Grey, P: 1}}, s.Preprocess.Augment)
	require.Equal(t, tensor.Shape{1, 4, 5}, s.Train.Shape())
	s, err = OpenPhotos(context.Background(), PhotoSpec{Train: caffeFile("floats"), Val: caffeFile("floats")}, wanted(3, 3))
	require.NoError(t, err)
	require.Equal(t, Augment{{Op: Crop, H: 3, W: 3, P: 1}}, s.Preprocess.Augment)
	x := make([]float32, 5*9)
	_, err = s.Val.Read(x, 0)
	require.NoError(t, err)
	require.Equal(t, float32(1)/4-9, x[0]) // the centre begins in column 1
	s, err = OpenPhotos(context.Background(), PhotoSpec{Train: caffeFile("colour"), Split: "0.34", Classes: "0,2", Order: "rgb"}, wanted(3, 3))
	require.NoError(t, err)
	require.Equal(t, []string{"0", "2"}, s.Train.Classes())
	require.Equal(t, 4, s.Train.Len()+s.Val.Len())
	require.Empty(t, s.Assumed)
	s, err = OpenPhotos(context.Background(), PhotoSpec{Train: caffeFile("encoded"), Val: caffeFile("colour")}, PhotoOptions{Augment: Augment{{Op: Crop, H: 4, W: 5, P: 1}}})
	require.NoError(t, err)
	require.Contains(t, s.Assumed, "colour") // what is tested on has an order too
	_, err = OpenPhotos(context.Background(), PhotoSpec{Train: caffeFile("plain.h5"), Split: "0.34"}, wanted(9, 9))
	require.ErrorContains(t, err, "a crop of 9x9 does not fit") // the records are too small to be left as they are
	require.Equal(t, PhotoSpec{Train: "a", Val: "b", Split: "0.1", Classes: "x", Each: "2", Order: "rgb"}, ParsePhotoSpec("a -val b -split 0.1 -classes x -each 2 -order rgb"))
}

// datumOf is a Datum.
func datumOf(channels, height, width int, label int64, more ...byte) []byte {
	var b []byte
	for i, n := range []int64{int64(channels), int64(height), int64(width)} {
		b = protowire.AppendVarint(protowire.AppendTag(b, protowire.Number(1+i), protowire.VarintType), uint64(n))
	}
	b = protowire.AppendVarint(protowire.AppendTag(b, datumLabel, protowire.VarintType), uint64(label))
	return append(b, more...)
}

func bytesOf(number protowire.Number, data string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), data)
}

// headOf reads a record in parts, as from a file.
func headOf(b []byte) (datum, error) {
	return readDatum(int64(len(b)), func(at, n int64) ([]byte, error) { return slices.Clone(b[at : at+n]), nil })
}

func TestHeadsOfRecords(t *testing.T) {
	long := strings.Repeat("x", 6000)
	d, err := headOf(append(bytesOf(datumData, long), datumOf(3, 40, 50, 7)...))
	require.NoError(t, err)
	require.Equal(t, datum{channels: 3, height: 40, width: 50, label: 7, labelled: true, at: 3, size: 6000}, d)
	d, err = headOf(append(datumOf(2, 5, 100, 7), bytesOf(datumFloats, long[:4000])...)) // packed
	require.NoError(t, err)
	require.EqualValues(t, 1000, d.floats)
	d, err = headOf(append(datumOf(0, 0, 0, 1, 0x38, 1), bytesOf(datumData, long)...))
	require.NoError(t, err)
	require.True(t, d.encoded && d.isPicture())
	for want, b := range map[string][]byte{
		errDatum.Error():                         []byte("a text that is no record"),
		"no record of Caffe's (a Datum)":         bytesOf(datumData, long)[:400],
		"its label -1 is not":                    datumOf(1, 1, 1, -1, bytesOf(datumData, "x")...),
		"its shape is 0x1x1, which is empty":     datumOf(0, 1, 1, 1),
		"its shape is 1x-7x1, which is empty":    datumOf(1, -7, 1, 1),
		"it has 3 bytes, and its shape 1x2x2":    datumOf(1, 2, 2, 1, bytesOf(datumData, "xxx")...),
		"it has 0 numbers, and its shape 1x2x2":  datumOf(1, 2, 2, 1),
		"its shape 65x1x1 is larger than the":    datumOf(65, 1, 1, 1),
		"its shape 1x2000000000x2000000000 is l": datumOf(1, 2e9, 2e9, 1),
		"it says that it is an encoded picture":  datumOf(1, 1, 1, 1, 0x38, 1),
		"or damaged":                             datumOf(1, 1, 1, 1, bytesOf(datumFloats, "xxx")...),
	} {
		_, err := headOf(b)
		require.ErrorContains(t, err, want)
	}
}

func FuzzReadDatum(f *testing.F) {
	f.Add(datumOf(1, 2, 2, 1, bytesOf(datumData, "abcd")...))
	f.Add(datumOf(1, 1, 2, 1, 0x35, 0, 0, 128, 63, 0x35, 0, 0, 0, 64))
	f.Add(append(bytesOf(datumData, strings.Repeat("x", 200)), datumOf(2, 10, 10, 7)...))
	f.Add(datumOf(0, 0, 0, 1, append(bytesOf(datumData, "\xff\xd8\xff"), 0x38, 1)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, partsErr := headOf(b)
		whole, wholeErr := readDatum(int64(len(b)), func(at, n int64) ([]byte, error) { return b[at : at+n], nil })
		if (partsErr == nil) != (wholeErr == nil) || partsErr == nil && parts != whole {
			t.Fatalf("%v, %v and %v, %v", parts, partsErr, whole, wholeErr)
		}
		d := decoder{caffe: &caffeSet{}}
		if partsErr == nil && !parts.isPicture() {
			d.stack.want = parts.channels
		}
		if h, w, err := d.open(b); err == nil && d.format == datumFormat {
			if h*w < 1 {
				t.Fatalf("%dx%d", h, w)
			}
			var p picture
			_ = d.decode(context.Background(), &p, image.Rect(0, 0, w, h), 0)
		}
	})
}

// TestSetsOfCaffesThatAreRefused opens what is no set, and what only nearly is one.
func TestSetsOfCaffesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	put := func(name string, b []byte) string {
		require.NoError(t, os.MkdirAll(filepath.Dir(at(name)), 0o777))
		require.NoError(t, os.WriteFile(at(name), b, 0o666))
		return at(name)
	}
	get := func(name string) []byte {
		b, err := os.ReadFile(caffeFile(name))
		require.NoError(t, err)
		return b
	}
	put("level/CURRENT", []byte("MANIFEST-000002\n"))
	put("level/MANIFEST-000002", nil)
	colour := get("colour/data.mdb")
	put("cut/data.mdb", colour[:len(colour)-100])
	put("plain.h5", get("plain.h5"))
	put("no.h5", get("../../../formats/hdf5/testdata/old.h5"))
	put("text.h5", []byte("a text"))
	labels := func(of2 string) []byte { // with another label than 2
		const found = "\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x00\x00"
		require.Equal(t, 1, strings.Count(string(get("plain.h5")), found))
		return []byte(strings.Replace(string(get("plain.h5")), found, found[:4]+of2+found[8:], 1))
	}
	put("other/data.mdb", func() []byte {
		b, err := os.ReadFile(filepath.Join("..", "formats", "lmdb", "testdata", "tree.mdb"))
		require.NoError(t, err)
		return b
	}())
	for want, path := range map[string]string{
		"is a LevelDB, which is not read":                  at("level"),
		"data.mdb: ":                                       at("cut"),
		"there are no records of Caffe's in it":            at("other"),
		`it has no data set "data": Caffe's layer`:         at("no.h5"),
		"less.h5: label of sample 2 is -1, which is not":   put("less.h5", labels("\x00\x00\x80\xbf")),
		"half.h5: label of sample 2 is 0.5, which is not":  put("half.h5", labels("\x00\x00\x00\x3f")),
		"nan.h5: label of sample 2 is NaN, which is not":   put("nan.h5", labels("\x00\x00\xc0\x7f")),
		"absent.h5: no such file or directory: paths begi": put("absent.txt", []byte("absent.h5\n")),
		"plain.h5 is listed twice":                         put("twice.txt", []byte("plain.h5\n./plain.h5\n")),
		"text.h5 is no HDF5 file, as the first one is":     put("mixed.txt", []byte("plain.h5\ntext.h5\n")),
	} {
		_, err := OpenFiles(path)
		require.ErrorContains(t, err, want)
	}
	_, err := openFiles(t.Context(), caffeFile("colour"), "gbr", nil)
	require.EqualError(t, err, `the order of channels "gbr" is neither bgr nor rgb`)
	_, err = openFiles(t.Context(), at("cut"), "rgb", nil)
	require.Error(t, err)
	require.NoError(t, os.MkdirAll(at("photos/cat"), 0o777))
	_, err = openFiles(t.Context(), at("photos"), "rgb", nil)
	require.ErrorContains(t, err, "photos is no data set of Caffe's")
	// A file that is damaged is an error, or a set whose samples can be read.
	for i := 0; i < len(colour); i += 37 {
		b := slices.Clone(colour)
		b[i] ^= 1 << (i % 8)
		put("damaged/data.mdb", b)
		f, err := OpenFiles(at("damaged"))
		if err != nil {
			continue
		}
		if p, err := NewPhotos(f, nil, nil); err == nil {
			x := make([]float32, p.Shape().TotalSize())
			for k := range p.Len() {
				_, _ = p.Read(x, k)
			}
		}
	}
}

// TestRecordsWithoutLabels refuses a set whose labels are elsewhere. One record without is of class 0.
func TestRecordsWithoutLabels(t *testing.T) {
	grey, err := os.ReadFile(caffeFile("grey/data.mdb"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "data.mdb")
	without := func(n int) (*Files, error) {
		b := slices.Clone(grey)
		for i := range len(b) - 22 {
			if n > 0 && b[i] == 8*datumData+2 && b[i+1] == 20 && b[i+22] == 8*datumLabel {
				b[i+22], n = 8*8, n-1 // of another field
			}
		}
		require.Zero(t, n)
		require.NoError(t, os.WriteFile(path, b, 0o666))
		return OpenFiles(path)
	}
	_, err = without(6)
	require.ErrorContains(t, err, "none of its 6 records has a label")
	f, err := without(5)
	require.NoError(t, err)
	require.Equal(t, 6, f.Len())
}

// TestRecordsThatChange reads a set that is written over after it was opened.
func TestRecordsThatChange(t *testing.T) {
	grey, err := os.ReadFile(caffeFile("grey/data.mdb"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "data.mdb")
	require.NoError(t, os.WriteFile(path, grey, 0o666))
	f, err := OpenFiles(path)
	require.NoError(t, err)
	p, err := NewPhotos(f, nil, nil)
	require.NoError(t, err)
	x := make([]float32, 20)
	_, err = p.Read(x, 0)
	require.NoError(t, err)
	for _, shape := range []string{"\x08\x01\x10\x05\x18\x04", "\x08\x04\x10\x01\x18\x05"} {
		b := strings.ReplaceAll(string(grey), "\x08\x01\x10\x04\x18\x05", shape)
		require.NotEqual(t, string(grey), b)
		require.NoError(t, os.WriteFile(path, []byte(b), 0o666))
		_, err = p.Read(x, 0)
		require.ErrorIs(t, err, errChanged)
	}
}

// TestRecordsThatDoNotBelongTogether leaves out records that are not as the first one.
func TestRecordsThatDoNotBelongTogether(t *testing.T) {
	c := &caffeSet{}
	picture, stack := datum{channels: 3, height: 4, width: 5, size: 60}, datum{channels: 4, height: 4, width: 5, floats: 80}
	require.Empty(t, c.admit(picture, true))
	require.True(t, c.asks)
	require.Equal(t, "it has 4 channels of numbers, and the others are pictures", c.admit(stack, false))
	require.Equal(t, [2]int{4, 5}, [2]int{c.h, c.w})
	require.Empty(t, c.admit(datum{channels: 1, height: 9, width: 5, size: 45}, false))
	require.Equal(t, [2]int{0, 0}, [2]int{c.h, c.w})
	grey := datum{channels: 1, height: 4, width: 5, size: 20}
	require.Empty(t, c.admit(grey, true))
	require.True(t, c.grey)
	require.Empty(t, c.admit(picture, false))
	require.False(t, c.grey)
	require.Empty(t, c.admit(stack, true))
	require.Equal(t, "it is a picture, and the others have 4 channels of numbers", c.admit(picture, false))
	require.Equal(t, "it has 2 channels, and the others 4", c.admit(datum{channels: 2, height: 4, width: 5, floats: 40}, false))
}
