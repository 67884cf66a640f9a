package report

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// linearTicks labels multiples of a round step, about eight of them.
type linearTicks struct{}

// Ticks implements plot.Ticker.
func (linearTicks) Ticks(low, high float64) []plot.Tick {
	rough := (high - low) / 8
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	step := 10 * power
	for _, digit := range []float64{5, 2, 1} {
		if digit*power >= rough {
			step = digit * power
		}
	}
	decimals := max(0, -int(math.Floor(math.Log10(step))))
	var ticks []plot.Tick
	for i := math.Ceil(low / step); i*step <= high; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'f', decimals, 64)})
	}
	return ticks
}

// logTicks labels 1, 2 and 5 times the powers of ten; where those are few,
// every digit.
type logTicks struct{}

// Ticks implements plot.Ticker.
func (logTicks) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for _, digits := range [][]float64{{1, 2, 5}, {1, 2, 3, 4, 5, 6, 7, 8, 9}} {
		ticks = nil
		for power := math.Floor(math.Log10(low)); power <= math.Log10(high); power++ {
			for _, digit := range digits {
				v := digit * math.Pow(10, power)
				if v >= low && v <= high {
					ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 3, 64)})
				}
			}
		}
		if len(ticks) > 2 {
			break
		}
	}
	return ticks
}
