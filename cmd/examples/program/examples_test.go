package program

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/solver"
)

// call calls the program with a line of words.
func call(t *testing.T, line string) (code int, out, err string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), strings.Fields(line), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// faceFile is a file of n faces in Kaggle's layout, of 16x16 pixels with 15 points.
func faceFile(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	for i := range 15 {
		fmt.Fprintf(&b, "p%d_x,p%d_y,", i, i)
	}
	b.WriteString("Image\n")
	for row := range n {
		for i := range 30 {
			fmt.Fprintf(&b, "%d,", i%15+row/10)
		}
		b.WriteString(strings.Repeat(fmt.Sprintf("%d ", 10*row), 16*16-1) + "7\n")
	}
	path := filepath.Join(t.TempDir(), "faces.csv")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

func TestFaces(t *testing.T) {
	file, dir := faceFile(t, 10), filepath.Join(t.TempDir(), "faces")
	line := "faces -data " + file + " -epochs 1 -out " + dir
	code, out, stderr := call(t, line)
	require.Equal(t, command.Done, code, stderr)
	require.Equal(t, 5, strings.Count(out, "bin/train -model net"))
	table, err := os.ReadFile(filepath.Join(dir, "table.md"))
	require.NoError(t, err)
	require.Contains(t, out, string(table))
	require.Equal(t, 7, strings.Count(string(table), "\n"))
	for _, name := range []string{"curves.png", "faces.png", "net5-1.sh", "net5-1.txt"} {
		require.FileExists(t, filepath.Join(dir, name))
	}

	// What is done is not repeated: the same lines come, and no folder changes.
	before, err := os.Stat(filepath.Join(dir, "net5-1", "checkpoint.safetensors"))
	require.NoError(t, err)
	code, again, stderr := call(t, line)
	require.Equal(t, command.Done, code, stderr)
	require.Equal(t, out, again)
	after, err := os.Stat(filepath.Join(dir, "net5-1", "checkpoint.safetensors"))
	require.NoError(t, err)
	require.Equal(t, before.ModTime(), after.ModTime())

	// Another training of that name is refused.
	code, _, stderr = call(t, line+" -- -decay 0.1")
	require.Equal(t, command.Wrong, code)
	require.Contains(t, stderr, "another command than this one: choose another folder with -out, or remove "+dir)
}

// A study that is stopped goes on in the training where it was.
func TestStopped(t *testing.T) {
	file, dir := faceFile(t, 10), filepath.Join(t.TempDir(), "faces")
	line := strings.Fields("faces -data " + file + " -epochs 2 -out " + dir + " -- -clip 5 -threads 1")
	ctx, stop := context.WithCancel(t.Context())
	var stdout, stderr bytes.Buffer
	code := run(ctx, line, writerFunc(func(b []byte) (int, error) {
		if bytes.Contains(b, []byte("net2")) {
			stop()
		}
		return stdout.Write(b)
	}), &stderr)
	require.Equal(t, command.Interrupted, code, stderr.String())
	require.NotContains(t, stdout.String(), "net3")
	c, err := solver.PeekCheckpoint(filepath.Join(dir, "net2-1"))
	require.NoError(t, err)
	require.False(t, c.Done(c.Config.Iterations))
	code, out, text := call(t, strings.Join(line, " "))
	require.Equal(t, command.Done, code, text)
	require.Contains(t, out, "| net5 |")
}

// writerFunc is a function that writes.
type writerFunc func(b []byte) (int, error)

// Write implements io.Writer.
func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("file", nil, 0o600))
	for line, want := range map[string]string{
		"":                               "the first word is the example: faces, recipe",
		"-data x":                        "the first word is the example: faces, recipe",
		"dogs":                           `there is no example "dogs": there are faces`,
		"faces":                          "faces needs -data",
		"faces -data":                    "flag needs an argument: -data; -h lists the flags",
		"faces -data x -val y":           "-val has no meaning for faces; it takes -data, -out, -seeds, -epochs",
		"faces -data x y":                `"y" is no flag; flags for each training come after --`,
		"faces -data x -seeds -1":        "-seeds must be at least 1",
		"faces -data x -epochs -1":       "-epochs must be at least 0",
		"faces -data x -- -seed 4":       "-seed after -- is what the example itself gives to train",
		"faces -data x -out file":        "-out: file is not a folder",
		"faces -data none.csv":           "-data: open none.csv: no such file or directory",
		"transfer -data none.tar":        "transfer needs -val",
		"transfer -data none.tar -val v": "-data: stat none.tar: no such file or directory",
	} {
		code, out, err := call(t, line)
		require.Equal(t, command.Wrong, code, line)
		require.Contains(t, err, "examples: "+want, line)
		require.Equal(t, 1, strings.Count(err, "\n"), err)
		require.Empty(t, out, line)
	}
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing was written")
}

func TestHelp(t *testing.T) {
	code, out, err := call(t, "-h")
	require.Equal(t, command.Done, code)
	require.Empty(t, err)
	for _, e := range examples() {
		require.Contains(t, out, "\n  "+e.name+" ")
	}
}

// photoFolder has two classes of n pictures of 32x32 pixels.
func photoFolder(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for _, class := range []string{"dark", "light"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, class), 0o700))
		for i := range n {
			m := image.NewGray(image.Rect(0, 0, 32, 32))
			for k := range m.Pix {
				m.Pix[k] = uint8(7*k + 11*i)
				if class == "dark" {
					m.Pix[k] /= 4
				}
			}
			var b bytes.Buffer
			require.NoError(t, png.Encode(&b, m))
			require.NoError(t, os.WriteFile(filepath.Join(dir, class, fmt.Sprint(i, ".png")), b.Bytes(), 0o600))
		}
	}
	return dir
}

func TestRecipe(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := filepath.Join(t.TempDir(), "recipe")
	code, out, stderr := call(t, "recipe -data "+photoFolder(t, 4)+" -val "+photoFolder(t, 2)+" -seeds 2 -epochs 1 -out "+dir+" -- -warmup 0")
	require.Equal(t, command.Done, code, stderr)
	require.Equal(t, 2, strings.Count(out, "bin/train -model xresnet18-half"))
	require.Contains(t, out, "| xresnet18-half | ")
	require.Contains(t, out, "Means of 2 seeds")
	require.FileExists(t, filepath.Join(dir, "xresnet18-half-2", "log.jsonl"))
}
