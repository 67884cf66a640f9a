package models

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// nin is the network for CIFAR-10 of Lin et al. 2014, "Network in network": convolutions
// with perceptrons of 1x1 behind them, and the mean over each map instead of dense layers.
// 966,986 parameters.
func nin(n *graph.Network, data string, o Options) string {
	x := data
	for b, block := range []struct {
		kernel      int
		perceptrons []int
		op          device.PoolOp
	}{
		{5, []int{192, 160, 96}, device.MaxPool},
		{5, []int{192, 192, 192}, device.AveragePool},
		{3, []int{192, 192, o.Classes}, device.AveragePool},
	} {
		for i, filters := range block.perceptrons {
			kernel, name, i := 1, fmt.Sprintf("cccp%d", 2*b+i), fmt.Sprintf("%d_%d", b+1, i+1)
			if i[len(i)-1] == '1' {
				kernel, name = block.kernel, fmt.Sprintf("conv%d", b+1)
			}
			x = n.Add(name, heConv(filters, kernel, 1, kernel/2), x)
			x = n.Add("relu"+i, relu(), x)
		}
		if b < 2 {
			x = n.Add(fmt.Sprintf("pool%d", b+1), pool(block.op, 3, 2, true), x)
			x = n.Add(fmt.Sprintf("drop%d", b+1), &layers.Dropout{P: 0.5}, x)
		}
	}
	return globalAverage(n, "pool3", x)
}

// globalAverage is the mean over each map, as scores [N,C].
func globalAverage(n *graph.Network, name, x string) string {
	x = n.Add(name, &layers.Pool{Op: device.AveragePool, Global: true}, x)
	return n.Add("scores", &layers.Flatten{}, x)
}
