package devicetest

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// lengths of element-wise cases, around the widths of vectors and blocks.
var lengths = []int{1, 7, 16, 1000, 1002, 4099, 1 << 18}

func fillCases(Options) []Case {
	var fill, copies []Case
	for _, n := range lengths {
		fill = append(fill, fillCase(n, 1.5))
		copies = append(copies, copyCase(n, device.Float32, uniform), copyCase(n, device.Int32, labels(-9, 9)), copyCase(n, device.Uint8, these[uint8](0, 1, 255, 7)))
	}
	return append(append(fill, fillCase(1001, 0)), copies...)
}

func fillCase(n int, v float32) Case {
	return Case{
		Op:   "fill",
		Name: fmt.Sprintf("%d with %g", n, v),
		args: []arg{output("y", tensor.Shape{n}, exactly)},
		call: func(q device.Queue, b *Bound) { q.Fill(b.t[0], v) },
	}
}

func copyCase(n int, t device.DType, f fill) Case {
	s := tensor.Shape{n}
	return Case{
		Op:   "copy",
		Name: fmt.Sprintf("%d of %v", n, t),
		args: []arg{output("dst", s, exactly).as(t), input("src", s, f).as(t)},
		call: func(q device.Queue, b *Bound) { q.Copy(b.t[0], b.t[1]) },
	}
}
