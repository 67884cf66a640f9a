package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/bench"
	"github.com/hubel-go/hubel/internal/command"
)

func TestParse(t *testing.T) {
	o, err := parse(nil)
	require.NoError(t, err)
	require.Equal(t, []string{"gemm", "layers", "net"}, o.Kinds)
	require.Equal(t, []string{"alexnet"}, o.Models)
	require.Equal(t, 128, o.Batch)
	require.Equal(t, 5, o.Runs)

	o, err = parse(strings.Fields("net -model lenet,alexnet -batch 8 -devices cpu,reference -threads 1,2 -runs 3 -winograd off -tf32 -cpu-path generic -format bench -json a"))
	require.NoError(t, err)
	require.Equal(t, bench.Options{Kinds: []string{"net"}, Models: []string{"lenet", "alexnet"}, Batch: 8,
		Devices: []string{"cpu", "reference"}, Threads: []int{1, 2}, Runs: 3, DirectConv: true, TF32: true, CPUPath: "generic"}, o.Options)
	require.Equal(t, "bench", o.format)
	require.Equal(t, "a", o.json)
}

// Whatever is wrong with the command line is one line and exit code 2.
func TestWrongFlags(t *testing.T) {
	dir := t.TempDir()
	notJSON := filepath.Join(dir, "not.json")
	require.NoError(t, os.WriteFile(notJSON, []byte("no"), 0o600))
	for args, says := range map[string]string{
		"speed":                              `"speed" is not gemm, layers, net or all`,
		"all more":                           `"more" is not a flag`,
		"-fast":                              "-h lists the flags",
		"-cpu-path sse":                      "it is auto, avx512, avx2, neon or generic",
		"-threads 1,x":                       "whole numbers above 0",
		"-threads 0":                         "whole numbers above 0",
		"-model ,":                           "names with commas",
		"-winograd on":                       `-winograd "on" is not auto or off`,
		"-gpu a100":                          "-gpu predicts with the simulator; give -devices ptxsim",
		"-gpu gtx480":                        `GPU "gtx480" is unknown; there are v100, a100, h100, rtx4090`,
		"-shape NN1x2x3":                     "-shape is for gemm; give gemm",
		"-memory 2GiB":                       "-memory is for whole steps; give net",
		"layers -memory 2GiB":                "-memory is for whole steps; give net",
		"gemm -shape NN1x2x3 -memory 2GiB":   "-memory is for whole steps; give net",
		"net -model lenet -memory 1KiB":      "needs at least",
		"gemm -shape 3x3":                    `"3x3" is not a shape such as`,
		"-format xml":                        `-format "xml" is not table, bench or markdown`,
		"net -trace t":                       "-trace shows the kernels of layers",
		"net -roofline r":                    "-roofline shows the passes of layers",
		"net -plot p":                        "-plot shows products",
		"-batch 0":                           "batch 0 must be at least 1",
		"-runs 0":                            "runs 0 must be 1 to 100000",
		"-runs 9223372036854775807":          "runs 9223372036854775807 must be 1 to 100000",
		"-threads 2,2":                       "number of threads 2 is given twice",
		"-threads 1,2 -batch 999999":         "alexnet with a batch of 999999 needs",
		"gemm -shape NN1x2x3,NN1x2x3":        "shape NN 1x2x3 is given twice",
		"gemm -shape NN999999x999999x999999": "NN 999999x999999x999999 needs",
		"gemm -json " + dir:                  "is not a regular file",
		"gemm -json " + dir + "/missing/r":   "no such file or directory",
		"gemm -json a -plot a":               "a is to be two files",
		"-devices abacus":                    `device "abacus" is unknown; this program has cpu`,
		"-model lenet -batch 9999999":        "the largest batch that fits is",
		"-peers " + notJSON:                  "is not a report of bench",
		"-compare " + notJSON:                "is not a report of bench",
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, command.Wrong, run(t.Context(), strings.Fields(args), &stdout, &stderr), args)
		require.Empty(t, stdout.String(), args)
		require.Contains(t, stderr.String(), says, args)
		require.Equal(t, 1, strings.Count(stderr.String(), "\n"), args)
		require.Equal(t, 1, strings.Count(stderr.String(), says), args)
	}
}

// What was measured is not lost where the other program's values differ, nor
// where something fails later; the files stay then.
func TestNothingIsLost(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	args := []string{"gemm", "-shape", "NN8x9x10", "-devices", "reference", "-runs", "1", "-json", file("r.json")}
	var stdout, stderr bytes.Buffer
	require.Equal(t, command.Done, run(t.Context(), args, &stdout, &stderr), stderr.String())
	r, err := bench.ReadFile(file("r.json"))
	require.NoError(t, err)

	r.Results[0].Device = "abacus"
	r.Results[0].Checksum.Sum++
	var b bytes.Buffer
	require.NoError(t, r.WriteJSON(&b))
	require.NoError(t, os.WriteFile(file("peer.json"), b.Bytes(), 0o600))
	stdout.Reset()
	stderr.Reset()
	args[len(args)-1] = file("again.json")
	require.Equal(t, command.Broken, run(t.Context(), append(args, "-peers", file("peer.json")), &stdout, &stderr))
	require.Contains(t, stderr.String(), "the values of reference and abacus differ")
	require.Contains(t, stdout.String(), "NN 8x9x10")
	_, err = bench.ReadFile(file("again.json"))
	require.NoError(t, err)

	// Ctrl-C once the first of two devices is done.
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stdout.Reset()
	args[len(args)-1], args[4] = file("stopped.json"), "reference,ptxsim"
	require.Equal(t, command.Interrupted, run(ctx, args, &stdout, lineWriter(func(line string) {
		if line == "gemm, on ptxsim\n" {
			stop()
		}
	})))
	require.Contains(t, stdout.String(), "reference")
	require.NotContains(t, stdout.String(), "ptxsim")
	require.NoFileExists(t, file("stopped.json"))
}

// lineWriter is called with what is written.
type lineWriter func(line string)

func (w lineWriter) Write(b []byte) (int, error) {
	w(string(b))
	return len(b), nil
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, command.Done, run(t.Context(), []string{"-h"}, &stdout, &stderr))
	require.Contains(t, stdout.String(), "-compare")
	require.Empty(t, stderr.String())
}

// Every output of one small run.
func TestRunWritesEverything(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	args := []string{"layers", "-model", "lenet", "-batch", "2", "-threads", "1", "-runs", "1",
		"-json", file("r.json"), "-plot", file("r.png"), "-roofline", file("roof.png"), "-trace", file("r.trace")}
	var stdout, stderr bytes.Buffer
	require.Equal(t, command.Done, run(t.Context(), args, &stdout, &stderr), stderr.String())
	require.Contains(t, stdout.String(), "layers of lenet, batch 2")
	for _, name := range []string{"r.png", "roof.png", "r.trace"} {
		b, err := os.ReadFile(file(name))
		require.NoError(t, err)
		require.Equal(t, name == "r.trace", json.Valid(b))
	}
	stdout.Reset()
	args = append(args[:9], "-compare", file("r.json"), "-format", "bench")
	require.Equal(t, command.Done, run(t.Context(), args, &stdout, &stderr), stderr.String())
	require.Contains(t, stdout.String(), "BenchmarkLayers/lenet/2/conv1/forward/cpu-1")
	require.Contains(t, stdout.String(), "old/new")
}
