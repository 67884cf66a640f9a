package data

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/atomicfile"
)

// tarSets are sets of tar files of every kind, below a folder.
func tarSets(t testing.TB) (dir string, names []string) {
	t.Helper()
	dir = t.TempDir()
	j := asJPEG(t, drawn(8, 8, 0))
	folders := func(classes ...string) (m []member) {
		for _, c := range classes {
			for i := range 3 {
				m = append(m, member{name: fmt.Sprintf("%s/%d.jpg", c, i), content: j})
			}
		}
		return m
	}
	keyed := func(text string) (m []member) {
		for i := range 4 {
			m = append(m, member{name: fmt.Sprintf("%d.jpg", i), content: j}, member{name: fmt.Sprintf("%d.cls", i), content: fmt.Appendf(nil, "%s%d", text, i%2)})
		}
		return append(m, member{name: "9.jpg", content: j})
	}
	writeTree(t, dir, map[string][]byte{
		"plain.tar":            tarOf(t, append(folders("b", "a"), member{name: "a/x.txt", content: []byte("text")}, member{name: "./a/0.jpg", content: j})...),
		"accents.tar":          tarOf(t, folders("top/e\u0301", "top/a", "./top//c")...),
		"parts.tar":            tarOf(t, folders("set/train/a", "set/train/b", "set/val/a", "set/test/b")...),
		"keyed.tar":            tarOf(t, keyed("")...),
		"cut.tar":              unended(t, folders("a", "b")...),
		"shards/0.tar":         tarOf(t, folders("a", "b")...),
		"shards/1.tar":         tarOf(t, folders("c", "b")...),
		"shards/2.tar":         tarOf(t, folders("a")...),
		"shards/beside.jpg":    j,
		"words/train-0.tar":    tarOf(t, keyed("w")...),
		"words/train-1.tar":    tarOf(t, keyed("w")...),
		"words/val-0.tar":      tarOf(t, keyed("w")...),
		"folders/train/0.tar":  tarOf(t, folders("a", "b")...),
		"folders/train/1.tar":  tarOf(t, folders("a", "b")...),
		"folders/test/any.tar": tarOf(t, folders("a", "b")...),
	})
	for _, name := range []string{"plain.tar", "accents.tar", "parts.tar", "keyed.tar", "cut.tar", "shards", "words", "folders"} {
		names = append(names, filepath.Join(dir, name))
	}
	return dir, names
}

// kept is an index in a folder, and what it says.
func kept(folder string) (x *Index, notices *[]string) {
	notices = new([]string)
	return &Index{Folder: folder, Notice: func(line string) { *notices = append(*notices, line) }}, notices
}

// indexes are the files of a folder.
func indexes(t testing.TB, folder string) (files map[string]os.FileInfo) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	require.NoError(t, err)
	files = map[string]os.FileInfo{}
	for _, name := range names {
		files[name], err = os.Stat(name)
		require.NoError(t, err)
	}
	return files
}

// A set from an index is the very set that is found without one, down to the reasons
// why files were left out.
func TestIndexIsTheSameSet(t *testing.T) {
	_, names := tarSets(t)
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			want, err := openSet(t.Context(), name, "", nil)
			require.NoError(t, err)
			folder := filepath.Join(t.TempDir(), "new", "folder")
			x, notices := kept(folder)
			var files map[string]os.FileInfo
			for range 3 {
				got, err := openSet(t.Context(), name, "", x)
				require.NoError(t, err)
				require.Equal(t, want, got)
				require.Empty(t, *notices)
				if files == nil {
					files = indexes(t, folder)
					require.NotEmpty(t, files)
				}
			}
			for name, s := range indexes(t, folder) { // a file that is written again is another one
				require.True(t, os.SameFile(files[name], s))
				require.Equal(t, ".index", filepath.Ext(name))
			}
		})
	}
}

// An index holds what was decided about tar files. Whoever decides otherwise must raise
// indexRules, or old indexes would stand for what is found no more.
func TestIndexRules(t *testing.T) {
	_, names := tarSets(t)
	h := sha256.New()
	for _, name := range names {
		parts, err := openSet(t.Context(), name, "", nil)
		require.NoError(t, err)
		for _, p := range parts {
			if p == nil {
				continue
			}
			fmt.Fprintf(h, "%q %q %v %q %q\n", p.part, p.root, p.keyed, listing(p), p.classes)
			for _, s := range p.skipped {
				fmt.Fprintf(h, "%q %q\n", s.Name, s.Reason)
			}
		}
	}
	require.Equal(t, "1 43f89468f700729a", fmt.Sprintf("%d %x", indexRules, h.Sum(nil)[:8]), "what is found has changed: raise indexRules, and put the new digest here")
}

// A set that is read from its index loads the pictures of its tar files.
func TestIndexLoads(t *testing.T) {
	dir, _ := tarSets(t)
	x, _ := kept(t.TempDir())
	for range 2 {
		f, err := openFiles(t.Context(), filepath.Join(dir, "shards"), "", x)
		require.NoError(t, err)
		for i := range f.Len() {
			b, err := f.Load(nil, i)
			require.NoError(t, err)
			require.Equal(t, asJPEG(t, drawn(8, 8, 0)), b)
		}
	}
}

// What an index was made of may change: then it is made again, and one line says so.
func TestIndexOfOtherTars(t *testing.T) {
	j, other := asJPEG(t, drawn(8, 8, 0)), asJPEG(t, drawn(8, 8, 0))
	other[len(other)-3] ^= 1
	tar := func(content []byte, classes ...string) []byte {
		var m []member
		for _, c := range classes {
			m = append(m, member{name: c + "/1.jpg", content: content})
		}
		return tarOf(t, m...)
	}
	at := time.Unix(1700000000, 0)
	for name, change := range map[string]func(t *testing.T, dir string){
		"size": func(t *testing.T, dir string) {
			writeTree(t, dir, map[string][]byte{"1.tar": append(tar(j, "c", "d"), make([]byte, 1024)...)})
			require.NoError(t, os.Chtimes(filepath.Join(dir, "1.tar"), at, at))
		},
		"time": func(t *testing.T, dir string) {
			require.NoError(t, os.Chtimes(filepath.Join(dir, "1.tar"), at, at.Add(time.Second)))
		},
		"name":    func(t *testing.T, dir string) { rename(t, dir, "1.tar", "3.tar") },
		"another": func(t *testing.T, dir string) { writeTree(t, dir, map[string][]byte{"2.tar": tar(j, "e")}) },
		"beside":  func(t *testing.T, dir string) { writeTree(t, dir, map[string][]byte{"new.jpg": j}) },
		"fewer":   func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "1.tar"))) },
		"a name in a header": func(t *testing.T, dir string) {
			writeTree(t, dir, map[string][]byte{"1.tar": tar(j, "c", "e")})
			require.NoError(t, os.Chtimes(filepath.Join(dir, "1.tar"), at, at))
		},
		"a byte of a picture": func(t *testing.T, dir string) {
			writeTree(t, dir, map[string][]byte{"1.tar": tar(other, "c", "d")})
			require.NoError(t, os.Chtimes(filepath.Join(dir, "1.tar"), at, at))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, folder := t.TempDir(), t.TempDir()
			writeTree(t, dir, map[string][]byte{"0.tar": tar(j, "a", "b"), "1.tar": tar(j, "c", "d")})
			require.NoError(t, os.Chtimes(filepath.Join(dir, "1.tar"), at, at))
			x, notices := kept(folder)
			_, err := openSet(t.Context(), dir, "", x)
			require.NoError(t, err)
			change(t, dir)
			want, err := openSet(t.Context(), dir, "", nil)
			require.NoError(t, err)
			for range 2 {
				got, err := openSet(t.Context(), dir, "", x)
				require.NoError(t, err)
				require.Equal(t, want, got)
				require.Len(t, *notices, 1)
				require.Contains(t, (*notices)[0], ".index is not used: it is of other tar files than there are now; the tar files are indexed again")
			}
		})
	}
}

func rename(t *testing.T, dir, from, to string) {
	t.Helper()
	require.NoError(t, os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)))
}

// Every damage is found: each byte that is another one, each length that is less.
func TestIndexDamaged(t *testing.T) {
	dir, _ := tarSets(t)
	f, tars, content := indexOf(t, filepath.Join(dir, "parts.tar"))
	_, err := decodeIndex(string(content), f, tars)
	require.NoError(t, err)
	for i := range content {
		damaged := slices.Clone(content)
		damaged[i] ^= 1 << (i % 8)
		_, err := decodeIndex(string(damaged), f, tars)
		require.Error(t, err, "byte %d", i)
		_, err = decodeIndex(string(content[:i]), f, tars)
		require.Error(t, err, "cut at %d", i)
	}
	_, err = decodeIndex(string(content)+"x", f, tars)
	require.Equal(t, errIndexChecksum, err)
	_, err = decodeIndex(string(summed(append(slices.Clone(content), 0))), f, tars)
	require.Equal(t, errIndexContent, err)
	tars.digest[0]++
	_, err = decodeIndex(string(content), f, tars)
	require.Equal(t, errOtherTars, err)
}

// indexOf is the index of a tar file.
func indexOf(t testing.TB, path string) (f *Files, tars tarStats, content []byte) {
	t.Helper()
	parts, err := openSet(t.Context(), path, "", nil)
	require.NoError(t, err)
	f = &Files{shards: parts[0].shards, tar: true}
	tars, err = statTars(f.shards, nil)
	require.NoError(t, err)
	content, err = encodeIndex(parts, tars)
	require.NoError(t, err)
	return f, tars, content
}

// summed gives a content the checksum that it ought to have.
func summed(content []byte) []byte {
	binary.LittleEndian.PutUint32(content[len(indexMagic):], crc32.Checksum(content[indexHead:], castagnoli))
	return content
}

// A file that is no index of these tar files is replaced, with one line.
func TestIndexReplaced(t *testing.T) {
	dir, _ := tarSets(t)
	path := filepath.Join(dir, "plain.tar")
	want, err := openSet(t.Context(), path, "", nil)
	require.NoError(t, err)
	_, _, content := indexOf(t, path)
	version := slices.Clone(content)
	version[len(indexMagic)-1]++
	for reason, file := range map[string][]byte{
		"it is no index, or one of another version":       version,
		"it is damaged: its checksum is another one":      content[:len(content)-1],
		"it is damaged: its content makes no sense":       content[:indexHead+5],
		"it is of other tar files than there are now":     indexOfSet(t, filepath.Join(dir, "accents.tar")),
		"2097152 bytes are more than the 1054976 allowed": make([]byte, 2<<20),
	} {
		folder := t.TempDir()
		file2 := filepath.Join(folder, indexName(path))
		require.NoError(t, os.WriteFile(file2, file, 0o666))
		x, notices := kept(folder)
		for range 2 {
			got, err := openSet(t.Context(), path, "", x)
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.Equal(t, []string{file2 + " is not used: " + reason + "; the tar files are indexed again"}, *notices)
		}
	}
}

func indexOfSet(t testing.TB, path string) []byte {
	_, _, content := indexOf(t, path)
	return content
}

// Where no index can be written, the set is there all the same.
func TestIndexCannotBeWritten(t *testing.T) {
	dir, _ := tarSets(t)
	path := filepath.Join(dir, "plain.tar")
	want, err := openSet(t.Context(), path, "", nil)
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, indexName(path)), 0o777))
	for folder, lines := range map[string][]string{
		writeFile(t, "file", nil): {"is not used: not a directory", "cannot be written"},
		folder:                    {"is not used: it is not a regular file", "cannot be written"},
	} {
		x, notices := kept(folder)
		got, err := openSet(t.Context(), path, "", x)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.GreaterOrEqual(t, len(*notices), len(lines))
		for _, line := range lines {
			require.Contains(t, strings.Join(*notices, "\n"), line)
		}
	}
	// Nobody has to be told.
	_, err = openSet(t.Context(), path, "", &Index{Folder: writeFile(t, "file", nil)})
	require.NoError(t, err)
	// What is no set is none with an index either, and leaves no file.
	folder = t.TempDir()
	x, _ := kept(folder)
	for _, path := range []string{writeFile(t, "no.tar", []byte("text")), writeFile(t, "empty.tar", tarOf(t))} {
		_, want := openSet(t.Context(), path, "", nil)
		_, err = openSet(t.Context(), path, "", x)
		require.EqualError(t, err, want.Error())
	}
	require.Empty(t, indexes(t, folder))
}

// An index for a run's folder waits until there is one.
func TestIndexHeld(t *testing.T) {
	dir, _ := tarSets(t)
	folder := filepath.Join(t.TempDir(), "run")
	x, notices := kept(folder)
	x.Hold = true
	for _, name := range []string{"plain.tar", "parts.tar"} {
		_, err := openSet(t.Context(), filepath.Join(dir, name), "", x)
		require.NoError(t, err)
	}
	require.NoDirExists(t, folder)
	require.NoError(t, os.Mkdir(folder, 0o777))
	x.Save()
	x.Save()
	require.Len(t, indexes(t, folder), 2)
	require.Empty(t, *notices)
	require.Empty(t, x.found)
	(*Index)(nil).Save()
}

// Of processes that start together one indexes, and the others wait for its file.
func TestIndexOfSeveralProcesses(t *testing.T) {
	dir, _ := tarSets(t)
	path, folder := filepath.Join(dir, "shards"), t.TempDir()
	file := filepath.Join(folder, indexName(path))
	want, err := openSet(t.Context(), path, "", nil)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		first  func(t *testing.T) // what the process that indexes does while others wait
		writes bool               // whether one of the others has to index
	}{
		"it writes": {func(t *testing.T) {
			x, _ := kept(folder)
			x.Hold = true
			_, err := openSet(t.Context(), path, "", x)
			require.NoError(t, err)
			x.Save()
		}, false},
		"it dies": {func(*testing.T) {}, true},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.RemoveAll(file))
			l, err := atomicfile.Lock(file + ".lock")
			require.NoError(t, err)
			waiting, done := make(chan string, 8), make(chan error, 4)
			for range 4 {
				go func() {
					x := &Index{Folder: folder, Notice: func(line string) { waiting <- line }}
					got, err := openSet(t.Context(), path, "", x)
					if err == nil && fmt.Sprint(got[0].files) != fmt.Sprint(want[0].files) {
						err = fmt.Errorf("another set: %v", got[0].files)
					}
					done <- err
				}()
			}
			for range 4 {
				require.Equal(t, "another process is indexing the tar files; waiting for "+file, <-waiting)
			}
			c.first(t)
			_, err = os.Stat(file)
			require.Equal(t, c.writes, os.IsNotExist(err))
			require.NoError(t, l.Close())
			for range 4 {
				require.NoError(t, <-done)
			}
			require.Len(t, indexes(t, folder), 1) // no lock is left
		})
	}

	l, err := atomicfile.Lock(file + ".lock")
	require.NoError(t, err)
	require.NoError(t, os.Remove(file))
	ctx, cancel := context.WithCancel(t.Context())
	x := &Index{Folder: folder, Notice: func(string) { cancel() }}
	_, err = openSet(ctx, path, "", x)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, l.Close())
}

// The first of several broken tar files is the one that is named, and indexing ends
// with its context.
func TestShardsSideBySide(t *testing.T) {
	dir := t.TempDir()
	j := asJPEG(t, drawn(8, 8, 0))
	writeTree(t, dir, map[string][]byte{"0.tar": tarOf(t, member{name: "a/1.jpg", content: j}), "1.tar": []byte("text"), "2.tar": []byte("text")})
	for range 20 {
		_, err := OpenFiles(dir)
		require.EqualError(t, err, filepath.Join(dir, "1.tar")+": "+errNoTar.Error())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := openFiles(ctx, filepath.Join(dir, "0.tar"), "", nil)
	require.ErrorIs(t, err, context.Canceled)
}

// Reading ahead finds what reading alone finds, whatever the sizes of members.
func TestReadAhead(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 8 {
		var b []byte
		for i := range 40 {
			size := 1 + random.IntN([]int{600, 5000, 40000, 3 * largestAhead}[random.IntN(1+round%4)])
			b = append(b, unended(t, member{name: fmt.Sprintf("%d/%d.jpg", i%3, i), content: bytes.Repeat([]byte{1}, size)},
				member{name: fmt.Sprintf("%d/%d", i%3, i), content: asPNG(t, drawn(2, 2, 0))},
				member{name: fmt.Sprintf("%d/%d.cls", i%3, i), content: []byte("1")})...)
			b = append(b, make([]byte, tarBlock*random.IntN(200))...)
		}
		f, g := &Files{shards: []string{"x"}}, &Files{shards: []string{"x"}}
		found, notes, err := f.indexTar(t.Context(), bytes.NewReader(b), int64(len(b)), 0)
		require.NoError(t, err)
		require.Len(t, found, 80)
		ahead, notes2, err := g.indexTar(t.Context(), &readAhead{file: bytes.NewReader(b)}, int64(len(b)), 0)
		require.NoError(t, err)
		require.Equal(t, found, ahead)
		require.Equal(t, notes, notes2)
		require.Equal(t, f, g)
	}
}

// FuzzIndex reads contents whose checksum is right: they make no set that a tar file
// cannot hold, and take memory in proportion to their size.
func FuzzIndex(f *testing.F) {
	dir, _ := tarSets(f)
	set, tars, content := indexOf(f, filepath.Join(dir, "parts.tar"))
	f.Add(content[indexHead:])
	for _, name := range []string{"plain.tar", "keyed.tar", "cut.tar", "accents.tar"} {
		other := indexOfSet(f, filepath.Join(dir, name))
		copy(other[indexHead:], tars.digest[:])
		f.Add(other[indexHead:])
	}
	digests := content[indexHead : indexHead+2*len(tars.digest)]
	huge := binary.AppendUvarint([]byte{1, 0, 0, 0}, 1<<40)
	f.Add(slices.Concat(digests, huge))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := len(tars.digest); len(b) >= n {
			b = slices.Concat(tars.digest[:], b[n:])
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		parts, err := decodeIndex(string(summed(slices.Concat([]byte(indexMagic), make([]byte, crc32.Size), b))), set, tars)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20+64*len(b)))
		if err != nil {
			return
		}
		for _, p := range parts {
			if p == nil {
				continue
			}
			for _, e := range p.files {
				require.True(t, e.offset > 0 && e.size > 0 && e.offset+e.size <= tars.sizes[e.shard])
				require.Less(t, int(e.label), len(p.classes))
			}
		}
		again, err := encodeIndex(parts, tars)
		require.NoError(t, err)
		once, err := decodeIndex(string(again), set, tars)
		require.NoError(t, err)
		require.Equal(t, parts, once)
	})
}
