package cpu

import (
	"testing"
	"time"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

// Convolutions of MobileNet v2 and ResNet-18 with what follows them, a relu6 or a residual
// sum and a ReLU: alone, with maps in the epilogue, and with Map afterwards. The three take
// turns. The medians of the last two relative to the first are reported.
func BenchmarkEpilogue(b *testing.B) {
	x, other := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole)
	relu6 := []*expr.Program{expr.MustNew(expr.Min(expr.Max(x, expr.Const(0)), expr.Const(6)))}
	sum := []*expr.Program{expr.MustNew(expr.Add(other, x))}
	residual := append(sum, expr.MustNew(expr.Select(expr.Less(x, expr.Const(0)), expr.Const(0), x)))
	for _, c := range []struct {
		name string
		device.Conv
		programs []*expr.Program
	}{
		{"mobilenet 3x3 stride 2 of 3x224x224", conv(1, 3, 224, 32, 3, 2, 1, 1), relu6},
		{"mobilenet 1x1 16 to 96 of 112x112", conv(1, 16, 112, 96, 1, 1, 0, 1), relu6},
		{"mobilenet 1x1 24 to 144 of 56x56", conv(1, 24, 56, 144, 1, 1, 0, 1), relu6},
		{"mobilenet 1x1 64 to 384 of 14x14", conv(1, 64, 14, 384, 1, 1, 0, 1), relu6},
		{"mobilenet 1x1 160 to 960 of 7x7", conv(1, 160, 7, 960, 1, 1, 0, 1), relu6},
		{"mobilenet 1x1 144 to 24 of 56x56", conv(1, 144, 56, 24, 1, 1, 0, 1), sum},
		{"mobilenet 1x1 960 to 160 of 7x7", conv(1, 960, 7, 160, 1, 1, 0, 1), sum},
		{"mobilenet depthwise of 144x56x56", conv(1, 144, 56, 144, 3, 1, 1, 144), relu6},
		{"mobilenet depthwise of 384x14x14", conv(1, 384, 14, 384, 3, 1, 1, 384), relu6},
		{"mobilenet depthwise of 960x7x7", conv(1, 960, 7, 960, 3, 1, 1, 960), relu6},
		{"mobilenet 1x1 16 to 96 of 112x112, batch 32", conv(32, 16, 112, 96, 1, 1, 0, 1), relu6},
		{"mobilenet 1x1 64 to 384 of 14x14, batch 32", conv(32, 64, 14, 384, 1, 1, 0, 1), relu6},
		{"mobilenet depthwise of 144x56x56, batch 32", conv(32, 144, 56, 144, 3, 1, 1, 144), relu6},
		{"mobilenet depthwise of 960x7x7, batch 32", conv(32, 960, 7, 960, 3, 1, 1, 960), relu6},
		{"resnet 3x3 of 64x56x56", conv(1, 64, 56, 64, 3, 1, 1, 1), residual},
		{"resnet 3x3 of 128x28x28", conv(1, 128, 28, 128, 3, 1, 1, 1), residual},
		{"resnet 3x3 of 512x7x7", conv(1, 512, 7, 512, 3, 1, 1, 1), residual},
		{"resnet 3x3 of 64x56x56, batch 32", conv(32, 64, 56, 64, 3, 1, 1, 1), residual},
	} {
		b.Run(c.name, func(b *testing.B) {
			needs := traitsOf(b).Needs(c.Of(device.Forward))
			q, t := operands(b, []tensor.Shape{c.YShape(), c.XShape(), c.WShape(), {c.K}, {int(needs.Packed/4) + 1}, {int(needs.Scratch/4) + 1}, c.YShape()})
			w := device.Filter{Tensor: t[2], Packed: t[4].Buffer}
			q.ConvPack(c.Conv, device.Forward, w.Packed, w.Tensor)
			var maps []device.EpilogueMap
			for _, p := range c.programs {
				maps = append(maps, device.EpilogueMap{Program: p, In: []device.Tensor{t[0], t[6]}})
			}
			timed := func(maps, after []device.EpilogueMap) float64 {
				start := time.Now()
				q.ConvForward(c.Conv, t[0], t[1], w, device.Epilogue{Bias: t[3], Maps: maps}, t[5].Buffer)
				for _, m := range after {
					q.Map(m.Program, m.View(t[0]), t[:1], m.In, []device.Mode{device.Overwrite}, device.Random{})
				}
				return float64(time.Since(start))
			}
			timed(maps, maps)
			var fused, after []float64
			for b.Loop() {
				alone := timed(nil, nil)
				fused = append(fused, timed(maps, nil)/alone)
				after = append(after, timed(nil, maps)/alone)
			}
			b.ReportMetric(median(fused), "fused")
			b.ReportMetric(median(after), "after")
		})
	}
}
