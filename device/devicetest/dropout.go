package devicetest

import (
	"fmt"
	"math/rand/v2"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func dropoutCases(Options) []Case {
	key := device.Random{Seed: 0xFEDCBA9876543210, Stream: 3, Iteration: 1_000_000, Sample: 37}
	var forward, backward []Case
	for _, d := range []device.Dropout{
		{Samples: 1, Elems: 1, P: 0.5}, {Samples: 5, Elems: 7, P: 0.5}, {Samples: 3, Elems: 68, P: 0.5}, {Samples: 3, Elems: 1001, P: 0.25},
		{Samples: 2, Elems: 64, P: 0}, {Samples: 2, Elems: 999, P: 0.9}, {Samples: 9, Elems: 4096, P: 0.5},
	} {
		forward = append(forward, dropoutForward(d, key, false))
		for _, m := range modes {
			backward = append(backward, dropoutBackward(d, m))
		}
	}
	d := device.Dropout{Samples: 3, Elems: 101, P: 0.5}
	forward = append(forward,
		dropoutForward(d, key, true),
		dropoutForward(d, device.Random{}, false),
		dropoutForward(d, device.Random{Seed: 1, Sample: 0xFFFFFFFF}, false), // the sample's index wraps
	)
	backward = append(backward, dropoutBackwardInPlace(d))
	return append(forward, backward...)
}

func dropoutForward(d device.Dropout, key device.Random, inPlace bool) Case {
	shape := tensor.Shape{d.Samples, d.Elems}
	mask := output("mask", shape, exactly).as(device.Uint8)
	c := Case{
		Op:   "dropout forward",
		Name: fmt.Sprintf("%s seed %#x sample %d", dropoutName(d), key.Seed, key.Sample),
		args: []arg{output("y", shape, exactly), mask, input("x", shape, uniform)},
		call: func(q device.Queue, b *Bound) { q.DropoutForward(d, b.t[0], b.t[1], b.t[2], key) },
	}
	if inPlace {
		c.Name += " in place"
		c.args = []arg{updated("y", shape, uniform, exactly), mask}
		c.call = func(q device.Queue, b *Bound) { q.DropoutForward(d, b.t[0], b.t[1], b.t[0], key) }
	}
	return c
}

func dropoutBackward(d device.Dropout, m device.Mode) Case {
	shape := tensor.Shape{d.Samples, d.Elems}
	return Case{
		Op:   "dropout backward",
		Name: fmt.Sprintf("%s %v", dropoutName(d), m),
		args: []arg{
			destination("dx", shape, m, exactly),
			input("dy", shape, uniform),
			input("mask", shape, mask).as(device.Uint8),
		},
		call: func(q device.Queue, b *Bound) { q.DropoutBackward(d, b.t[0], b.t[1], b.t[2], m) },
	}
}

func dropoutBackwardInPlace(d device.Dropout) Case {
	shape := tensor.Shape{d.Samples, d.Elems}
	return Case{
		Op:   "dropout backward",
		Name: dropoutName(d) + " in place",
		args: []arg{
			updated("dx", shape, uniform, exactly),
			input("mask", shape, mask).as(device.Uint8),
		},
		call: func(q device.Queue, b *Bound) { q.DropoutBackward(d, b.t[0], b.t[0], b.t[1], device.Overwrite) },
	}
}

// mask is zeros and ones.
func mask(r *rand.Rand, n int) any {
	m := make([]uint8, n)
	for i := range m {
		m[i] = uint8(r.IntN(2))
	}
	return m
}

func dropoutName(d device.Dropout) string { return fmt.Sprintf("%dx%d p %g", d.Samples, d.Elems, d.P) }
