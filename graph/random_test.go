package graph_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// randomNetwork makes a network with fan-out, joins, in-place chains, several
// losses and values that reach none of them.
func randomNetwork(seed uint64) *graph.Network {
	r := rand.New(rand.NewPCG(seed, 1))
	n := &graph.Network{Name: fmt.Sprintf("random%d", seed)}
	type value struct {
		name    string
		c, h, w int
	}
	values := []value{{n.Input("data", device.Float32, 4, 6, 6), 4, 6, 6}}
	if r.IntN(2) == 0 {
		values = append(values, value{n.Input("more", device.Float32, 2, 6, 6), 2, 6, 6})
	}
	label := n.Input("label", device.Int32)
	target := n.Input("target", device.Float32, 3)
	pick := func() value { return values[max(r.IntN(len(values)), r.IntN(len(values)))] } // rather a late one
	count := 0
	add := func(v value, l layers.Layer, in ...string) {
		count++
		v.name = n.Add(fmt.Sprintf("%s%d", l.Type(), count), l, in...)
		values = append(values, v)
	}
	for range 6 + r.IntN(14) {
		x := pick()
		y := x
		switch r.IntN(12) {
		case 0, 1:
			y.c = 2 + 2*r.IntN(3)
			add(y, &layers.Conv{Filters: y.c, Kernel: layers.Square(3), Pad: layers.Around(1), Groups: 1 + r.IntN(2)*((x.c+1)%2)}, x.name)
		case 2, 3, 4:
			ops := device.UnaryOps()
			add(y, &layers.Unary{Op: ops[r.IntN(len(ops))]}, x.name)
		case 5:
			add(y, &layers.Dropout{P: 0.4}, x.name)
		case 6:
			add(y, &layers.LRN{Size: 3, Alpha: new(float32(0.3)), AlphaOverSize: r.IntN(2) == 0}, x.name)
		case 7:
			add(y, &layers.Scale{Factor: 0.7}, x.name)
		case 8:
			in := []string{x.name}
			for range 1 + r.IntN(2) {
				for _, v := range values {
					if v.c == x.c && v.h == x.h && r.IntN(2) == 0 {
						in = append(in, v.name)
					}
				}
			}
			if len(in) > 1 {
				add(y, &layers.Add{}, in...)
			}
		case 9:
			if z := pick(); z.h == x.h {
				y.c += z.c
				add(y, &layers.Concat{}, x.name, z.name)
			}
		case 10:
			if x.h >= 3 {
				y.h, y.w = (x.h-1)/2, (x.w-1)/2
				add(y, &layers.Pool{Op: device.PoolOp(r.IntN(2)), Window: layers.Square(3), Stride: layers.Square(2)}, x.name)
			}
		case 11:
			if x.c%2 == 0 {
				y.c = x.c / 2
				add(y, &layers.Split{Channels: []int{x.c / 2, x.c / 2}}, x.name)
				y.name = values[len(values)-1].name + ":1"
				values = append(values, y)
			}
		}
	}
	scores := n.Add("scores", &layers.Dense{Out: 3}, values[len(values)-1].name)
	n.Add("loss", &layers.SoftmaxLoss{}, scores, label)
	if r.IntN(2) == 0 {
		flat := n.Add("flat", &layers.Flatten{}, pick().name)
		n.Add("distance", &layers.L2Loss{Weight: new(float32(0.3))}, n.Add("prediction", &layers.Dense{Out: 3}, flat), target)
	}
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, scores)}
	return n
}
