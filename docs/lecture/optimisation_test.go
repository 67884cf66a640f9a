package lecture

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/solver"
)

func Example_schedules() {
	for _, s := range []solver.Schedule{
		{Policy: "fixed"},
		{Policy: "step", Gamma: 0.1, Step: 40},
		{Policy: "multistep", Gamma: 0.1, Steps: []int{25, 75}},
		{Policy: "exp", Gamma: 0.97},
		{Policy: "natural-exp", Gamma: 0.03},
		{Policy: "inv", Gamma: 0.1, Power: 0.75},
		{Policy: "inverse-time", Gamma: 0.1},
		{Policy: "poly", Power: 2},
		{Policy: "linear", End: 0.1},
		{Policy: "cosine"},
		{Policy: "cosine", Warmup: 20},
		{Policy: "cosine-restarts", Step: 25, Gamma: 2},
		{Policy: "one-cycle", Gamma: 0.1},
	} {
		s.Rate, s.Max = 1, 100
		var rates []float64
		for _, k := range []int{0, 10, 20, 40, 60, 80, 99} {
			rates = append(rates, float64(s.At(k)))
		}
		fmt.Printf("%-16s %s\n", s.Policy, row(rates))
	}
	// Output:
	// fixed            1         1         1         1         1         1         1
	// step             1         1         1         0.1       0.1       0.01      0.01
	// multistep        1         1         1         0.1       0.1       0.01      0.01
	// exp              1         0.7374    0.5438    0.2957    0.1608    0.08745   0.04902
	// natural-exp      1         0.7408    0.5488    0.3012    0.1653    0.09072   0.0513
	// inv              1         0.5946    0.4387    0.2991    0.2324    0.1925    0.1667
	// inverse-time     1         0.5       0.3333    0.2       0.1429    0.1111    0.09174
	// poly             1         0.81      0.64      0.36      0.16      0.04      0.0001
	// linear           1         0.91      0.82      0.64      0.46      0.28      0.109
	// cosine           1         0.9755    0.9045    0.6545    0.3455    0.09549   0.0002467
	// cosine           0.04762   0.5238    1         0.8536    0.5       0.1464    0.0003855
	// cosine-restarts  1         0.6545    0.09549   0.7939    0.2061    0.9938    0.8645
	// one-cycle        0.1       0.3       0.5       0.9       0.7       0.3       0.0109
}

func Example_initialisation() {
	fan := layers.Fan{In: 200, Out: 200}
	for _, f := range []layers.Filler{
		{Type: "constant", Value: 0.1},
		{Type: "uniform", Value: 0.1},
		{Type: "gaussian", Std: 0.01},
		layers.Xavier(),
		layers.MSRA(),
		layers.Orthogonal(1),
	} {
		w := make([]float32, 200*200)
		f.Fill(w, fan, device.Random{Seed: 1})
		mean, deviation := stat.MeanStdDev(floats64(floats([]int{200, 200}, w...)), nil)
		var first, product float64 // of row 0 with itself and with row 1
		for i := range 200 {
			first += float64(w[i]) * float64(w[i])
			product += float64(w[i]) * float64(w[200+i])
		}
		fmt.Printf("%-10s mean %7.4f, deviation %.4f, norm of a row %.2f, two rows %.2f\n", f.Type, mean, deviation, math.Sqrt(first), math.Abs(product))
	}
	// Output:
	// constant   mean  0.1000, deviation 0.0000, norm of a row 1.41, two rows 2.00
	// uniform    mean  0.0003, deviation 0.0576, norm of a row 0.79, two rows 0.03
	// gaussian   mean  0.0000, deviation 0.0099, norm of a row 0.14, two rows 0.00
	// xavier     mean  0.0003, deviation 0.0706, norm of a row 0.97, two rows 0.04
	// msra       mean  0.0000, deviation 0.0993, norm of a row 1.37, two rows 0.03
	// orthogonal mean  0.0005, deviation 0.0707, norm of a row 1.00, two rows 0.00
}
