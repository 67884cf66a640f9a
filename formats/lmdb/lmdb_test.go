package lmdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func testFile(t testing.TB, name string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return b
}

// value is that of testdata/small.py.
func value(i int) []byte {
	v := make([]byte, 3*i)
	if i == 17 {
		v = make([]byte, 5000)
	}
	for j := range v {
		v[j] = byte((i*7 + j) % 251)
	}
	return v
}

// readAll is all that is in a file.
func readAll(b []byte) (keys []string, values [][]byte, err error) {
	d, err := Read("x.mdb", bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, nil, err
	}
	err = d.Each(func(e Entry) error {
		v, err := d.Value(nil, e)
		keys, values = append(keys, string(e.Key)), append(values, v)
		return err
	})
	return keys, values, err
}

func TestFilesOfTheLibrary(t *testing.T) {
	for name, want := range map[string]struct {
		keys int
		key  func(i int) string
	}{
		"tree.mdb":  {60, func(i int) string { return fmt.Sprintf("%08d_", i) + strings.Repeat("k", 470) }},
		"flat.mdb":  {5, func(i int) string { return fmt.Sprint(i) }},
		"empty.mdb": {},
	} {
		b := testFile(t, name)
		require.True(t, Is(b[:20]))
		keys, values, err := readAll(b)
		require.NoError(t, err, name)
		require.Len(t, keys, want.keys)
		for i := range keys {
			require.Equal(t, want.key(i), keys[i])
			require.True(t, bytes.Equal(value(i), values[i]), "%s %d", name, i)
		}
	}
	d, err := Read("x", bytes.NewReader(testFile(t, "tree.mdb")), int64(len(testFile(t, "tree.mdb"))))
	require.NoError(t, err)
	require.Equal(t, 3, d.depth)
	require.EqualValues(t, 60, d.Len())
	_, err = d.Value(nil, Entry{At: d.size - 3, Length: 4})
	require.ErrorContains(t, err, "go beyond the file's end")
	stop := errors.New("stop")
	require.ErrorIs(t, d.Each(func(Entry) error { return stop }), stop)
}

func TestAFolderOrItsFile(t *testing.T) {
	dir := t.TempDir()
	_, ok := File(dir)
	require.False(t, ok)
	_, err := Open(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	path := filepath.Join(dir, FileName)
	require.NoError(t, os.WriteFile(path, testFile(t, "flat.mdb"), 0o666))
	for _, given := range []string{dir, path} {
		file, ok := File(given)
		require.True(t, ok)
		require.Equal(t, path, file)
		d, err := Open(given)
		require.NoError(t, err)
		count := 0
		require.NoError(t, d.Each(func(Entry) error { count++; return nil }))
		require.Equal(t, 5, count)
		require.NoError(t, d.Close())
	}
	require.NoError(t, os.WriteFile(path, []byte("a text"), 0o666))
	_, ok = File(dir)
	require.False(t, ok)
	_, err = Open(dir)
	require.ErrorContains(t, err, path+": it is too short")
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o777))
	_, err = Open(dir)
	require.ErrorContains(t, err, "not a regular file")
}

// changed is a file with other numbers at some places.
func changed(b []byte, changes ...any) []byte {
	b = slices.Clone(b)
	for i := 0; i < len(changes); i += 2 {
		at := changes[i].(int)
		switch v := changes[i+1].(type) {
		case uint16:
			binary.LittleEndian.PutUint16(b[at:], v)
		case uint32:
			binary.LittleEndian.PutUint32(b[at:], v)
		case uint64:
			binary.LittleEndian.PutUint64(b[at:], v)
		}
	}
	return b
}

const madePage = 512

// made is a file with pages of 512 bytes: two meta pages, and those given, from page 2 on, which
// is the root.
func made(flags, depth uint16, entries uint64, pages ...[]byte) []byte {
	b := make([]byte, 2*madePage)
	for i := range 2 {
		at := i * madePage
		b = changed(b, at, uint64(i), at+10, uint16(pageMeta), at+16, uint32(magic), at+20, uint32(version), at+40, uint32(madePage),
			at+92, flags, at+94, depth, at+120, entries, at+128, uint64(2), at+144, uint64(i))
	}
	return append(b, slices.Concat(pages...)...)
}

// part is a node of a page that is made.
type part struct {
	key   string
	value string // of a leaf
	child uint64 // of a branch, or with nodeBig the page of the value
	long  uint32 // with nodeBig, bytes of the value
	flags uint16
}

// pageOf is a page of nodes.
func pageOf(number uint64, kind uint16, parts ...part) []byte {
	b := changed(make([]byte, madePage), 0, number, 10, kind, 12, uint16(headBytes+2*len(parts)))
	at := madePage
	for i, p := range parts {
		data := p.value
		n := []any{uint16(p.child), uint16(p.child >> 16), uint16(p.child >> 32)}
		switch {
		case kind == pageLeaf && p.flags&nodeBig != 0:
			data = string(binary.LittleEndian.AppendUint64(nil, p.child))
			n = []any{uint16(p.long), uint16(p.long >> 16), p.flags}
		case kind == pageLeaf:
			n = []any{uint16(len(data)), uint16(0), p.flags}
		}
		at -= 8 + len(p.key) + len(data)
		at -= at % 2
		b = changed(b, headBytes+2*i, uint16(at), at, n[0], at+2, n[1], at+4, n[2], at+6, uint16(len(p.key)))
		copy(b[at+8:], p.key+data)
	}
	return changed(b, 14, uint16(at))
}

// overflow is the first page of a value, which says how many there are.
func overflow(number uint64, pages uint32) []byte {
	return changed(make([]byte, madePage), 0, number, 10, uint16(pageOverflow), 12, pages)
}

func TestFilesThatAreMade(t *testing.T) {
	one := pageOf(2, pageLeaf, part{key: "a", value: "1"}, part{key: "b", value: "22"})
	keys, values, err := readAll(made(0, 1, 2, one))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, keys)
	require.Equal(t, [][]byte{[]byte("1"), []byte("22")}, values)
	leaf := pageOf(3, pageLeaf, part{key: "a", value: "1"})
	again := part{key: "a", child: 3}
	big := func(long uint32) []byte {
		return pageOf(2, pageLeaf, part{key: "a", child: 3, long: long, flags: nodeBig})
	}
	_, values, err = readAll(made(0, 1, 1, big(900), overflow(3, 2), make([]byte, madePage)))
	require.NoError(t, err)
	require.Len(t, values[0], 900)
	for want, b := range map[string][]byte{
		"it is not behind the key before it":                         made(0, 2, 2, pageOf(2, pageBranch, again, again), leaf),
		"page 3: a page comes twice in the tree":                     made(databaseReverse, 2, 9, pageOf(2, pageBranch, again, again, again, again), leaf),
		"page 2: its flags are 0x1, 0 levels above the lowest":       made(0, 2, 1, pageOf(2, pageBranch, part{key: "a", child: 2})),
		"page 2: its flags are 0x2, 1 levels above the lowest":       made(0, 2, 2, one),
		"page 2 lies below the 0 levels of the tree":                 made(0, 0, 2, one),
		"page 281474976710655 lies beyond the file's end":            made(0, 2, 1, pageOf(2, pageBranch, part{key: "a", child: 1<<48 - 1})),
		"its value of 900 bytes goes beyond the file's end at byte":  made(0, 1, 1, big(900), overflow(3, 2)),
		"page 3 does not hold a value of 900 bytes: the file is dam": made(0, 1, 1, big(900), overflow(3, 1), make([]byte, madePage)),
		"page 3 does not hold a value of 9 bytes":                    made(0, 1, 1, big(9), leaf),
		"its value is in page 77, beyond the file's end":             made(0, 1, 1, pageOf(2, pageLeaf, part{key: "a", child: 77, long: 9, flags: nodeBig})),
		"it has several values, which is not read":                   made(0, 1, 1, pageOf(2, pageLeaf, part{key: "a", value: "1", flags: nodeSeveral})),
		"there are 2 keys in place of 3":                             made(0, 1, 3, one),
		"may have several values (DUPSORT)":                          made(databaseSeveral, 1, 2, one),
		"its tree has 33 levels":                                     made(0, 33, 2, one),
		"it has 0 keys, and its tree begins at page 2":               made(0, 1, 0, one),
		"it says that it has 1152921504606846976 keys":               made(0, 1, 1<<60, one),
		"page 2: it calls itself page 7":                             made(0, 1, 2, changed(one, 0, uint64(7))),
		"its room is from byte 17 to":                                made(0, 1, 2, changed(one, 12, uint16(17))),
		"its room is from byte 20 to 60000":                          made(0, 1, 2, changed(one, 14, uint16(60000))),
		"its node 0 begins at byte 511":                              made(0, 1, 2, changed(one, headBytes, uint16(511))),
		"its node 0 goes beyond its end":                             made(0, 1, 2, changed(one, 502+6, uint16(900))),
		"two of its nodes overlap":                                   made(0, 1, 2, changed(one, headBytes+2, uint16(502))),
		"go beyond the file's end at byte 1500":                      made(0, 1, 2, one)[:1500],
		"neither of its two first pages is whole":                    changed(made(0, 1, 2, one), 0, uint64(7), madePage, uint64(7)),
		"a page of 3000 bytes: it is a power of 2":                   changed(made(0, 1, 2, one), 40, uint32(3000)),
		"a page of 0 bytes":                                          changed(made(0, 1, 2, one), 40, uint32(0)),
		"it is of version 2 of the format; version 1 is read":        changed(made(0, 1, 2, one), 20, uint32(2)),
		"a machine that is big-endian":                               changed(made(0, 1, 2, one), 16, uint32(0xDEC0EFBE)),
		"a program of 32 bits":                                       changed(made(0, 1, 2, one), 12, uint32(magic), 16, uint32(1)),
		"it does not begin as a database of LMDB":                    changed(made(0, 1, 2, one), 16, uint32(7)),
		"x.mdb: it is too short for a database of LMDB":              made(0, 1, 2, one)[:100],
		`key "train\x1b": it is a database of its own within the`:    testFile(t, "named.mdb"),
	} {
		_, _, err := readAll(b)
		require.ErrorContains(t, err, want)
	}
	// The newer meta page counts, and the other one where it is damaged.
	b := made(0, 1, 2, one, pageOf(3, pageLeaf, part{key: "c", value: "3"}))
	b = changed(b, madePage+120, uint64(1), madePage+128, uint64(3))
	keys, _, err = readAll(b)
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, keys)
	keys, _, err = readAll(changed(b, madePage, uint64(7)))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, keys)
}

// TestTruncatedAndDamagedFiles cuts files everywhere, and changes bits.
func TestTruncatedAndDamagedFiles(t *testing.T) {
	for _, name := range []string{"flat.mdb", "tree.mdb"} {
		b := testFile(t, name)
		whole, _, err := readAll(b)
		require.NoError(t, err)
		for n := 0; n < len(b); n += 1 + n/200 {
			keys, _, err := readAll(b[:n])
			if err == nil { // what was cut off is not in use
				require.Equal(t, whole, keys)
			}
		}
		for at := 0; at < len(b); at += 1 + at/997 {
			c := slices.Clone(b)
			c[at] ^= byte(1 << (at % 8))
			_, _, _ = readAll(c)
		}
	}
}

func FuzzRead(f *testing.F) {
	leaf := pageOf(3, pageLeaf, part{key: "a", value: "1"}, part{key: "b", child: 4, long: 9, flags: nodeBig})
	f.Add(made(0, 2, 2, pageOf(2, pageBranch, part{child: 3}), leaf, overflow(4, 1)))
	f.Add(made(0, 1, 2, pageOf(2, pageLeaf, part{key: "a", value: "1"}, part{key: "b", value: "22"})))
	f.Add(testFile(f, "flat.mdb"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, values, err := readAll(b)
		if err == nil && len(values) > len(b) {
			t.Fatalf("%d values of %d bytes", len(values), len(b))
		}
	})
}
