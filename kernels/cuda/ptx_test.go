package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// A device takes the highest capability it can run, and none below the lowest.
func TestLoadChoosesTheCapability(t *testing.T) {
	for device, want := range map[int]string{70: "sm_70", 75: "sm_70", 80: "sm_80", 86: "sm_80", 90: "sm_80"} {
		_, err := load(ptxsim.New(ptxsim.Config{Capability: device}), "gemm")
		require.NoError(t, err)
		text, err := ptx.ReadFile(ptxFile(capabilityFor(device), "gemm"))
		require.NoError(t, err)
		require.Contains(t, string(text[:500]), ".target "+want)
	}
	_, err := New("ptxsim:2", ptxsim.New(ptxsim.Config{Capability: 75}), device.Options{TF32: true})
	require.EqualError(t, err, "ptxsim:2: TF32 takes tensor cores of compute capability 8.0 or later, and ptxsim has 7.5: leave -tf32 away")
	_, err = load(ptxsim.New(ptxsim.Config{Capability: 61}), "gemm")
	require.EqualError(t, err, "cuda: ptxsim is sm_61; the kernels need sm_70 or later")
}
