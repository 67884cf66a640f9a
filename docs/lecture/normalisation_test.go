package lecture

import "fmt"

func Example_lrn() {
	x := batch([]int{1, 5, 1, 1}, 1, 2, 3, 4, 5) // five channels of one pixel
	y := layer{`lrn {"size": 3, "k": 2, "alpha": 0.5, "beta": 0.75}`, nil}.infer(x)
	show(y...) // the third: 3 / (2 + 0.5*(2² + 3² + 4²))^0.75
	// Output:
	// 0.3237   0.3849   0.3664   0.3377   0.484
}

func Example_normalisation() {
	x := batch([]int{2, 4, 1, 2}, // two samples of four channels of two pixels
		1, 2, 10, 20, 3, 5, 30, 50,
		5, 6, 50, 60, 7, 9, 70, 90)
	for _, text := range []string{"batch-norm", "instance-norm", "layer-norm", `group-norm {"groups": 2}`, "l2-norm"} {
		y, _ := layer{text, nil}.train(x)
		fmt.Println(text)
		check(y[0].Reshape(2, 8))
		show(y...)
	}
	// Output:
	// batch-norm
	// -1.213   -0.7276  -1.213   -0.7276  -1.342   -0.4472  -1.342   -0.4472
	// 0.7276   1.213    0.7276   1.213    0.4472   1.342    0.4472   1.342
	// instance-norm
	// -1       1        -1       1        -1       1        -1       1
	// -1       1        -1       1        -1       1        -1       1
	// layer-norm
	// -0.87    -0.8084  -0.3157  0.3003   -0.7468  -0.6236  0.9162   2.148
	// -0.9995  -0.9684  0.4006   0.7117   -0.9372  -0.875   1.023    1.645
	// group-norm {"groups": 2}
	// -0.9504  -0.8193  0.2294   1.54     -0.9818  -0.8785  0.4134   1.447
	// -1.01    -0.9699  0.7899   1.19     -1.008   -0.9538  0.7085   1.254
	// l2-norm
	// 0.03147  0.03695  0.3147   0.3695   0.0944   0.09239  0.944    0.9239
	// 0.05784  0.05519  0.5784   0.5519   0.08097  0.08279  0.8097   0.8279
}
