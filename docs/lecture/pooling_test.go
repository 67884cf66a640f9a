package lecture

import "fmt"

func Example_pooling() {
	x := batch([]int{1, 1, 3, 3},
		3, 4, 0,
		1, 4, 0,
		0, 0, 6)
	for _, text := range []string{
		`max-pool {"window": 2, "stride": 2, "ceil": true}`,
		`average-pool {"window": 2, "stride": 2, "ceil": true}`,
		`average-pool {"window": 2, "stride": 2, "pad": [0, 1, 0, 1], "count_pad": true}`,
		`l2-pool {"window": 2, "stride": 2, "ceil": true}`,
		`adaptive-average-pool {"size": 2}`,
		`adaptive-max-pool {"size": 2}`,
		`max-pool {"global": true}`,
	} {
		fmt.Println(text)
		show(layer{text, nil}.infer(x)...)
	}
	// Output:
	// max-pool {"window": 2, "stride": 2, "ceil": true}
	// 4        0
	// 0        6
	// average-pool {"window": 2, "stride": 2, "ceil": true}
	// 3        0
	// 0        6
	// average-pool {"window": 2, "stride": 2, "pad": [0, 1, 0, 1], "count_pad": true}
	// 3        0
	// 0        1.5
	// l2-pool {"window": 2, "stride": 2, "ceil": true}
	// 3.24     0
	// 0        6
	// adaptive-average-pool {"size": 2}
	// 3        2
	// 1.25     2.5
	// adaptive-max-pool {"size": 2}
	// 4        4
	// 4        6
	// max-pool {"global": true}
	// 6
}

func Example_gradientOfPooling() {
	x := batch([]int{1, 1, 2, 4},
		3, 4, 2, 2,
		1, 4, 2, 2)
	_, dx := layer{`max-pool {"window": 2, "stride": 2}`, nil}.train(x)
	show(dx)
	// Output:
	// 0        1        1        0
	// 0        0        0        0
}

func Example_stochasticPooling() {
	x := batch([]int{1, 1, 12}, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3)
	l := layer{`stochastic-pool {"window": 2, "stride": 2}`, nil}
	y, _ := l.train(x)
	show(y...)          // 3 with the probability 3/5, else 2
	show(l.infer(x)...) // (2*2 + 3*3) / (2 + 3)
	// Output:
	// 3        2        3        3        3        2
	// 2.6      2.6      2.6      2.6      2.6      2.6
}

func Example_unpooling() {
	x := batch([]int{1, 1, 4, 4},
		1, 2, 0, 0,
		0, 0, 0, 9,
		0, 5, 7, 0,
		0, 0, 0, 0)
	pooled := layer{`max-pool {"window": 2, "stride": 2, "switches": true}`, nil}.infer(x)
	show(pooled...) // the maxima, and where in its image each was
	fmt.Println("unpooled")
	show(layer{`unpool {"window": 2, "stride": 2}`, nil}.infer(pooled...)...)
	// Output:
	// 2        9
	// 5        7
	//
	// 1        7
	// 9        10
	// unpooled
	// 0        2        0        0
	// 0        0        0        9
	// 0        5        7        0
	// 0        0        0        0
}
