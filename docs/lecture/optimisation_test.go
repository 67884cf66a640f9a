package lecture

import (
	"fmt"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/solver"
)

func Example_schedules() {
	for _, s := range []solver.Schedule{
		{Policy: "fixed"}, {Policy: "step", Gamma: 0.1, Step: 40}, {Policy: "multistep", Gamma: 0.1, Steps: []int{25, 75}},
		{Policy: "exp", Gamma: 0.97}, {Policy: "natural-exp", Gamma: 0.03}, {Policy: "inv", Gamma: 0.1, Power: 0.75},
		{Policy: "inverse-time", Gamma: 0.1}, {Policy: "poly", Power: 2}, {Policy: "linear", End: 0.1}, {Policy: "cosine"},
		{Policy: "cosine", Warmup: 20}, {Policy: "cosine-restarts", Step: 25, Gamma: 2}, {Policy: "one-cycle", Gamma: 0.1},
	} {
		s.Rate, s.Max = 1, 100
		var rates []float64
		for _, k := range []int{0, 10, 20, 40, 60, 80, 99} {
			rates = append(rates, float64(s.At(k)))
		}
		fmt.Printf("%-16s %s\n", s.Policy, row(3, rates))
	}
	// Output:
	// fixed            1       1       1       1       1       1       1
	// step             1       1       1       0.1     0.1     0.01    0.01
	// multistep        1       1       1       0.1     0.1     0.01    0.01
	// exp              1       0.737   0.544   0.296   0.161   0.0874  0.049
	// natural-exp      1       0.741   0.549   0.301   0.165   0.0907  0.0513
	// inv              1       0.595   0.439   0.299   0.232   0.192   0.167
	// inverse-time     1       0.5     0.333   0.2     0.143   0.111   0.0917
	// poly             1       0.81    0.64    0.36    0.16    0.04    0.0001
	// linear           1       0.91    0.82    0.64    0.46    0.28    0.109
	// cosine           1       0.976   0.905   0.655   0.345   0.0955  0.000247
	// cosine           0.0476  0.524   1       0.854   0.5     0.146   0.000385
	// cosine-restarts  1       0.655   0.0955  0.794   0.206   0.994   0.864
	// one-cycle        0.1     0.3     0.5     0.9     0.7     0.3     0.0109
}

func Example_initialisation() {
	fan := layers.Fan{In: 200, Out: 200}
	for _, f := range []layers.Filler{layers.Gaussian(0.01), layers.Xavier(), layers.MSRA(), layers.Orthogonal(1)} {
		w := make([]float32, 200*200)
		f.Fill(w, fan, device.Random{Seed: 1})
		rows := numbers(batch([]int{200, 200}, w...))
		norm, product := floats.Norm(rows[:200], 2), floats.Dot(rows[:200], rows[200:400])
		fmt.Printf("%-10s deviation %.4f, norm of a row %.2f, product of two %.2f\n", f.Type, stat.StdDev(rows, nil), norm, product)
	}
	// Output:
	// gaussian   deviation 0.0099, norm of a row 0.14, product of two 0.00
	// xavier     deviation 0.0706, norm of a row 0.97, product of two -0.04
	// msra       deviation 0.0993, norm of a row 1.37, product of two 0.03
	// orthogonal deviation 0.0707, norm of a row 1.00, product of two 0.00
}
