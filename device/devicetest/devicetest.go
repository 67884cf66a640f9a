// Package devicetest is the conformance suite that every device must pass,
// and the collection of kernel calls that benchmarks draw from.
//
// Each case runs one kernel on fresh random inputs and holds the results
// against the float64 loops of package reference, with a tolerance that
// follows from the length of the sums. Around every argument lie guards that
// must not change; inputs must not change either; and what a kernel may not
// read, such as its destination when it overwrites, is filled with NaN.
package devicetest

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/hubel-go/hubel/device"
)

// Options say how much of the suite to run.
type Options struct {
	// Short leaves large shapes out, for devices that are simulated.
	Short bool

	// NoAllocs asks for the promise that calls on a warm queue allocate
	// nothing in Go.
	NoAllocs bool

	// Random is the number of random geometries of each of convolution,
	// pooling and matrix product; 0 means 12.
	Random int

	// Seed determines the random inputs and geometries. In Run, 0 means the
	// environment variable HUBEL_SEED, or a fresh one from the clock.
	Seed uint64
}

// Run runs the suite as subtests of t, named after the operation and the
// case, on a device that it opens and closes, and on another one that it closes
// first.
func Run(t *testing.T, open func() (device.Device, error), o Options) {
	t.Helper()
	if o.Seed == 0 {
		o.Seed = freshSeed(t)
	}
	t.Logf("random inputs and geometries; HUBEL_SEED=%d repeats them", o.Seed)
	dev, err := open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
	})

	runBehaviours(t, "device", dev, deviceBehaviours)
	runBehaviours(t, "transfer", dev, transferBehaviours)
	runBehaviours(t, "queue", dev, queueBehaviours)
	t.Run("close", func(t *testing.T) {
		dev, err := open()
		if err == nil {
			err = checkClose(dev)
		}
		if err != nil {
			t.Error(err)
		}
	})
	if o.NoAllocs {
		runBehaviours(t, "allocations", dev, []behaviour{{"transfers", checkTransferAllocs}})
	}
	cases := Cases(o)
	for len(cases) > 0 {
		op, n := cases[0].Op, 0
		for n < len(cases) && cases[n].Op == op {
			n++
		}
		t.Run(op, func(t *testing.T) {
			for _, c := range cases[:n] {
				t.Run(c.Name, func(t *testing.T) {
					if !c.Supported(dev.Traits()) {
						t.Skipf("%s does not offer this, by its traits", dev.Name())
					}
					if err := c.Check(dev, o); err != nil {
						t.Errorf("%v\nrepeat with HUBEL_SEED=%d", err, o.Seed)
					}
				})
			}
		})
		cases = cases[n:]
	}
}

func runBehaviours(t *testing.T, name string, dev device.Device, all []behaviour) {
	t.Run(name, func(t *testing.T) {
		for _, b := range all {
			t.Run(b.name, func(t *testing.T) {
				if err := b.check(dev); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

func freshSeed(t *testing.T) uint64 {
	s := os.Getenv("HUBEL_SEED")
	if s == "" {
		return uint64(time.Now().UnixNano())
	}
	seed, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		t.Fatalf("HUBEL_SEED: %v", err)
	}
	return seed
}
