//go:build amd64 && !purego

package vec

import "github.com/hubel-go/hubel/device"

// AVX512 and AVX2 are the loops in assembly. It is written once for both: the
// headers hold the loops, the two .s files what differs.
var (
	AVX512 = Loops{
		Name: "avx512",

		Add: add512, Mul: mul512, Fill: fill512, Spread: wholeSpread(16, spread512, fill512),
		Sum: sum512, Largest: wholeLargest(16, largest512), ExpSum: wholeExpSum(16, expSum512), ScaleWide: scaleWide512,
		AddRows: addRows512, SquareRows: squareRows512, Power: power512, LRNTerms: lrnTerms512,
		LRNGradient: [2]func(dx, s, sum, x, dy []float32, factor float32){lrnGradient512, lrnGradientAdd512},
		Normalise75: normalise75512, LRNTerms75: lrnTerms75512,
		MaxPool: nearMaxPool(maxPool1512, maxPool2512),
		Draw:    wholeDraw(64, draw512), Run: run512, Functions: functions512,

		unary: [4]func(y, x []float32, slope float32){relu512, leakyReLU512, sigmoid512, tanh512},
	}
	AVX2 = Loops{
		Name: "avx2",

		Add: addAVX2, Mul: mulAVX2, Fill: fillAVX2, Spread: wholeSpread(8, spreadAVX2, fillAVX2),
		Sum: sumAVX2, Largest: wholeLargest(8, largestAVX2), ExpSum: wholeExpSum(8, expSumAVX2), ScaleWide: scaleWideAVX2,
		AddRows: addRowsAVX2, SquareRows: squareRowsAVX2, Power: powerAVX2, LRNTerms: lrnTermsAVX2,
		LRNGradient: [2]func(dx, s, sum, x, dy []float32, factor float32){lrnGradientAVX2, lrnGradientAddAVX2},
		Normalise75: normalise75AVX2, LRNTerms75: lrnTerms75AVX2,
		MaxPool: nearMaxPool(maxPool1AVX2, maxPool2AVX2),
		Draw:    wholeDraw(32, drawAVX2), Run: runAVX2, Functions: functionsAVX2,

		unary: [4]func(y, x []float32, slope float32){reluAVX2, leakyReLUAVX2, sigmoidAVX2, tanhAVX2},
	}
)

// The loops below have assembly for whole vectors alone; what is left is for the
// Go loops. f gets at least one vector of width elements.

// wholeSpread's f stores whole vectors, for which y must have room.
func wholeSpread(width int, f func(y, x []float32, inner int), fill func(y []float32, v float32)) func(y, x []float32, inner int) {
	return func(y, x []float32, inner int) {
		n := 0
		if room := len(y) - (inner+width-1)&^(width-1); room >= 0 {
			n = room/inner + 1
			f(y, x[:n], inner)
		}
		for i := n; i < len(x); i++ {
			fill(y[i*inner:][:inner], x[i])
		}
	}
}

func wholeLargest(width int, f func(x []float32) float32) func(x []float32) float32 {
	return func(x []float32) float32 {
		n := len(x) &^ (width - 1)
		if n == 0 {
			return largest(x)
		}
		return larger(f(x[:n]), x[n:])
	}
}

// wholeExpSum's f returns its eight sums.
func wholeExpSum(width int, f func(y, x []float32, largest float32) [8]float64) func(y, x []float32, largest float32) float64 {
	return func(y, x []float32, largest float32) float64 {
		var sums [8]float64
		n := len(y) &^ (width - 1)
		if n > 0 {
			sums = f(y[:n], x[:n], largest)
		}
		return addExp(y[n:], x[n:], largest, &sums)
	}
}

// wholeDraw's f gets words from an element that begins a block of four. It draws some
// twice rather than leave many.
func wholeDraw(width int, f func(words []uint32, block uint32, c philox)) func(words []uint32, first int, r device.Random, sample int) {
	return func(words []uint32, first int, r device.Random, sample int) {
		if head := -first & 3; len(words)-head >= width {
			draw(words[:head], first, r, sample)
			words, first = words[head:], first+head
			c := newPhilox(r, sample)
			n := len(words) &^ (width - 1)
			f(words[:n], uint32(first/4), c)
			last := len(words)&^3 - width
			if last+width > n {
				f(words[last:][:width], uint32((first+last)/4), c)
			}
			words, first = words[last+width:], first+last+width
		}
		draw(words, first, r, sample)
	}
}

// philox is what the draws of a sample have in common: three words of the counter, and
// the keys of the rounds.
type philox struct {
	sample, iteration, stream uint32
	keys                      [10][2]uint32
}

func newPhilox(r device.Random, sample int) philox {
	c := philox{sample: r.Sample + uint32(sample), iteration: r.Iteration, stream: r.Stream}
	key := [2]uint32{uint32(r.Seed), uint32(r.Seed >> 32)}
	for i := range c.keys {
		c.keys[i] = key
		key = device.NextKey(key)
	}
	return c
}

// nearMaxPool has assembly for windows one and two pixels apart, which returns
// true, and wrong maxima, where a pixel is NaN.
func nearMaxPool(one, two func(y []float32, index []int32, x []float32, w Windows) (nan bool)) func(y []float32, index []int32, x []float32, w Windows) {
	return func(y []float32, index []int32, x []float32, w Windows) {
		if w.StrideW > 2 || w.StrideW == 1 && one(y, index, x, w) || w.StrideW == 2 && two(y, index, x, w) {
			maxPool(y, index, x, w)
		}
	}
}

//go:noescape
func add512(y, a, b []float32)

//go:noescape
func mul512(y, a, b []float32)

//go:noescape
func fill512(y []float32, v float32)

//go:noescape
func spread512(y, x []float32, inner int)

//go:noescape
func sum512(x []float32) float64

//go:noescape
func largest512(x []float32) float32

//go:noescape
func expSum512(y, x []float32, largest float32) [8]float64

//go:noescape
func scaleWide512(y, x []float32, factor float64)

//go:noescape
func addRows512(y, x []float32, rows, stride int)

//go:noescape
func squareRows512(y, x []float32, rows, stride int, a, k float32)

//go:noescape
func normalise75512(y, scale, x []float32, rows, stride, centre int, a, k float32)

//go:noescape
func lrnTerms75512(t, s, scale, x, dy []float32)

//go:noescape
func power512(y, x []float32, beta float64)

//go:noescape
func lrnTerms512(t, s, scale, x, dy []float32)

//go:noescape
func lrnGradient512(dx, s, sum, x, dy []float32, factor float32)

//go:noescape
func lrnGradientAdd512(dx, s, sum, x, dy []float32, factor float32)

//go:noescape
func maxPool1512(y []float32, index []int32, x []float32, w Windows) (nan bool)

//go:noescape
func maxPool2512(y []float32, index []int32, x []float32, w Windows) (nan bool)

//go:noescape
func draw512(words []uint32, block uint32, c philox)

//go:noescape
func relu512(y, x []float32, slope float32)

//go:noescape
func leakyReLU512(y, x []float32, slope float32)

//go:noescape
func sigmoid512(y, x []float32, slope float32)

//go:noescape
func tanh512(y, x []float32, slope float32)

//go:noescape
func addAVX2(y, a, b []float32)

//go:noescape
func mulAVX2(y, a, b []float32)

//go:noescape
func fillAVX2(y []float32, v float32)

//go:noescape
func spreadAVX2(y, x []float32, inner int)

//go:noescape
func sumAVX2(x []float32) float64

//go:noescape
func largestAVX2(x []float32) float32

//go:noescape
func expSumAVX2(y, x []float32, largest float32) [8]float64

//go:noescape
func scaleWideAVX2(y, x []float32, factor float64)

//go:noescape
func addRowsAVX2(y, x []float32, rows, stride int)

//go:noescape
func squareRowsAVX2(y, x []float32, rows, stride int, a, k float32)

//go:noescape
func normalise75AVX2(y, scale, x []float32, rows, stride, centre int, a, k float32)

//go:noescape
func lrnTerms75AVX2(t, s, scale, x, dy []float32)

//go:noescape
func powerAVX2(y, x []float32, beta float64)

//go:noescape
func lrnTermsAVX2(t, s, scale, x, dy []float32)

//go:noescape
func lrnGradientAVX2(dx, s, sum, x, dy []float32, factor float32)

//go:noescape
func lrnGradientAddAVX2(dx, s, sum, x, dy []float32, factor float32)

//go:noescape
func maxPool1AVX2(y []float32, index []int32, x []float32, w Windows) (nan bool)

//go:noescape
func maxPool2AVX2(y []float32, index []int32, x []float32, w Windows) (nan bool)

//go:noescape
func drawAVX2(words []uint32, block uint32, c philox)

//go:noescape
func reluAVX2(y, x []float32, slope float32)

//go:noescape
func leakyReLUAVX2(y, x []float32, slope float32)

//go:noescape
func sigmoidAVX2(y, x []float32, slope float32)

//go:noescape
func tanhAVX2(y, x []float32, slope float32)
