package cuda

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// mutator runs the conformance suite's cases on changed kernels.
type mutator struct {
	sim      *ptxsim.Sim
	devices  []suiteDevice
	cases    map[string][]weighed // by kernel, the cheapest first
	changed  driver.Function      // launched in place of the kernel of its name; or nil
	counters ptxsim.Counters
}

// weighed is a case that runs a kernel, on one of the devices, and how many
// instructions it takes.
type weighed struct {
	devicetest.Case
	on   int
	cost int64
}

// enough is after how many instructions of a warp a loop counts as endless; no
// case takes as many.
const enough = 1 << 17

var mutantOptions = devicetest.Options{Seed: 1, Random: 6}

func newMutator(t *testing.T) *mutator {
	m := &mutator{cases: map[string][]weighed{}}
	seen := map[string]int64{}
	m.sim = ptxsim.New(ptxsim.Config{MaxInstructions: enough, OnLaunch: func(r ptxsim.Report) {
		seen[r.Kernel] += r.Instructions()
		m.counters.Add(&r.Counters)
	}})
	t.Cleanup(func() { require.NoError(t, m.sim.Close()) })
	m.devices = suiteDevices(t, m.sim, mutantDriver{m.sim, m}, &m.counters)
	for _, c := range simulated(mutantOptions) {
		clear(seen)
		require.NoError(t, m.devices[0].check(c, mutantOptions), "%s %s", c.Op, c.Name)
		for name, cost := range seen {
			for on := range m.devices { // TestKernels has seen it pass on the others
				m.cases[name] = append(m.cases[name], weighed{c, on, cost})
			}
		}
	}
	for _, cases := range m.cases {
		slices.SortStableFunc(cases, func(a, b weighed) int { return int(a.cost - b.cost) })
	}
	return m
}

// test runs a changed kernel through the cases that use it, and returns what is
// wrong with it.
func (m *mutator) test(t *testing.T, k mutated, body []string) error {
	module, err := m.sim.Load(k.file+".ptx", k.with(body))
	if err != nil {
		return err
	}
	defer func() { require.NoError(t, module.Unload()) }()
	m.changed, err = module.Function(k.kernel)
	require.NoError(t, err)
	defer func() { m.changed = nil }()
	require.NotEmpty(t, m.cases[k.kernel], k.kernel)
	for _, c := range m.cases[k.kernel] {
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
	if x := s.m.changed; x != nil && x.Name() == f.Name() {
		f = x
	}
	return s.Stream.Launch(f, c, args)
}
