package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/formats/hdf5"
	"github.com/hubel-go/hubel/formats/lmdb"
	"github.com/hubel-go/hubel/internal/npy"
)

// caffeSet is what the records of a data set of Caffe's have in common: those of an LMDB, or
// the rows of HDF5 files.
type caffeSet struct {
	order string // of three channels: "bgr", "rgb", or empty where nobody says, which is bgr
	h, w  int    // of all records, as they are stored; 0 if they differ, or are encoded
	stack int    // channels of records that are no pictures, otherwise 0
	grey  bool   // all are pictures of one channel
	asks  bool   // the order makes a difference

	// Of HDF5: what an array of NumPy with a row begins with, and the numbers of the files
	// where they do not lie as they are used.
	head   []byte
	values [][]float32
}

func (c *caffeSet) bgr() bool { return c.order != "rgb" }

// Assumed says what is taken for granted of a set and cannot be seen in it; it is mostly empty.
func (f *Files) Assumed() string {
	if f.caffe == nil || !f.caffe.asks || f.caffe.order != "" {
		return ""
	}
	return fmt.Sprintf("%s: three channels are taken for blue, green and red, as Caffe's tools write them; -order rgb if they are red, green and blue", f.shards[0])
}

// augment is what a network wants of records of one size, where nobody asked for an Augment:
// the size of a, cut out, if it is smaller.
func (c *caffeSet) augment(a Augment) Augment {
	h, w, ok := a.Size()
	if !ok || c.h < h || c.w < w {
		return a
	}
	a = slices.DeleteFunc(slices.Clone(a), func(s Step) bool { return s.Op != Grey })
	if c.h == h && c.w == w {
		return a
	}
	return append(Augment{{Op: Crop, H: h, W: w, P: 1}}, a...)
}

// openCaffe opens a data set of Caffe's. Its files are nil if the path is none of one.
func openCaffe(path, order string) (*Files, error) {
	if file, ok := lmdb.File(path); ok {
		return openLMDB(file, order)
	}
	s, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case s.IsDir():
		return nil, refuseLevelDB(path)
	case !s.Mode().IsRegular():
		return nil, nil
	case isHDF5(path):
		return openHDF5(path, []string{path}, order)
	case isList(path):
		paths, err := hdf5List(path)
		if err != nil || paths == nil {
			return nil, err
		}
		return openHDF5(path, paths, order)
	}
	return nil, nil
}

// refuseLevelDB is the error of a folder that is one of LevelDB's.
func refuseLevelDB(dir string) error {
	if s, err := os.Stat(filepath.Join(dir, "CURRENT")); err != nil || !s.Mode().IsRegular() {
		return nil
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "MANIFEST-*")); found == nil { // a folder with brackets in its name has none either
		return nil
	}
	return fmt.Errorf("%s is a LevelDB, which is not read: Caffe's convert_imageset -backend lmdb writes the same set as an LMDB", dir)
}

// openLMDB indexes the records of an LMDB.
func openLMDB(path, order string) (*Files, error) {
	db, err := lmdb.Open(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	s, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f := &Files{shards: []string{path}, whole: true, caffe: &caffeSet{order: order}}
	var found []labelled
	var buf []byte
	anyLabel := false
	err = db.Each(func(e lmdb.Entry) error {
		name := string(e.Key)
		d, err := readDatum(e.Length, func(at, n int64) (_ []byte, err error) {
			buf, err = db.Value(buf, lmdb.Entry{At: e.At + at, Length: n})
			return buf, err
		})
		reason := ""
		if err != nil {
			reason = err.Error()
		} else {
			reason = f.caffe.admit(d, len(found) == 0)
		}
		if reason != "" {
			f.skip(0, name, reason)
			return nil
		}
		r := file{name: name, offset: e.At, size: e.Length, time: s.ModTime().UnixNano()}
		if d.encoded {
			r.offset, r.size = e.At+d.at, d.size
		}
		anyLabel = anyLabel || d.labelled
		if f.sized(0, name, r.size) {
			found = append(found, labelled{file: r, text: strconv.FormatInt(d.label, 10), hasText: true})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(found) > 0 && !anyLabel { // one that lacks it among others is 0, as in Caffe
		return nil, fmt.Errorf("%s: none of its %d records has a label: labels in a database of their own are not read", path, len(found))
	}
	return f.caffeFiles(found)
}

// admit says why a record cannot be in one set with those before it.
func (c *caffeSet) admit(d datum, first bool) string {
	stack, h, w, grey := 0, d.height, d.width, d.channels == 1 && !d.encoded
	if !d.isPicture() {
		stack = d.channels
	}
	if d.encoded { // the picture knows
		h, w = 0, 0
	}
	switch {
	case first:
		c.stack, c.h, c.w, c.grey = stack, h, w, grey && stack == 0
	case stack != c.stack && c.stack == 0:
		return fmt.Sprintf("it has %d channels of numbers, and the others are pictures", d.channels)
	case stack != c.stack && stack == 0:
		return fmt.Sprintf("it is a picture, and the others have %d channels of numbers", c.stack)
	case stack != c.stack:
		return fmt.Sprintf("it has %d channels, and the others %d", d.channels, c.stack)
	case h != c.h || w != c.w:
		c.h, c.w = 0, 0
	}
	c.grey = c.grey && grey
	c.asks = c.asks || d.channels == 3 && !d.encoded
	return ""
}

// caffeFiles is the set of the records that were found.
func (f *Files) caffeFiles(found []labelled) (*Files, error) {
	parts, err := f.divide(found)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.shards[0], err)
	}
	if f = parts[0]; f.Len() == 0 {
		err := fmt.Errorf("%s: there are no records of Caffe's in it", f.shards[0])
		if len(f.skipped) > 0 {
			err = fmt.Errorf("%w; %q: %s, for one", err, f.skipped[0].Name, f.skipped[0].Reason)
		}
		return nil, err
	}
	return f, nil
}

// isHDF5 reports whether a file begins as those of HDF5.
func isHDF5(path string) bool {
	s, err := os.Stat(path)
	if err != nil || !s.Mode().IsRegular() {
		return false
	}
	r, err := os.Open(path)
	if err != nil {
		return false
	}
	defer r.Close()
	var head [4096]byte
	n, _ := r.Read(head[:])
	return hdf5.Is(head[:n])
}

// hdf5List are the files of a list of HDF5 files, a path in each line, or nil if the list is
// another one: its first line decides.
func hdf5List(list string) ([]string, error) {
	lines, err := readLines(list)
	if err != nil {
		return nil, err
	}
	lines = slices.DeleteFunc(lines, func(line string) bool { return line == "" })
	if len(lines) == 0 {
		return nil, nil
	}
	is := func(name string) bool {
		ext := strings.ToLower(filepath.Ext(name))
		return ext == ".h5" || ext == ".hdf5"
	}
	at := func(line string) string {
		if name := filepath.FromSlash(line); filepath.IsAbs(name) {
			return filepath.Clean(name)
		}
		return filepath.Join(filepath.Dir(list), filepath.FromSlash(line))
	}
	if !is(lines[0]) && !isHDF5(at(lines[0])) {
		return nil, nil
	}
	var paths []string
	for _, line := range lines {
		path := at(line)
		switch _, err := os.Stat(path); {
		case err != nil:
			return nil, fmt.Errorf("%s: %w: paths begin at the list's folder, so put the list where they begin", list, err)
		case !isHDF5(path):
			return nil, fmt.Errorf("%s: %s is no HDF5 file, as the first one is", list, path)
		case slices.Contains(paths, path):
			return nil, fmt.Errorf("%s: %s is listed twice", list, path)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// largestValues bounds the numbers of a set in HDF5 that are kept in memory.
const largestValues = 1 << 30

// openHDF5 indexes the rows of HDF5 files with the data sets data and label, as Caffe's layer
// HDF5Data reads them.
func openHDF5(set string, paths []string, order string) (*Files, error) {
	f := &Files{shards: paths, whole: true, caffe: &caffeSet{order: order}}
	var found []labelled
	kept := 0
	for i, path := range paths {
		rows, err := f.indexHDF5(int32(i), path, &kept)
		if err != nil {
			return nil, err
		}
		found = append(found, rows...)
	}
	f, err := f.caffeFiles(found)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", set, err)
	}
	return f, nil
}

// indexHDF5 finds the rows of one file.
func (f *Files) indexHDF5(shard int32, path string, kept *int) ([]labelled, error) {
	s, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	h, err := hdf5.Open(path)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	root, err := h.Root()
	if err != nil {
		return nil, err
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...))
	}
	for _, name := range []string{"data", "label"} {
		if !slices.Contains(root.Names(), name) {
			return nil, fail("it has no data set %q: Caffe's layer HDF5Data reads data and label, and there are %q", name, root.Names())
		}
	}
	x, err := root.Dataset("data")
	if err != nil {
		return nil, err
	}
	shape, err := f.sampleOf(x.Shape)
	if err != nil {
		return nil, fail("data has the shape %v: %v", x.Shape, err)
	}
	labels, err := hdf5Labels(path, root, x.Shape[0])
	if err != nil {
		return nil, err
	}
	n := shape[0] * shape[1] * shape[2]
	if x.Shape[0] < 1 || x.Shape[0] > math.MaxInt32 {
		return nil, fail("data has the shape %v: so many samples cannot be read", x.Shape)
	}
	begin, plain := x.Plain()
	f.caffe.values = append(f.caffe.values, nil)
	if !plain {
		if n > largestValues/x.Shape[0] || *kept > largestValues-n*x.Shape[0] {
			return nil, fail("data is compressed, in chunks or not of float32, so that it is kept in memory, and of such numbers there are more than the %d allowed: h5repack -f NONE -l CONTI stores it in one piece", largestValues)
		}
		*kept += n * x.Shape[0]
		all, err := x.Read()
		if err != nil {
			return nil, err
		}
		if f.caffe.values[shard], err = all.Float32s(); err != nil {
			return nil, err
		}
	}
	rows := make([]labelled, len(labels))
	for i, label := range labels {
		rows[i] = labelled{file: file{
			name: fmt.Sprintf("%s/%09d", filepath.ToSlash(filepath.Base(path)), i), shard: shard,
			offset: begin + int64(i)*int64(n)*4, size: int64(n) * 4, time: s.ModTime().UnixNano(),
		}, text: label, hasText: true}
		if !plain {
			rows[i].offset = int64(i) * int64(n)
		}
	}
	return rows, nil
}

// sampleOf is the shape [C,H,W] of a row of data, which is that of all rows of the set.
func (f *Files) sampleOf(shape []int) (sample [3]int, err error) {
	switch len(shape) {
	case 2: // rows of numbers
		sample = [3]int{1, 1, shape[1]}
	case 4:
		sample = [3]int(shape[1:])
	default:
		return sample, errors.New("samples have channels, height and width, or are rows of numbers")
	}
	for _, d := range sample {
		if d < 1 {
			return sample, errors.New("it is empty")
		}
	}
	c := f.caffe
	switch {
	case sample[0] > mostChannels || sample[2] > largestPicture/sample[1]:
		return sample, fmt.Errorf("it is larger than the %d channels and %d pixels allowed", mostChannels, largestPicture)
	case c.head != nil && sample != [3]int{c.stack, c.h, c.w}:
		return sample, fmt.Errorf("the file before has samples of %dx%dx%d", c.stack, c.h, c.w)
	case c.head != nil:
		return sample, nil
	}
	c.stack, c.h, c.w, c.asks = sample[0], sample[1], sample[2], sample[0] == 3
	c.head, err = npy.Header(sample[:])
	return sample, err
}

// loadRow reads a row of HDF5 as an array of NumPy.
func (f *Files) loadRow(buf []byte, e *file) ([]byte, error) {
	c := f.caffe
	buf = append(buf[:0], c.head...)
	if values := c.values[e.shard]; values != nil {
		for _, v := range values[e.offset:][:e.size/4] {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
	} else {
		r, err := os.Open(f.shards[e.shard])
		if err != nil {
			return buf[:0], err
		}
		defer r.Close()
		buf = slices.Grow(buf, int(e.size))[:len(c.head)+int(e.size)]
		if _, err := r.ReadAt(buf[len(c.head):], e.offset); err != nil {
			return buf[:0], fmt.Errorf("%s: %w", f.shards[e.shard], err)
		}
	}
	if c.stack == 3 && c.bgr() {
		x, n := buf[len(c.head):], int(e.size)/3
		for i := range n {
			x[i], x[2*n+i] = x[2*n+i], x[i]
		}
	}
	return buf, nil
}

// hdf5Labels are the classes of so many samples, as text. Errors name the file.
func hdf5Labels(path string, root *hdf5.Group, samples int) ([]string, error) {
	s, err := root.Dataset("label")
	if err != nil {
		return nil, err
	}
	all, err := s.Read()
	if err != nil {
		return nil, err
	}
	values, err := all.Float64s()
	if err != nil {
		return nil, err
	}
	if len(values) != samples || len(s.Shape) == 0 || s.Shape[0] != samples {
		return nil, fmt.Errorf("%s: label has the shape %v, and there are %d samples: one number for each, that of its class, is read", path, s.Shape, samples)
	}
	labels := make([]string, samples)
	for i, v := range values {
		if v != math.Trunc(v) || v < 0 || v > math.MaxInt32 {
			return nil, fmt.Errorf("%s: label of sample %d is %v, which is not the number of a class; targets of a regression are not read from HDF5", path, i, v)
		}
		labels[i] = strconv.FormatInt(int64(v), 10)
	}
	return labels, nil
}
