package data

import (
	"math"

	"github.com/hubel-go/hubel/device"
)

// normalSteps is the resolution of the table of normal numbers.
const normalSteps = 1 << 12

// normalTable holds the quantiles of the normal distribution at the middle of
// each step, and one more.
var normalTable = func() (t [normalSteps + 1]float32) {
	for i := range t {
		p := min((float64(i)+0.5)/normalSteps, 1-0.5/normalSteps)
		t[i] = float32(math.Sqrt2 * math.Erfinv(2*p-1))
	}
	return t
}()

// normal turns a random word into a normal number, by linear interpolation in
// the table of quantiles: none is beyond 3.7 deviations.
func normal(word uint32) float64 {
	i, rest := word>>20, word&(1<<20-1)
	low, high := normalTable[i], normalTable[i+1]
	return float64(low) + float64(high-low)*float64(rest)/(1<<20)
}

// addNoise adds normal numbers of a deviation to values.
func addNoise(x []float32, deviation float64, draws device.Random) {
	draws.Stream = pixelStream
	for i := 0; i < len(x); i += 4 {
		words := draws.Block(0, i/4)
		for k := range x[i:min(i+4, len(x))] {
			x[i+k] += float32(deviation * normal(words[k]))
		}
	}
}
