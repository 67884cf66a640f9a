package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func read(t *testing.T, name string) string {
	text, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return string(text)
}

func TestParseUsage(t *testing.T) {
	all := parseUsage(read(t, "ptxas.txt"))
	require.Equal(t, usage{registers: 31, shared: 32}, all["sum_parts"])
	require.Equal(t, usage{registers: 40, spilled: 8}, all["lrn_backward_5"])
	require.EqualError(t, spills([]kernel{{name: "sum_parts", usage: all["sum_parts"]},
		{name: "lrn_backward_5", capability: 80, usage: all["lrn_backward_5"]}}), "lrn_backward_5 spills 8 bytes on sm_80")
}

func TestEntries(t *testing.T) {
	require.Equal(t, map[string]int{"add": 256, "tile": 64, "free": 0}, entries(`
.visible .entry add(
	.param .u64 add_param_0
)
.maxntid 256, 1, 1
{
	ret;
}
.visible .entry tile(
	.param .u64 tile_param_0
)
.maxntid 32, 2, 1
.minnctapersm 2
{
}
.visible .entry free(
	.param .u64 p
)
{
}`))
}

// The innermost loop of the two is the main one; the branch to itself after
// the end is none, and neither is a loop that copies.
func TestMainLoop(t *testing.T) {
	functions := parseSASS(read(t, "sass.txt"))
	require.Len(t, functions["product"], 12)
	fmaFraction, length := mainLoop(functions["product"])
	require.Equal(t, 5, length)
	require.InDelta(t, 0.6, fmaFraction, 1e-9)
	require.Equal(t, "FFMA", multiplication(functions["product"]))
	tensor := []instruction{{at: 0, op: "FFMA", target: -1}, {at: 16, op: "HMMA.1688.F32.TF32", target: -1}, {at: 32, op: "LDS", target: -1},
		{at: 48, op: "FFMA", target: -1}, {at: 64, op: "BRA", target: 16}}
	fmaFraction, length = mainLoop(tensor)
	require.Equal(t, tensorProduct, multiplication(tensor))
	require.Equal(t, 4, length)
	require.InDelta(t, 0.25, fmaFraction, 1e-9)
	fmaFraction, length = mainLoop(functions["copy"])
	require.Zero(t, fmaFraction)
	require.Zero(t, length)
}

// A loop that is half multiply-adds for one capability counts for all.
func TestKeepMainLoops(t *testing.T) {
	all := []kernel{
		{name: "dense", capability: 80, fmaFraction: 0.5, loop: 32}, {name: "lrn", capability: 80, fmaFraction: 0.2, loop: 20},
		{name: "dense", capability: 86, fmaFraction: 0.4, loop: 40}, {name: "lrn", capability: 86, fmaFraction: 0.3, loop: 20},
		{name: "tensor", capability: 86, fmaFraction: 0.3, loop: 160, tensor: true},
	}
	keepMainLoops(all)
	require.Equal(t, []kernel{
		{name: "dense", capability: 80, fmaFraction: 0.5, loop: 32}, {name: "lrn", capability: 80},
		{name: "dense", capability: 86, fmaFraction: 0.4, loop: 40}, {name: "lrn", capability: 86},
		{name: "tensor", capability: 86, fmaFraction: 0.3, loop: 160, tensor: true},
	}, all)
}

func TestTable(t *testing.T) {
	all := []kernel{
		{source: "pool", name: "pool", capability: 70, threads: 256, usage: usage{registers: 30}},
		{source: "gemm", name: "sgemm", capability: 80, threads: 256, usage: usage{registers: 128, shared: 16896}, fmaFraction: 0.871, loop: 588},
		{source: "pool", name: "pool", capability: 80, threads: 256, usage: usage{registers: 32}},
	}
	require.Equal(t, `[
{"kernel":"pool","capability":70,"registers":30},
{"kernel":"sgemm","capability":80,"registers":128,"shared":16896,"fma_fraction":0.871},
{"kernel":"pool","capability":80,"registers":32}
]
`, assembled(all))
	require.Equal(t, `| kernel | source | threads | shared | sm_70 | sm_80 |
|---|---|---|---|---|---|
| pool | pool.cu | 256 | 0 | 30, 8, 100 % | 32, 8, 100 % |
| sgemm | gemm.cu | 256 | 16896 | – | 128, 2, 25 % |

| main loop | instructions | sm_70 | sm_80 |
|---|---|---|---|
| sgemm | 588 | – | 87.1 % |
`, table(all))
}
