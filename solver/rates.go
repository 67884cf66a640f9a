package solver

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/results"
)

// FindRate makes a range test of learning rates: updates with rates that rise from one to
// another by the same factor each time, until the smoothed loss is results.RateGrowth
// times its lowest. The configuration is that of a run, but its schedule, test set, folder
// and averages are not used. The Observers receive a Progress after each update. Nothing
// is written.
func FindRate(ctx context.Context, c Config, from, to float64, updates int) (found results.RateTest, err error) {
	if err := c.checkThere(); err != nil {
		return found, err
	}
	switch {
	case !(from > 0 && from < to && to <= math.MaxFloat32):
		return found, fmt.Errorf("rates from %g to %g must be finite, above 0 and rising", from, to)
	case updates < 2:
		return found, fmt.Errorf("%d updates of a test of rates must be at least 2", updates)
	}
	c.Dir, c.Test, c.Resume, c.Retest, c.Patience, c.DebugEvery, c.MonitorEvery, c.Watch = "", nil, false, false, 0, 0, 0, Watch{}
	c.Iterations = updates
	c.Optimiser.Schedule = Schedule{Policy: Exp, Rate: from, Gamma: math.Pow(to/from, 1/float64(updates-1))}
	c.Optimiser.MomentumEnd, c.Optimiser.EMA, c.Optimiser.SWA = 0, 0, 0
	t, err := newTrainer(c)
	if err != nil {
		return found, err
	}
	err = t.findRate(ctx, &found)
	return found, cmp.Or(err, t.close())
}

// findRate makes the updates of a range test.
func (t *trainer) findRate(ctx context.Context, found *results.RateTest) error {
	t.speed.input = func() data.Throughput { return t.feed.loader.Throughput() }
	t.speed.start()
	for t.iteration < t.c.Iterations {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		samples, r, err := t.step(readLoss)
		if err != nil {
			return fmt.Errorf("update %d: %w", t.iteration+1, err)
		}
		t.last = r
		t.iteration++
		t.speed.add(samples)
		if err := t.tell(t.progress()); err != nil {
			return err
		}
		if !found.Add(float64(t.updater.rate(t.iteration-1)), r.Loss) {
			break
		}
	}
	return t.exec.Sync() // the last update may still be under way
}
