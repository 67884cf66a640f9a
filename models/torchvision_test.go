package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/models"
)

// The counts are those of torchvision's documentation; its GoogLeNet is counted there
// without the auxiliary classifiers.
func TestTorchvisionHasThePublishedParameters(t *testing.T) {
	published := map[string]int{
		"alexnet": 61_100_840,
		"vgg11":   132_863_336, "vgg13": 133_047_848, "vgg16": 138_357_544, "vgg19": 143_667_240,
		"vgg11_bn": 132_868_840, "vgg13_bn": 133_053_736, "vgg16_bn": 138_365_992, "vgg19_bn": 143_678_248,
		"resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032, "resnet101": 44_549_160, "resnet152": 60_192_808,
		"squeezenet1_0": 1_248_424, "squeezenet1_1": 1_235_496, "mobilenet_v2": 3_504_872,
		"densenet121": 7_978_856, "densenet161": 28_681_000, "densenet169": 14_149_480, "densenet201": 20_013_928,
		"googlenet": 6_624_904, "googlenet_aux": 13_004_888,
	}
	require.Len(t, models.TorchvisionNames(), len(published))
	for name, want := range published {
		n, err := models.Torchvision(name, models.Options{})
		require.NoError(t, err)
		require.Equal(t, want, parameters(plan(t, n, graph.PlanOptions{Mode: graph.Train, Batch: 1})), name)
	}
}

func TestTorchvisionTakesOtherClassesAndSizes(t *testing.T) {
	for _, name := range models.TorchvisionNames() {
		n, err := models.Torchvision(name, models.Options{Classes: 7, Shape: []int{1, 160, 192}})
		require.NoError(t, err)
		p := plan(t, n, graph.PlanOptions{Batch: 2})
		for _, v := range p.Values {
			if v.Name == "prob" {
				require.Equal(t, []int{2, 7}, []int(v.Shape), name)
			}
		}
	}
}

func TestTorchvisionErrors(t *testing.T) {
	_, err := models.Torchvision("vgg7", models.Options{})
	require.ErrorContains(t, err, `network "vgg7" of torchvision is unknown; there are alexnet, densenet121`)
	_, err = models.Torchvision("vgg11", models.Options{Shape: []int{3, 0, 1}})
	require.EqualError(t, err, "network vgg11: shape [3 0 1] is not channels, height and width of an image")
	_, err = models.DenseNet{Growth: 2, Initial: 4, Blocks: []int{1, 1}}.Network("small", models.Options{Classes: -1})
	require.EqualError(t, err, "network small: classes -1 must not be negative")
	n, err := models.DenseNet{Growth: 2, Initial: 4, Blocks: []int{1, 1}}.Network("small", models.Options{Shape: []int{3, 32, 32}})
	require.NoError(t, err)
	_, err = n.Plan(reference.New().Traits(), graph.PlanOptions{Batch: 1})
	require.NoError(t, err)
}
