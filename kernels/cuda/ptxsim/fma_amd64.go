//go:build amd64 && !purego

package ptxsim

import "golang.org/x/sys/cpu"

func init() {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		fmaLanes = fmaLanesAVX2
	}
}

//go:noescape
func fmaLanesAVX2(d, a, b, c *[32]uint32)
