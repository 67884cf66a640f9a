//go:build amd64 && !purego

package roof

// fma512 does 24 multiply-adds of 16 elements a step, and needs AVX-512F.
//
//go:noescape
func fma512(steps int)

// fma256 does 48 multiply-adds of 8 elements a step, in 12 registers, and
// needs AVX2 and FMA.
//
//go:noescape
func fma256(steps int)

func loopOf(path string) func(steps int) {
	switch path {
	case "avx512":
		return fma512
	case "avx2":
		return fma256
	}
	return scalar
}
