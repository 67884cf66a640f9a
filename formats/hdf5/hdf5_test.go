package hdf5

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/formats/inflate"
)

// entry is what a file of testdata/grid.py holds at a path.
type entry struct {
	Path       string           `json:"path"`
	Names      []string         `json:"names"`
	Shape      []int            `json:"shape"`
	Values     []any            `json:"values"`
	Attributes map[string][]any `json:"attributes"`
}

// check compares a file with what its neighbour in JSON says.
func check(t *testing.T, path string) {
	text, err := os.ReadFile(strings.TrimSuffix(path, ".h5") + ".json")
	require.NoError(t, err)
	var want []entry
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&want))
	require.NotEmpty(t, want)

	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	root, err := f.Root()
	require.NoError(t, err)
	for _, e := range want {
		n, err := root.Node(e.Path)
		require.NoError(t, err)
		names, err := n.Attributes()
		require.NoError(t, err)
		for _, name := range names {
			a, err := n.Attribute(name)
			require.NoError(t, err)
			if values, ok := e.Attributes[name]; ok {
				same(t, values, a, path+" "+e.Path+" "+name)
			}
			delete(e.Attributes, name)
		}
		require.Empty(t, e.Attributes, e.Path)
		if g, ok := n.(*Group); ok {
			require.Equal(t, e.Names, append([]string{}, g.Names()...))
			continue
		}
		a, err := n.(*Dataset).Read()
		require.NoError(t, err)
		require.Equal(t, e.Shape, append([]int{}, a.Shape...), e.Path)
		same(t, e.Values, a, path+" "+e.Path)
	}
}

// same compares elements.
func same(t *testing.T, want []any, a *Array, what string) {
	require.Equal(t, len(want), a.Len(), what)
	switch a.Type.Class {
	case String:
		got, err := a.Strings()
		require.NoError(t, err, what)
		for i := range want {
			equal(t, want[i], any(got[i]), what, i)
		}
	case Float:
		got, err := a.Float64s()
		require.NoError(t, err, what)
		rounded, err := a.Float32s()
		require.NoError(t, err, what)
		for i := range want {
			x, err := strconv.ParseFloat(fmt.Sprint(want[i]), 64)
			require.NoError(t, err)
			equal(t, math.Float64bits(x)|nan(x), math.Float64bits(got[i])|nan(got[i]), what, i)
			equal(t, math.Float32bits(float32(x))|uint32(nan(x)), math.Float32bits(rounded[i])|uint32(nan(x)), what, i)
		}
	default:
		got, err := a.Int64s()
		if err != nil {
			require.ErrorContains(t, err, "beyond an int64")
			return
		}
		for i := range want {
			w := fmt.Sprint(want[i])
			if b, ok := want[i].(bool); ok {
				w = map[bool]string{false: "0", true: "1"}[b]
			}
			equal(t, w, fmt.Sprint(got[i]), what, i)
		}
	}
}

func equal[T comparable](t *testing.T, want, got T, what string, i int) {
	if want != got { // require looks at the stack each time
		require.Equal(t, want, got, "%s: element %d", what, i)
	}
}

// nan makes all NaNs the same.
func nan(x float64) uint64 {
	if x != x {
		return math.MaxUint64
	}
	return 0
}

func TestReadsWhatH5pyWrote(t *testing.T) {
	check(t, filepath.Join("testdata", "old.h5"))
	check(t, filepath.Join("testdata", "new.h5"))
}

// A grid of types, layouts, filters, indexes and versions, written by h5py here and now.
func TestReadsTheGridOfH5py(t *testing.T) {
	if os.Getenv("HUBEL_LONG") == "" {
		t.Skip("a minute of h5py; set HUBEL_LONG=1")
	}
	python := ""
	for _, p := range []string{os.Getenv("HUBEL_PYTHON"), "python3", "/usr/bin/python3"} {
		if p != "" && exec.CommandContext(t.Context(), p, "-c", "import h5py").Run() == nil {
			python = p
			break
		}
	}
	if python == "" {
		t.Skip("there is no Python with h5py: pip install h5py, and name the interpreter in HUBEL_PYTHON")
	}
	dir := t.TempDir()
	said, err := exec.CommandContext(t.Context(), python, "testdata/grid.py", dir).CombinedOutput()
	require.NoError(t, err, "%s", said)
	files, err := filepath.Glob(filepath.Join(dir, "*.h5"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) { check(t, path) })
	}
}

// readAll reads everything in a file and returns the first error.
func readAll(b []byte) error {
	f, err := Read("test", bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	root, err := f.Root()
	if err != nil {
		return err
	}
	return readNode(root, 0)
}

func readNode(n Node, depth int) error {
	names, err := n.Attributes()
	if err != nil {
		return err
	}
	for _, name := range names {
		a, err := n.Attribute(name)
		if err != nil {
			return err
		}
		if err := readArray(a); err != nil {
			return err
		}
	}
	if s, ok := n.(*Dataset); ok {
		a, err := s.Read()
		if err != nil {
			return err
		}
		return readArray(a)
	}
	g := n.(*Group)
	for _, name := range g.Names() {
		child, err := g.Node(name)
		if err != nil {
			return err
		}
		if depth < 4 {
			if err := readNode(child, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func readArray(a *Array) (err error) {
	switch a.Type.Class {
	case String:
		_, err = a.Strings()
	case Reference:
		_, err = a.Refs()
	default:
		_, err = a.Float32s()
	}
	return err
}

func testFile(t testing.TB, name string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	require.NoError(t, readAll(b))
	return b
}

func TestTruncatedFilesAreErrors(t *testing.T) {
	for _, name := range []string{"old.h5", "new.h5"} {
		b := testFile(t, name)
		for n := range b {
			require.Error(t, readAll(b[:n]), "%s cut to %d bytes", name, n)
		}
	}
}

// Whatever a byte becomes, nothing but an error may happen. Not every change is one: values
// have no checksum.
func TestDamagedFilesAreErrors(t *testing.T) {
	step := 13
	if os.Getenv("HUBEL_LONG") != "" {
		step = 1
	}
	for _, name := range []string{"old.h5", "new.h5"} {
		b := testFile(t, name)
		found := 0
		for i := 0; i < len(b); i += step {
			for _, flip := range []byte{0xff, 1} {
				b[i] ^= flip
				if readAll(b) != nil {
					found++
				}
				b[i] ^= flip
			}
		}
		require.Greater(t, found, len(b)/20/step, name)
	}
}

func TestIs(t *testing.T) {
	require.True(t, Is(testFile(t, "new.h5")[:8]))
	require.True(t, Is(testFile(t, "old.h5")[:4096]), "behind a user block")
	require.False(t, Is(nil))
	require.False(t, Is([]byte("\x89PNG\r\n\x1a\n")))
	require.ErrorContains(t, readAll([]byte("PK\x03\x04")), "test: not an HDF5 file")
}

func TestErrorsSayWhat(t *testing.T) {
	f, err := Open(filepath.Join("testdata", "old.h5"))
	require.NoError(t, err)
	defer f.Close()
	root, err := f.Root()
	require.NoError(t, err)
	_, err = root.Group("group/none")
	require.ErrorContains(t, err, `old.h5: /group: there is no "none"`)
	_, err = root.Dataset("group")
	require.ErrorContains(t, err, "/group is a group, not a data set")
	_, err = root.Group("scalar/x")
	require.ErrorContains(t, err, "/scalar: it is a data set, not a group")
	s, err := root.Dataset("/texts")
	require.NoError(t, err)
	a, err := s.Read()
	require.NoError(t, err)
	_, err = a.Float32s()
	require.ErrorContains(t, err, `/texts: the elements are of type "string", not numbers`)
	_, err = a.Text()
	require.ErrorContains(t, err, "there are 6 strings in place of one")
	_, err = a.Refs()
	require.ErrorContains(t, err, "not references")
	none, err := root.Attribute("none")
	require.NoError(t, err)
	require.Nil(t, none)
	_, err = f.Follow(0)
	require.ErrorContains(t, err, "reference to byte 0: at byte 512: there is no object header")
}

// A shape of 2^40 elements that are nowhere in the file takes no memory.
func TestBombsAreRefused(t *testing.T) {
	for _, name := range []string{"unwritten", "holes"} {
		b := testFile(t, "old.h5")
		f, err := Read("test", bytes.NewReader(b), int64(len(b)))
		require.NoError(t, err)
		root, err := f.Root()
		require.NoError(t, err)
		s, err := root.Dataset(name)
		require.NoError(t, err)
		d, err := s.find(msgDataspace)
		require.NoError(t, err)
		binary.LittleEndian.PutUint64(b[d.at+8:], 1<<40)
		s, err = root.Dataset(name)
		require.NoError(t, err)
		require.Equal(t, 1<<40, s.Shape[0])
		_, err = s.Read()
		require.ErrorIs(t, err, errNoRoom)
		s.Shape = []int{math.MaxInt, math.MaxInt}
		_, err = s.Read()
		require.ErrorContains(t, err, "too many to count")
	}
	_, err := unfilter(make([]byte, 1000), []filter{{id: filterDeflate}}, 0, 1<<40)
	require.ErrorIs(t, err, inflate.ErrTooLarge)
}

// Links that lead in a ring, or to more and more links, end.
func TestLinksWithoutAnEndAreErrors(t *testing.T) {
	f, err := Open(filepath.Join("testdata", "links.h5"))
	require.NoError(t, err)
	defer f.Close()
	root, err := f.Root()
	require.NoError(t, err)
	for _, path := range []string{"x", "n0", "n15"} {
		s, err := root.Dataset(path)
		require.NoError(t, err, path)
		a, err := s.Read()
		require.NoError(t, err)
		x, err := a.Int64s()
		require.NoError(t, err)
		require.Equal(t, []int64{7}, x)
	}
	for _, path := range []string{"n16", "n19", "ring", "back", "self", "g/up", "wide", "/wide/wide"} {
		_, err := root.Node(path)
		require.ErrorContains(t, err, "is a link to a link and so on, more than 16", path)
	}
}

func TestChecksums(t *testing.T) {
	// From lookup3.c.
	require.Equal(t, uint32(0xdeadbeef), lookup3(nil))
	require.Equal(t, uint32(0x17770551), lookup3([]byte("Four score and seven years ago")))
	require.Equal(t, uint32(0), fletcher32(nil))
	require.Equal(t, uint32(0x02010201), fletcher32([]byte{2, 1}))
}

func TestReadsRealFiles(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "shared", "data", "models")
	var files []string
	for _, pattern := range []string{"caffe/*/*.h5", "keras/*/*.h5", "matconvnet/*v73/*.mat"} {
		more, err := filepath.Glob(filepath.Join(folder, filepath.FromSlash(pattern)))
		require.NoError(t, err)
		files = append(files, more...)
	}
	if len(files) == 0 {
		t.Skip("the real files are not here: " + folder)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, readAll(b), path)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(testFile(f, "old.h5"))
	f.Add(testFile(f, "new.h5"))
	f.Fuzz(func(t *testing.T, b []byte) { _ = readAll(b) })
}
