package results

import "math"

// MonitorFile is the name, in a run's folder, of the file with a line of JSON for each
// MonitorLine.
const MonitorFile = "monitor.jsonl"

// MonitorLine has the numbers of every layer in one update.
type MonitorLine struct {
	Iteration int            `json:"iteration"` // counted from 1
	Layers    []LayerNumbers `json:"layers"`
}

// At is the iteration of the line.
func (l MonitorLine) At() int { return l.Iteration }

// LayerNumbers are those of a layer: its outputs, the gradient of the loss with respect
// to them, its trained weights and biases, and their gradients. What a layer does not
// have is nil.
type LayerNumbers struct {
	Layer           string        `json:"layer"`
	Outputs         *Distribution `json:"outputs,omitempty"`
	OutputGradients *Distribution `json:"output_gradients,omitempty"`
	Weights         *Distribution `json:"weights,omitempty"`
	WeightGradients *Distribution `json:"weight_gradients,omitempty"`
}

// Distribution is a set of numbers. Those that are not finite are counted in Bad and
// left out of everything else.
type Distribution struct {
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"`
	Norm      float64 `json:"norm"` // root of the sum of squares
	Bad       int     `json:"bad,omitempty"`

	// Counts is a histogram: Counts[i] numbers are in the bin First + i.
	First  int   `json:"first"`
	Counts []int `json:"counts"`
}

// The bins of a histogram: the middle one for 0, and on either side one for each power
// of two from 2^-40 to 2^15. A smaller magnitude counts as 0, a larger one as 2^15.
const (
	smallest = -40
	largest  = 15
	octaves  = largest - smallest + 1

	Bins    = 2*octaves + 1
	ZeroBin = octaves
)

// Bin is the bin of a finite number.
func Bin(x float32) int {
	_, e := math.Frexp(float64(x)) // |x| is from 2^(e-1) to below 2^e
	switch {
	case x == 0 || e-1 < smallest:
		return ZeroBin
	case x > 0:
		return ZeroBin + 1 + min(e-1, largest) - smallest
	}
	return ZeroBin - 1 - min(e-1, largest) + smallest
}

// BinEdge is the end of a bin that is nearer to 0: 2^k or -2^k, or 0.
func BinEdge(bin int) float64 {
	switch {
	case bin > ZeroBin:
		return math.Ldexp(1, bin-ZeroBin-1+smallest)
	case bin < ZeroBin:
		return -math.Ldexp(1, ZeroBin-1-bin+smallest)
	}
	return 0
}

// Tally gathers a Distribution.
type Tally struct {
	count, bad   int
	sum, squares float64
	bins         [Bins]int
}

// Add takes numbers into account.
func (t *Tally) Add(values []float32) {
	for _, v := range values {
		x := float64(v)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			t.bad++
			continue
		}
		t.count++
		t.sum += x
		t.squares += x * x
		t.bins[Bin(v)]++
	}
}

// Distribution is that of the numbers so far.
func (t *Tally) Distribution() *Distribution {
	n := float64(max(t.count, 1))
	mean := t.sum / n
	d := &Distribution{Mean: mean, Deviation: math.Sqrt(max(0, t.squares/n-mean*mean)), Norm: math.Sqrt(t.squares), Bad: t.bad}
	first, last := 0, Bins-1
	for first < Bins && t.bins[first] == 0 {
		first++
	}
	for last > first && t.bins[last] == 0 {
		last--
	}
	if first < Bins {
		d.First, d.Counts = first, append(d.Counts, t.bins[first:last+1]...)
	}
	return d
}
