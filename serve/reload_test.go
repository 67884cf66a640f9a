package serve

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/modelfile"
)

// Weights are exchanged while clients ask: every answer is one of the old or of the new
// weights, none fails, and after the exchange none is old.
func TestReloadUnderLoad(t *testing.T) {
	quiet(t)
	file := filepath.Join(t.TempDir(), "w.safetensors")
	write(t, file, classifier(0))
	o := defaults(t, Model{File: file})
	s := newServer(t, o)
	c := clientOf(t, s)
	picture := painted(t, 1)
	const generations = 6
	var want [generations]float32
	var published atomic.Int64 // the weights that are served for certain
	var writing atomic.Int64   // or the newest that may be
	y, err := c.top(picture)
	require.NoError(t, err)
	want[0] = y
	stop := make(chan struct{})
	type seen struct {
		low, high int64
		y         float32
	}
	var clients sync.WaitGroup
	answers := make(chan seen, 1<<16)
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				low := published.Load()
				y, err := c.top(picture)
				if err != nil {
					t.Error(err)
					return
				}
				select {
				case answers <- seen{low, writing.Load(), y}:
				default: // enough of them
				}
			}
		})
	}
	for k := 1; k < generations; k++ {
		writing.Store(int64(k))
		write(t, file, classifier(uint64(k)))
		old := s.models[0].now
		require.NoError(t, s.Reload(t.Context()))
		published.Store(int64(k))
		want[k], err = c.top(picture)
		require.NoError(t, err)
		require.NotEqual(t, want[k-1], want[k])
		_, err = old.net.Picture(t.Context(), picture)
		require.EqualError(t, err, "the predictor is closed")
	}
	close(stop)
	clients.Wait()
	close(answers)
	for a := range answers {
		require.Contains(t, want[a.low:a.high+1], a.y)
	}
	require.EqualValues(t, generations, s.models[0].meter.loaded.Get())
	require.NoError(t, s.Close())
}

// Weights that are no good leave the old ones in their place, with one line that says why.
func TestReloadRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "w.safetensors")
	write(t, file, classifier(1))
	o := defaults(t, Model{"served", file})
	said := make(chan string, 10)
	o.Log = logTo(said)
	s := newServer(t, o)
	c := clientOf(t, s)
	before, err := c.top(painted(t, 1))
	require.NoError(t, err)
	spoilt := func(change func(m *modelfile.Model)) func() {
		return func() {
			m := classifier(2)
			change(m)
			write(t, file, m)
		}
	}
	n := 0
	for _, x := range []struct {
		why   string
		write func()
	}{
		{"no such file", func() { require.NoError(t, os.Remove(file)) }},
		{"not a safetensors file?", func() { require.NoError(t, os.WriteFile(file, []byte("no weights at all"), 0o666)) }},
		{"the weights are spoilt: 1 of the 7 values of fc1.bias are NaN", spoilt(func(m *modelfile.Model) { m.Weights["fc1.bias"].Float32s()[3] = float32(math.NaN()) })},
		{"the network's output is NaN", spoilt(func(m *modelfile.Model) { m.Weights["fc2.bias"].Float32s()[3] = float32(math.Inf(1)) })},
		{"the network has other classes than what is served", spoilt(func(m *modelfile.Model) { m.Classes = []string{"a", "b", "c", "d"} })},
		{"the network takes image [1 6 5], and what is served data [1 6 5]", spoilt(func(m *modelfile.Model) {
			m.Network.Inputs[0].Name, m.Network.Nodes[0].In = "image", []string{"image"}
		})},
		{"the network gives softmax [4], and what is served prob [4]", spoilt(func(m *modelfile.Model) { m.Network.Outputs = []string{"softmax"} })},
		{"the network takes picture [3 4 4], and what is served data [1 6 5]: stop and start to serve another network", func() { write(t, file, points()) }},
		{"fc1.weight has the shape [7 30] in the network and [7 29] in the file", spoilt(func(m *modelfile.Model) {
			m.Weights["fc1.weight"] = tensor.New(tensor.WithShape(7, 29), tensor.WithBacking(make([]float32, 7*29)))
		})},
	} {
		x.write()
		require.ErrorContains(t, s.Reload(t.Context()), x.why)
		line := <-said
		require.Contains(t, line, "served: the old weights go on: ")
		require.Contains(t, line, x.why)
		n++
		require.EqualValues(t, n, s.models[0].meter.refused.Get())
		now, err := c.top(painted(t, 1))
		require.NoError(t, err)
		require.Equal(t, before, now)
	}
	write(t, file, classifier(3))
	require.NoError(t, s.Reload(t.Context()))
	require.Equal(t, fmt.Sprintf("served: new weights of %s\n", file), <-said)
	now, err := c.top(painted(t, 1))
	require.NoError(t, err)
	require.NotEqual(t, before, now)
}
