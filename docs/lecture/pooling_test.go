package lecture

import "fmt"

func Example_pooling() {
	x := floats([]int{1, 1, 3, 3},
		3, 4, 0,
		1, 4, 0,
		0, 0, 6)
	for _, pool := range []layer{
		{"max-pool", `{"window": 2, "stride": 2, "ceil": true}`, nil},
		{"average-pool", `{"window": 2, "stride": 2, "ceil": true}`, nil},
		{"average-pool", `{"window": 2, "stride": 2, "pad": [0, 1, 0, 1], "count_pad": true}`, nil},
		{"l2-pool", `{"window": 2, "stride": 2, "ceil": true}`, nil},
		{"adaptive-average-pool", `{"size": 2}`, nil},
		{"max-pool", `{"global": true}`, nil},
	} {
		fmt.Println(pool.Type, pool.Options)
		show(pool.infer(x)...)
	}
	// Output:
	// max-pool {"window": 2, "stride": 2, "ceil": true}
	// 4         0
	// 0         6
	// average-pool {"window": 2, "stride": 2, "ceil": true}
	// 3         0
	// 0         6
	// average-pool {"window": 2, "stride": 2, "pad": [0, 1, 0, 1], "count_pad": true}
	// 3         0
	// 0         1.5
	// l2-pool {"window": 2, "stride": 2, "ceil": true}
	// 3.24      0
	// 0         6
	// adaptive-average-pool {"size": 2}
	// 3         2
	// 1.25      2.5
	// max-pool {"global": true}
	// 6
}

func Example_gradientOfPooling() {
	x := floats([]int{1, 1, 2, 4},
		3, 4, 2, 2,
		1, 4, 2, 2)
	for _, name := range []string{"max-pool", "average-pool"} {
		_, dx := layer{name, `{"window": 2, "stride": 2}`, nil}.train(x)
		fmt.Println(name)
		show(dx)
	}
	// Output:
	// max-pool
	// 0         1         1         0
	// 0         0         0         0
	// average-pool
	// 0.25      0.25      0.25      0.25
	// 0.25      0.25      0.25      0.25
}

func Example_stochasticPooling() {
	x := floats([]int{1, 1, 12}, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3)
	l := layer{"stochastic-pool", `{"window": 2, "stride": 2}`, nil}
	y, _ := l.train(x)
	show(y...)          // 3 with the probability 3/5, else 2
	show(l.infer(x)...) // (2*2 + 3*3) / (2 + 3)
	// Output:
	// 3         2         3         3         3         2
	// 2.6       2.6       2.6       2.6       2.6       2.6
}

func Example_unpooling() {
	x := floats([]int{1, 1, 4, 4},
		1, 2, 0, 0,
		0, 0, 0, 9,
		0, 5, 7, 0,
		0, 0, 0, 0)
	pooled := layer{"max-pool", `{"window": 2, "stride": 2, "switches": true}`, nil}.infer(x)
	show(pooled...) // the maxima, and where in its image each was
	fmt.Println("unpooled")
	show(layer{"unpool", `{"window": 2, "stride": 2}`, nil}.infer(pooled...)...)
	// Output:
	// 2         9
	// 5         7
	//
	// 1         7
	// 9         10
	// unpooled
	// 0         2         0         0
	// 0         0         0         9
	// 0         5         7         0
	// 0         0         0         0
}
