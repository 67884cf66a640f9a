package program

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
)

// call runs the program in the working directory.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out bytes.Buffer
	code, stderr = callTo(t.Context(), &out, args...)
	return code, out.String(), stderr
}

func callTo(ctx context.Context, stdout io.Writer, args ...string) (code int, stderr string) {
	var err bytes.Buffer
	code = Run(ctx, append([]string{"bin/train"}, args...), stdout, &err)
	return code, err.String()
}

// progressLine is what stderr shows every ten seconds, on a busy machine in a
// test too.
var progressLine = regexp.MustCompile(`(?m)^(\d+/\d+  epoch .* left|checked \d+ of \d+ pictures)\n`)

// succeed requires that the program ends well, and returns what it printed.
func succeed(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := call(t, args...)
	require.Equal(t, command.Done, code, stderr)
	require.Empty(t, progressLine.ReplaceAllString(stderr, ""))
	return stdout
}

// refused requires that the program ends with code 2 and one line that holds
// the message, and writes nothing into the working directory.
func refused(t *testing.T, message string, args ...string) {
	t.Helper()
	before := files(t)
	code, stdout, stderr := call(t, args...)
	require.Equal(t, command.Wrong, code, stderr)
	require.Empty(t, stdout)
	require.True(t, strings.HasPrefix(stderr, "train: "), stderr)
	require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
	require.Contains(t, stderr, message)
	require.Equal(t, before, files(t))
}

// files maps the files and folders of the working directory to their
// contents.
func files(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			found[path] = "a folder"
			return err
		}
		b, err := os.ReadFile(path)
		found[path] = string(b)
		return err
	})
	require.NoError(t, err)
	return found
}
