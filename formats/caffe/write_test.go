package caffe

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
)

// TestSharedParametersAreWrittenAndRead writes layers that share all, and one that shares a part.
func TestSharedParametersAreWrittenAndRead(t *testing.T) {
	n := &graph.Network{Name: "twins", Outputs: []string{"ip"}}
	x := n.Image("data", 2, 5, 5)
	conv := &layers.Conv{Filters: 2, Kernel: layers.Square(3), Pad: layers.Around(1)}
	n.Add("a", conv, x)
	n.Add("norm_a", &layers.BatchNorm{Convention: "caffe"}, "a")
	n.Add("b", conv, "norm_a")
	n.Add("norm_b", &layers.BatchNorm{Convention: "caffe"}, "b")
	n.Add("c", conv, "norm_b")
	n.Add("ip", &layers.Dense{Out: 3}, "c")
	n.Nodes[2].Share = map[string]string{"weight": "a.weight", "bias": "a.bias"}
	n.Nodes[3].Share = map[string]string{"weight": "norm_a.weight", "bias": "norm_a.bias", "running_mean": "norm_a.running_mean", "running_var": "norm_a.running_var", "scale_factor": "norm_a.scale_factor"}
	n.Nodes[4].Share = map[string]string{"weight": "a.weight"}
	var b bytes.Buffer
	require.NoError(t, Write(&b, n))
	m, err := read(t, b.String(), formats.Options{})
	require.NoError(t, err)
	require.Empty(t, m.Lost)
	for i, node := range m.Network.Nodes {
		require.Equal(t, n.Nodes[i].Share, node.Share, node.Name)
	}
	_, params := specsOf(t, n)
	_, again := specsOf(t, m.Network)
	require.Equal(t, params, again)

	// What Caffe calls the same and hubel turns in another way stays two tensors, and other
	// multipliers are those of the first layer.
	const twins = `input: "data" input_shape { dim: 2 dim: 3 }
layer { name: "x" type: "InnerProduct" bottom: "data" top: "x" param { name: "w" lr_mult: 2 } inner_product_param { num_output: 3 bias_term: false } }
layer { name: "y" type: "InnerProduct" bottom: "x" top: "y" param { name: "w" %s } inner_product_param { num_output: 3 bias_term: false transpose: %t } }`
	m, err = read(t, fmt.Sprintf(twins, "lr_mult: 2", true), formats.Options{})
	require.NoError(t, err)
	require.Nil(t, m.Network.Nodes[1].Share)
	require.Contains(t, m.Lost[0], `shares the parameter "w" with layer "x"`)
	m, err = read(t, fmt.Sprintf(twins, "lr_mult: 2", false), formats.Options{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"weight": "x.weight"}, m.Network.Nodes[1].Share)
	require.Empty(t, m.Lost)
	m, err = read(t, fmt.Sprintf(twins, "lr_mult: 3", false), formats.Options{})
	require.NoError(t, err)
	require.Contains(t, m.Lost[0], `lr_mult and decay_mult of the parameter "w": it has those of layer "x"`)
}

// TestNetworksThatAreWrittenAreRead writes the networks of package models, those that Caffe has
// the layers of, and reads them: layers, weights and shapes are the same.
func TestNetworksThatAreWrittenAreRead(t *testing.T) {
	written := map[string]bool{}
	for _, name := range models.Names() {
		n, err := models.Build(name, models.Options{})
		require.NoError(t, err)
		for _, node := range n.Nodes { // Caffe has neither
			switch l := node.Layer.(type) {
			case *layers.L2Loss:
				l.Mask = false
			case *layers.SoftmaxLoss:
				l.Smoothing = 0
			}
		}
		var b bytes.Buffer
		if err := Write(&b, n); err != nil {
			t.Logf("%s: %v", name, err)
			continue
		}
		written[name] = true
		m, err := read(t, b.String(), formats.Options{})
		require.NoError(t, err, name)
		require.Empty(t, m.Lost, name)
		require.Equal(t, n.Inputs, m.Network.Inputs, name)
		require.ElementsMatch(t, n.Outputs, m.Network.Outputs, name)
		require.Equal(t, n.Metrics, m.Network.Metrics, name)
		want, params := specsOf(t, n)
		got, again := specsOf(t, m.Network)
		for layer, shape := range want {
			if g, ok := got[layer]; ok {
				require.Equal(t, shape, g, "%s: %s", name, layer)
			}
		}
		norms := 0
		for _, node := range m.Network.Nodes {
			if _, ok := node.Layer.(*layers.BatchNorm); ok {
				norms++ // has the factor besides
			}
		}
		require.Equal(t, params+norms, again, name)
	}
	for _, name := range []string{"lenet", "lenet5", "alexnet", "caffenet", "cifar10-quick", "cifar10-full", "nin", "vgg16", "squeezenet1.1", "googlenet", "resnet18"} {
		require.True(t, written[name], "%s was not written", name)
	}
}

func TestLayersThatCaffeDoesNotHaveAreNamed(t *testing.T) {
	for want, l := range map[string]layers.Layer{
		"a: permute: Caffe has no layer for it":                 &layers.Permute{Order: []int{0, 2, 3, 1}},
		"a: pad 1,0,0,0: Caffe's is the same on opposite sides": &layers.Conv{Filters: 1, Kernel: layers.Square(1), Pad: layers.Pad{Top: 1}},
		"a: average-pool: Caffe's averages count the padding":   &layers.Pool{Op: device.AveragePool, Window: layers.Square(2), Pad: layers.Around(1)},
		"a: weight_filler: Caffe has no filler \"orthogonal\"":  &layers.Dense{Out: 1, WeightFiller: layers.Filler{Type: "orthogonal"}},
		"a: deconv: Caffe's Deconvolution has no output_pad":    &layers.Deconv{Conv: layers.Conv{Filters: 1, Kernel: layers.Square(2), Stride: layers.Square(2)}, OutputPad: layers.Square(1)},
		"a: lrn: k 2 within channels: Caffe's is 1":             &layers.LRN{Region: "within"},
		"a: selu: Caffe has no layer for it":                    &layers.Activation{Function: "selu"},
	} {
		n := &graph.Network{}
		n.Add("a", l, n.Image("data", 2, 5, 5))
		require.EqualError(t, Write(&bytes.Buffer{}, n), want)
	}
}

// TestRoundingOfPoolingIsWrittenWhereItMatters: Caffe rounds up.
func TestRoundingOfPoolingIsWrittenWhereItMatters(t *testing.T) {
	for window, floor := range map[int]bool{2: true, 3: false} {
		n := &graph.Network{}
		n.Add("a", &layers.Pool{Window: layers.Square(window), Stride: layers.Square(2)}, n.Image("data", 2, 5, 5))
		var b bytes.Buffer
		require.NoError(t, Write(&b, n))
		require.Equal(t, floor, bytes.Contains(b.Bytes(), []byte("round_mode: FLOOR")))
	}
}
