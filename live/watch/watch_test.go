package watch

import (
	"bufio"
	"context"
	"encoding/json"
	"image/color"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/live"
	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
)

// config is a run of a small network.
func config(t *testing.T) solver.Config {
	t.Helper()
	cpu, err := device.Open("cpu", device.Options{Threads: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cpu.Close()) })
	train, test, err := data.NewSynthetic(data.SyntheticOptions{Train: 60, Test: 20, Shape: tensor.Shape{1, 8, 8}, Classes: 4})
	require.NoError(t, err)
	n := &graph.Network{Name: "small <b>"}
	image, label := n.Image("data", 1, 8, 8), n.Label("label")
	x := n.Add("conv1", &layers.Conv{Filters: 3, Kernel: layers.Square(3)}, image)
	x = n.Add("scores", &layers.Dense{Out: 4}, x)
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	return solver.Config{
		Network: n, Device: cpu, Train: train, Test: test, Preprocess: data.Preprocess{Scale: 0.5},
		Optimiser: solver.Optimiser{Schedule: solver.Schedule{Policy: "fixed", Rate: 0.01}, Momentum: 0.9},
		Batch:     10, Accumulate: 1, Iterations: 12, Seed: 1, LogEvery: 2, MonitorEvery: 4,
		Watch: solver.Watch{FiltersEvery: 3, Answers: true, Machine: []results.Fact{{Name: "cpu", Value: "of a test"}}},
		Dir:   filepath.Join(t.TempDir(), "run"),
	}
}

// page is what a page of a server knows of its first run.
func page(t *testing.T, s *live.Server) map[string]json.RawMessage {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", s.Address()+"api/events", nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<24)
	known := map[string]json.RawMessage{}
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e struct {
			Kind string
			Data json.RawMessage
		}
		require.NoError(t, json.Unmarshal([]byte(text), &e))
		if e.Kind == "ready" {
			return known
		}
		known[e.Kind] = e.Data
	}
	t.Fatal("the stream ended")
	return nil
}

func open(t *testing.T) *live.Server {
	s, err := live.Open(live.Loopback)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func decode[V any](t *testing.T, text json.RawMessage) (v V) {
	t.Helper()
	require.NoError(t, json.Unmarshal(text, &v))
	return v
}

func iterations[Line interface{ At() int }](t *testing.T, text json.RawMessage) (list []int) {
	for _, l := range decode[[]Line](t, text) {
		list = append(list, l.At())
	}
	return list
}

// What pages know of a run is the same from its events and from its folder, and a run that
// goes on is shown from its beginning.
func TestARunAndItsFolder(t *testing.T) {
	c := config(t)
	s := open(t)
	run := s.AddRun("mine", live.RunOptions{Pictures: Pictures(c.Test)})
	c.Observers = []solver.Observer{NewObserver(run, &c)}
	_, err := solver.Train(t.Context(), c)
	require.NoError(t, err)
	own := page(t, s)

	other := open(t)
	_, err = Folder(other, c.Dir)
	require.NoError(t, err)
	folder := page(t, other)
	for _, kind := range []string{"log", "monitor", "filters", "answers", "machine", "graph", "plan"} {
		require.NotEmpty(t, own[kind], kind)
		require.JSONEq(t, string(own[kind]), string(folder[kind]), kind)
	}
	require.JSONEq(t, `{"state":"done"}`, string(own["status"]))
	require.JSONEq(t, `{"state":"done"}`, string(folder["status"]))
	a, b := decode[live.About](t, own["about"]), decode[live.About](t, folder["about"])
	require.Equal(t, "small <b>", a.Network)
	require.Equal(t, 20, a.Tests)
	require.Equal(t, 6, a.PerEpoch)
	require.EqualValues(t, 3*9+3+4*36*3+4, a.Parameters)
	require.Equal(t, []live.MetricAbout{{Name: "accuracy", Share: true}}, a.Metrics)
	require.Contains(t, a.Settings, results.Fact{Name: "preprocess scale", Value: "0.5"})
	require.Contains(t, a.Settings, results.Fact{Name: "momentum", Value: "0.9"})
	a.Tests, a.Device, b.Device = 0, "", "" // a folder does not say the one, and the other says its path
	require.Equal(t, a, b)
	require.Equal(t, 12, decode[live.Progress](t, own["progress"]).Iteration)

	checkpoint, err := solver.ReadCheckpoint(c.Dir)
	require.NoError(t, err)
	again := checkpoint.Config
	again.Device, again.Train, again.Test, again.Iterations = c.Device, c.Train, c.Test, 18
	again.MonitorEvery, again.Watch = c.MonitorEvery, c.Watch
	third := open(t)
	again.Observers = []solver.Observer{NewObserver(third.AddRun("more", live.RunOptions{}), &again)}
	_, err = solver.Train(t.Context(), again)
	require.NoError(t, err)
	more := page(t, third)
	require.Equal(t, []int{1, 2, 4, 6, 8, 10, 12, 14, 16, 18}, iterations[results.LogLine](t, more["log"]))
	require.Equal(t, []int{1, 5, 9, 13, 17}, iterations[results.MonitorLine](t, more["monitor"]))
	require.Equal(t, []int{1, 3, 6, 9, 12, 15, 18}, iterations[results.FiltersLine](t, more["filters"]))
}

// Runs that are stopped or fail say so.
func TestHowRunsEnd(t *testing.T) {
	c := config(t)
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	c.Observers = []solver.Observer{NewObserver(s.AddRun("a", live.RunOptions{}), &c), solver.ObserverFunc(func(e solver.Event) error {
		if p, ok := e.(solver.Progress); ok && p.Iteration == 3 {
			cancel()
		}
		return nil
	})}
	_, err := solver.Train(ctx, c)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, "stopped", decode[struct{ State string }](t, page(t, s)["status"]).State)

	c = config(t)
	s = open(t)
	c.Optimiser.Schedule.Rate = 1e30
	c.Observers = []solver.Observer{NewObserver(s.AddRun("a", live.RunOptions{}), &c)}
	_, err = solver.Train(t.Context(), c)
	require.Error(t, err)
	require.Equal(t, "failed", decode[struct{ State string }](t, page(t, s)["status"]).State)
}

// A folder with nothing but a log is shown, without what only a checkpoint says.
func TestALogAlone(t *testing.T) {
	c := config(t)
	_, err := solver.Train(t.Context(), c)
	require.NoError(t, err)
	s := open(t)
	dir := t.TempDir()
	lines, err := results.ReadLog(filepath.Join(c.Dir, results.LogFile))
	require.NoError(t, err)
	text, err := json.Marshal(lines[0])
	require.NoError(t, err)
	writeFile(t, filepath.Join(dir, results.LogFile), string(text)+"\n")
	_, err = Folder(s, dir)
	require.NoError(t, err)
	known := page(t, s)
	require.NotEmpty(t, known["log"])
	require.Empty(t, known["graph"])
}

// Nothing stays behind: no goroutine of a server, of its pages or of those who follow.
func TestGoroutinesEnd(t *testing.T) {
	c := config(t)
	_, err := solver.Train(t.Context(), c)
	require.NoError(t, err)
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	for range 3 {
		s, err := live.Open(live.Loopback)
		require.NoError(t, err)
		f, err := Folder(s, c.Dir)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { f.Follow(ctx); close(done) }()
		page(t, s)
		cancel()
		<-done
		require.NoError(t, s.Close())
		http.DefaultClient.CloseIdleConnections()
	}
	for begin := time.Now(); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			stacks := make([]byte, 1<<20)
			t.Fatalf("goroutines are left over:\n%s", stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func TestPictures(t *testing.T) {
	require.Nil(t, Pictures(nil))
	c := config(t)
	p := Pictures(c.Test)
	m, err := p.Picture(t.Context(), 19)
	require.NoError(t, err)
	require.Equal(t, 8, m.Bounds().Dx())
	for _, i := range []int{-1, 20, 1 << 40} {
		_, err = p.Picture(t.Context(), i)
		require.ErrorContains(t, err, "the test set has 20 samples")
	}
	at := func(x []float32, c int) color.RGBA { return draw(x, c, 1, 2).At(1, 0).(color.RGBA) }
	require.Equal(t, color.RGBA{200, 200, 200, 255}, at([]float32{0, 200}, 1))
	require.Equal(t, color.RGBA{1, 2, 3, 255}, at([]float32{9, 1, 9, 2, 9, 3}, 3))
	require.Equal(t, color.RGBA{255, 255, 255, 255}, at([]float32{-1, 1}, 1), "what is no pixel is spread")
	require.Equal(t, color.RGBA{0, 0, 0, 255}, at([]float32{-1, -1}, 1))
	require.Equal(t, color.RGBA{7, 7, 7, 255}, at([]float32{0, 7, 0, 99}, 2), "of a stack the first")
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
}
