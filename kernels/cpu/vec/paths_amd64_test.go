//go:build amd64 && !purego

package vec

import "golang.org/x/sys/cpu"

func init() {
	if cpu.X86.HasAVX2 {
		paths = append(paths, &AVX2)
	}
	if cpu.X86.HasAVX512F {
		paths = append(paths, &AVX512)
	}
}
