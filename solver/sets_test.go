package solver

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/modelfile"
)

// named is a data set whose samples have names.
type named struct {
	data.Dataset
	of string
}

func (n named) Name(i int) string { return fmt.Sprintf("%s/%d.jpg", n.of, i) }

func TestResumeRefusesOtherSamples(t *testing.T) {
	c := smallConfig(t)
	train, test := c.Train, c.Test
	c.Train, c.Test = named{train, "cat"}, named{test, "dog"}
	dir := stopAfter(t, c, 3)
	checkpoint, err := ReadCheckpoint(dir)
	require.NoError(t, err)
	require.True(t, checkpoint.Named())
	for want, sets := range map[string][2]data.Dataset{
		"the training set is not the one that the run was started with: the names or the labels of its": {named{train, "other"}, c.Test},
		"the test set is not the one that the run was started with: the names or the labels of its":     {c.Train, named{test, "cat"}},
	} {
		r := checkpoint.Config
		r.Device, r.Train, r.Test = c.Device, sets[0], sets[1]
		_, err := Train(t.Context(), r)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "start a new run from the weights in "+dir)
	}
	// Where one side has no names nothing is known to differ.
	r := checkpoint.Config
	r.Device, r.Train, r.Test = c.Device, train, test
	_, err = Train(t.Context(), r)
	require.NoError(t, err)
	checkpoint, err = ReadCheckpoint(dir)
	require.NoError(t, err)
	require.False(t, checkpoint.Named())
}

func TestClassesThatAreNotUTF8(t *testing.T) {
	for _, classes := range [][]string{{"a", "b"}, {"caf\xe8", "caf\xe9", "é"}} {
		metadata, err := modelfile.Encode(smallConfig(t).Network, data.Preprocess{}, classes)
		require.NoError(t, err)
		var got []string
		_, err = modelfile.Decode(metadata, &data.Preprocess{}, &got)
		require.NoError(t, err)
		require.Equal(t, classes, got)
		metadata[modelfile.ClassBytesKey] = `["YQ=="]`
		_, err = modelfile.Decode(metadata, &data.Preprocess{}, &got)
		require.ErrorContains(t, err, "metadata classes64: it is not the")
	}
}
