// Package svm trains linear support vector machines on features, such as the outputs of a
// network's last hidden layer.
//
// There is one machine for each class, against all others. It minimises
//
//	|w|²/2 + C sum of max(0, 1 - y (w·x + b))²
//
// over w and b, where y is 1 for the class and -1 for others (Chang, Hsieh and Lin 2008,
// "Coordinate descent method for large-scale L2-loss linear support vector machines"). This
// is the primal problem with the squared hinge. LIBLINEAR also has b² in the norm; here b is
// free, so that the answer does not depend on where zero is.
//
// Each feature is standardised: its mean over the training samples is subtracted, and it is
// divided by its deviation there. So C means the same for all features. A constant feature
// gets the weight 0.
package svm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Set is samples with their classes.
type Set struct {
	Features []float32 // [N,D], row-major; a sample is a row
	Labels   []int     // [N], the number of each sample's class, from 0
	Classes  int       // how many there are; not all need samples
}

// Options are the options of Train.
type Options struct {
	// Costs are the values of C to choose from by cross-validation; none means 0.0001,
	// 0.001, … 100, each divided by the number of features. If there is one, it is taken.
	Costs []float64

	Folds int    // of the cross-validation; 0 means 5, or the number of samples if that is less
	Seed  uint64 // of the order in which samples are dealt to the folds
}

// Model is a trained machine for each class.
type Model struct {
	Weights [][]float64 // [Classes][D]; they apply to features as they come, not standardised
	Biases  []float64   // [Classes]
	C       float64

	// Validation has the accuracy of the cross-validation for each of the Costs, as a
	// share. It is nil if there was one cost.
	Validation []float64
}

// Train trains a machine for each class. Of several costs it takes the one with the highest
// accuracy in a stratified cross-validation, and the smallest of equal ones. A fold's
// samples are predicted by machines, and standardised with statistics, of the others. The
// same arguments give the same bits, on any number of processors.
//
// It is an error if all samples are of one class, or if a feature is not finite.
func Train(ctx context.Context, s Set, o Options) (*Model, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	costs := slices.Clone(o.Costs)
	if len(costs) == 0 {
		for p := -4; p <= 2; p++ {
			costs = append(costs, math.Pow10(p)/float64(s.dim()))
		}
	}
	for _, c := range costs {
		if !(c > 0) || math.IsInf(c, 0) {
			return nil, fmt.Errorf("a cost of %v: C must be finite and above 0", c)
		}
	}
	var validation []float64
	c := costs[0]
	if len(costs) > 1 {
		var err error
		if validation, err = crossValidate(ctx, s, costs, o); err != nil {
			return nil, err
		}
		c = best(costs, validation)
	}
	models, err := path(ctx, s, []float64{c})
	if err != nil {
		return nil, err
	}
	models[0].Validation = validation
	return models[0], nil
}

// best is the cost of the highest accuracy, the smallest among equals.
func best(costs, validation []float64) float64 {
	k := 0
	for i, v := range validation {
		if v > validation[k] || v == validation[k] && costs[i] < costs[k] {
			k = i
		}
	}
	return costs[k]
}

// check finds what is wrong with a set.
func (s Set) check() error {
	n := len(s.Labels)
	switch {
	case n == 0:
		return errors.New("there are no samples to train a support vector machine on")
	case len(s.Features) == 0 || len(s.Features)%n != 0:
		return fmt.Errorf("%d features are not the same number for each of %d samples", len(s.Features), n)
	}
	seen := make([]bool, max(0, s.Classes))
	for i, l := range s.Labels {
		if l < 0 || l >= s.Classes {
			return fmt.Errorf("sample %d has the label %d, but classes are from 0 to %d", i, l, s.Classes-1)
		}
		seen[l] = true
	}
	if l := s.Labels[0]; n == 1 || !slices.ContainsFunc(s.Labels, func(k int) bool { return k != l }) {
		return fmt.Errorf("all %d samples are of class %d: a support vector machine needs samples of two classes or more", n, l)
	}
	d := s.dim()
	for i, v := range s.Features {
		if v-v != 0 {
			return fmt.Errorf("feature %d of sample %d is %v: features must be finite; leave the sample out", i%d, i/d, v)
		}
	}
	return nil
}

// dim is the number of features of a sample.
func (s Set) dim() int { return len(s.Features) / len(s.Labels) }

// row is a sample.
func (s Set) row(i int) []float32 { return s.Features[i*s.dim() : (i+1)*s.dim()] }

// subset is some of the samples.
func (s Set) subset(rows []int) Set {
	t := Set{Classes: s.Classes}
	for _, i := range rows {
		t.Features = append(t.Features, s.row(i)...)
		t.Labels = append(t.Labels, s.Labels[i])
	}
	return t
}

// Scores are the scores w·x + b of the classes for one sample, of D features. It panics if
// there are more or fewer.
func (m *Model) Scores(x []float32) []float64 {
	scores := slices.Clone(m.Biases)
	for k, w := range m.Weights {
		if len(w) != len(x) {
			panic(fmt.Sprintf("svm: %d features of a sample, and machines for %d", len(x), len(w)))
		}
		for i, v := range x {
			scores[k] += w[i] * float64(v)
		}
	}
	return scores
}

// Predict is the class with the highest score for one sample, the first among equals. It
// panics if the sample does not have D features.
func (m *Model) Predict(x []float32) int {
	scores := m.Scores(x)
	k := 0
	for i, v := range scores {
		if v > scores[k] {
			k = i
		}
	}
	return k
}

// Accuracy is the share of samples whose class Predict finds. It panics if they do not have
// D features.
func (m *Model) Accuracy(s Set) float64 { return float64(m.right(s)) / float64(len(s.Labels)) }

// right counts the samples whose class Predict finds.
func (m *Model) right(s Set) (n int) {
	for i, l := range s.Labels {
		if m.Predict(s.row(i)) == l {
			n++
		}
	}
	return n
}
