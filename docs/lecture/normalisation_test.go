package lecture

import "fmt"

func Example_lrn() {
	x := floats([]int{1, 5, 1, 1}, 1, 2, 3, 4, 5) // one pixel of five channels
	y := layer{"lrn", `{"size": 3, "k": 2, "alpha": 0.5, "beta": 0.75}`, nil}.infer(x)
	fmt.Println(row(floats64(y[0]))) // the third: 3 / (2 + 0.5*(2² + 3² + 4²))^0.75
	// Output:
	// 0.3237    0.3849    0.3664    0.3377    0.484
}

func Example_normalisation() {
	x := floats([]int{2, 4, 1, 2}, // two samples of four channels of two pixels
		1, 2, 10, 20, 3, 5, 30, 50,
		5, 6, 50, 60, 7, 9, 70, 90)
	for _, l := range []layer{
		{"batch-norm", "{}", nil},
		{"instance-norm", "{}", nil},
		{"layer-norm", "{}", nil},
		{"group-norm", `{"groups": 2}`, nil},
		{"l2-norm", "{}", nil},
	} {
		y, _ := l.train(x)
		fmt.Println(l.Type)
		fmt.Println(row(floats64(y[0])[:8]))
		fmt.Println(row(floats64(y[0])[8:]))
	}
	// Output:
	// batch-norm
	// -1.213    -0.7276   -1.213    -0.7276   -1.342    -0.4472   -1.342    -0.4472
	// 0.7276    1.213     0.7276    1.213     0.4472    1.342     0.4472    1.342
	// instance-norm
	// -1        1         -1        1         -1        1         -1        1
	// -1        1         -1        1         -1        1         -1        1
	// layer-norm
	// -0.87     -0.8084   -0.3157   0.3003    -0.7468   -0.6236   0.9162    2.148
	// -0.9995   -0.9684   0.4006    0.7117    -0.9372   -0.875    1.023     1.645
	// group-norm
	// -0.9504   -0.8193   0.2294    1.54      -0.9818   -0.8785   0.4134    1.447
	// -1.01     -0.9699   0.7899    1.19      -1.008    -0.9538   0.7085    1.254
	// l2-norm
	// 0.03147   0.03695   0.3147    0.3695    0.0944    0.09239   0.944     0.9239
	// 0.05784   0.05519   0.5784    0.5519    0.08097   0.08279   0.8097    0.8279
}
