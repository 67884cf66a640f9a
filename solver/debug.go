package solver

import (
	"github.com/hubel-go/hubel/graph"
)

// debugIsDue reports whether the numbers of the next update are wanted.
func (t *trainer) debugIsDue() bool {
	return t.c.DebugEvery > 0 && t.iteration%t.c.DebugEvery == 0
}

// debug repeats the passes of the next update, with all values kept, and logs
// the numbers of every layer.
func (t *trainer) debug(s *kept) (err error) {
	// The probe reads, on a queue of its own, weights that the last update may
	// still be writing.
	if err := t.exec.Sync(); err != nil {
		return err
	}
	if t.probe == nil {
		if t.probe, err = newProbe(t.c.Device, t.weights, t.exec.Plan().Options); err != nil {
			return err
		}
		t.opened = append(t.opened, t.probe.Close)
	}
	stats := newStatistics(t.c.Network)
	err = t.probe.run(s, graph.Pass{Seed: t.c.Seed, Iteration: uint32(t.iteration)}, func(int) (bool, error) {
		return true, t.probe.each(func(v seen) bool { stats.add(v); return true })
	})
	if err != nil {
		return err
	}
	line := DebugLine{Iteration: t.iteration + 1, Layers: stats.of()}
	if t.c.Debugged != nil {
		t.c.Debugged(line)
	}
	if t.debugLog == nil {
		return nil
	}
	return t.debugLog.write(line)
}
