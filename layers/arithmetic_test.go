package layers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/layers"
)

// A sum takes as many inputs as a program.
func TestAddOfTooManyInputs(t *testing.T) {
	in := make([]layers.Input, expr.MaxInputs+1)
	for i := range in {
		in[i] = layers.Input{Shape: []int{2, 3}}
	}
	_, err := (&layers.Add{}).Plan(nil, in[1:], layers.Options{})
	require.NoError(t, err)
	_, err = (&layers.Add{}).Plan(nil, in, layers.Options{})
	require.EqualError(t, err, "got 17 inputs, want at most 16: add the others in another layer")
}
