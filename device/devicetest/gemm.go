package devicetest

import (
	"fmt"
	"math/rand/v2"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func gemmCases(o Options) []Case {
	var cases []Case
	transposed := []bool{false, true}
	for _, s := range [][3]int{{1, 1, 1}, {5, 7, 3}, {17, 33, 65}, {64, 96, 128}, {130, 131, 259}} {
		for _, ta := range transposed {
			for _, tb := range transposed {
				for _, f := range [][2]float32{{1, 0}, {1, 1}, {-0.75, 0.5}, {0, 0}, {0, 2}} {
					cases = append(cases, gemmCase("", device.GEMM{M: s[0], N: s[1], K: s[2], TransA: ta, TransB: tb, Alpha: f[0], Beta: f[1]}))
				}
			}
		}
	}
	for _, s := range [][3]int{{1, 1000, 37}, {1000, 1, 37}, {3, 2, 5000}, {256, 729, 1200}} {
		for _, ta := range transposed {
			for _, tb := range transposed {
				cases = append(cases, gemmCase("", device.GEMM{M: s[0], N: s[1], K: s[2], TransA: ta, TransB: tb, Alpha: 1}))
			}
		}
	}
	r := o.geometries("gemm")
	for i := range o.random() {
		g := device.GEMM{
			M: 1 + r.IntN(90), N: 1 + r.IntN(90), K: 1 + r.IntN(90),
			TransA: r.IntN(2) == 1, TransB: r.IntN(2) == 1,
			Alpha: []float32{1, 1, -2.5}[r.IntN(3)], Beta: []float32{0, 1, 0.3}[r.IntN(3)],
		}
		cases = append(cases, gemmCase(fmt.Sprintf("random %d ", i), g))
	}
	return cases
}

func gemmCase(prefix string, g device.GEMM) Case {
	aShape, bShape := tensor.Shape{g.M, g.K}, tensor.Shape{g.K, g.N}
	if g.TransA {
		aShape = tensor.Shape{g.K, g.M}
	}
	if g.TransB {
		bShape = tensor.Shape{g.N, g.K}
	}
	// With beta 0 the destination starts as NaN: it must not be read.
	mode := device.Overwrite
	if g.Beta != 0 {
		mode = device.Accumulate
	}
	positive := g
	positive.Alpha, positive.Beta = max(g.Alpha, -g.Alpha), max(g.Beta, -g.Beta)
	return Case{
		Op:    "gemm",
		Name:  fmt.Sprintf("%s%v alpha %g beta %g", prefix, g, g.Alpha, g.Beta),
		FLOPs: g.FLOPs(),
		args: []arg{
			destination("c", tensor.Shape{g.M, g.N}, mode, matrixProduct(g.K)),
			input("a", aShape, uniform),
			input("b", bShape, uniform),
		},
		operation: g,
		call:      func(q device.Queue, b *Bound) { q.GEMM(g, b.t[0], b.t[1], b.t[2], b.ws) },
		magnitude: func(q device.Queue, b *Bound) { q.GEMM(positive, b.t[0], b.t[1], b.t[2], nil) },
	}
}

// random is the number of random geometries of an operation.
func (o Options) random() int {
	if o.Random == 0 {
		return 12
	}
	return o.Random
}

// geometries is the source of the random geometries of an operation.
func (o Options) geometries(op string) *rand.Rand {
	return rand.New(rand.NewPCG(o.Seed, hash(op)))
}
