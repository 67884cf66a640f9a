package devicetest

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func arithmeticCases(Options) []Case {
	var add, scale, fill, copies []Case
	for _, n := range lengths {
		add = append(add, addCase(n))
		for _, m := range modes {
			scale = append(scale, scaleCase(n, -0.3, m))
		}
		fill = append(fill, fillCase(n, 1.5))
		copies = append(copies, copyCase(n, device.Float32, uniform), copyCase(n, device.Int32, labels(-9, 9)), copyCase(n, device.Uint8, mask))
	}
	add = append(add, addInPlace(1001, "y is a", 0, 1), addInPlace(1001, "y is b", 1, 0), addInPlace(1001, "y is a and b", 0, 0))
	scale = append(scale, scaleInPlace(1001, 0.7), scaleCase(1001, 0, device.Accumulate))
	fill = append(fill, fillCase(1001, 0))
	all := append(add, scale...)
	return append(append(all, fill...), copies...)
}

func addCase(n int) Case {
	s := tensor.Shape{n}
	return Case{
		Op:   "add",
		Name: fmt.Sprint(n),
		args: []arg{output("y", s, exactly), input("a", s, uniform), input("b", s, uniform)},
		call: func(q device.Queue, b *Bound) { q.Add(b.t[0], b.t[1], b.t[2]) },
	}
}

// addInPlace adds the arguments of the given numbers to argument 0.
func addInPlace(n int, note string, left, right int) Case {
	s := tensor.Shape{n}
	return Case{
		Op:   "add",
		Name: fmt.Sprintf("%d %s", n, note),
		args: []arg{updated("y", s, uniform, exactly), input("other", s, uniform)},
		call: func(q device.Queue, b *Bound) { q.Add(b.t[0], b.t[left], b.t[right]) },
	}
}

func scaleCase(n int, alpha float32, m device.Mode) Case {
	s := tensor.Shape{n}
	return Case{
		Op:   "scale",
		Name: fmt.Sprintf("%d by %g %v", n, alpha, m),
		args: []arg{destination("y", s, m, exactly), input("x", s, uniform)},
		call: func(q device.Queue, b *Bound) { q.Scale(b.t[0], b.t[1], alpha, m) },
	}
}

func scaleInPlace(n int, alpha float32) Case {
	return Case{
		Op:   "scale",
		Name: fmt.Sprintf("%d by %g in place", n, alpha),
		args: []arg{updated("y", tensor.Shape{n}, uniform, exactly)},
		call: func(q device.Queue, b *Bound) { q.Scale(b.t[0], b.t[0], alpha, device.Overwrite) },
	}
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
