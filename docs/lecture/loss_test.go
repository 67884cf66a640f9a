package lecture

import "gorgonia.org/tensor"

func Example_classification() {
	x := batch([]int{1, 3}, 1, 2, 4)
	show(layer{"softmax", nil}.infer(x)...)
	each([]*tensor.Dense{x, labels(1)}, "softmax-loss", `softmax-loss {"label_smoothing": 0.1}`,
		`softmax-loss {"class_weights": [1, 5, 1]}`, "logistic-loss", "focal-loss", "hinge-loss", `hinge-loss {"norm": 2}`)
	// Output:
	// 0.04201  0.1142   0.8438
	// softmax-loss                               2.17     gradient 0.042   -0.886  0.844
	// softmax-loss {"label_smoothing": 0.1}      2.14     gradient 0.00868 -0.819  0.81
	// softmax-loss {"class_weights": [1, 5, 1]}  10.8     gradient 0.21    -4.43   4.22
	// logistic-loss                              5.46     gradient 0.731   -0.119  0.982
	// focal-loss                                 3.43     gradient 0.576   -0.00122 0.815
	// hinge-loss                                 7        gradient 1       0       1
	// hinge-loss {"norm": 2}                     29       gradient 4       0       10
}

func Example_regression() {
	x, target := batch([]int{1, 3}, 1, 2, 4), batch([]int{1, 3}, 1, 2.5, 1)
	each([]*tensor.Dense{x, target}, "l2-loss", "l1-loss", `smooth-l1-loss {"beta": 1}`, `huber-loss {"delta": 2}`)
	// Output:
	// l2-loss                     4.62     gradient 0       -0.5    3
	// l1-loss                     3.5      gradient 0       -1      1
	// smooth-l1-loss {"beta": 1}  2.62     gradient 0       -0.5    1
	// huber-loss {"delta": 2}     4.12     gradient 0       -0.5    2
}

func Example_embedding() {
	a, near, far := batch([]int{1, 2}, 0, 0), batch([]int{1, 2}, 0.3, 0.4), batch([]int{1, 2}, 0, 1.2)
	each([]*tensor.Dense{a, near, labels(1)}, "contrastive-loss") // alike
	each([]*tensor.Dense{a, near, labels(0)}, "contrastive-loss") // not alike
	each([]*tensor.Dense{a, near, far}, "triplet-loss")
	// Output:
	// contrastive-loss  0.125    gradient -0.3    -0.4
	// contrastive-loss  0.125    gradient 0.3     0.4
	// triplet-loss  0.3      gradient -0.6    0.2
}
