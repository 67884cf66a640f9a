package svm

import (
	"cmp"
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
)

// path trains machines for each of several costs on all samples. They begin with the
// smallest cost, and each begins at the optimum of the cost before: that is near.
func path(ctx context.Context, s Set, costs []float64) ([]*Model, error) {
	order := make([]int, len(costs))
	models := make([]*Model, len(costs))
	optima := make([][][]float64, len(costs)) // [costs][classes], for the rows
	for i, c := range costs {
		order[i] = i
		models[i] = &Model{Weights: make([][]float64, s.Classes), Biases: make([]float64, s.Classes), C: c}
		optima[i] = make([][]float64, s.Classes)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(costs[a], costs[b]) })
	x := newStandard(s)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for k := range s.Classes {
		g.Go(func() error {
			p := newProblem(x.rows, s.Labels, k)
			at := make([]float64, x.rows.Cols+1)
			for _, i := range order {
				if err := p.minimise(ctx, at, costs[i]); err != nil {
					return err
				}
				optima[i][k] = slices.Clone(at)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, m := range models {
		for k := range s.Classes {
			m.Weights[k], m.Biases[k] = x.original(optima[i][k])
		}
	}
	return models, nil
}
