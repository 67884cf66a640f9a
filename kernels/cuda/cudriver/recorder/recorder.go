//go:build cuda && linux && amd64

// Package recorder is for tests of what reaches the CUDA driver: a library that
// stands in for libcuda.so.1 and writes every call down. A program opens its
// driver once, so a test runs its own binary again with the stand-in.
package recorder

import (
	_ "embed"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

//go:embed testdata/recorder.c
var source []byte

//go:embed testdata/nccl.c
var ncclSource []byte

// Build compiles the stand-in and returns its path.
func Build(t *testing.T) string { return build(t, source) }

// BuildNCCL compiles the stand-in for libnccl.so.2, which HUBEL_LIBNCCL names, and returns its
// path. It is for devices of Build's.
func BuildNCCL(t *testing.T) string { return build(t, ncclSource) }

func build(t *testing.T, source []byte) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "recorder.so")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "recorder.c"), source, 0o666))
	out, err := exec.Command("cc", "-shared", "-fPIC", "-O1", "-o", path, filepath.Join(dir, "recorder.c"), "-lpthread").CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// Run is what became of a program that ran with a stand-in.
type Run struct {
	Output string // of both streams
	Calls  string // a line each, with what is allocated after those that change it
	Code   int    // exit code
}

// Program runs this test's binary again with the library as its driver, other
// arguments, and more in its environment; see recorder.c for what that changes.
func Program(t *testing.T, library string, args []string, env ...string) Run {
	t.Helper()
	record := filepath.Join(t.TempDir(), "record")
	program, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(program, args...)
	c.Env = append(append(os.Environ(), "HUBEL_LIBCUDA="+library, "HUBEL_RECORD="+record), env...)
	out, err := c.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	calls, err := os.ReadFile(record)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return Run{string(out), string(calls), c.ProcessState.ExitCode()}
}

// Test runs one test again, which has to pass. The test calls Inside.
func Test(t *testing.T, library, test string, env ...string) Run {
	t.Helper()
	r := Program(t, library, []string{"-test.run=^" + test + "$", "-test.v"}, append(env, inside+"=1")...)
	require.Zero(t, r.Code, r.Output)
	return r
}

const inside = "HUBEL_INSIDE"

// Inside skips a test that Test has not started.
func Inside(t *testing.T) {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Skip("a part of another test, which runs it with a stand-in for the driver")
	}
}

// NothingLeft is what Left says where everything is given back.
const NothingLeft = "0 contexts, 0 allocations, 0 host allocations, 0 streams, 0 events, 0 modules"

// Count is how often each function of the driver was called.
func (r Run) Count() map[string]int {
	count := map[string]int{}
	for line := range strings.Lines(r.Calls) {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(name, "cu") {
			count[name]++
		}
	}
	return count
}

// Left is what the program had not given back in the end.
func (r Run) Left() string {
	const mark = "left: "
	i := strings.LastIndex(r.Calls, mark)
	if i < 0 {
		return NothingLeft
	}
	line, _, _ := strings.Cut(r.Calls[i+len(mark):], "\n")
	return line
}
