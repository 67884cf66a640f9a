package bench

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	_ "github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/kernels/cuda"
	"github.com/hubel-go/hubel/kernels/cuda/costmodel"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
)

// fake is a report with round numbers.
func fake() *Report {
	result := func(kind, name, pass, shape string, threads int, flops, bytes int64, seconds ...float64) Result {
		r := Result{Kind: kind, Model: "toy", Batch: 4, Name: name, Pass: pass, Shape: shape, Device: "cpu", Threads: threads, FLOPs: flops, Bytes: bytes}
		r.Product = kind == KindGEMM || name == "fc"
		r.set(seconds)
		return r
	}
	step := result(KindNet, "step", "training", "", 1, 3e9, 0, 0.5)
	step.Images, step.Slabs, step.Beyond = 4, 100<<20, 5<<20
	onlyThere := result(KindLayers, "pool", forward, "", 1, 0, 5e6, 0.001)
	onlyThere.Device, onlyThere.Threads = "abacus:0", 0
	return &Report{
		Machine: Machine{CPU: "Abacus 3000", Cores: 2, OS: "linux", Arch: "amd64", Go: "go1.26", Path: "avx2",
			Roofs: []Roof{{Threads: 1, FLOPS: 100e9, Bandwidth: 10e9}, {Threads: 2, FLOPS: 200e9, Bandwidth: 15e9}}},
		Results: []Result{
			result(KindGEMM, "fc", forward, "NT 4x10x20", 1, 2e9, 0, 0.04, 0.05, 0.06),
			result(KindGEMM, "fc", forward, "NT 4x10x20", 2, 2e9, 0, 0.02),
			result(KindLayers, "fc", forward, "", 1, 1e8, 1e6, 0.002),
			result(KindLayers, "pool", forward, "", 1, 0, 5e6, 0.001),
			onlyThere,
			step,
		},
		Steps: []Step{{"toy", "cpu", 2, []Span{
			{"fc", "dense forward", forward, 0, 2 * time.Millisecond, 1e8, 1e6, true, ""},
			{"update", "sgd", update, 2 * time.Millisecond, time.Microsecond, 6, 9, false, ""},
		}}},
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, fake().WriteTable(&b))
	golden := filepath.Join("testdata", "table.txt")
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}

func TestStatistics(t *testing.T) {
	median, spread := statistics([]float64{5, 1, 4, 2, 3})
	require.Equal(t, 3.0, median)
	require.InDelta(t, 1.0/3, spread, 1e-15)
	median, spread = statistics([]float64{1, 2})
	require.Equal(t, 1.5, median)
	require.InDelta(t, 0.25/1.5, spread, 1e-15)
	median, spread = statistics([]float64{7})
	require.Equal(t, 7.0, median)
	require.Zero(t, spread)
}

func TestJSONRoundTrip(t *testing.T) {
	r := fake()
	path := filepath.Join(t.TempDir(), "r.json")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, r.WriteJSON(f))
	require.NoError(t, f.Close())
	back, err := ReadFile(path)
	require.NoError(t, err)
	r.Steps = nil // only -trace has them
	require.Equal(t, r, back)

	for text, says := range map[string]string{
		`{"machines":1}`:                        "is not a report",
		`{}`:                                    "has no results of bench",
		`{"results":[{"kind":"","seconds":1}]}`: `a result of kind "", which is none of gemm, layers, net`,
		`{"results":[{"kind":"gemm","model":"m","batch":1,"name":"fc","pass":"forward","seconds":0}]}`: "gemm/m@1/fc/forward took 0 seconds",
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err = ReadFile(path)
		require.ErrorContains(t, err, says)
	}
	_, err = ReadFile(path + "x")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestCompare(t *testing.T) {
	before, after := fake(), fake()
	after.Results[0].set([]float64{0.025})  // twice as fast
	after.Results = after.Results[:5]       // without the net
	after.Results[1].Name = "something new" // and this is not in the old
	changes, unpaired := Compare(before, after)
	require.Len(t, changes, 4)
	require.Equal(t, 3, unpaired)
	require.InDelta(t, 2, changes[0].Ratio(), 1e-12)
	require.InDelta(t, 1, changes[1].Ratio(), 1e-12)

	var b bytes.Buffer
	require.NoError(t, WriteComparison(&b, before, after))
	require.Contains(t, b.String(), "2.00x")
	require.Contains(t, b.String(), "3 more are in only one")
	require.NotContains(t, b.String(), "not of the code alone")
	after.Machine.Path = "generic"
	b.Reset()
	require.NoError(t, WriteComparison(&b, before, after))
	require.Contains(t, b.String(), "not of the code alone")

	after = fake()
	after.DirectConv, after.TF32 = true, true
	b.Reset()
	require.NoError(t, WriteComparison(&b, before, after))
	require.Contains(t, b.String(), "old: -winograd=auto\nnew: -winograd=off\n")
	require.Contains(t, b.String(), "old: -tf32=false\nnew: -tf32=true\n")

	before.Results, after.Results = before.Results[:2], after.Results[5:]
	b.Reset()
	require.NoError(t, WriteComparison(&b, before, after))
	require.Contains(t, b.String(), "\nNothing is in both reports: the old one has gemm of toy, batch 4, on cpu/1 and cpu/2, and the new one net of toy, batch 4, on cpu/1.\n")
}

func TestAddPeer(t *testing.T) {
	peer := func(sum float64) *Report {
		p := &Report{Results: fake().Results[:1]}
		p.Results[0].Device, p.Results[0].Checksum = "openblas", &Checksum{sum, 10}
		return p
	}
	r := fake()
	r.Results[0].Checksum = checksum([]float32{1, -1, 1, 0, 0, 0, 0, -4})
	require.Equal(t, &Checksum{-2, 10}, r.Results[0].Checksum)
	_, err := r.AddPeer(peer(-2.001))
	require.ErrorContains(t, err, "gemm/toy@4/fc/forward: the values of cpu/1 and openblas/1 differ")
	require.Len(t, r.Results, 6)
	compared, err := r.AddPeer(peer(-2.00001))
	require.NoError(t, err)
	require.Equal(t, 1, compared)
	require.Len(t, r.Results, 7)
}

func TestLines(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, fake().WriteLines(&b))
	require.Contains(t, b.String(), "goos: linux\ngoarch: amd64\ncpu: Abacus 3000\n")
	require.Contains(t, b.String(), "BenchmarkGemm/toy/4/fc/forward/cpu-2\t1\t20000000 ns/op\t100.00 GFLOP/s\n")
	require.Contains(t, b.String(), "BenchmarkNet/toy/4/step/training/cpu-1\t1\t500000000 ns/op\t6.00 GFLOP/s\t8.00 images/s\n")
	require.Equal(t, 3, strings.Count(b.String(), "BenchmarkGemm/toy/4/fc/forward/cpu-1\t"), "a line for each sample")

	r := fake()
	r.Results = r.Results[:1]
	r.Results[0].Model, r.Results[0].Name, r.Results[0].Device, r.Results[0].Threads = "", "NT 4x10x20", "a100 (predicted)", 0
	b.Reset()
	require.NoError(t, r.WriteLines(&b))
	require.Contains(t, b.String(), "BenchmarkGemm/NT_4x10x20/forward/a100_(predicted)-1\t1\t50000000 ns/op", "a name ends at a space")
}

func TestTrace(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, fake().WriteTrace(&b))
	var trace struct{ TraceEvents []traceEvent }
	require.NoError(t, json.Unmarshal(b.Bytes(), &trace))
	require.Len(t, trace.TraceEvents, 3)
	require.Equal(t, "toy on cpu/2", trace.TraceEvents[0].Args["name"])
	require.Equal(t, traceEvent{Name: "update: sgd", Cat: update, Phase: "X", Start: 2000, Dur: 1, Pid: 1, Tid: 1,
		Args: map[string]any{"flops": 6.0, "bytes": 9.0}}, trace.TraceEvents[2])
}

func TestPlot(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, fake().WritePlot(&b))
	_, err := png.Decode(&b)
	require.NoError(t, err)
	r := fake()
	r.Results = r.Results[5:]
	require.ErrorContains(t, r.WritePlot(&b), "measure gemm or layers")
}

func TestMarkdown(t *testing.T) {
	r := fake()
	predicted := r.Results[2]
	predicted.Device, predicted.Threads, predicted.Limit = "v100 (predicted)", 0, "issue"
	predicted.set([]float64{25e-6})
	r.Machine.Roofs = append(r.Machine.Roofs, Roof{Device: predicted.Device, FLOPS: 8e12, Bandwidth: 900e9})
	r.Results = append(r.Results, predicted)
	var b bytes.Buffer
	require.NoError(t, r.WriteMarkdown(&b))
	require.Equal(t, `| gemm of toy, batch 4 | pass | cpu/1 | cpu/2 |
|---|---|---|---|
| fc | forward | 50.0 ms | 20.0 ms |

| layers of toy, batch 4 | pass | cpu/1 | abacus:0 | v100 (predicted) |
|---|---|---|---|---|
| fc | forward | 2.00 ms, 50 % |  | 25.0 µs, 50 %, issue |
| pool | forward | 1.00 ms, 50 % | 1.00 ms |  |

| net of toy, batch 4 | pass | cpu/1 |
|---|---|---|
| step | training | 500 ms, 8 images/s |
`, b.String())
}

// A thing of low intensity is held against the bandwidth, one of high against
// the peak.
func TestOfRoof(t *testing.T) {
	m := Machine{Roofs: []Roof{{Threads: 1, FLOPS: 100e9, Bandwidth: 10e9}}}
	for _, c := range []struct {
		flops, bytes int64
		share        float64
		byBandwidth  bool
	}{
		{50e9, 1e9, 0.5, false},
		{50e9, 0, 0.5, false},
		{1e9, 5e9, 0.5, true},
		{0, 2e9, 0.2, true},
	} {
		share, byBandwidth, ok := m.OfRoof(Result{Device: "cpu", Threads: 1, Seconds: 1, FLOPs: c.flops, Bytes: c.bytes})
		require.True(t, ok)
		require.InDelta(t, c.share, share, 1e-12)
		require.Equal(t, c.byBandwidth, byBandwidth)
	}
	_, _, ok := m.OfRoof(Result{Device: "cpu", Threads: 2, Seconds: 1, FLOPs: 1})
	require.False(t, ok, "nobody measured two threads")
	_, _, ok = m.OfRoof(Result{Device: "abacus", Seconds: 1, FLOPs: 1})
	require.False(t, ok)
}

func TestRoofline(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, fake().WriteRoofline(&b))
	_, err := png.Decode(&b)
	require.NoError(t, err)
	r := fake()
	r.Results = r.Results[:2]
	require.ErrorContains(t, r.WriteRoofline(&b), "measure layers on device cpu")
}

func TestRatios(t *testing.T) {
	r := fake()
	peer := r.Results[0]
	peer.Device, peer.Threads = "openblas", 1
	peer.set([]float64{0.1})
	other := peer
	other.Pass = backwardData // which the first place did not do
	r.Results = append(r.Results, peer, other)
	var b bytes.Buffer
	require.NoError(t, r.WriteRatios(&b))
	require.Regexp(t, `cpu/1: gemm of toy, batch 4 +openblas/1 +2\.00 +fc forward +2\.00 +2\.00 +1\n`, b.String())
	require.NotContains(t, b.String(), "layers of toy, batch 4  ", "pooling is no product")
}

// A layer is slower elsewhere or here by all its passes, against the fastest place that did
// every pass that we did.
func TestSlowerLayers(t *testing.T) {
	r := &Report{}
	add := func(device, name, pass string, ms float64) {
		x := Result{Kind: KindLayers, Model: "toy", Batch: 4, Device: device, Threads: 1, Name: name, Pass: pass, Product: true}
		x.set([]float64{ms / 1e3})
		r.Results = append(r.Results, x)
	}
	for _, x := range []struct {
		device           string
		conv, back, pool float64
	}{{"cpu", 2, 4, 1}, {"a", 1, 6, 3}, {"b", 3, 5, 0.5}} {
		add(x.device, "conv", forward, x.conv)
		add(x.device, "conv", backwardData, x.back)
		add(x.device, "pool", forward, x.pool)
	}
	add("cpu", "fc", forward, 9)
	add("cpu", "fc", backwardData, 9)
	add("a", "fc", forward, 1) // but not its gradient, which is left out
	add("cpu", "half", forward, 3)
	add("cpu", "half", backwardData, 3)
	add("a", "half", forward, 1)
	add("b", "half", backwardData, 1) // nobody did both
	add("cpu", "fast", forward, 1)
	add("b", "fast", forward, 7)
	var b bytes.Buffer
	require.NoError(t, r.WriteRatios(&b))
	out := b.String()
	require.Regexp(t, `cpu/1: layers of toy, batch 4 +the fastest of the other programs +0\.11 +fc forward +0\.50 +\S+ +7\n`, out)
	require.Contains(t, out, "all passes: 2 of 4 slower, least 0.11, median 0.83; forward: 4 of 5 slower, least 0.11, median 0.50\n")
	require.Regexp(t, `\n +conv +6\.000 +1\.17 +0\.50\n`, out)
	require.Regexp(t, `\n +pool +1\.000 +0\.50 +0\.50\n`, out)
	require.NotContains(t, out[strings.Index(out, "slower, least"):], "fast ")
}

// A small network, measured for real.
func TestRunLeNet(t *testing.T) {
	r, err := Run(t.Context(), Options{Kinds: []string{KindGEMM, KindLayers, KindNet},
		Models: []string{"lenet"}, Batch: 2, Devices: []string{"cpu"}, Threads: []int{1}, Runs: 1})
	require.NoError(t, err)
	got := map[string]Result{}
	for _, x := range r.Results {
		require.Positive(t, x.Seconds, x.Key())
		require.Len(t, x.Samples, 1, x.Key())
		got[x.Kind+" "+x.Name+" "+x.Pass] = x
	}
	require.Equal(t, "NN 20x576x25", got["gemm conv1 forward"].Shape)
	require.Equal(t, "TN 500x800x2", got["gemm ip1 backward-filter"].Shape)
	require.Equal(t, int64(2*2*50*64*500), got["layers conv2 backward-data"].FLOPs)
	require.Equal(t, int64(2*2*800*500), got["layers ip1 backward-filter"].FLOPs)
	require.NotNil(t, got["gemm ip2 forward"].Checksum)
	require.NotNil(t, got["layers conv2 forward"].Checksum)
	require.NotNil(t, got["layers conv2 backward-data"].Checksum)
	require.NotNil(t, got["layers conv1 backward-filter"].Checksum)
	require.Nil(t, got["layers pool1 forward"].Checksum)
	require.NotContains(t, got, "layers conv1 backward-data", "nothing is before it")
	require.Contains(t, got, "layers pool1 backward-data")
	require.Contains(t, got, "layers update update")
	require.Equal(t, 2, got["net step training"].Images)
	require.Positive(t, got["net step training"].Slabs)
	require.Len(t, r.Steps, 1)
	last := time.Duration(0)
	for _, s := range r.Steps[0].Spans {
		require.GreaterOrEqual(t, s.Start, last, "%s: one queue runs one kernel at a time", s.Kernel)
		last = s.Start + s.Length
	}
	require.Equal(t, r.Machine.Roofs[0].Threads, 1)
	_, _, ok := r.Machine.OfRoof(got["layers pool1 forward"])
	require.True(t, ok)
	require.True(t, got["layers conv1 forward"].Product)
	require.False(t, got["layers pool1 forward"].Product)
	require.Equal(t, int64(2*20*12*12*2*2), got["layers pool1 forward"].FLOPs, "a comparison for each pixel of each window")
	require.Equal(t, int64(4*(20*25+25*576+20*576)), got["gemm conv1 forward"].Bytes)
}

// The values of the CPU's layers, forward and both gradients, are those of the
// reference; checksums of others would be far apart.
func TestValuesAreThoseOfTheReference(t *testing.T) {
	reports := map[string]*Report{}
	for _, name := range []string{"cpu", "reference"} {
		r, err := Run(t.Context(), Options{Kinds: []string{KindLayers}, Models: []string{"lenet"}, Batch: 2, Devices: []string{name}, Threads: []int{1}, Runs: 1})
		require.NoError(t, err)
		reports[name] = r
	}
	compared, err := reports["cpu"].AddPeer(reports["reference"])
	require.NoError(t, err)
	require.Equal(t, 4+3+4, compared, "forward, both gradients, and none of the images'")
	seen := map[float64]bool{}
	for _, x := range reports["reference"].Results {
		if x.Checksum != nil {
			require.NotZero(t, x.Checksum.Sum)
			require.False(t, seen[x.Checksum.Sum], "%s has the values of another", x.Key())
			seen[x.Checksum.Sum] = true
		}
	}
}

// A small network on a card that is not there. Nothing is faster than the card
// can be, and everything has a limit.
func TestPredict(t *testing.T) {
	card, err := costmodel.Find("a100")
	require.NoError(t, err)
	r, err := Run(t.Context(), Options{Kinds: []string{KindGEMM, KindLayers, KindNet}, Models: []string{"lenet"}, Batch: 64,
		Devices: []string{"ptxsim"}, GPUs: []costmodel.Card{card}, Threads: []int{1}, Runs: 5})
	require.NoError(t, err)
	require.Equal(t, []Roof{{Device: "a100 (predicted)", FLOPS: card.Peak(), Bandwidth: 1555e9}}, r.Machine.Roofs)
	require.Greater(t, len(r.Results), 30)
	for _, x := range r.Results {
		require.Equal(t, "a100 (predicted)", x.Device)
		require.Len(t, x.Samples, 1, x.Key())
		require.NotEmpty(t, x.Limit, x.Key())
		share, _, ok := r.Machine.OfRoof(x)
		require.True(t, ok, x.Key())
		require.LessOrEqual(t, share, 1.02, "%s: times are whole nanoseconds", x.Key())
	}
	var b bytes.Buffer
	require.NoError(t, r.WriteTable(&b))
	require.Contains(t, b.String(), "a100 (predicted): at most 19492 GFLOP/s and 1555.0 GB/s")
	require.NotContains(t, b.String(), "±", "a prediction has no spread")
}

// With TF32 it is the tensor cores' peak that counts, and a card without them is
// an error.
func TestPredictionsInTF32(t *testing.T) {
	o := Options{Kinds: []string{KindGEMM}, Models: []string{"lenet"}, Batch: 1, Devices: []string{"ptxsim"}, Threads: []int{1}, Runs: 1,
		Shapes: []device.GEMM{{M: 2048, N: 1024, K: 512, Alpha: 1}}, TF32: true}
	for _, name := range []string{"a100", "v100"} {
		card, err := costmodel.Find(name)
		require.NoError(t, err)
		o.GPUs = append(o.GPUs, card)
	}
	_, err := Run(t.Context(), o)
	require.ErrorContains(t, err, "v100 TF32 (predicted): TF32 takes tensor cores of compute capability 8.0 or later")
	o.GPUs = o.GPUs[:1]
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, []Roof{{Device: "a100 TF32 (predicted)", FLOPS: 156e12, Bandwidth: 1555e9}}, r.Machine.Roofs)
	require.Len(t, r.Results, 1)
	require.Equal(t, "a100 TF32 (predicted)", r.Results[0].Device)
	share, _, ok := r.Machine.OfRoof(r.Results[0])
	require.True(t, ok)
	require.Greater(t, share, 0.5, "%+v", r.Results[0])
	require.Less(t, share, 1.02)
}

// Every step is one on the same batch: the loss of small steps hardly changes.
// Within a step, other values take the place of images and labels.
func TestStepsBeginWithTheirBatch(t *testing.T) {
	d, err := cpu.New(1)
	require.NoError(t, err)
	defer d.Close()
	n, err := models.Build("lenet", models.Options{})
	require.NoError(t, err)
	p, err := n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 8})
	require.NoError(t, err)
	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, w.Fill(seed))
	s, err := newSession(&timedDevice{Device: d}, p, w)
	require.NoError(t, err)
	defer s.close()
	var losses []float64
	for range 4 {
		require.NoError(t, s.step())
		l, err := s.exec.Loss()
		require.NoError(t, err)
		losses = append(losses, l)
		require.InDelta(t, losses[0], l, 1e-2, "%v", losses)
	}
	require.Less(t, losses[3], losses[0])
}

// Inference is measured as predict runs it: without batch-norms that can be part of the layer
// before them.
func TestInferenceIsFolded(t *testing.T) {
	d, err := cpu.New(1)
	require.NoError(t, err)
	defer d.Close()
	for _, norm := range []bool{true, false} {
		n := &graph.Network{Name: "small"}
		x := n.Add("conv", &layers.Conv{Filters: 4, Kernel: layers.Square(3)}, n.Image("data", 3, 8, 8))
		if norm {
			x = n.Add("norm", &layers.BatchNorm{}, x)
		}
		n.Outputs = []string{n.Add("fc", &layers.Dense{Out: 5}, x)}
		b := &bench{device: &timedDevice{Device: d}, spec: graph.PlanOptions{Batch: 2}}
		w, err := b.weights(n)
		require.NoError(t, err)
		defer w.Close()
		p, own, err := b.folded(w)
		require.NoError(t, err)
		require.Len(t, p.Steps, 2)
		require.Equal(t, own.Network(), p.Network)
		require.Equal(t, norm, own != w)
		if norm {
			defer own.Close()
			require.Nil(t, own.Shape("norm.running_mean"))
		}
	}
}

func TestParseShape(t *testing.T) {
	g, err := ParseShape("NT128x4096x9216")
	require.NoError(t, err)
	require.Equal(t, device.GEMM{M: 128, N: 4096, K: 9216, TransB: true, Alpha: 1}, g)
	for _, text := range []string{"", "128x4096x9216", "NX1x2x3", "NN1x2", "NN0x2x3", "NN1x2x3x4", "NN1x2x3 "} {
		_, err := ParseShape(text)
		require.ErrorContains(t, err, "is not a shape such as NN4096x4096x4096", text)
	}
}

func TestRunRefuses(t *testing.T) {
	good := Options{Kinds: []string{KindGEMM}, Models: []string{"lenet"}, Batch: 2, Devices: []string{"cpu"}, Threads: []int{1}, Runs: 1}
	for says, spoil := range map[string]func(o *Options){
		`device "cuda:0" is unknown; this program has cpu`: func(o *Options) { o.Devices = []string{"cuda:0"} },
		`network "resnet" is unknown; there are`:           func(o *Options) { o.Models = []string{"resnet"} },
		"batch 0 must be at least 1":                       func(o *Options) { o.Batch = 0 },
		"runs 0 must be 1 to 100000":                       func(o *Options) { o.Runs = 0 },
		"runs 9223372036854775807 must be 1 to 100000":     func(o *Options) { o.Runs = math.MaxInt },
		"number of threads 2 is given twice":               func(o *Options) { o.Threads = []int{2, 1, 2} },
		"device cpu is given twice":                        func(o *Options) { o.Devices = []string{"cpu", "cpu"} },
		"model lenet is given twice":                       func(o *Options) { o.Models = []string{"lenet", "lenet"} },
		"threads 0 must be at least 1":                     func(o *Options) { o.Threads = []int{0} },
		`"speed" is unknown; there are gemm`:               func(o *Options) { o.Kinds = []string{"speed"} },
	} {
		o := good
		spoil(&o)
		_, err := Run(t.Context(), o)
		require.ErrorContains(t, err, says)
		require.False(t, errors.As(err, new(FailedError)))
	}
}

// lostDriver is a simulator that is lost at the first launch: every call after it
// fails too.
type lostDriver struct {
	driver.Driver
	lost error
}

func (d *lostDriver) Free(p driver.Ptr) error { return cmp.Or(d.lost, d.Driver.Free(p)) }

func (d *lostDriver) Close() error { return cmp.Or(d.lost, d.Driver.Close()) }

func (d *lostDriver) NewStream() (driver.Stream, error) {
	s, err := d.Driver.NewStream()
	return lostStream{s, d}, err
}

type lostStream struct {
	driver.Stream
	d *lostDriver
}

func (s lostStream) Launch(driver.Function, driver.Config, *driver.Args) error {
	s.d.lost = errors.New("off the bus")
	return s.d.lost
}

func (s lostStream) Sync() error { return s.d.lost }

func (s lostStream) Close() error { return s.d.lost }

// A device that is lost is one error, although nothing on it can be freed.
func TestLostDevice(t *testing.T) {
	device.Register("lost", device.Driver{Open: func(name string, o device.Options) (device.Device, error) {
		return cuda.New(name, &lostDriver{Driver: ptxsim.New(ptxsim.Config{})}, o)
	}})
	for _, kind := range []string{KindGEMM, KindLayers, KindNet} {
		_, err := Run(t.Context(), Options{Kinds: []string{kind}, Models: []string{"lenet"}, Batch: 2, Devices: []string{"lost"}, Threads: []int{1}, Runs: 1})
		require.ErrorAs(t, err, new(FailedError))
		require.Regexp(t, `^lost: conv1[^\n]*: off the bus$`, err.Error())
		require.Equal(t, 1, strings.Count(err.Error(), "off the bus"), err)
	}
}

// small is a device with hardly any memory.
type small struct{ device.Device }

func (small) MemInfo() (free, total int64, err error) { return 20 << 20, 30 << 20, nil }

func TestCheckMemory(t *testing.T) {
	d, err := cpu.New(1)
	require.NoError(t, err)
	defer d.Close()
	n, err := models.Build("lenet", models.Options{})
	require.NoError(t, err)
	plan := func(batch int) *graph.Plan {
		p, err := n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: batch})
		require.NoError(t, err)
		return p
	}
	require.NoError(t, checkPlan(small{d}, plan(2)))
	require.Regexp(t, `^lenet with a batch of 4096 needs \d+\.\d MiB, but cpu has 20\.0 MiB of 30\.0 MiB free; the largest batch that fits is \d+$`,
		checkPlan(small{d}, plan(4096)).Error())

	square := func(n int) error { return checkShape(small{d}, device.GEMM{M: n, N: n, K: n, Alpha: 1}) }
	require.NoError(t, square(1024))
	require.EqualError(t, square(1200), "NN 1200x1200x1200 needs 22.0 MiB, but cpu has 20.0 MiB of 30.0 MiB free")
	require.ErrorContains(t, square(1<<31), "NN 2147483648x2147483648x2147483648: a matrix of shape [2147483648 2147483648] has more than 2^40 elements")
}
