package lecture

import (
	"fmt"

	"gorgonia.org/tensor"
)

func Example_activation() {
	x := batch([]int{1, 5}, -2, -1, 0, 1, 2)
	each([]*tensor.Dense{x}, "relu", "leaky-relu", "prelu", "relu6", "elu", "selu", "gelu", "silu", "mish", "sigmoid", "tanh",
		"hard-sigmoid", "hard-swish", "softplus", "softsign")
	// Output:
	// relu          0       0       0       1       2        gradient 0       0       0       1       1
	// leaky-relu    -0.02   -0.01   0       1       2        gradient 0.01    0.01    0.01    1       1
	// prelu         -0.5    -0.25   0       1       2        gradient 0.25    0.25    0.25    1       1
	// relu6         0       0       0       1       2        gradient 0       0       0       1       1
	// elu           -0.865  -0.632  0       1       2        gradient 0.135   0.368   1       1       1
	// selu          -1.52   -1.11   0       1.05    2.1      gradient 0.238   0.647   1.76    1.05    1.05
	// gelu          -0.0455 -0.159  0       0.841   1.95     gradient -0.0852 -0.0833 0.5     1.08    1.09
	// silu          -0.238  -0.269  0       0.731   1.76     gradient -0.0908 0.0723  0.5     0.928   1.09
	// mish          -0.253  -0.303  0       0.865   1.94     gradient -0.108  0.0592  0.6     1.05    1.07
	// sigmoid       0.119   0.269   0.5     0.731   0.881    gradient 0.105   0.197   0.25    0.197   0.105
	// tanh          -0.964  -0.762  0       0.762   0.964    gradient 0.0707  0.42    1       0.42    0.0707
	// hard-sigmoid  0.167   0.333   0.5     0.667   0.833    gradient 0.167   0.167   0.167   0.167   0.167
	// hard-swish    -0.333  -0.333  0       0.667   1.67     gradient -0.167  0.167   0.5     0.833   1.17
	// softplus      0.127   0.313   0.693   1.31    2.13     gradient 0.119   0.269   0.5     0.731   0.881
	// softsign      -0.667  -0.5    0       0.5     0.667    gradient 0.111   0.25    1       0.25    0.111
}

func Example_maxout() {
	x := batch([]int{1, 4, 1, 3}, 1, 5, 0, 2, 4, 0, -1, -3, 7, -2, -2, 8) // four channels of three pixels
	y, dx := layer{`maxout {"pieces": 2}`, nil}.train(x)
	show(y...)
	fmt.Println("gradient")
	show(dx)
	// Output:
	// 2        5        0
	// -1       -2       8
	// gradient
	// 0        1        1
	// 1        0        0
	// 1        0        0
	// 0        1        1
}
