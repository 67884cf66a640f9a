package data

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unended is the blocks of some members, without the two of zeros that end a
// tar file.
func unended(t testing.TB, members ...member) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.content)), Typeflag: tar.TypeReg}))
		_, err := w.Write(m.content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Flush())
	return b.Bytes()
}

// TestTarLosesNothing packs eight pictures in ways that end early for a reader
// that stops at the first end mark.
func TestTarLosesNothing(t *testing.T) {
	j := asJPEG(t, drawn(8, 8, 0))
	var m []member
	var all []string
	for i := range 8 {
		class := []string{"cat", "dog"}[i%2]
		m = append(m, member{name: fmt.Sprintf("%s/%d.jpg", class, i), content: j})
		all = append(all, fmt.Sprintf("%s/%d.jpg %[1]s", class, i))
	}
	slices.Sort(all)
	zeros := func(n int) []byte { return make([]byte, n*tarBlock) }
	whole := tarOf(t, m...)
	head := whole[:len(unended(t, m[:5]...))]
	cut := func(n int) string {
		return fmt.Sprintf("it has no end mark after its %d members, as one that was cut off: some may be missing", n)
	}
	for name, c := range map[string]struct {
		file []byte
		n    int // the pictures that are there, of all
		skip string
	}{
		"whole":                         {whole, 8, ""},
		"appended":                      {slices.Concat(tarOf(t, m[:3]...), tarOf(t, m[3:]...)), 8, ""},
		"appended to a full record":     {slices.Concat(tarOf(t, m[:3]...), zeros(17), tarOf(t, m[3:6]...), zeros(200), tarOf(t, m[6:]...), zeros(19)), 8, ""},
		"one block of zeros inside":     {slices.Concat(unended(t, m[:2]...), zeros(1), unended(t, m[2:]...), zeros(2)), 8, ""},
		"three blocks of zeros inside":  {slices.Concat(unended(t, m[:2]...), zeros(3), unended(t, m[2:]...), zeros(2)), 8, ""},
		"zeros before":                  {slices.Concat(zeros(2), whole), 8, ""},
		"an end of one block":           {slices.Concat(unended(t, m...), zeros(1)), 8, ""},
		"no end":                        {unended(t, m...), 8, cut(8)},
		"zeros inside, no end":          {slices.Concat(unended(t, m[:2]...), zeros(2), unended(t, m[2:]...)), 8, cut(8)},
		"cut between members":           {head, 5, cut(5)},
		"cut, and appended to":          {slices.Concat(head, tarOf(t, m[5:]...)), 8, ""},
		"cut in a header":               {whole[:len(head)+100], 5, fmt.Sprintf("after 5 members, at byte %d of %d: truncated; what follows is not read", len(head)+100, len(head)+100)},
		"something else behind the end": {append(slices.Clone(whole), bytes.Repeat([]byte("text"), 256)...), 8, fmt.Sprintf("after 8 members, at byte %d of %d: archive/tar: invalid tar header; what follows is not read", len(whole)+512, len(whole)+1024)},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := OpenFiles(writeFile(t, "a.tar", c.file))
			require.NoError(t, err)
			got := listing(f)
			slices.Sort(got)
			if c.n == 8 {
				require.Equal(t, all, got)
			} else {
				require.Len(t, got, c.n)
			}
			for i := range f.Len() {
				b, err := f.Load(nil, i)
				require.NoError(t, err)
				require.Equal(t, j, b)
			}
			if c.skip == "" {
				require.Empty(t, f.Skipped())
			} else {
				require.Equal(t, map[string]string{"a.tar": c.skip}, skips(f))
			}
		})
	}
}

// bare leaves out what a name may begin with.
func bare(names []string) []string {
	for i := range names {
		names[i] = strings.TrimLeft(names[i], "./")
	}
	return names
}

// TestTarTheLastCounts is what tar does where it unpacks.
func TestTarTheLastCounts(t *testing.T) {
	old, j := asJPEG(t, drawn(8, 8, 0)), asJPEG(t, drawn(8, 8, 1))
	replaced := "a later member of the tar file has its name and counts instead"
	f, err := OpenFiles(writeFile(t, "a.tar", slices.Concat(
		tarOf(t, member{name: "red/0.jpg", content: old}, member{name: "red/1.jpg", content: j}, member{name: "blue/0.jpg", content: old}, member{name: "blue/1.jpg", content: old}),
		tarOf(t, member{name: "red/0.jpg", content: j}, member{name: "./blue/0.jpg", content: j}, member{name: "blue//1.jpg", to: "/etc/passwd"}))))
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"red/0.jpg red", "red/1.jpg red", "blue/0.jpg blue"}, bare(listing(f)))
	require.Equal(t, map[string]string{
		"red/0.jpg": replaced, "blue/0.jpg": replaced, "blue/1.jpg": replaced,
		"blue//1.jpg": "it is a link, a device or a sparse file",
	}, skips(f))
	for i := range f.Len() {
		b, err := f.Load(nil, i)
		require.NoError(t, err)
		require.Equal(t, j, b)
	}

	// A label that is there twice.
	f, err = OpenFiles(writeFile(t, "b.tar", tarOf(t, member{name: "0.jpg", content: j}, member{name: "0.cls", content: []byte("1")},
		member{name: "1.jpg", content: j}, member{name: "1.cls", content: []byte("1")}, member{name: "./0.cls", content: []byte("0")})))
	require.NoError(t, err)
	require.Equal(t, []string{"0.jpg 0", "1.jpg 1"}, listing(f))
	require.Equal(t, map[string]string{"0.cls": replaced}, skips(f))

	// GNU tar packs a file that it is told to pack twice as a link to itself.
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "red/0.jpg", Mode: 0o644, Size: int64(len(j)), Typeflag: tar.TypeReg}))
	_, err = w.Write(j)
	require.NoError(t, err)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "red/0.jpg", Linkname: "./red/0.jpg", Typeflag: tar.TypeLink}))
	require.NoError(t, w.Close())
	f, err = OpenFiles(writeFile(t, "c.tar", b.Bytes()))
	require.NoError(t, err)
	require.Equal(t, []string{"red/0.jpg red"}, listing(f))
	require.Empty(t, f.Skipped())
}

func TestShardsThatAreNotRead(t *testing.T) {
	j := asJPEG(t, drawn(8, 8, 0))
	pack := tarOf(t, member{name: "cat/1.jpg", content: j}, member{name: "dog/1.jpg", content: j})
	dir := t.TempDir()
	writeTree(t, dir, map[string][]byte{
		"00.tar": pack, "01.TAR": pack, "02.tar": nil, "03.tar.gz": zip(pack), "04.tgz": zip(pack), "05.tar.part1": pack, "06.zip": []byte("PK"),
		"00.tar.idx": nil, "00.tar.sha256": nil, "00.json": []byte("{}"), "00.parquet": nil,
	})
	f, err := OpenFiles(dir)
	require.NoError(t, err)
	require.Equal(t, 4, f.Len())
	require.Equal(t, map[string]string{
		"02.tar": "it is empty", "03.tar.gz": compressedShard, "04.tgz": compressedShard, "05.tar.part1": compressedShard, "06.zip": compressedShard,
	}, skips(f))

	// One that is compressed in spite of its name says so.
	writeTree(t, dir, map[string][]byte{"07.tar": zip(pack)})
	_, err = OpenFiles(dir)
	require.ErrorContains(t, err, "07.tar: it is compressed with gzip")
	require.ErrorContains(t, err, "unpack it with gunzip")

	dir = t.TempDir()
	writeTree(t, dir, map[string][]byte{"00.tar.gz": zip(pack)})
	_, err = OpenFiles(dir)
	require.EqualError(t, err, dir+": 00.tar.gz: "+compressedShard)
	_, err = OpenFiles(filepath.Join(dir, "00.tar.gz"))
	require.ErrorContains(t, err, "unpack it with gunzip")

	// Beside class folders it is a file like others.
	writeTree(t, dir, map[string][]byte{"cat/1.jpg": j})
	f, err = OpenFiles(dir)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"00.tar.gz": notAPicture}, skips(f))
	require.NoError(t, os.Remove(filepath.Join(dir, "00.tar.gz")))
}
