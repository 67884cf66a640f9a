package program

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDevices holds every device that the program links in its list, and why
// the ones that cannot be used cannot.
func TestDevices(t *testing.T) {
	out := succeed(t, "-devices", "-threads", "3")
	for _, line := range []string{
		`(?m)^cpu +path +(avx512|avx2|neon|generic), of .*generic; -cpu-path or HUBEL_CPU chooses$`,
		`(?m)^cpu .*\n +threads +3$`,
		`(?m)^cuda(:0)? `,
		`(?m)^ptxsim +simulates +compute capability 8\.0, 80 multiprocessors$`,
		`(?m)^ +PTX +7\.8 for sm_80$`,
		`(?m)^ +workers +3$`,
		`(?m)^reference `,
	} {
		require.Regexp(t, line, out)
	}
	t.Setenv("HUBEL_CPU", "sse9")
	require.Regexp(t, `(?m)^cpu +cannot be used +HUBEL_CPU=sse9 is not a path of this machine, which has `, succeed(t, "-devices"))
}

func TestUnusableDeviceIsRefused(t *testing.T) {
	t.Setenv("HUBEL_LIBCUDA", "/nowhere/libcuda.so.1") // where the program has CUDA
	t.Chdir(t.TempDir())
	refused(t, "cuda:0: ", "-device", "cuda:0", "-model", "lenet", "-data", "synthetic:64,16")
	refused(t, "cuda:0: ", "-device", "cuda:0", "-model", "lenet", "-summary")
	refused(t, `device "cuda:first": CUDA devices are named cuda:0, cuda:1 and so on`, "-device", "cuda:first", "-model", "lenet", "-summary")
}
