package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
)

// ptxsimRun runs the command and returns its exit code and what it prints.
func ptxsimRun(args ...string) (code int, stdout, stderr string) {
	var out, errs strings.Builder
	code = run(args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestRunPrintsCountersAndChangedBuffers(t *testing.T) {
	code, out, errs := ptxsimRun("run", "testdata/saxpy.ptx", "-kernel", "saxpy", "-grid", "2", "-block", "64",
		"-arg", "f32[100]=1", "-arg", "f32[100]=count", "-arg", "f32=2", "-arg", "i32=100", "-print", "3")
	require.Equal(t, command.Done, code, errs)
	require.Contains(t, out, "saxpy: grid (2,1,1), block (64,1,1), simulated in ")
	require.Contains(t, out, "launches 1, blocks 2, warps 4")
	require.Contains(t, out, "argument 0, f32[100], 99 changed: 1 3 5 …\n")
	require.NotContains(t, out, "argument 1")
}

func TestRunFillsBuffers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ones")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("\x00\x00\x80\x3f", 8)), 0o600))
	for contents, first := range map[string]string{"@" + file: "2 2", "count": "1 2", "-0.5": "0.5 0.5", "0x1p3": "9 9"} {
		code, out, errs := ptxsimRun("run", "testdata/saxpy.ptx", "-kernel", "saxpy", "-block", "8",
			"-arg", "f32[8]="+contents, "-arg", "f32[8]=1", "-arg", "f32=1", "-arg", "i32=8", "-print", "2")
		require.Equal(t, command.Done, code, errs)
		require.Contains(t, out, "8 changed: "+first+" …")
	}
	seeded := func(seed string) string {
		_, out, _ := ptxsimRun("run", "testdata/saxpy.ptx", "-kernel", "saxpy", "-block", "8", "-seed", seed,
			"-arg", "f32[8]=rand", "-arg", "f32[8]=1", "-arg", "f32=1", "-arg", "i32=8")
		return out[strings.Index(out, "argument"):]
	}
	require.Equal(t, seeded("1"), seeded("1"))
	require.NotEqual(t, seeded("1"), seeded("2"))
}

func TestRunNamesFaults(t *testing.T) {
	code, _, errs := ptxsimRun("run", "testdata/saxpy.ptx", "-kernel", "past_end", "-block", "32", "-arg", "f32[20]=none", "-arg", "i32=20")
	require.Equal(t, command.Broken, code)
	require.Contains(t, errs, "ptxsim: address: kernel past_end, testdata/saxpy.ptx:")
	require.Contains(t, errs, "thread (20,0,0)")
	require.Contains(t, errs, "argument 0 (80 bytes")

	code, _, errs = ptxsimRun("run", "testdata/saxpy.ptx", "-kernel", "saxpy", "-block", "32",
		"-arg", "f32[32]=1", "-arg", "f32[32]=none", "-arg", "f32=2", "-arg", "i32=32")
	require.Equal(t, command.Broken, code)
	require.Contains(t, errs, "uninitialised global memory")
}

func TestWrongFlagsAreOneLine(t *testing.T) {
	for says, args := range map[string][]string{
		"run which file?": {},
		`ptxsim run FILE`: {"walk", "x.ptx"},
		"no such file":    {"run", "testdata/none.ptx"},
		"has 2 kernels; choose one with -kernel: saxpy, past_end": {"run", "testdata/saxpy.ptx"},
		`no kernel "saxp"; there are past_end, saxpy`:             {"run", "testdata/saxpy.ptx", "-kernel", "saxp"},
		"0 arguments for 4 parameters":                            {"run", "testdata/saxpy.ptx", "-kernel", "saxpy"},
		`"0" is not an extent`:                                    {"run", "testdata/saxpy.ptx", "-grid", "4,0"},
		"more than three":                                         {"run", "testdata/saxpy.ptx", "-block", "1,1,1,1"},
		"wants TYPE=VALUE":                                        {"run", "testdata/saxpy.ptx", "-arg", "float=1"},
		`"x" is not a number of type i32`:                         {"run", "testdata/saxpy.ptx", "-arg", "i32=x"},
		`"300" is not a number of type u8`:                        {"run", "testdata/saxpy.ptx", "-arg", "u8[3]=300"},
		"there can be 1 to":                                       {"run", "testdata/saxpy.ptx", "-arg", "f32[0]=1"},
		"has 0 bytes, not 8":                                      {"run", "testdata/saxpy.ptx", "-kernel", "saxpy", "-arg", "f32[2]=@/dev/null"},
		`"extra" is left over`:                                    {"run", "testdata/saxpy.ptx", "extra"},
	} {
		code, _, errs := ptxsimRun(args...)
		require.Equal(t, command.Wrong, code, "%v", args)
		require.Contains(t, errs, says)
		require.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
	code, out, _ := ptxsimRun("-h")
	require.Equal(t, command.Done, code)
	require.Equal(t, usageText, out)
}
