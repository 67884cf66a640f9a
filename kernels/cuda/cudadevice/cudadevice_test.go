package cudadevice

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
)

func TestNames(t *testing.T) {
	require.Contains(t, device.Names(), "cuda")
	for name, want := range map[string]int{"cuda": 0, "cuda:0": 0, "cuda:1": 1, "cuda:10": 10} {
		i, err := index(name)
		require.NoError(t, err)
		require.Equal(t, want, i, name)
	}
	for _, name := range []string{"cuda:", "cuda:-1", "cuda:+1", "cuda:01", "cuda:one", "cuda:0:1", "cuda:99999999999999999999"} {
		_, err := device.Open(name, device.Options{})
		require.EqualError(t, err, `device "`+name+`": CUDA devices are named cuda:0, cuda:1 and so on`)
		_, err = device.TraitsOf(name, device.Options{})
		require.ErrorContains(t, err, "CUDA devices are named")
	}
}
