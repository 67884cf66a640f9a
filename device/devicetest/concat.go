package devicetest

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func concatCases(Options) []Case {
	var forward, backward []Case
	for _, c := range []device.Concat{
		{N: 1, Len: 1, Total: 1}, {N: 3, Len: 5, Total: 12}, {N: 3, Len: 5, Total: 12, Offset: 4},
		{N: 3, Len: 5, Total: 12, Offset: 7}, {N: 2, Len: 9, Total: 9}, {N: 7, Len: 1, Total: 100, Offset: 50},
		{N: 3, Len: 64 * 49, Total: 256 * 49, Offset: 96 * 49},
	} {
		for _, m := range modes {
			forward = append(forward, concatForward(c, m))
			backward = append(backward, concatBackward(c, m))
		}
	}
	return append(forward, backward...)
}

func concatForward(c device.Concat, m device.Mode) Case {
	long := updated("y", tensor.Shape{c.N, c.Total}, uniform, exactly) // what lies around is left
	if m == device.Accumulate {
		long = destination("y", tensor.Shape{c.N, c.Total}, m, exactly)
	}
	return Case{
		Op:   "concat forward",
		Name: concatName(c, m),
		args: []arg{long, input("x", tensor.Shape{c.N, c.Len}, uniform)},
		call: func(q device.Queue, b *Bound) { q.ConcatForward(c, b.t[0], b.t[1], m) },
	}
}

func concatBackward(c device.Concat, m device.Mode) Case {
	return Case{
		Op:   "concat backward",
		Name: concatName(c, m),
		args: []arg{
			destination("dx", tensor.Shape{c.N, c.Len}, m, exactly),
			input("dy", tensor.Shape{c.N, c.Total}, uniform),
		},
		call: func(q device.Queue, b *Bound) { q.ConcatBackward(c, b.t[0], b.t[1], m) },
	}
}

func concatName(c device.Concat, m device.Mode) string {
	return fmt.Sprintf("N%d %d of %d at %d %v", c.N, c.Len, c.Total, c.Offset, m)
}
