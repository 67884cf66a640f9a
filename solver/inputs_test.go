package solver

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// A network that learns shares of classes gets them of labels, and of images that are
// mixed.
func TestSharesOfClasses(t *testing.T) {
	soft := func(c *Config, classes int) {
		n := smallNet()
		for i := range n.Nodes {
			if _, ok := n.Nodes[i].Layer.(*layers.SoftmaxLoss); ok {
				n.Nodes[i].In = []string{n.Nodes[i].In[0], "share"}
			}
		}
		n.Target("share", classes)
		c.Network = n
	}
	// Of images that are not mixed they are labels, and so is the loss.
	c := smallConfig(t)
	hard, err := Train(t.Context(), c)
	require.NoError(t, err)
	classes := len(c.Train.Classes())
	soft(&c, classes)
	same, err := Train(t.Context(), c)
	require.NoError(t, err)
	require.InDelta(t, hard.Test.Loss, same.Test.Loss, 1e-3)
	for name, s := range checked(t, c) {
		require.True(t, s.OK, "%s: %s", name, s.Text)
	}

	mix := func(c *Config) {
		c.Preprocess.Augment = data.Augment{{Op: data.Mixup, Lo: 1, Hi: 1, P: 1}}
		_, c.Train, err = data.Augmented(c.Train, c.Preprocess.Augment, nil)
		require.NoError(t, err)
	}
	mix(&c)
	straight := trainIn(t, c)
	dir := stopAfter(t, c, 4)
	resume(t, dir, c)
	requireSameFiles(t, straight, dir)

	soft(&c, classes+1)
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, "the training set has")
	require.ErrorContains(t, err, "learns the shares of")
	c = smallConfig(t)
	mix(&c)
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, "the augmentation mixup=1 mixes classes, but network small has no softmax loss that takes a target")
	require.False(t, learnsShares(&graph.Network{}))
}
