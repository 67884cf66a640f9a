package simdevice

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
)

func TestOpen(t *testing.T) {
	require.Contains(t, device.Names(), "ptxsim")
	first, err := device.Open("ptxsim", device.Options{Threads: 1})
	require.NoError(t, err)
	second, err := device.Open("ptxsim:1", device.Options{})
	require.NoError(t, err)
	require.Equal(t, "ptxsim", first.Name())
	require.Equal(t, "ptxsim:1", second.Name())
	require.Equal(t, "ptxsim of compute capability 8.0 with 80 multiprocessors", second.Arithmetic())

	// Traits are known without opening a device, and are those of an open one.
	traits, err := device.TraitsOf("ptxsim", device.Options{})
	require.NoError(t, err)
	require.Equal(t, first.Traits(), traits)
	require.False(t, traits.Precision(device.GEMM{}).TF32)
	traits, err = device.TraitsOf("ptxsim", device.Options{TF32: true})
	require.NoError(t, err)
	require.True(t, traits.Precision(device.GEMM{}).TF32)
	require.NoError(t, first.Close())
	require.NoError(t, first.Close())
	_, err = first.NewQueue()
	require.EqualError(t, err, "ptxsim: the device is closed")
	require.ErrorIs(t, err, device.ErrClosed)
	require.NoError(t, second.Close())
}

func TestList(t *testing.T) {
	info := describe(device.Options{Threads: 3})
	require.Equal(t, device.Info{Name: "ptxsim", Facts: []device.Fact{
		{Name: "simulates", Value: "compute capability 8.0, 80 multiprocessors"},
		{Name: "PTX", Value: "7.8 for sm_80"},
		{Name: "workers", Value: "3"},
	}}, info)
	require.Equal(t, "5000 threads; there can be 1 to 4096, or 0 for as many as the process may use", describe(device.Options{Threads: 5000}).Problem)
}

func TestOpenRefuses(t *testing.T) {
	for name, says := range map[string]string{
		"ptxsim:gpu": `device "ptxsim:gpu": simulated devices are named ptxsim, or ptxsim:0, ptxsim:1 and so on`,
		"ptxsim:-1":  `device "ptxsim:-1"`,
	} {
		_, err := device.Open(name, device.Options{})
		require.ErrorContains(t, err, says)
	}
	_, err := device.Open("ptxsim", device.Options{Threads: -1})
	require.ErrorContains(t, err, "-1 threads; there can be 1 to 4096")
}
