package program

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/solver"
)

// A run whose weights were adapted to its images, mixed ones here, is resumed without doing
// that again, and a new last layer is adapted alone.
func TestDataInit(t *testing.T) {
	tiny(t)
	flags := with("-data-init", "48", "-augment", "flip,mixup=0.2@0.5")
	succeed(t, append(flags, "-epochs", "2", "-out", "whole")...)
	succeed(t, append(flags, "-epochs", "1", "-out", "resumed")...)
	succeed(t, "-resume", "resumed", "-epochs", "2")
	same(t, "whole", "resumed")
	require.Contains(t, succeed(t, append(flags, "-check", "-lr", "0.01")...), "PASS")
	require.Contains(t, succeed(t, "-net", "tiny.json", "-data", "mnist:set", "-data-init", "48", "-lr-find", "rates.png", "-iters", "5"), "5 updates")

	// Without updates that matter, the old layer stays and the new one does not.
	tune := []string{"-net", "tiny.json", "-data", "mnist:set", "-weights", "whole/weights.safetensors", "-fresh", "fc2", "-lr", "1e-30", "-iters", "1"}
	succeed(t, append(tune, "-out", "plain")...)
	succeed(t, append(tune, "-out", "adapted", "-data-init", "1000")...)
	values := func(run, name string) []float32 {
		m, err := modelfile.Read(run + "/" + solver.WeightsFile)
		require.NoError(t, err)
		return m.Weights[name].Float32s()
	}
	require.Equal(t, values("whole", "conv1.weight"), values("adapted", "conv1.weight"))
	require.NotEqual(t, values("plain", "fc2.weight"), values("adapted", "fc2.weight"))
	refused(t, "network tiny has no convolution or dense layer that begins anew and is trained",
		append(tune, "-out", "none", "-data-init", "48", "-frozen", "fc2")...)
}
