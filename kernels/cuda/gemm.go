package cuda

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// gemmKernels launches the kernels of gemm.cu.
type gemmKernels struct {
	// By [transA][transB][vector].
	tile128 [2][2][2]driver.Function
	args    driver.Args
}

// The tile of C that a block of sgemm_128x128x8 makes, and its threads.
const (
	gemmTile    = 128
	gemmThreads = 256
)

func loadGEMM(d driver.Driver) (*gemmKernels, error) {
	m, err := load(d, "gemm")
	if err != nil {
		return nil, err
	}
	k := &gemmKernels{}
	for a, transA := range []string{"n", "t"} {
		for b, transB := range []string{"n", "t"} {
			for v, vector := range []string{"", "_v4"} {
				if k.tile128[a][b][v], err = m.Function("sgemm_128x128x8_" + transA + transB + vector); err != nil {
					return nil, err
				}
			}
		}
	}
	return k, nil
}

// launch enqueues C = alpha op(A) op(B) + beta C.
func (k *gemmKernels) launch(s driver.Stream, g device.GEMM, c, a, b driver.Ptr) error {
	f := k.tile128[index(g.TransA)][index(g.TransB)][index(vectorGEMM(g, c, a, b))]
	k.args.Reset().Ptr(c).Ptr(a).Ptr(b).Int(g.M).Int(g.N).Int(g.K).Float32(g.Alpha).Float32(g.Beta)
	return s.Launch(f, driver.Config{
		Grid:  driver.Dim{X: ceil(g.N, gemmTile), Y: ceil(g.M, gemmTile)},
		Block: driver.Dim{X: gemmThreads},
	}, &k.args)
}

// vectorGEMM reports whether four floats at a time can be loaded and stored.
func vectorGEMM(g device.GEMM, c, a, b driver.Ptr) bool {
	alongA, alongB := g.K, g.N
	if g.TransA {
		alongA = g.M
	}
	if g.TransB {
		alongB = g.K
	}
	return (alongA|alongB|g.N)%4 == 0 && (c|a|b)%16 == 0
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

func ceil(a, b int) int { return (a + b - 1) / b }
