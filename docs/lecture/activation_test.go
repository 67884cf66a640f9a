package lecture

import "fmt"

func Example_activation() {
	x := floats([]int{1, 5}, -2, -1, 0, 1, 2)
	for _, name := range []string{"relu", "leaky-relu", "relu6", "elu", "selu", "gelu", "silu", "mish", "sigmoid",
		"hard-sigmoid", "hard-swish", "tanh", "softplus", "softsign"} {
		y, dx := layer{Type: name, Options: "{}"}.train(x)
		fmt.Printf("%-13s", name)
		show(y...)
		fmt.Printf("%-13s", "  gradient")
		show(dx)
	}
	// Output:
	// relu         0         0         0         1         2
	//   gradient   0         0         0         1         1
	// leaky-relu   -0.02     -0.01     0         1         2
	//   gradient   0.01      0.01      0.01      1         1
	// relu6        0         0         0         1         2
	//   gradient   0         0         0         1         1
	// elu          -0.8647   -0.6321   0         1         2
	//   gradient   0.1353    0.3679    1         1         1
	// selu         -1.52     -1.111    0         1.051     2.101
	//   gradient   0.2379    0.6468    1.758     1.051     1.051
	// gelu         -0.0455   -0.1587   0         0.8413    1.954
	//   gradient   -0.08523  -0.08332  0.5       1.083     1.085
	// silu         -0.2384   -0.2689   0         0.7311    1.762
	//   gradient   -0.09078  0.07233   0.5       0.9277    1.091
	// mish         -0.2525   -0.3034   0         0.8651    1.944
	//   gradient   -0.1084   0.05922   0.6       1.049     1.069
	// sigmoid      0.1192    0.2689    0.5       0.7311    0.8808
	//   gradient   0.105     0.1966    0.25      0.1966    0.105
	// hard-sigmoid 0.1667    0.3333    0.5       0.6667    0.8333
	//   gradient   0.1667    0.1667    0.1667    0.1667    0.1667
	// hard-swish   -0.3333   -0.3333   0         0.6667    1.667
	//   gradient   -0.1667   0.1667    0.5       0.8333    1.167
	// tanh         -0.964    -0.7616   0         0.7616    0.964
	//   gradient   0.07065   0.42      1         0.42      0.07065
	// softplus     0.1269    0.3133    0.6931    1.313     2.127
	//   gradient   0.1192    0.2689    0.5       0.7311    0.8808
	// softsign     -0.6667   -0.5      0         0.5       0.6667
	//   gradient   0.1111    0.25      1         0.25      0.1111
}

func Example_maxout() {
	x := floats([]int{1, 4, 1, 3},
		1, 5, 0,
		2, 4, 0,
		-1, -3, 7,
		-2, -2, 8)
	y, dx := layer{"maxout", `{"pieces": 2}`, nil}.train(x)
	show(y...)
	fmt.Println("gradient")
	show(dx)
	// Output:
	// 2         5         0
	//
	// -1        -2        8
	// gradient
	// 0         1         1
	//
	// 1         0         0
	//
	// 1         0         0
	//
	// 0         1         1
}
