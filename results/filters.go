package results

import (
	"fmt"
	"math"
)

// FiltersFile is the name, in a run's folder, of the file with a line of JSON for each
// FiltersLine.
const FiltersFile = "filters.jsonl"

// maxFilters is how many filters of a layer a FiltersLine has.
const maxFilters = 256

// FiltersLine has the filters of a convolution after some updates, rounded for pictures. A
// filter of three channels is red, green and blue; one of any other number is the mean over
// its channels.
type FiltersLine struct {
	Iteration int       `json:"iteration"` // updates done
	Layer     string    `json:"layer"`
	Filters   int       `json:"filters"`  // in this line, at most 256
	Of        int       `json:"of"`       // that the layer has
	Channels  int       `json:"channels"` // 1 or 3
	Height    int       `json:"height"`
	Width     int       `json:"width"`
	Largest   []float32 `json:"largest"` // magnitude in each filter

	// Levels are the weights [Filters,Channels,Height,Width]: 128 is 0, 255 the filter's
	// largest magnitude, and 1 that magnitude below 0. In JSON it is base64.
	Levels []byte `json:"levels"`
}

// At is the iteration of the line.
func (l FiltersLine) At() int { return l.Iteration }

// NewFilters makes the line of a layer's weights w, of the shape [K,C,R,S].
func NewFilters(iteration int, layer string, w []float32, shape []int) (FiltersLine, error) {
	if len(shape) != 4 {
		return FiltersLine{}, fmt.Errorf("%s: weights of the shape %v are no filters [K,C,R,S]", layer, shape)
	}
	k, c, positions := min(shape[0], maxFilters), shape[1], shape[2]*shape[3]
	l := FiltersLine{Iteration: iteration, Layer: layer, Filters: k, Of: shape[0], Channels: 1, Height: shape[2], Width: shape[3]}
	if c == 3 {
		l.Channels = 3
	}
	for i := range k {
		filter := w[i*c*positions : (i+1)*c*positions]
		if c != l.Channels {
			filter = channelMean(filter, c)
		}
		largest := float32(0)
		for _, v := range filter {
			if x := max(v, -v); x > largest && !math.IsInf(float64(x), 0) {
				largest = x
			}
		}
		l.Largest = append(l.Largest, largest)
		for _, v := range filter {
			l.Levels = append(l.Levels, level(v, largest))
		}
	}
	return l, nil
}

// channelMean is the mean of a filter's channels at every position.
func channelMean(filter []float32, c int) []float32 {
	mean := make([]float32, len(filter)/c)
	for i, v := range filter {
		mean[i%len(mean)] += v / float32(c)
	}
	return mean
}

// level is a weight as one byte; NaN is 0.
func level(v, largest float32) byte {
	if largest == 0 || v != v {
		return 128
	}
	return byte(128 + math.Round(127*float64(max(-1, min(1, v/largest)))))
}
