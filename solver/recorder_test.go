package solver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// readAll maps the names of the files in a folder to their contents.
func readAll(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	all := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		all[e.Name()] = string(b)
	}
	return all
}

// One process trains in a folder at a time, and the run's end belongs to it too.
func TestTheFolderIsLocked(t *testing.T) {
	c := smallConfig(t)
	c.Dir = filepath.Join(t.TempDir(), "run")
	told := 0
	refused := func() {
		for _, resumed := range []bool{true, false} {
			second := c
			second.Resume, second.Iterations, second.Observers = resumed, 100, nil
			before := readAll(t, c.Dir)
			_, err := Train(t.Context(), second)
			require.Error(t, err)
			if resumed {
				require.EqualError(t, err, c.Dir+": another process trains there: wait for its end, or choose another folder")
			}
			require.Equal(t, before, readAll(t, c.Dir))
			told++
		}
	}
	ended := errors.New("no pictures")
	c.Observers = []Observer{watch(func(p Progress) {
		if p.Iteration == 5 {
			refused()
		}
	})}
	c.Observers = append(c.Observers, ObserverFunc(func(e Event) error {
		r, ok := e.(Ended)
		if !ok {
			return nil
		}
		require.Equal(t, c.Iterations, r.Iteration)
		require.NotNil(t, r.Test)
		refused()
		return ended
	}))
	r, err := Train(t.Context(), c)
	require.ErrorIs(t, err, ended)
	require.True(t, r.Began)
	require.Equal(t, 4, told)
	require.NoFileExists(t, filepath.Join(c.Dir, LockFile))

	// What a process that died has left is in nobody's way.
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir, LockFile), nil, 0o666))
	c.Observers, c.Resume, c.Iterations = nil, true, c.Iterations+1
	_, err = Train(t.Context(), c)
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(c.Dir, LockFile))
}

// misfit is a layer whose kernel is given a tensor that does not fit.
type misfit struct{ layers.Unary }

func (*misfit) Forward(q device.Queue, c *layers.Call) {
	v := device.View{N: 1, C: 1, Inner: c.In[0].Len() - 1}
	q.Map(expr.MustNew(expr.Input(0, expr.Whole)), v, c.Out, c.In, []device.Mode{device.Overwrite}, device.Random{})
}

// A run whose first update fails leaves nothing in the way of the next; that of a run that
// is resumed leaves what was there.
func TestAFirstUpdateThatFails(t *testing.T) {
	c := smallConfig(t)
	c.Dir, c.DebugEvery = filepath.Join(t.TempDir(), "run"), 1
	act := slices.IndexFunc(c.Network.Nodes, func(n graph.Node) bool { return n.Layer.Type() == "relu" })
	good := c.Network.Nodes[act].Layer
	c.Network.Nodes[act].Layer = &misfit{}
	_, err := Train(t.Context(), c)
	require.ErrorContains(t, err, "iteration 1: "+c.Network.Nodes[act].Name+": map: output 0 is ")
	require.Empty(t, readAll(t, c.Dir))

	c.Network.Nodes[act].Layer = good
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Train(ctx, c)
	require.ErrorIs(t, err, context.Canceled)
	before := readAll(t, c.Dir)
	c.Network.Nodes[act].Layer, c.Resume = &misfit{}, true
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, "iteration 1: ")
	require.Equal(t, before, readAll(t, c.Dir))
}

// What cannot be removed of a run that failed at once is told.
func TestWhatStaysIsTold(t *testing.T) {
	r := &recorder{dir: t.TempDir(), abandoned: true}
	require.NoError(t, os.MkdirAll(filepath.Join(r.file(CheckpointFile), "a file in it"), 0o755))
	require.ErrorContains(t, r.release(), CheckpointFile)
}
