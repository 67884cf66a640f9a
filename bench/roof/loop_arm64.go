//go:build arm64 && !purego

package roof

// fma128 does 96 multiply-adds of 4 elements a step, in 24 registers.
//
//go:noescape
func fma128(steps int)

func loopOf(path string) func(steps int) {
	if path == "neon" {
		return fma128
	}
	return scalar
}
