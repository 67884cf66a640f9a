package lecture

import "fmt"

func Example_dense() {
	x := batch([]int{1, 3}, 1, 2, 3)
	l := layer{`dense {"out": 2}`, map[string][]float32{"weight": {1, 0, 0, 1, 1, 1}, "bias": {0, 100}}}
	y, dx := l.train(x)
	show(y...)
	show(dx) // the sum of the rows of W
	// Output:
	// 1        106
	// 2        1        1
}

func Example_dropout() {
	x := batch([]int{1, 8}, 1, 1, 1, 1, 1, 1, 1, 1)
	ones := map[string][]float32{"weight": {1, 1, 1, 1, 1, 1, 1, 1}, "bias": {0}}
	for _, l := range []layer{{`dropout {"p": 0.5}`, nil}, {`drop-connect {"out": 1, "p": 0.5}`, ones}} {
		y, dx := l.train(x)
		fmt.Println(l.Text)
		show(y...)
		show(dx)
		show(l.infer(x)...)
	}
	// Output:
	// dropout {"p": 0.5}
	// 0        0        0        0        0        2        0        2
	// 0        0        0        0        0        2        0        2
	// 1        1        1        1        1        1        1        1
	// drop-connect {"out": 1, "p": 0.5}
	// 4
	// 0        0        0        0        0        2        0        2
	// 8
}
