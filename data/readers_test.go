package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

var errDisk = errors.New("the disk is gone")

// Where a reader fails, that is the error, and not that the file is damaged.
func TestReadersThatFail(t *testing.T) {
	s := &images{classes: cifar10Classes}
	require.Equal(t, errDisk, s.readCIFAR(iotest.ErrReader(errDisk)))
	_, _, err := parseIDX(iotest.ErrReader(errDisk), 100, 1)
	require.EqualError(t, err, "header: the disk is gone")
	good := idx([]byte{1, 2, 3}, 3)
	for n, want := range map[int]string{
		2: "header: the disk is gone", 6: "header: the disk is gone", 9: "after 1 bytes of data: the disk is gone", 11: "after the data: the disk is gone",
	} {
		_, _, err = parseIDX(io.MultiReader(bytes.NewReader(good[:n]), iotest.ErrReader(errDisk)), 11, 1)
		require.EqualError(t, err, want)
	}
	_, err = ReadSplitList(iotest.ErrReader(errDisk))
	require.ErrorIs(t, err, errDisk)
	f := &Files{shards: []string{"x"}}
	_, _, err = f.indexTar(t.Context(), unreadable{}, 100, 0)
	require.Equal(t, errDisk, err)
	require.Equal(t, errDisk, refuseCompressed(unreadable{}))
	require.EqualError(t, truncated(io.EOF), "truncated")
	require.EqualError(t, truncated(io.ErrUnexpectedEOF), "truncated")
	require.Equal(t, errDisk, truncated(errDisk))
	n := readNote(iotest.ErrReader(errDisk), file{name: "a.cls"})
	require.Equal(t, "cannot be read: the disk is gone", n.wrong)
}

type unreadable struct{}

func (unreadable) Read([]byte) (int, error)       { return 0, errDisk }
func (unreadable) Seek(int64, int) (int64, error) { return 0, nil }

// A folder where a file should be.
func TestFoldersAreNoFiles(t *testing.T) {
	dir := t.TempDir()
	require.Error(t, (&images{}).addCIFAR(dir))
	_, _, err := readIDX(dir, 1)
	require.Error(t, err)
	_, _, err = readIDX(filepath.Join(dir, "none"), 1)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = readLines(dir)
	require.EqualError(t, err, dir+": it is not a regular file")
	_, err = readLines(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = ParseSplit(dir)
	require.ErrorContains(t, err, dir)
	require.False(t, IsPicture(dir))
	require.False(t, IsPicture(filepath.Join(dir, "none")))
	require.ErrorIs(t, walkFolder(filepath.Join(dir, "none"), nil, nil), os.ErrNotExist)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "batches.meta.txt"), 0o777))
	_, _, err = OpenCIFAR10(dir)
	require.ErrorContains(t, err, "batches.meta.txt")
	require.NotErrorIs(t, err, os.ErrNotExist)
	var f Files
	require.ErrorIs(t, f.findTars(filepath.Join(dir, "none")), os.ErrNotExist)
	_, _, err = f.indexTarFile(t.Context(), filepath.Join(dir, "none"), 0)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, _, err = f.indexTarFile(t.Context(), dir, 0)
	require.Equal(t, errNoTar, err)
	_, err = openShardFolders(t.Context(), filepath.Join(dir, "none"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = OpenFiles(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Where the data lies unless told otherwise.
func TestDefaultFolders(t *testing.T) {
	t.Chdir(t.TempDir())
	_, _, err := OpenCIFAR10("")
	require.ErrorContains(t, err, filepath.FromSlash("datasets/cifar-10-batches-bin/data_batch_1.bin"))
	_, _, err = OpenEMNIST("letters", "")
	require.ErrorContains(t, err, "unpack it in "+EMNISTDir)
	_, _, err = Open("mnist", OpenOptions{})
	require.ErrorContains(t, err, MNISTDir)
	_, _, err = Open("mnist:", OpenOptions{})
	require.EqualError(t, err, `data set "mnist:": the folder after the colon is missing`)
	_, _, err = Open("synthetic:x", OpenOptions{})
	require.EqualError(t, err, `data set synthetic has no folder, such as "x"`)
	_, _, err = Open("mnist2", OpenOptions{})
	require.ErrorContains(t, err, `data set "mnist2" is unknown; there are mnist, fashion-mnist, `)
}

// What a label beside a picture may say.
func TestLabelsInWords(t *testing.T) {
	long := strings.Repeat("x", largestLabel)
	for text, want := range map[string]noted{
		" 007\n":      {text: "7"},
		"cat\n":       {text: "cat"},
		"+3":          {text: "3"},
		"":            {wrong: "is empty"},
		" \n":         {wrong: "is empty"},
		"a\nb":        {wrong: "is more than a label"},
		"a\rb":        {wrong: "is more than a label"},
		long:          {text: long},
		long + "y":    {wrong: "is more than a label"},
		"-1":          {wrong: "says -1, but classes are counted from 0"},
		"0":           {text: "0"},
		"99999999999": {text: "99999999999"},
	} {
		require.Equal(t, want, readLabel(clsSource, text), text)
	}
	require.Equal(t, noted{source: 3, text: "a"}, readLabel(3, "a"))
	for text, want := range map[string][]noted{
		`7`:                       {{source: 1, text: "7"}},
		`"dog"`:                   {{source: 1, text: "dog"}},
		`{"cls":2,"label":"cat"}`: {{source: 2, text: "2"}, {source: 3, text: "cat"}},
		`{"label":1.5}`:           {{source: 3, wrong: "says 1.5, which is the number of no class"}},
		`{"label":1e10}`:          {{source: 3, wrong: "says 1e+10, which is the number of no class"}},
		`{"label":[1]}`:           {{source: 3, wrong: "has a label that is neither text nor a number"}},
		`{"label":-2}`:            {{source: 3, wrong: "says -2, but classes are counted from 0"}},
		`{"label":null,"x":1}`:    nil,
		`[1]`:                     {{source: 1, wrong: "has a label that is neither text nor a number"}},
	} {
		require.Equal(t, want, jsonFields([]byte(text)), text)
	}
	note := func(name, text string, size int64) string {
		return readNote(strings.NewReader(text), file{name: name, size: size}).wrong
	}
	require.Empty(t, note("a.cls", "1", largestLabel))
	require.Equal(t, "of 257 bytes is too long", note("a.cls", "1", largestLabel+1))
	require.Empty(t, note("a.json", "1", largestJSON))
	require.Equal(t, "of 1048577 bytes is too long", note("a.json", "1", largestJSON+1))
	require.Equal(t, "is not JSON", note("a.json", "{", 1))
	require.Equal(t, "is empty", note("a.txt", "", 1))
	for name, want := range map[string][2]string{
		"a/0001.jpg": {"a/0001", "jpg"}, "0001.SEG.png": {"0001", "seg.png"}, "a.b/c": {"a.b/c", ""}, "./x.CLS": {"x", "cls"},
	} {
		key, ext := splitKey(name)
		require.Equal(t, want, [2]string{key, ext}, name)
	}
	require.Equal(t, []string{".cls", ".json", ".json", ".txt"}, []string{sourceExt(clsSource), sourceExt(jsonSource), sourceExt(txtSource - 1), sourceExt(txtSource)})
	for n, want := range map[int]bool{10: false, 11: true} {
		texts := map[string]bool{"7": true}
		for i := range n {
			texts[strings.Repeat("x", i+1)] = true
		}
		require.Equal(t, want, areCaptions(texts, 20))
		require.False(t, areCaptions(texts, 22))
	}
}

// A fax whose black is 0 is turned round, and the memory of a TIFF's parts counted.
func TestTIFFInNumbers(t *testing.T) {
	const w, h, compression, photometric, rows = 256, 257, 259, 262, 278
	blocks := func(pairs ...uint32) int64 {
		n, err := tiffBlocks(tags(binary.LittleEndian, pairs...), 8, 100, 50)
		require.NoError(t, err)
		return n
	}
	one := int64(3 * 8 * 50 * 100)
	require.Equal(t, one+24, blocks(compression, 5))
	require.Equal(t, one+24, blocks(compression, 5, rows, 100))
	require.Equal(t, int64(3*8*50*40)+24*3, blocks(compression, 5, rows, 40))
	require.Equal(t, int64(3*8*16*32)+24*4*4, blocks(compression, 5, tagTileWidth, 16, tagTileLength, 32))
	file := tags(binary.LittleEndian, compression, 1)
	require.Equal(t, 3*int64(len(file))+24, blocks(compression, 1))
	require.True(t, isCCITT(3) && isCCITT(4))
	require.False(t, isCCITT(2) || isCCITT(5))
	_, count := tiffTag(tags(binary.LittleEndian, w, 1, h, 2), h)
	require.Equal(t, uint32(1), count)
	v, count := tiffTag(file[:7], compression)
	require.Zero(t, v+count)
}

// Mean, deviation and colours of what was measured, sample by sample.
func TestMeasureOfTwoSamples(t *testing.T) {
	set := &images{shape: tensor.Shape{1, 1, 2}, classes: []string{"a"}, labels: []byte{0, 0}, pixels: []byte{0, 10, 20, 30}}
	s, bad, err := Measure(t.Context(), set, MeasureOptions{})
	require.NoError(t, err)
	require.Empty(t, bad)
	require.Equal(t, Floats{15}, s.Mean)
	require.InDelta(t, 11.1803, s.Deviation[0], 1e-4)
	require.Equal(t, Floats{10, 20}, s.MeanImage)
	require.Equal(t, []float64{125}, s.Covariance)
	require.Nil(t, s.Variances)
	var seen []int
	many := &images{shape: tensor.Shape{1, 1, 1}, classes: []string{"a"}, labels: make([]byte, 150), pixels: make([]byte, 150)}
	_, _, err = Measure(t.Context(), many, MeasureOptions{Workers: 1, Progress: func(done, all int) {
		require.Equal(t, 150, all)
		seen = append(seen, done)
	}})
	require.NoError(t, err)
	require.Equal(t, []int{64, 128, 150}, seen)
}

// Where Exif is found in a JPEG, and where not.
func TestPlaceOfExif(t *testing.T) {
	const exif = exifMark + "body"
	segment := "\xff\xe1\x00\x0c" + exif
	for _, c := range []struct{ before, want string }{
		{"", exif},
		{"\xff\xe0\x00\x02", exif},
		{"\xff\xe0\x00\x03x", exif},
		{"\xff\xe1\x00\x04ab", exif},
		{"\xff\xff\xff", exif},
		{"abc", exif},
		{"\xff\x00", exif},
		{"\xff\x01\xff\xd0\xff\xd7", exif},
		{"\xff\xd8", ""},
		{"\xff\xd9", ""},
		{"\xff\xda", ""},
		{"\xff\xdb\x00\x02", exif},
		{"\xff\xcf\x00\x02", exif},
		{"\xff\x02\x00\x02", exif},
		{"\xff\xe0\x00\x01", ""},
		{"\xff\xe0\xff\x00", ""},
	} {
		require.Equal(t, c.want, string(jpegExif([]byte("\xff\xd8"+c.before+segment))), "%q", c.before)
	}
	require.Nil(t, jpegExif(nil))
	require.Nil(t, jpegExif([]byte("\xff\xd8"+segment[:11])))
	for name, want := range map[string]string{"ABCD": "123", "EFGH": "45", "IJKL": ""} {
		require.Equal(t, want, string(chunk([]byte("head\x00\x00\x00\x03ABCD123sums\x00\x00\x00\x02EFGH45sums"), 4, 4, binary.BigEndian, name)))
		require.Equal(t, want, string(chunk([]byte("headABCD\x03\x00\x00\x00123-EFGH\x02\x00\x00\x0045"), 4, 0, binary.LittleEndian, name)))
	}
	require.Nil(t, chunk([]byte("ABCD\x04\x00\x00\x00123"), 0, 0, binary.LittleEndian, "ABCD"))
}
