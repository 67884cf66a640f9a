package layers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph/gradcheck"
)

// Every layer agrees with the reference on every device, forward and backward.
func TestEveryDevice(t *testing.T) {
	for _, name := range []string{"cpu", "ptxsim"} {
		d, err := device.Open(name, device.Options{})
		require.NoError(t, err)
		defer d.Close()
		for _, e := range examples() {
			switch e.layer.Type() {
			case "accuracy": // has no gradient; TestAccuracyOfManyScores has it
				continue
			case "unpool": // wants switches of a pooling; TestUnpoolRestores has them
				continue
			}
			t.Run(name+" "+e.name, func(t *testing.T) {
				require.NoError(t, gradcheck.Compare(gradcheck.Layer(e.layer, e.inputs...), d, gradcheck.Options{Classes: 5}))
			})
		}
	}
}
