//go:build !(cuda && linux && amd64)

package cudadevice

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
)

// A program without CUDA says so, and how to come by one that has it.
func TestWithout(t *testing.T) {
	says := "this program was built without CUDA; `make cuda` builds one that has it"
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		says = "CUDA is supported on linux/amd64, and this program was built for " + runtime.GOOS + "/" + runtime.GOARCH
	}
	_, err := device.Open("cuda:1", device.Options{})
	require.EqualError(t, err, "cuda:1: "+says)
	_, err = device.TraitsOf("cuda", device.Options{})
	require.EqualError(t, err, "cuda: "+says)
	require.Equal(t, []device.Info{{Name: "cuda", Problem: says}}, list())
}
