package models

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// net1 and net2 find 15 facial keypoints, 30 coordinates, in a grey image of
// 96x96 (Nouri 2014, "Using convolutional neural nets to detect facial
// keypoints").

// net1 has one hidden layer: 924,730 parameters.
func net1(n *graph.Network, data string, o Options) string {
	x := n.Add("hidden", &layers.Dense{Out: 100}, data)
	x = n.Add("relu", relu(), x)
	return n.Add("output", &layers.Dense{Out: o.Classes}, x)
}

// net2 has three convolutions, each with max pooling, and two hidden layers:
// 8,051,502 parameters.
func net2(n *graph.Network, data string, o Options) string {
	x := data
	for i, c := range []struct{ filters, kernel int }{{32, 3}, {64, 2}, {128, 2}} {
		x = n.Add(fmt.Sprintf("conv%d", i+1), &layers.Conv{Filters: c.filters, Kernel: layers.Square(c.kernel)}, x)
		x = n.Add(fmt.Sprintf("relu%d", i+1), relu(), x)
		x = n.Add(fmt.Sprintf("pool%d", i+1), pool(device.MaxPool, 2, 2, false), x)
	}
	for i := range 2 {
		x = n.Add(fmt.Sprintf("hidden%d", i+4), &layers.Dense{Out: 500}, x)
		x = n.Add(fmt.Sprintf("relu%d", i+4), relu(), x)
	}
	return n.Add("output", &layers.Dense{Out: o.Classes}, x)
}
