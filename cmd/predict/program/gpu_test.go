//go:build cuda && linux && amd64

package program

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/kernels/cuda/cudriver/recorder"
)

// asPredict is set in the environment of a process of this test that is to be
// the program.
const asPredict = "HUBEL_TEST_AS_PREDICT"

func TestMain(m *testing.M) {
	if os.Getenv(asPredict) != "" {
		Main()
	}
	os.Exit(m.Run())
}

// TestCallFails lets calls of a card fail while pictures are looked at: the
// last of each kind, and for good in the middle. The program ends with one line
// that has CUDA's name for it, and with exit code 1.
func TestCallFails(t *testing.T) {
	colours(t)
	library := recorder.Build(t)
	on := func(env ...string) recorder.Run {
		return recorder.Program(t, library, strings.Fields("-weights w.safetensors -device cuda:1 -batch 4 photos"), append(env, asPredict+"=1", "GOMAXPROCS=2")...)
	}
	whole := on()
	require.Zero(t, whole.Code, whole.Output)
	require.NotContains(t, whole.Calls, "FAULT")
	require.Equal(t, recorder.NothingLeft, whole.Left())
	counts := whole.Count()
	for _, call := range []string{"cuMemcpyHtoDAsync_v2", "cuLaunchKernel", "cuMemcpyDtoHAsync_v2", "cuStreamSynchronize", "cuMemFree_v2"} {
		last := counts[call]
		require.Positive(t, last, call)
		for fail, name := range map[string]string{
			fmt.Sprintf("%s:%d:719", call, last):          "CUDA_ERROR_LAUNCH_FAILED (",
			fmt.Sprintf("%s:%d:999+", call, (1+3*last)/4): "CUDA_ERROR_UNKNOWN (",
		} {
			r := on("HUBEL_FAIL=" + fail)
			require.Equal(t, command.Broken, r.Code, "%s: %s", fail, r.Output)
			require.Equal(t, 1, strings.Count(r.Output, "predict: "), "%s: %s", fail, r.Output)
			require.Regexp(t, `(^|\n)predict: [^\n]*\n$`, r.Output)
			require.Equal(t, 1, strings.Count(r.Output, "CUDA_ERROR"), "%s: %s", fail, r.Output)
			require.Contains(t, r.Output, name)
			require.NotContains(t, r.Calls, "FAULT")
			if !strings.HasSuffix(fail, "+") && call != "cuMemFree_v2" {
				require.Equal(t, recorder.NothingLeft, r.Left(), fail)
			}
		}
	}
}
