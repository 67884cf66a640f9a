package cuda

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cuda/costmodel"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// assembler finds ptxas of the pinned compiler.
func assembler() string {
	dir := os.Getenv("HUBEL_CUDA")
	if home, err := os.UserHomeDir(); dir == "" && err == nil {
		dir = filepath.Join(home, ".cache", "hubel", "cuda-11.8")
	}
	return filepath.Join(dir, "bin", "ptxas")
}

var spills = regexp.MustCompile(`[1-9]\d* bytes spill`)

var used = regexp.MustCompile(`Used (\d+) registers(?:, (\d+) bytes smem)?`)

// What Go writes for programs is PTX that assembles for every architecture, in
// registers alone, and no more than predictions say.
func TestProgramsAssemble(t *testing.T) {
	if os.Getenv("HUBEL_LONG") == "" {
		t.Skip("assembling takes half a minute: make sass does it, or HUBEL_LONG=1")
	}
	ptxas := assembler()
	if _, err := os.Stat(ptxas); err != nil {
		t.Skipf("ptxas is not here, which tools/install-nvcc.sh installs: %v", err)
	}
	texts := map[string]string{}
	for i, p := range devicetest.Programs() {
		m := device.Mode(i % 2)
		texts[fmt.Sprintf("%d map %v", i, p)] = mapText(p, []device.Mode{m, m, m, m})
		if fold := i%3 == 0; p.Outputs() == 1 {
			texts[fmt.Sprintf("%d reduce %v", i, p)] = reduceText(p, device.ReduceOp(i/8%2), foldedAxes(expr.Axes(i%8), fold), fold, m)
		}
	}
	for i, p := range devicetest.Updates() {
		texts[fmt.Sprintf("%d update %v", i, p)] = updateText(p)
	}
	dir := t.TempDir()
	for name, text := range texts {
		source := filepath.Join(dir, "program.ptx")
		require.NoError(t, os.WriteFile(source, []byte(text), 0o666))
		for _, arch := range []string{"sm_70", "sm_80", "sm_86", "sm_90"} {
			out, err := exec.Command(ptxas, "-v", "-arch="+arch, "-o", filepath.Join(dir, "program.cubin"), source).CombinedOutput()
			require.NoError(t, err, "%s for %s: %s\n%s", name, arch, out, text)
			require.NotRegexp(t, spills, string(out), "%s for %s", name, arch)
			found := used.FindStringSubmatch(string(out))
			require.NotNil(t, found, "%s for %s: %s", name, arch, out)
			bound := costmodel.Programs[slices.IndexFunc(costmodel.Programs, func(a costmodel.Assembled) bool { return strings.Contains(name, " "+a.Kernel+" ") })]
			for i, most := range []int{bound.Registers, bound.Shared} {
				n, _ := strconv.Atoi(found[1+i]) // absent where it is none
				require.LessOrEqual(t, n, most, "%s for %s: %s", name, arch, out)
			}
		}
	}
}

// A program of eight operations is bound by memory on every card, and so is its sum over
// what lies side by side or apart, as far as the predictions know.
func TestProgramsAreBoundByMemory(t *testing.T) {
	const n = 1 << 20
	x := expr.Input(0, expr.Whole)
	y := x
	for range 2 {
		y = expr.Max(expr.Add(expr.Mul(y, expr.Const(1.1)), expr.Const(0.1)), x)
	}
	eight := expr.MustNew(expr.Add(expr.Mul(y, expr.Const(0.9)), x))
	row := device.View{N: 1, C: 1, Inner: n}
	for _, card := range costmodel.Cards {
		var reports []ptxsim.Report
		sim := ptxsim.New(ptxsim.Config{Capability: card.Capability, SMs: card.SMs, Sample: 64,
			OnLaunch: func(r ptxsim.Report) { reports = append(reports, r) }})
		dev, err := New("ptxsim", sim, device.Options{})
		require.NoError(t, err)
		q, err := dev.NewQueue()
		require.NoError(t, err)
		tensorOf := func(n int) device.Tensor {
			b, err := dev.Alloc(int64(4 * n))
			require.NoError(t, err)
			return device.Tensor{Buffer: b, DType: device.Float32, Shape: []int{n}}
		}
		for _, c := range []struct {
			p    *expr.Program
			v    device.View
			axes expr.Axes
		}{
			{eight, row, expr.Whole},
			{eight, row, expr.One},
			{eight, device.View{N: 4096, C: 1, Inner: 1024}, expr.Inner},
			{eight, device.View{N: 4096, C: 1024, Inner: 1}, expr.Channel},
			{eight, device.View{N: 4096, C: 1000, Inner: 1}, expr.Sample},
			{eight, device.View{N: 32, C: 64, Inner: 56 * 56}, expr.Channel},
			{identity, device.View{N: 32, C: 2048, Inner: 7 * 7}, expr.Channel}, // not in fours
			{eight, device.View{N: 32, C: 256, Inner: 28 * 28}, expr.Pixel},
			{eight, device.View{N: 32, C: 32, Inner: 8 * 28 * 28}, expr.N | expr.C},
		} {
			in, out := tensorOf(c.v.Elements(expr.Whole)), tensorOf(c.v.Elements(c.axes))
			reports = nil
			if c.axes == expr.Whole {
				q.Map(c.p, c.v, []device.Tensor{out}, []device.Tensor{in}, []device.Mode{device.Overwrite}, device.Random{})
			} else {
				q.Reduce(c.p, c.v, device.Sum, c.axes, out, []device.Tensor{in}, device.Overwrite, device.Random{})
			}
			require.NoError(t, q.Sync())
			predicted, err := card.Of(costmodel.Launch{Report: reports[0], Bytes: in.Bytes() + out.Bytes()})
			require.NoError(t, err)
			require.Equal(t, costmodel.DRAM, predicted.Limit, "%v of %v to %v on %s: %v", c.p, c.v, c.axes, card.Name, predicted)
			for _, parts := range reports[1:] {
				after, err := card.Of(costmodel.Launch{Report: parts})
				require.NoError(t, err)
				require.Less(t, after.Seconds, 1e-6, "parts of %v to %v on %s", c.v, c.axes, card.Name)
			}
			require.NoError(t, errors.Join(in.Buffer.Free(), out.Buffer.Free()))
		}
		require.NoError(t, dev.Close())
	}
}
