package solver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/results"
)

// watch is an observer of the events of one kind.
func watch[E Event](f func(E)) Observer {
	return ObserverFunc(func(e Event) error {
		if e, ok := e.(E); ok {
			f(e)
		}
		return nil
	})
}

// transcript is all that an observer is told of.
type transcript []Event

func (r *transcript) Observe(e Event) error {
	*r = append(*r, e)
	return nil
}

// All that happens in a run is told once, in order, to every observer.
func TestEvents(t *testing.T) {
	c := smallConfig(t)
	c.Dir = filepath.Join(t.TempDir(), "run")
	c.DebugEvery, c.CheckpointEvery = 6, 4
	var first, second transcript
	c.Observers = []Observer{&first, &second}
	result, err := Train(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, first, second)

	require.Equal(t, Started{
		Network: "small", Device: "cpu", Dir: c.Dir, Samples: 90, Tests: 25, PerEpoch: 6, Iterations: 10,
	}, first[0])
	var told []string
	for _, e := range first {
		switch e := e.(type) {
		case Started:
			told = append(told, "started")
		case DebugLine:
			require.NotEmpty(t, e.Layers)
			told = append(told, "debug", itoa(e.Iteration))
		case Progress:
			told = append(told, itoa(e.Iteration))
		case Test:
			told = append(told, "test", itoa(e.Iteration))
		case Logged:
			told = append(told, "log", itoa(e.Iteration))
		case Saved:
			require.FileExists(t, e.Path)
			kind := "saved"
			if e.Best {
				kind = "best"
			}
			told = append(told, kind, itoa(e.Iteration))
		case Ended:
			require.Equal(t, Ended{Result: result, Reason: ReasonDone}, e)
			told = append(told, "ended")
		default:
			t.Fatalf("%T", e)
		}
	}
	require.Equal(t, []string{"started", "saved", "0", "debug", "1", "1", "log", "1", "2", "log", "2", "3", "4", "log", "4", "saved", "4", "5", "6",
		"best", "6", "test", "6", "log", "6", "debug", "7", "7", "8", "log", "8", "saved", "8", "9", "10", "best", "10", "test", "10", "log", "10", "saved", "10", "ended"}, told)

	// The log has what was told.
	log, err := results.ReadLog(filepath.Join(c.Dir, results.LogFile))
	require.NoError(t, err)
	for _, e := range first {
		if e, ok := e.(Logged); ok {
			e.Train, e.Test = numbers(e.Train), numbers(e.Test)
			require.Equal(t, e.LogLine, log[0])
			log = log[1:]
		}
	}
	require.Empty(t, log)
}

func itoa(i int) string { return string(rune('0' + i/10))[:min(1, i/10)] + string(rune('0'+i%10)) }

// How a run ended is told before anybody else may take its folder.
func TestReasonsOfAnEnd(t *testing.T) {
	end := func(ctx context.Context, c Config) (e Ended) {
		n := 0
		c.Observers = append(c.Observers, watch(func(x Ended) { e = x; n++ }))
		_, err := Train(ctx, c)
		require.Equal(t, 1, n)
		require.Equal(t, e.Err, err)
		return e
	}
	e := end(t.Context(), smallConfig(t))
	require.Equal(t, ReasonDone, e.Reason)
	c := worsening(t)
	c.Patience = 2
	e = end(t.Context(), c)
	require.Equal(t, ReasonEarly, e.Reason)
	require.True(t, e.Early)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e = end(ctx, smallConfig(t))
	require.Equal(t, ReasonStopped, e.Reason)
	c = smallConfig(t)
	c.Optimiser.Schedule.Rate, c.Optimiser.ClipNorm = 1e30, 0
	e = end(t.Context(), c)
	require.Equal(t, ReasonDiverged, e.Reason)
	require.ErrorAs(t, e.Err, new(*Diverged))
	c = smallConfig(t)
	c.Train = torn{c.Train}
	e = end(t.Context(), c)
	require.Equal(t, ReasonFailed, e.Reason)
	require.ErrorContains(t, e.Err, "sample 70: the disk is on fire")

	// A run that does not begin tells nothing.
	var all transcript
	c = smallConfig(t)
	c.Batch, c.Observers = 0, []Observer{&all}
	_, err := Train(t.Context(), c)
	require.Error(t, err)
	require.Empty(t, all)
}

// The error of an observer ends the run, whatever it is told of; all are told of it
// all the same, and what was saved is resumed to the same bytes.
func TestAnObserverThatFails(t *testing.T) {
	straight := trainIn(t, smallConfig(t))
	failure := errors.New("the page is gone")
	for name, kind := range map[string]func(e Event) bool{
		"progress": func(e Event) bool { p, ok := e.(Progress); return ok && p.Iteration == 3 },
		"test":     func(e Event) bool { _, ok := e.(Test); return ok },
		"log":      func(e Event) bool { l, ok := e.(Logged); return ok && l.Iteration == 4 },
		"saved":    func(e Event) bool { s, ok := e.(Saved); return ok && s.Iteration > 0 && !s.Best },
		"end":      func(e Event) bool { _, ok := e.(Ended); return ok },
	} {
		t.Run(name, func(t *testing.T) {
			c := smallConfig(t)
			c.Dir = filepath.Join(t.TempDir(), "run")
			var after transcript
			failed := 0
			c.Observers = []Observer{ObserverFunc(func(e Event) error {
				if !kind(e) {
					return nil
				}
				failed++
				return failure
			}), &after}
			_, err := Train(t.Context(), c)
			require.Equal(t, failure, err)
			require.Equal(t, 1, failed)
			last, ok := after[len(after)-1].(Ended)
			require.True(t, ok)
			if name == "end" {
				require.NoError(t, last.Err)
				requireSameFiles(t, straight, c.Dir)
				return
			}
			require.Equal(t, failure, last.Err)
			require.True(t, kind(after[len(after)-2]))
			require.NoFileExists(t, filepath.Join(c.Dir, LockFile))
			resume(t, c.Dir, smallConfig(t))
			requireSameFiles(t, straight, c.Dir)
		})
	}

	// At the start, the checkpoint is there, and stays.
	c := smallConfig(t)
	c.Dir = filepath.Join(t.TempDir(), "run")
	c.Observers = []Observer{ObserverFunc(func(e Event) error {
		if _, ok := e.(Saved); ok {
			return failure
		}
		return nil
	})}
	_, err := Train(t.Context(), c)
	require.ErrorIs(t, err, failure)
	require.FileExists(t, filepath.Join(c.Dir, CheckpointFile))
	require.FileExists(t, filepath.Join(c.Dir, results.LogFile))
	_, err = os.Stat(filepath.Join(c.Dir, LockFile))
	require.ErrorIs(t, err, os.ErrNotExist)
	resume(t, c.Dir, smallConfig(t))
	requireSameFiles(t, straight, c.Dir)
}
