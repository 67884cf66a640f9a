package main

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Only a folder that this program has made is removed.
func TestClear(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign")
	require.NoError(t, os.MkdirAll(foreign, 0o777))
	require.NoError(t, clear(foreign), "an empty one may be used")
	require.NoError(t, os.WriteFile(filepath.Join(foreign, "thesis.tex"), []byte("x"), 0o666))
	require.ErrorContains(t, clear(foreign), "is no folder of this program")
	require.FileExists(t, filepath.Join(foreign, "thesis.tex"))

	made := filepath.Join(dir, "a", "b")
	require.NoError(t, clear(made))
	require.DirExists(t, made)
	require.NoError(t, zipped(filepath.Join(made, "hubel.wasm.gz"), []byte("program")))
	require.NoError(t, os.WriteFile(filepath.Join(made, "old.js"), nil, 0o666))
	require.NoError(t, clear(made))
	require.NoFileExists(t, filepath.Join(made, "old.js"))
}

func TestZippedAndSizeOf(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("hubel ", 1000)
	require.NoError(t, zipped(filepath.Join(dir, "a.gz"), []byte(text)))
	f, err := os.Open(filepath.Join(dir, "a.gz"))
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	back, err := io.ReadAll(z)
	require.NoError(t, err)
	require.Equal(t, text, string(back))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sub", "b"), make([]byte, 100), 0o666))
	info, err := f.Stat()
	require.NoError(t, err)
	size, err := sizeOf(dir)
	require.NoError(t, err)
	require.Equal(t, info.Size()+100, size)
}

// The page asks for the files that the program writes, and for no others.
func TestPageAsksForWhatThereIs(t *testing.T) {
	page := filepath.Join("..", "..", "demo", "page")
	entries, err := os.ReadDir(page)
	require.NoError(t, err)
	there := map[string]bool{"hubel.wasm.gz": true, "lenet.safetensors.gz": true, "digits.bin.gz": true, "wasm_exec.js": true, "about.json": true}
	var text strings.Builder
	for _, e := range entries {
		there[e.Name()] = true
		content, err := os.ReadFile(filepath.Join(page, e.Name()))
		require.NoError(t, err)
		text.Write(content)
	}
	require.NotContains(t, text.String(), "http:", "nothing comes from elsewhere")
	require.NotContains(t, text.String(), "https:")
	asked := regexp.MustCompile(`(?:load\('|from '\./|import '\./|href="|src="|new Worker\(')([\w.]+\.[\w.]+)`).FindAllStringSubmatch(text.String(), -1)
	require.Greater(t, len(asked), 10)
	for _, a := range asked {
		require.True(t, there[a[1]], "%s is not in the folder", a[1])
	}
}
