package ptxsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// A fault says where it happened, each number in its place.
func TestFaultInWords(t *testing.T) {
	f := &Fault{Kind: FaultSharedRace, Module: "gemm.ptx", Kernel: "sgemm", Line: 12, Source: "st.shared.f32 [%r1], %f1;",
		Block: [3]int{1, 2, 3}, Thread: [3]int{4, 5, 6}, Detail: "written by thread 7"}
	require.EqualError(t, f, "shared race: kernel sgemm, gemm.ptx:12 (st.shared.f32 [%r1], %f1;), block (1,2,3), thread (4,5,6): written by thread 7")
	names := map[string]bool{}
	for k := range FaultEndless + 1 {
		names[k.String()] = true
	}
	require.Len(t, names, int(FaultEndless)+1)
	require.Equal(t, "address", FaultAddress.String())
	require.Equal(t, "endless", FaultEndless.String())
}

// The shared memory that a block may opt in to, by CUDA's table of
// capabilities.
func TestPropertiesOfCapabilities(t *testing.T) {
	for capability, kib := range map[int]int{60: 48, 70: 96, 72: 96, 75: 64, 80: 163, 86: 99, 87: 163, 89: 99, 90: 227} {
		s := New(Config{Capability: capability, SMs: 7, Memory: 1 << 20})
		require.Equal(t, driver.Properties{Name: "ptxsim", Major: capability / 10, Minor: capability % 10, SMs: 7, TotalMem: 1 << 20,
			SharedPerBlock: 48 << 10, SharedOptin: kib << 10, MaxThreads: 1024}, s.Properties())
		require.NoError(t, s.Close())
	}
}

func TestAllocationsInWords(t *testing.T) {
	s := New(Config{Memory: 1000, SMs: 1})
	defer s.Close()
	for _, bytes := range []int64{0, -1} {
		_, err := s.Alloc("x", bytes)
		require.ErrorContains(t, err, "allocation x of")
		require.ErrorContains(t, err, "bytes: must be positive")
	}
	p, err := s.Alloc("x", 600)
	require.NoError(t, err)
	free, total, err := s.MemInfo()
	require.NoError(t, err)
	require.Equal(t, []int64{400, 1000}, []int64{free, total})
	_, err = s.Alloc("y", 401)
	require.EqualError(t, err, "ptxsim: out of memory: allocation y of 401 bytes, 400 of 1000 are free")
	_, err = s.Alloc("y", 400)
	require.NoError(t, err, "it just fits")
	require.NoError(t, s.Free(p))
	free, _, err = s.MemInfo()
	require.NoError(t, err)
	require.Equal(t, int64(600), free)
}
