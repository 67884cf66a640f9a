package lecture

func Example_convolution() {
	x := batch([]int{1, 1, 3, 4},
		1, 2, 3, 4,
		5, 6, 7, 8,
		9, 10, 11, 12)
	l := layer{`conv {"filters": 1, "kernel": 2}`, map[string][]float32{
		"weight": {1, 0, 0, -2}, // [filters, channels, rows, columns]
		"bias":   {100},
	}}
	show(l.infer(x)...) // the first: 100 + 1 - 2*6
	// Output:
	// 89       88       87
	// 85       84       83
}

func Example_strideAndPad() {
	x := batch([]int{1, 1, 3, 3}, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	one := map[string][]float32{"weight": {1, 1, 1, 1, 1, 1, 1, 1, 1}, "bias": {0}}
	show(layer{`conv {"filters": 1, "kernel": 3, "pad": 1}`, one}.infer(x)...)
	show(layer{`conv {"filters": 1, "kernel": 3, "pad": 1, "stride": 2}`, one}.infer(x)...)
	// Output:
	// 4        6        4
	// 6        9        6
	// 4        6        4
	// 4        4
	// 4        4
}

func Example_dilation() {
	x := batch([]int{1, 1, 7}, 1, 2, 3, 4, 5, 6, 7) // a row of pixels: convolution in one dimension
	l := layer{`conv {"filters": 1, "kernel": 3, "dilation": 2}`, map[string][]float32{"weight": {1, 1, 1}, "bias": {0}}}
	show(l.infer(x)...) // 1+3+5, 2+4+6, 3+5+7
	// Output:
	// 9        12       15
}

func Example_groups() {
	x := batch([]int{1, 4, 1, 2}, 1, 2, 10, 20, 100, 200, 1000, 2000) // four channels of two pixels
	one := map[string][]float32{"weight": {1, 1, 1, 1, 1, 1, 1, 1}, "bias": {0, 0}}
	show(layer{`conv {"filters": 2, "kernel": 1}`, one}.infer(x)...)
	one["weight"] = []float32{1, 1, 1, 1}
	show(layer{`conv {"filters": 2, "kernel": 1, "groups": 2}`, one}.infer(x)...)
	// Output:
	// 1111     2222
	// 1111     2222
	// 11       22
	// 1100     2200
}

func Example_deconvolution() {
	x := batch([]int{1, 1, 2, 2}, 1, 2, 3, 4)
	one := map[string][]float32{"weight": {1, 1, 1, 1, 1, 1, 1, 1, 1}, "bias": {0}}
	show(layer{`deconv {"filters": 1, "kernel": 3, "stride": 2}`, one}.infer(x)...)
	// Output:
	// 1        1        3        2        2
	// 1        1        3        2        2
	// 4        4        10       6        6
	// 3        3        7        4        4
	// 3        3        7        4        4
}
