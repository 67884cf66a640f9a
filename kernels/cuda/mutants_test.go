package cuda

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// TestMutants changes kernels at random, one instruction at a time, and
// requires that the suite's cases fail. HUBEL_MUTATIONS sets the number of
// changes; at least 95 % of many are to be seen. A few scatter, so that of those
// at least 85 % are.
func TestMutants(t *testing.T) {
	count, least := 60, 85
	if n, err := strconv.Atoi(os.Getenv("HUBEL_MUTATIONS")); err == nil {
		count, least = n, 95
	}
	m := newMutator(t)
	r := rand.New(rand.NewPCG(11, 11))
	caught := 0
	for range count {
		k := m.kernels[r.IntN(len(m.kernels))]
		x := k.mutate(r)
		if err := m.test(t, k, x.lines); err != nil {
			caught++
			continue
		}
		t.Logf("survived: %s: %s of line %d: %s", k.name, x.kind, k.line+x.at, x.change)
	}
	t.Logf("%d of %d caught", caught, count)
	require.GreaterOrEqual(t, caught*100, count*least)
}

// mutator runs the suite's cases on changed kernels.
type mutator struct {
	sim     *ptxsim.Sim
	kernels []*kernelText
	changed *changed // the change under test, or nil
	devices []suiteDevice
	seen    map[string]int64 // instructions of each kernel since it was cleared

	counters ptxsim.Counters
}

// kernelText is one kernel of a module.
type kernelText struct {
	name   string
	module string
	header string   // what of the module stands outside kernels
	lines  []string // of the kernel
	line   int      // in the module's file, of the first of them
	cases  []weighed
}

// weighed is a case that runs a kernel, on one of the devices, and how many
// instructions it takes.
type weighed struct {
	devicetest.Case
	on   int
	cost int64
}

// changed is a changed kernel, loaded.
type changed struct {
	name string
	f    driver.Function
}

// An endless loop is found after as many instructions of a warp; no case
// takes as many.
const enough = 1 << 17

func newMutator(t *testing.T) *mutator {
	m := &mutator{seen: map[string]int64{}}
	m.sim = ptxsim.New(ptxsim.Config{
		MaxInstructions: enough,
		OnLaunch: func(r ptxsim.Report) {
			m.seen[r.Kernel] += r.Instructions()
			m.counters.Add(&r.Counters)
		},
	})
	t.Cleanup(func() { require.NoError(t, m.sim.Close()) })
	m.devices = suiteDevices(t, m.sim, mutantDriver{m.sim, m}, &m.counters)
	m.split(t)
	byName := map[string]*kernelText{}
	for _, k := range m.kernels {
		byName[k.name] = k
	}
	for _, c := range simulated(mutantOptions) {
		if c.Op == "gemm" {
			continue // TestMutations has its kernels
		}
		clear(m.seen)
		require.NoError(t, m.devices[0].check(c, mutantOptions), "%s %s", c.Op, c.Name)
		for name, cost := range m.seen {
			if k := byName[name]; k != nil {
				for on := range m.devices { // TestKernels has seen it pass on the others
					k.cases = append(k.cases, weighed{c, on, cost})
				}
			}
		}
	}
	for _, k := range m.kernels {
		require.NotEmpty(t, k.cases, k.name)
		slices.SortStableFunc(k.cases, func(a, b weighed) int { return int(a.cost - b.cost) })
	}
	return m
}

var mutantOptions = devicetest.Options{Seed: 1, Random: 6}

// split finds the kernels that ship.
func (m *mutator) split(t *testing.T) {
	names := entries(t, capabilities[0])
	files, err := fs.Glob(ptx, ptxFile(capabilities[0], "*"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := ptx.ReadFile(file)
		require.NoError(t, err)
		module := path.Base(file)
		var header []string
		var k *kernelText
		var found []*kernelText
		for i, l := range strings.Split(string(text), "\n") {
			if e := entry.FindStringSubmatch(l); e != nil && names[e[1]] {
				k = &kernelText{name: e[1], module: module, line: i + 1}
				found = append(found, k)
			}
			if k == nil {
				header = append(header, l)
				continue
			}
			k.lines = append(k.lines, l)
			if l == "}" {
				k = nil
			}
		}
		for _, k := range found {
			k.header = strings.Join(header, "\n") + "\n"
		}
		m.kernels = append(m.kernels, found...)
	}
	slices.SortFunc(m.kernels, func(a, b *kernelText) int { return strings.Compare(a.name, b.name) })
}

// test runs a changed kernel through the cases that use it, the cheapest
// first, and returns what is wrong with it.
func (m *mutator) test(t *testing.T, k *kernelText, lines []string) error {
	module, err := m.sim.Load(k.module, k.header+strings.Join(lines, "\n"))
	if err != nil {
		return err
	}
	defer func() { require.NoError(t, module.Unload()) }()
	f, err := module.Function(k.name)
	require.NoError(t, err)
	m.changed = &changed{k.name, f}
	defer func() { m.changed = nil }()
	for _, c := range k.cases {
		if err := m.devices[c.on].check(c.Case, mutantOptions); err != nil {
			return err
		}
	}
	return nil
}

// mutantDriver launches the changed kernel in place of its original.
type mutantDriver struct {
	driver.Driver
	m *mutator
}

func (d mutantDriver) NewStream() (driver.Stream, error) {
	s, err := d.Driver.NewStream()
	return mutantStream{s, d.m}, err
}

type mutantStream struct {
	driver.Stream
	m *mutator
}

func (s mutantStream) Launch(f driver.Function, c driver.Config, args *driver.Args) error {
	if x := s.m.changed; x != nil && x.name == f.Name() {
		f = x.f
	}
	return s.Stream.Launch(f, c, args)
}

// mutant is a changed kernel.
type mutant struct {
	lines  []string
	at     int // the line that is changed
	kind   string
	change string // in words
}

// mutate changes one instruction.
func (k *kernelText) mutate(r *rand.Rand) mutant {
	for {
		x := mutant{lines: slices.Clone(k.lines), at: r.IntN(len(k.lines))}
		l := x.lines[x.at]
		if !strings.HasSuffix(l, ";") || strings.HasPrefix(strings.TrimSpace(l), ".") {
			continue
		}
		x.kind = mutationKinds[r.IntN(len(mutationKinds))]
		changed := mutations[x.kind](r, l, x.lines[max(0, x.at-20):x.at])
		if changed == l {
			continue
		}
		x.lines[x.at] = changed
		x.change = fmt.Sprintf("%s -> %s", strings.TrimSpace(l), strings.TrimSpace(changed))
		return x
	}
}

var mutationKinds = []string{"drop", "drop barrier", "invert predicate", "swap operand", "shift address"}
