package results

import (
	"fmt"
	"math"
	"slices"
)

// The bounds of the rules for gradients.
const (
	vanished = 1e-3 // the gradient at the first layer, in units of that at the last
	exploded = 1e3
	grown    = 100.0 // the norm of all gradients at the end of a run, in units of that at its start
)

// GradientAdvice says in one line each, by two rules, whether gradients vanish or
// explode.
//
// From layer to layer: in each update, the norm of the loss's gradient with respect to the
// outputs of the first layer with weights is divided by that of the last one. Gradients
// vanish where the median over the updates is below 1/1000, and explode where it is above
// 1000.
//
// Over time: gradients grow where the median norm of the gradient of all weights is, in the
// last quarter of the updates, more than 100 times that in the first quarter. It takes 8
// updates to tell.
func GradientAdvice(log []MonitorLine) (advice []string) {
	var ratios, norms []float64
	first, last := "", ""
	for _, line := range log {
		var at []LayerNumbers
		squares := 0.0
		for _, l := range line.Layers {
			if l.WeightGradients == nil {
				continue
			}
			squares += l.WeightGradients.Norm * l.WeightGradients.Norm
			if l.OutputGradients != nil {
				at = append(at, l)
			}
		}
		norms = append(norms, math.Sqrt(squares))
		if len(at) < 2 {
			continue
		}
		end := at[len(at)-1]
		if n := end.OutputGradients.Norm; n > 0 {
			first, last = at[0].Layer, end.Layer
			ratios = append(ratios, at[0].OutputGradients.Norm/n)
		}
	}
	if len(ratios) > 0 {
		ratio := median(ratios)
		what := fmt.Sprintf("the gradient at %s is %.2g times that at %s, in the median of %d updates", first, ratio, last, len(ratios))
		switch {
		case ratio < vanished:
			advice = append(advice, "gradients vanish: "+what+", and below 0.001: try ReLUs, larger initial weights (msra), normalisation, or fewer layers")
		case ratio > exploded:
			advice = append(advice, "gradients explode: "+what+", and above 1000: try smaller initial weights, normalisation, or -clip")
		default:
			advice = append(advice, what+": they neither vanish nor explode")
		}
	}
	if n := len(norms) / 4; n >= 2 {
		before, after := median(norms[:n]), median(norms[len(norms)-n:])
		if before > 0 && after > grown*before {
			advice = append(advice, fmt.Sprintf("gradients grow: their norm went from %.2g to %.2g, more than 100 times, between the first and the last quarter: try a smaller -lr, or -clip", before, after))
		}
	}
	return advice
}

// median is that of at least one number.
func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

// The bounds of the rule for curves.
const (
	wideGap  = 0.05 // of errors, between test and training
	highBias = 0.10 // error in training
	wideLoss = 1.5  // test loss in units of the training loss
	risen    = 1.1  // test loss at the end in units of its lowest
	falling  = 0.9  // training loss at the end of the run in units of that a quarter before
)

// CurveAdvice says in one line what the shape of a run's curves says about bias and
// variance. The numbers of training are means over the last quarter of the log. The first
// of these rules that holds is said:
//
//  1. High variance: the last test loss is above 1.1 times the lowest one; or, if the metric
//     is a share, its error (1 - share) is more than 0.05 above that of training; or, if it is
//     none, the test loss is above 1.5 times the training loss.
//  2. Not finished: the training loss of the last quarter is below 0.9 times that of the
//     quarter before.
//  3. High bias: the metric is a share, and its error in training is above 0.1.
//  4. Neither.
//
// It is empty without a test, or with fewer than 8 lines.
func CurveAdvice(log []LogLine, metric Metric) string {
	quarter := len(log) / 4
	lowest, at := math.Inf(1), 0
	var last LogLine
	for _, l := range log {
		if l.TestLoss == nil {
			continue
		}
		last = l
		if *l.TestLoss < lowest {
			lowest, at = *l.TestLoss, l.Iteration
		}
	}
	if quarter < 2 || last.TestLoss == nil {
		return ""
	}
	recent, before := log[len(log)-quarter:], log[len(log)-2*quarter:len(log)-quarter]
	training, test := meanLoss(recent), *last.TestLoss
	share, shared := last.Test.Get(metric.Name)
	shared = shared && metric.Share
	wrong, trainWrong := 1-share, 0.0
	if shared {
		n := 0
		for _, l := range recent {
			if x, ok := l.Train.Get(metric.Name); ok {
				trainWrong += 1 - x
				n++
			}
		}
		shared = n > 0
		trainWrong /= float64(max(n, 1))
	}
	const lessVariance = "more data or augmentation, dropout, or more -decay would help"
	switch {
	case test > risen*lowest:
		return fmt.Sprintf("high variance: the test loss is %.4g, and was %.4g at iteration %d: %s, or ending there (-patience)", test, lowest, at, lessVariance)
	case shared && wrong-trainWrong > wideGap:
		return fmt.Sprintf("high variance: %.1f %% are wrong in the test and %.1f %% in training: %s", 100*wrong, 100*trainWrong, lessVariance)
	case !shared && test > wideLoss*training:
		return fmt.Sprintf("high variance: the loss is %.4g in the test and %.4g in training: %s", test, training, lessVariance)
	case training < falling*meanLoss(before):
		return fmt.Sprintf("not finished: the training loss still falls, from %.4g to %.4g over the last two quarters: train longer", meanLoss(before), training)
	case shared && trainWrong > highBias:
		return fmt.Sprintf("high bias: %.1f %% are wrong in training, and the loss hardly falls: a larger network, less -decay, or another -lr would help", 100*trainWrong)
	}
	return "neither high bias nor high variance"
}

func meanLoss(log []LogLine) float64 {
	sum := 0.0
	for _, l := range log {
		sum += l.Loss / float64(len(log))
	}
	return sum
}
