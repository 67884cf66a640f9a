package lecture

import "fmt"

func Example_classification() {
	x := floats([]int{1, 3}, 1, 2, 4)
	show(layer{"softmax", "{}", nil}.infer(x)...)
	for _, l := range []layer{
		{"softmax-loss", "{}", nil},
		{"softmax-loss", `{"label_smoothing": 0.1}`, nil},
		{"softmax-loss", `{"class_weights": [1, 5, 1]}`, nil},
		{"logistic-loss", "{}", nil},
		{"focal-loss", "{}", nil},
		{"hinge-loss", "{}", nil},
		{"hinge-loss", `{"norm": 2}`, nil},
	} {
		y, dx := l.train(x, labels(1))
		fmt.Printf("%-13s %-28s %-6.4g gradient %s\n", l.Type, l.Options, floats64(y[0])[0], row(floats64(dx)))
	}
	// Output:
	// 0.04201   0.1142    0.8438
	// softmax-loss  {}                           2.17   gradient 0.04201   -0.8858   0.8438
	// softmax-loss  {"label_smoothing": 0.1}     2.137  gradient 0.008677  -0.8191   0.8105
	// softmax-loss  {"class_weights": [1, 5, 1]} 10.85  gradient 0.2101    -4.429    4.219
	// logistic-loss {}                           5.458  gradient 0.7311    -0.1192   0.982
	// focal-loss    {}                           3.433  gradient 0.5762    -0.001218 0.8148
	// hinge-loss    {}                           7      gradient 1         0         1
	// hinge-loss    {"norm": 2}                  29     gradient 4         0         10
}

func Example_regression() {
	x, target := floats([]int{1, 3}, 1, 2, 4), floats([]int{1, 3}, 1, 2.5, 1)
	for _, l := range []layer{
		{"l2-loss", "{}", nil},
		{"l1-loss", "{}", nil},
		{"smooth-l1-loss", `{"beta": 1}`, nil},
		{"huber-loss", `{"delta": 2}`, nil},
	} {
		y, dx := l.train(x, target)
		fmt.Printf("%-15s %-8.4g gradient %s\n", l.Type, floats64(y[0])[0], row(floats64(dx)))
	}
	// Output:
	// l2-loss         4.625    gradient 0         -0.5      3
	// l1-loss         3.5      gradient 0         -1        1
	// smooth-l1-loss  2.625    gradient 0         -0.5      1
	// huber-loss      4.125    gradient 0         -0.5      2
}

func Example_embedding() {
	a, b := floats([]int{1, 2}, 0, 0), floats([]int{1, 2}, 0.3, 0.4) // 0.5 apart
	far := floats([]int{1, 2}, 0, 1.2)
	for _, alike := range []int32{1, 0} {
		y, dx := layer{"contrastive-loss", "{}", nil}.train(a, b, labels(alike))
		fmt.Printf("contrastive, alike %d: %-8.4g gradient %s\n", alike, floats64(y[0])[0], row(floats64(dx)))
	}
	y, dx := layer{"triplet-loss", "{}", nil}.train(a, b, far)
	fmt.Printf("triplet: %-8.4g gradient %s\n", floats64(y[0])[0], row(floats64(dx)))
	// Output:
	// contrastive, alike 1: 0.125    gradient -0.3      -0.4
	// contrastive, alike 0: 0.125    gradient 0.3       0.4
	// triplet: 0.3      gradient -0.6      0.2
}
