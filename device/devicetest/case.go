package devicetest

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// Case is one kernel call: its arguments, and how closely a device must agree
// with the reference about each result.
type Case struct {
	Op    string // the operation, and its pass where there are several: "conv forward"
	Name  string // geometry and options; unique within Op
	FLOPs int64  // a multiply-add is two; 0 where memory traffic is what counts

	args []arg
	call func(q device.Queue, b *Bound)

	// magnitude is the same call with every term of every sum made positive.
	// It runs on the absolute values of the inputs and its results are the
	// yardstick of the errors. Without it the yardstick is the result itself.
	magnitude func(q device.Queue, b *Bound)

	// errors is how far results may be off, in units of roundoff, in place of
	// magnitude: it runs on the reference with the inputs as they are. Where it is
	// infinite, any result will do.
	errors func(b *Bound)

	// relate sets inputs that follow from other inputs, such as the indices
	// of a max pooling. It gets the values of all arguments.
	relate func(values []any)

	// maps makes Bound.maps, those of an epilogue; nil means none.
	maps func(b *Bound) []device.EpilogueMap

	// has is Supported; nil means yes.
	has func(t device.Traits) bool

	// operation is what the device's traits are asked about: what the call needs, and
	// how exact it is; nil means nothing. pack fills Bound.packed where that is needed.
	operation device.Operation
	pack      func(q device.Queue, b *Bound)
}

// Supported reports whether a device with these traits offers what the case
// is about.
func (c Case) Supported(t device.Traits) bool { return c.has == nil || c.has(t) }

// role says what a kernel does with an argument.
type role uint8

const (
	in    role = iota // read; must not change
	out               // written without being read: starts as NaN
	inout             // read and written
)

// arg is a tensor argument of a case. The zero arg is an optional argument
// that is absent.
type arg struct {
	name  string
	role  role
	dtype device.DType
	shape tensor.Shape
	fill  fill      // values of in and inout arguments
	tol   tolerance // of out and inout arguments
}

func (a arg) absent() bool { return a.name == "" }

// bytes is the size of the tensor.
func (a arg) bytes() int64 { return int64(a.len()) * a.dtype.Size() }

func (a arg) len() int { return device.Elements(a.shape) }

// input is a float32 argument that is read.
func input(name string, shape tensor.Shape, f fill) arg {
	return arg{name: name, role: in, shape: shape, fill: f}
}

// output is a float32 argument that is written.
func output(name string, shape tensor.Shape, t tolerance) arg {
	return arg{name: name, role: out, shape: shape, tol: t}
}

// destination is a float32 argument that is written or, if m says so, added
// to. What is added to starts between -1 and 1.
func destination(name string, shape tensor.Shape, m device.Mode, t tolerance) arg {
	a := output(name, shape, t)
	if m == device.Accumulate {
		a.role, a.fill = inout, uniform
		a.tol.floor++
		if t.exact { // the sum is rounded
			a.tol.exact, a.tol.ulps = false, 4
		}
	}
	return a
}

// updated is a float32 argument that is read and written.
func updated(name string, shape tensor.Shape, f fill, t tolerance) arg {
	return arg{name: name, role: inout, shape: shape, fill: f, tol: t}
}

// as returns the argument with another element type.
func (a arg) as(t device.DType) arg {
	a.dtype = t
	return a
}

// when returns the argument if it is present, and an absent one otherwise.
func (a arg) when(present bool) arg {
	if !present {
		return arg{}
	}
	return a
}

// Bytes is the memory traffic that the call cannot do without: inputs read
// once, outputs written once.
func (c Case) Bytes() int64 {
	var n int64
	for _, a := range c.args {
		if a.absent() {
			continue
		}
		n += a.bytes()
		if a.role == inout {
			n += a.bytes()
		}
	}
	return n
}

// Cases lists every case, or the small ones with o.Short. Random geometries
// follow from o.Seed.
func Cases(o Options) []Case {
	var all []Case
	for _, cases := range []func(Options) []Case{
		gemmCases, denseCases, convCases, poolCases, lrnCases, softmaxCases,
		fillCases, copyCases, updateCases, mapCases, reduceCases,
	} {
		all = append(all, cases(o)...)
	}
	if !o.Short {
		return all
	}
	return slices.DeleteFunc(all, func(c Case) bool { return c.FLOPs > 1<<20 || c.Bytes() > 1<<16 })
}
