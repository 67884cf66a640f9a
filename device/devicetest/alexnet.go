package devicetest

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

// AlexNet is the kernel calls of a training step of AlexNet (Krizhevsky et
// al. 2012) on n samples, for benchmarks: its convolutions both in one tower
// and, where that differs, in two groups.
func AlexNet(n int) []Case {
	var cases []Case
	for _, g := range alexnetConvs(n) {
		cases = append(cases,
			convForward(g.name, g.Conv, true, relu),
			convBackwardData(g.name, g.Conv, device.Overwrite),
			convBackwardFilter(g.name, g.Conv, device.Overwrite, bothGradients))
	}
	for i, d := range []device.Dense{{N: n, In: 9216, Out: 4096}, {N: n, In: 4096, Out: 4096}, {N: n, In: 4096, Out: 1000}} {
		layer := fmt.Sprintf("alexnet fc%d ", 6+i)
		cases = append(cases,
			denseForward(d, true, relu).called(layer),
			denseBackwardData(d, device.Overwrite).called(layer),
			denseBackwardFilter(d, device.Overwrite, bothGradients).called(layer))
	}
	for i, s := range [][2]int{{96, 55}, {256, 27}} {
		layer := fmt.Sprintf("alexnet lrn%d ", 1+i)
		l := device.LRN{N: n, C: s[0], H: s[1], W: s[1], Size: 5, Alpha: 1e-4, Beta: 0.75, K: 2}
		cases = append(cases, lrnForward(l, true, between(-2, 2), "").called(layer), lrnBackward(l, device.Overwrite, between(-2, 2), "").called(layer))
	}
	for i, s := range [][2]int{{96, 55}, {256, 27}, {256, 13}} {
		layer := fmt.Sprintf("alexnet pool%d ", []int{1, 2, 5}[i])
		p := poolOf(n, s[0], s[1], 3, 0, 2)
		cases = append(cases, poolForward(p, true, uniform, "").called(layer), poolBackward(p, device.Overwrite).called(layer))
	}
	for i, s := range []tensor.Shape{{96, 55, 55}, {256, 27, 27}, {384, 13, 13}, {384, 13, 13}, {256, 13, 13}, {4096}, {4096}} {
		layer := fmt.Sprintf("alexnet relu%d ", 1+i)
		elems := n * device.Elements(s)
		cases = append(cases, mapCase(rectifier, device.View{N: 1, C: 1, Inner: elems}, device.Overwrite).called(layer), mapCase(rectifierGradient, device.View{N: 1, C: 1, Inner: elems}, device.Overwrite).called(layer))
	}
	dense := device.View{N: n, C: 4096, Inner: 1}
	scores, x := device.View{N: n, C: 1000, Inner: 1}, expr.Input(0, expr.Whole)
	exponentials := program{"exponentials", expr.MustNew(expr.Exp(expr.Sub(x, expr.Input(1, expr.Sample)))), []fill{uniform, uniform}}
	ofLabel := program{"score of the label", expr.MustNew(expr.Select(expr.Equal(expr.Index(expr.C), expr.Integer(1, expr.Sample)), x, expr.Const(0))), []fill{uniform, labels(0, scores.C)}}
	const parameters = 60_965_224 // in two groups
	cases = append(cases,
		mapCase(dropout, dense, device.Overwrite).called("alexnet "), mapCase(dropoutGradient, dense, device.Overwrite).called("alexnet "),
		reduceCase(exponentials, scores, device.Sum, expr.Sample, device.Overwrite).called("alexnet loss "),
		reduceCase(ofLabel, scores, device.Sum, expr.Sample, device.Overwrite).called("alexnet loss "),
		updateCase(momentum(), 0, []device.Segment{{Len: parameters}}).called("alexnet "),
	)
	return cases
}

// alexnetConvs are the convolutions on n samples.
func alexnetConvs(n int) []namedConv {
	return []namedConv{
		{"alexnet conv1", convOf(n, 3, 227, 96, 11, 0, 4, 1)},
		{"alexnet conv2", convOf(n, 96, 27, 256, 5, 2, 1, 1)},
		{"alexnet conv2 grouped", convOf(n, 96, 27, 256, 5, 2, 1, 2)},
		{"alexnet conv3", convOf(n, 256, 13, 384, 3, 1, 1, 1)},
		{"alexnet conv4", convOf(n, 384, 13, 384, 3, 1, 1, 1)},
		{"alexnet conv4 grouped", convOf(n, 384, 13, 384, 3, 1, 1, 2)},
		{"alexnet conv5", convOf(n, 384, 13, 256, 3, 1, 1, 1)},
		{"alexnet conv5 grouped", convOf(n, 384, 13, 256, 3, 1, 1, 2)},
	}
}

// called puts the name of a layer before that of the case.
func (c Case) called(layer string) Case {
	c.Name = layer + c.Name
	return c
}
