package results

import "math"

// RateTest is a range test of learning rates (Smith 2017, "Cyclical learning rates for
// training neural networks"): the losses of batches while the rate rises from update to
// update. The slices have the same length.
type RateTest struct {
	Rates    []float64
	Losses   []float64 // of the batch before the update with that rate
	Smoothed []float64 // the losses' moving average over about ten updates
	Stopped  bool      // the losses had grown, or were not finite, before the highest rate
}

// The smoothing of a RateTest, the growth of the loss that ends it, and the rate that it
// suggests.
const (
	rateSmoothing  = 0.9
	RateGrowth     = 4   // times the lowest smoothed loss
	RateSuggestion = 0.1 // of the rate of the lowest smoothed loss
)

// Add adds an update, and reports whether the test continues. A loss that is not finite is
// not added.
func (t *RateTest) Add(rate, loss float64) bool {
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		t.Stopped = true
		return false
	}
	// The mean of all losses so far, each of which weighs more than the one before it.
	weight, sum := 1.0, loss
	for i, w := len(t.Losses)-1, rateSmoothing; i >= 0; i, w = i-1, w*rateSmoothing {
		weight, sum = weight+w, sum+w*t.Losses[i]
	}
	smoothed := sum / weight
	t.Rates, t.Losses, t.Smoothed = append(t.Rates, rate), append(t.Losses, loss), append(t.Smoothed, smoothed)
	t.Stopped = smoothed > RateGrowth*t.Smoothed[t.Lowest()]
	return !t.Stopped
}

// Lowest is the index of the lowest smoothed loss, 0 in an empty test.
func (t *RateTest) Lowest() int {
	best := 0
	for i, loss := range t.Smoothed {
		if loss < t.Smoothed[best] {
			best = i
		}
	}
	return best
}

// Suggested is a rate to train with: a tenth of that of the lowest smoothed loss. It is 0
// if the loss never fell.
func (t *RateTest) Suggested() float64 {
	if i := t.Lowest(); i > 0 {
		return RateSuggestion * t.Rates[i]
	}
	return 0
}
