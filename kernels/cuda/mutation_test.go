package cuda

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// Changes to PTX, each of which ought to make the tests of its kernel fail.
// line is one instruction; others are the lines around it, where registers
// come from.
var mutations = map[string]func(r *rand.Rand, line string, others []string) string{
	"drop": func(_ *rand.Rand, line string, _ []string) string { return "//" + line },
	"drop barrier": func(_ *rand.Rand, line string, _ []string) string {
		if !strings.Contains(line, "bar.sync") {
			return line
		}
		return "//" + line
	},
	"invert predicate": func(_ *rand.Rand, line string, _ []string) string {
		if strings.Contains(line, "@%p") {
			return strings.Replace(line, "@%p", "@!%p", 1)
		}
		return strings.Replace(line, "@!%p", "@%p", 1)
	},
	"swap operand": func(r *rand.Rand, line string, others []string) string {
		// The last operand becomes another register of its type.
		at := registers.FindAllStringIndex(line, -1)
		if len(at) < 2 {
			return line
		}
		last := at[len(at)-1]
		old := line[last[0]:last[1]]
		kind := strings.TrimRight(old, "0123456789")
		var choice []string
		for _, o := range others {
			for _, reg := range registers.FindAllString(o, -1) {
				if strings.TrimRight(reg, "0123456789") == kind && reg != old {
					choice = append(choice, reg)
				}
			}
		}
		if len(choice) == 0 {
			return line
		}
		return line[:last[0]] + choice[r.IntN(len(choice))] + line[last[1]:]
	},
	"shift address": func(_ *rand.Rand, line string, _ []string) string {
		return address.ReplaceAllStringFunc(line, func(a string) string {
			base, offset, _ := strings.Cut(strings.Trim(a, "[]"), "+")
			n, _ := strconv.Atoi(offset)
			return fmt.Sprintf("[%s+%d]", base, n+4)
		})
	},
}

var (
	registers = regexp.MustCompile(`%[a-z]+\d+`)
	address   = regexp.MustCompile(`\[%rd?\d+(\+\d+)?\]`)
)

// TestMutations changes the shipped PTX at random and requires the tests to
// notice. HUBEL_MUTATIONS sets the number of changes.
func TestMutations(t *testing.T) {
	count := 40
	if n, err := strconv.Atoi(os.Getenv("HUBEL_MUTATIONS")); err == nil {
		count = n
	}
	text, err := ptx.ReadFile(ptxFile(80, "gemm"))
	require.NoError(t, err)
	unchanged := strings.Split(string(text), "\n")
	for at, l := range unchanged {
		if strings.Contains(l, ".entry") {
			require.NoError(t, testMutant(t, unchanged, at+1))
		}
	}
	r := rand.New(rand.NewPCG(11, 11))
	kinds := []string{"drop", "drop barrier", "invert predicate", "swap operand", "shift address"}
	caught := 0
	for i := 0; i < count; {
		lines := strings.Split(string(text), "\n")
		at := r.IntN(len(lines))
		if !strings.HasSuffix(lines[at], ";") || strings.HasPrefix(strings.TrimSpace(lines[at]), ".") {
			continue
		}
		kind := kinds[r.IntN(len(kinds))]
		changed := mutations[kind](r, lines[at], lines[max(0, at-20):at])
		if changed == lines[at] {
			continue
		}
		i++
		original := lines[at]
		lines[at] = changed
		if err := testMutant(t, lines, at); err != nil {
			caught++
			continue
		}
		t.Logf("survived: %s of line %d: %s", kind, at+1, strings.TrimSpace(original)+" -> "+strings.TrimSpace(changed))
	}
	t.Logf("%d of %d caught", caught, count)
	require.GreaterOrEqual(t, caught*100, count*95)
}

// testMutant runs the kernel that line at belongs to, in the eyes of a suite
// that knows what it should compute.
func testMutant(t *testing.T, lines []string, at int) error {
	name := ""
	for _, l := range lines[:at] {
		if _, entry, ok := strings.Cut(l, ".entry "); ok {
			name = strings.TrimSuffix(entry, "(")
		}
	}
	bn := newBench(t, ptxsim.Config{MaxInstructions: 1 << 16})
	m, err := bn.device.Load("gemm.ptx", strings.Join(lines, "\n"))
	if err != nil {
		return err
	}
	f, err := m.Function(name)
	require.NoError(t, err)
	trans := strings.TrimPrefix(name, "sgemm_128x128x8_")
	g := device.GEMM{TransA: trans[0] == 't', TransB: trans[1] == 't'}
	kernels := &gemmKernels{}
	for i := range 2 {
		kernels.tile128[index(g.TransA)][index(g.TransB)][i] = f
	}
	r := rand.New(rand.NewPCG(3, 4))
	for i, s := range [][3]int{{132, 196, 20}, {4, 4, 4}, {64, 132, 8}, {131, 193, 21}, {1, 66, 3}, {130, 131, 5}} {
		if i > 2 && strings.HasSuffix(name, "_v4") {
			break
		}
		g.M, g.N, g.K = s[0], s[1], s[2]
		for _, scale := range [][2]float32{{1, 0}, {0.5, -1.5}} {
			g.Alpha, g.Beta = scale[0], scale[1]
			if err := runSGEMM(bn, kernels, g, r, 0); err != nil {
				return err
			}
		}
	}
	return nil
}
