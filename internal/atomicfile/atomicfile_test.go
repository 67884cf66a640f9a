package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func put(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// only requires that folder holds one entry, name, with the content.
func only(t *testing.T, folder, name, content string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, name, entries[0].Name())
	b, err := os.ReadFile(filepath.Join(folder, name))
	require.NoError(t, err)
	require.Equal(t, content, string(b))
}

func TestWrite(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "f")
	require.NoError(t, Write(path, put("old")))
	only(t, folder, "f", "old")
	require.NoError(t, Write(path, put("new")))
	only(t, folder, "f", "new")
}

func TestWriteKeepsOldFileOnFailure(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "f")
	require.NoError(t, Write(path, put("old")))

	full := errors.New("disk full")
	err := Write(path, func(w io.Writer) error {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil { // more than is buffered
			return err
		}
		return full
	})
	require.ErrorIs(t, err, full)
	require.ErrorContains(t, err, path)
	only(t, folder, "f", "old")

	require.Panics(t, func() { Write(path, func(io.Writer) error { panic("bug") }) })
	only(t, folder, "f", "old")
}

func TestWriteErrorsNameTheFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "missing", "f")
	err := Write(path, put("x"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, path)

	// The rename fails where path is a folder that is not empty.
	path = filepath.Join(folder, "taken")
	require.NoError(t, os.MkdirAll(filepath.Join(path, "inner"), 0o777))
	require.ErrorContains(t, Write(path, put("x")), path)
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 1, "the temporary file is removed")
}

func TestCheck(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "f")
	require.NoError(t, Check(path))
	require.NoError(t, Write(path, put("old")))
	require.NoError(t, Check(path))
	only(t, folder, "f", "old")
	require.ErrorContains(t, Check(folder), folder+" is not a regular file")

	path = filepath.Join(folder, "missing", "f")
	require.ErrorIs(t, Check(path), fs.ErrNotExist)
	require.EqualError(t, Check(path), path+": no such file or directory")
}

// A device is not replaced, whoever may do so.
func TestWriteKeepsDevices(t *testing.T) {
	before, err := os.Stat(os.DevNull)
	require.NoError(t, err)
	require.ErrorContains(t, Write(os.DevNull, put("x")), os.DevNull+" is not a regular file")
	after, err := os.Stat(os.DevNull)
	require.NoError(t, err)
	require.Equal(t, before.Mode(), after.Mode())
}

func TestWriteRespectsUmask(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "plain"), nil, 0o666))
	require.NoError(t, Write(filepath.Join(folder, "atomic"), put("")))
	plain, err := os.Stat(filepath.Join(folder, "plain"))
	require.NoError(t, err)
	atomic, err := os.Stat(filepath.Join(folder, "atomic"))
	require.NoError(t, err)
	require.Equal(t, plain.Mode(), atomic.Mode())
}

func TestRotateKeepsTheOneBefore(t *testing.T) {
	folder := t.TempDir()
	path, previous := filepath.Join(folder, "f"), filepath.Join(folder, "before")
	contents := func() map[string]string {
		found := map[string]string{}
		entries, err := os.ReadDir(folder)
		require.NoError(t, err)
		for _, e := range entries {
			b, err := os.ReadFile(filepath.Join(folder, e.Name()))
			require.NoError(t, err)
			found[e.Name()] = string(b)
		}
		return found
	}
	require.NoError(t, Rotate(path, previous, put("1")))
	require.Equal(t, map[string]string{"f": "1"}, contents())
	require.NoError(t, Rotate(path, previous, put("2")))
	require.Equal(t, map[string]string{"f": "2", "before": "1"}, contents())
	require.NoError(t, Rotate(path, previous, put("3")))
	require.Equal(t, map[string]string{"f": "3", "before": "2"}, contents())
	full := errors.New("disk full")
	require.ErrorIs(t, Rotate(path, previous, func(io.Writer) error { return full }), full)
	require.Equal(t, map[string]string{"f": "3", "before": "2"}, contents())
}

func TestCleanRemovesWhatAKillLeaves(t *testing.T) {
	folder := t.TempDir()
	f, err := create(filepath.Join(folder, "f"))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	others := []string{"f", "f.X", "f.X.tmp", filepath.Base(f.Name())[1:], "g.tmp"}
	for _, name := range others {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), nil, 0o666))
	}
	require.NoError(t, os.Mkdir(filepath.Join(folder, "g."+strings.Repeat("A", 26)+".tmp"), 0o777)) // no file of ours
	require.NoError(t, Clean(folder))
	require.NoFileExists(t, f.Name())
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, left, len(others)+1)
}
