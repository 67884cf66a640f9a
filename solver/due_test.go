package solver

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is due with which update: 10 of them, 6 in an epoch, a line of the log every
// second.
func TestDue(t *testing.T) {
	const log, all = readLoss | logWork, readLoss | evaluationWork | logWork | checkpointWork
	for name, c := range map[string]struct {
		change func(c *Config)
		want   [10]work
	}{
		"as it is":     {func(*Config) {}, [10]work{log, log, 0, log, 0, all, 0, log, 0, all}},
		"no test set":  {func(c *Config) { c.Test = nil }, [10]work{log, log, 0, log, 0, all &^ evaluationWork, 0, log, 0, all &^ evaluationWork}},
		"no folder":    {func(c *Config) { c.Dir = "" }, [10]work{log, log, 0, log, 0, all &^ checkpointWork, 0, log, 0, all &^ checkpointWork}},
		"checkpoints":  {func(c *Config) { c.CheckpointEvery, c.LogEvery = 3, 20 }, [10]work{log, 0, readLoss | checkpointWork, 0, 0, all, 0, 0, readLoss | checkpointWork, all}},
		"statistics":   {func(c *Config) { c.DebugEvery, c.LogEvery = 4, 20 }, [10]work{statisticsWork | log, 0, 0, 0, statisticsWork, all, 0, 0, statisticsWork, all}},
		"monitor":      {func(c *Config) { c.MonitorEvery, c.DebugEvery, c.LogEvery = 4, 8, 20 }, [10]work{statisticsWork | monitorWork | log, 0, 0, 0, monitorWork, all, 0, 0, statisticsWork | monitorWork, all}},
		"filters":      {func(c *Config) { c.Watch.FiltersEvery, c.LogEvery = 4, 20 }, [10]work{log | filterWork, 0, 0, filterWork, 0, all, 0, filterWork, 0, all | filterWork}},
		"asked":        {func(c *Config) { c.SaveNow, c.LogEvery = once(), 20 }, [10]work{log | checkpointWork, 0, 0, 0, 0, all, 0, 0, 0, all}},
		"every update": {func(c *Config) { c.LogEvery = 1 }, [10]work{log, log, log, log, log, all, log, log, log, all}},
		"by the clock": {func(c *Config) { c.CheckpointTime, c.LogEvery = time.Nanosecond, 20 }, [10]work{
			log | checkpointWork, log&^logWork | checkpointWork, log&^logWork | checkpointWork, log&^logWork | checkpointWork, log&^logWork | checkpointWork, all,
			log&^logWork | checkpointWork, log&^logWork | checkpointWork, log&^logWork | checkpointWork, all}},
	} {
		t.Run(name, func(t *testing.T) {
			config := smallConfig(t)
			config.Dir = t.TempDir()
			c.change(&config)
			tr, err := newTrainer(config)
			require.NoError(t, err)
			for k, want := range c.want {
				require.Equal(t, want, tr.due(k+1), "update %d", k+1)
			}
			require.NoError(t, tr.close())
			require.NoError(t, tr.release())
		})
	}
}

// once is a channel from which one value can be received.
func once() <-chan struct{} {
	c := make(chan struct{}, 1)
	c <- struct{}{}
	return c
}

// One more entry of the list is all that one more thing to do takes.
func TestOneMoreDuty(t *testing.T) {
	c := smallConfig(t)
	tr, err := newTrainer(c)
	require.NoError(t, err)
	var after, inside []int
	tr.duties = append(tr.duties,
		duty{is: 1 << 10, every: 3, after: func(context.Context) error {
			d := &tr.duties[len(tr.duties)-2]
			require.False(t, d.done.IsZero(), "by which the clock goes")
			d.done = time.Time{}
			after = append(after, tr.iteration)
			return nil
		}},
		duty{is: 1 << 11, every: 4, phase: 1, last: true, inside: func(s *batchCopy) error {
			require.NotZero(t, s.len())
			inside = append(inside, tr.iteration+1)
			return nil
		}})
	require.NoError(t, tr.run(t.Context()))
	require.Equal(t, []int{3, 6, 9}, after)
	require.Equal(t, []int{1, 5, 9, 10}, inside)
	require.NoError(t, tr.close())
}
