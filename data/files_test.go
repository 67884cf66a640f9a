package data

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// writeTree writes files below a folder.
func writeTree(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, content, 0o666))
	}
}

// member is one of a tar file; a link where to is set.
type member struct {
	name    string
	content []byte
	to      string
}

func tarOf(t testing.TB, members ...member) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.content)), Typeflag: tar.TypeReg}
		if m.to != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, m.to
		}
		require.NoError(t, w.WriteHeader(h))
		_, err := w.Write(m.content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

func writeFile(t testing.TB, name string, content []byte) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, content, 0o666))
	return path
}

// listing is what a set of files holds.
func listing(f *Files) []string {
	var l []string
	for i := range f.Len() {
		l = append(l, fmt.Sprintf("%s %s", f.Name(i), f.Classes()[f.Label(i)]))
	}
	return l
}

func skips(f *Files) map[string]string {
	m := map[string]string{}
	for _, s := range f.Skipped() {
		m[s.Name] = s.Reason
	}
	return m
}

func TestOpenFolder(t *testing.T) {
	dir := t.TempDir()
	j := asJPEG(t, drawn(8, 8, 0))
	writeTree(t, dir, map[string][]byte{
		"dog/b.jpg": j, "dog/a.JPEG": j, "cat/deep/er/1.png": asPNG(t, drawn(8, 8, 1)),
		"dog/empty.jpg": nil, "dog/notes.txt": []byte("woof"), "loose.jpg": j,
		"cat/.hidden.jpg": j, ".git/x/y.jpg": j,
	})
	f, err := OpenFiles(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"cat", "dog"}, f.Classes())
	require.Equal(t, []string{"cat/deep/er/1.png cat", "dog/a.JPEG dog", "dog/b.jpg dog"}, listing(f))
	require.Equal(t, map[string]string{
		"dog/empty.jpg": "it is empty",
		"dog/notes.txt": "neither its name nor its content is a picture's",
		"loose.jpg":     "it is not in a class folder",
	}, skips(f))
	b, err := f.Load(nil, 2)
	require.NoError(t, err)
	require.Equal(t, j, b)
	require.NoError(t, os.Truncate(filepath.Join(dir, "dog", "b.jpg"), 10))
	_, err = f.Load(b, 2)
	require.ErrorContains(t, err, "it became shorter")

	for want, files := range map[string]map[string][]byte{
		"there are no pictures in class folders":                       {"readme.md": nil},
		"1.jpg: it is not in a class folder, for one":                  {"1.jpg": j},
		"there are no pictures in class folders, such as cat/1.jpg; c": {"c/d.jpg": nil},
	} {
		dir := t.TempDir()
		writeTree(t, dir, files)
		_, err := OpenFiles(dir)
		require.ErrorContains(t, err, want)
	}
}

// A picture is known by its name or by its content: JPEG and PNG whatever they are
// called, the others by their names.
func TestPicturesByAnyName(t *testing.T) {
	j, p := asJPEG(t, drawn(8, 8, 0)), asPNG(t, drawn(8, 8, 1))
	files := map[string][]byte{
		"a/1.jfif": j, "a/2.JPE": j, "a/3.bmp": p, "a/4.Gif": p, "a/5.tif": p, "a/6.TIFF": p, "a/7.webp": p,
		"b/none": j, "b/photo.php": p, "b/1.jpg_large": j,
		"b/text": []byte("BM is no picture"), "b/raw.nef": []byte("II*\x00\x08\x00\x00\x00"), "b/short.x": {0xff, 0xd8}, "b/zero": nil,
	}
	var members []member
	for name, content := range files {
		members = append(members, member{name: name, content: content})
	}
	dir := t.TempDir()
	writeTree(t, dir, files)
	for _, path := range []string{dir, writeFile(t, "a.tar", tarOf(t, members...))} {
		f, err := OpenFiles(path)
		require.NoError(t, err)
		require.ElementsMatch(t, []string{
			"a/1.jfif a", "a/2.JPE a", "a/3.bmp a", "a/4.Gif a", "a/5.tif a", "a/6.TIFF a", "a/7.webp a",
			"b/none b", "b/photo.php b", "b/1.jpg_large b",
		}, listing(f))
		for _, name := range []string{"b/text", "b/raw.nef", "b/short.x", "b/zero"} {
			require.Equal(t, notAPicture, skips(f)[name], name)
			require.False(t, IsPicture(filepath.Join(dir, filepath.FromSlash(name))), name)
		}
		for i := range f.Len() { // what was looked into is still read from its beginning
			b, err := f.Load(nil, i)
			require.NoError(t, err)
			require.Equal(t, files[f.Name(i)], b)
		}
	}
	require.True(t, IsPicture(filepath.Join(dir, "b", "none")))
	require.False(t, IsPicture(dir))
}

func TestOpenTar(t *testing.T) {
	j, p := asJPEG(t, drawn(8, 8, 0)), asPNG(t, drawn(8, 8, 1))
	long := "set/train/dog/" + strings.Repeat("long", 60) + ".jpg" // needs a PAX record
	whole := tarOf(t,
		member{name: "./set/train/dog/1.jpg", content: j},
		member{name: "./set/train/cat/1.png", content: p},
		member{name: long, content: j},
		member{name: "set/train/cat/none.jpg"},
		member{name: "set/train/cat/passwd.jpg", to: "/etc/passwd"},
		member{name: "set/train/cat/x.pdf", content: []byte("%PDF")},
	)
	f, err := OpenFiles(writeFile(t, "a.tar", whole))
	require.NoError(t, err)
	require.Equal(t, []string{"cat/1.png cat", "dog/1.jpg dog", strings.TrimPrefix(long, "set/train/") + " dog"}, listing(f))
	require.Equal(t, map[string]string{
		"set/train/cat/none.jpg":   "it is empty",
		"set/train/cat/passwd.jpg": "it is a link, a device or a sparse file",
		"set/train/cat/x.pdf":      "neither its name nor its content is a picture's",
	}, skips(f))
	for i, want := range [][]byte{p, j, j} {
		b, err := f.Load(nil, i)
		require.NoError(t, err)
		require.Equal(t, want, b)
	}

	// A name that leads elsewhere is only a name.
	f, err = OpenFiles(writeFile(t, "evil.tar", tarOf(t,
		member{name: "../../etc/cat/1.jpg", content: j}, member{name: "/mnt/dog/1.jpg", content: p})))
	require.NoError(t, err)
	require.Equal(t, []string{"etc/cat/1.jpg etc", "mnt/dog/1.jpg mnt"}, listing(f))
	b, err := f.Load(nil, 1)
	require.NoError(t, err)
	require.Equal(t, p, b)

	// Cut off in the third picture.
	cut := writeFile(t, "cut.tar", whole[:bytes.LastIndex(whole, j)+100])
	f, err = OpenFiles(cut)
	require.NoError(t, err)
	require.Equal(t, 2, f.Len())
	require.Contains(t, skips(f)[long], "truncated")

	for want, content := range map[string][]byte{
		"it is neither a tar file nor a folder":      []byte(strings.Repeat("text ", 300)),
		"it is compressed with gzip":                 zip(whole),
		"there are no pictures in class folders":     tarOf(t),
		"x.jpg: it is not in a class folder, for on": tarOf(t, member{name: "x.jpg", content: j}),
	} {
		_, err := OpenFiles(writeFile(t, "b.tar", content))
		require.ErrorContains(t, err, want)
	}
	_, err = OpenFiles(os.DevNull)
	require.EqualError(t, err, os.DevNull+": it is neither a tar file nor a folder")
	_, err = OpenFiles("nowhere.tar")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestOpenWebDataset(t *testing.T) {
	j := asJPEG(t, drawn(8, 8, 0))
	dir := t.TempDir()
	writeTree(t, dir, map[string][]byte{
		"00.tar": tarOf(t,
			member{name: "s0001.jpg", content: j}, member{name: "s0001.cls", content: []byte("2\n")},
			member{name: "s0002.cls", content: []byte("00")}, member{name: "s0002.jpg", content: j}, member{name: "s0002.json", content: []byte("{}")}),
		"01.tar": tarOf(t,
			member{name: "s0003.jpg", content: j}, member{name: "s0003.cls", content: []byte("2")},
			member{name: "s0004.jpg", content: j}, member{name: "s0005.cls", content: []byte("1")},
			member{name: "s0006.jpg", content: j}, member{name: "s0006.cls", content: []byte(" ")},
			member{name: "s0007.jpg", content: j}, member{name: "s0007.cls", content: bytes.Repeat([]byte("9"), 300)}),
		"notes.txt": []byte("beside the shards"), "._00.tar": []byte("a Mac's notes"), "extra/cat/1.jpg": j, "loose.jpg": j,
	})
	f, err := OpenFiles(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"0", "1", "2"}, f.Classes())
	require.Equal(t, []string{"s0001.jpg 2", "s0002.jpg 0", "s0003.jpg 2"}, listing(f))
	require.Equal(t, map[string]string{
		"extra":             "of a folder with tar files, only those are read",
		"loose.jpg":         "of a folder with tar files, only those are read",
		"01.tar: s0004.jpg": "there is no .cls member beside it",
		"01.tar: s0006.jpg": "its .cls member is empty",
		"01.tar: s0005.cls": "there is no picture beside it",
		"01.tar: s0007.jpg": "its .cls member of 300 bytes is too long",
	}, skips(f))

	f, err = OpenFiles(writeFile(t, "named.tar", tarOf(t,
		member{name: "a/1.jpg", content: j}, member{name: "a/1.cls", content: []byte("tench")},
		member{name: "b/1.jpg", content: j}, member{name: "b/1.cls", content: []byte("7")})))
	require.NoError(t, err)
	require.Equal(t, []string{"7", "tench"}, f.Classes())
	require.Equal(t, []string{"a/1.jpg tench", "b/1.jpg 7"}, listing(f))

	_, err = OpenFiles(writeFile(t, "huge.tar", tarOf(t, member{name: "1.jpg", content: j}, member{name: "1.cls", content: []byte("2000000000")})))
	require.ErrorContains(t, err, "the label 2000000000 of 1 pictures cannot be the number of a class")
}

func TestRelabel(t *testing.T) {
	dir := t.TempDir()
	j := asJPEG(t, drawn(8, 8, 0))
	writeTree(t, dir, map[string][]byte{"b/1.jpg": j, "d/1.jpg": j})
	f, err := OpenFiles(dir)
	require.NoError(t, err)
	require.NoError(t, f.Relabel([]string{"a", "b", "c", "d"}))
	require.Equal(t, []int32{1, 3}, []int32{f.Label(0), f.Label(1)})
	require.ErrorContains(t, f.Relabel([]string{"a", "b"}), `d/1.jpg is of the class "d", which the training set does not have`)
}

func FuzzTar(f *testing.F) {
	j := asJPEG(f, drawn(8, 8, 0))
	f.Add(tarOf(f, member{name: "a/1.jpg", content: j}, member{name: "a/1.cls", content: []byte("3")}, member{name: "b/2.png", to: "../../x"}))
	f.Add(slices.Concat(tarOf(f, member{name: "1.png", content: j}, member{name: "1.json", content: []byte(`{"label": 1}`)}, member{name: "1.txt", content: []byte("a cat")}),
		make([]byte, tarBlock), unended(f, member{name: "1.seg.png", content: j}, member{name: "./1.png", content: j}), []byte("the end")))
	f.Add(tarOf(f, member{name: "../a/" + strings.Repeat("x", 200) + ".jpg", content: j})[:1500])
	f.Fuzz(func(t *testing.T, b []byte) {
		files := &Files{shards: []string{"fuzzed.tar"}, tar: true}
		found, notes, err := files.indexTar(t.Context(), bytes.NewReader(b), int64(len(b)), 0)
		if err != nil {
			return
		}
		if found, err = files.samples(found, notes); err != nil {
			return
		}
		parts, err := files.divide(found)
		if err != nil {
			return
		}
		for _, files := range parts {
			if files == nil {
				continue
			}
			for i := range files.files {
				e := &files.files[i]
				require.True(t, e.offset >= 0 && e.size > 0 && e.offset+e.size <= int64(len(b)))
				require.Less(t, int(e.label), len(files.classes))
				require.NotEmpty(t, e.name)
			}
		}
	})
}

// A name is cleaned as if its folder were the root, which nothing leads out of.
func TestCleaned(t *testing.T) {
	for _, name := range []string{"", ".", "..", "/", "a", "a/b", "./a", "../a", "a/../b", "a//b", "a/", "/a", ".a", "..a/b", "a/./b", "a/..", "a/../../b"} {
		require.Equal(t, strings.TrimPrefix(path.Clean("/"+name), "/"), cleaned(name), "%q", name)
	}
}
