package svm

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
)

// crossValidate is the accuracy for each cost: the share of all samples that machines find
// which were trained on the other folds.
func crossValidate(ctx context.Context, s Set, costs []float64, o Options) ([]float64, error) {
	n := len(s.Labels)
	folds := cmp.Or(o.Folds, min(5, n))
	if folds < 2 || folds > n {
		return nil, fmt.Errorf("%d folds of %d samples: there must be at least 2, and no more than samples", folds, n)
	}
	fold := deal(s, folds, o.Seed)
	accuracy := make([]float64, len(costs))
	for k := range folds {
		var in, out []int
		for i, f := range fold {
			if f == k {
				out = append(out, i)
			} else {
				in = append(in, i)
			}
		}
		models, err := path(ctx, s.subset(in), costs)
		if err != nil {
			return nil, err
		}
		held := s.subset(out)
		for i, m := range models {
			accuracy[i] += float64(m.right(held))
		}
	}
	for i := range accuracy {
		accuracy[i] /= float64(n)
	}
	return accuracy, nil
}

// deal gives each sample its fold. The samples of a class, in an order that the seed
// decides, go to one fold after the other, and the next class begins where the last one
// ended: classes are divided evenly, and so are all samples.
func deal(s Set, folds int, seed uint64) []int {
	fold := make([]int, len(s.Labels))
	random := rand.New(rand.NewPCG(seed, 0))
	ofClass := make([][]int, s.Classes)
	for i, l := range s.Labels {
		ofClass[l] = append(ofClass[l], i)
	}
	next := 0
	for _, samples := range ofClass {
		random.Shuffle(len(samples), func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
		for _, i := range samples {
			fold[i] = next % folds
			next++
		}
	}
	return fold
}
