package program

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/csv"
	"image"
	_ "image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/report"
	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
)

// tinyFlags train tinyNetwork on tinySet: ten updates an epoch.
var tinyFlags = []string{"-net", "tiny.json", "-data", "mnist:set", "-batch", "32", "-lr", "0.1", "-decay", "0"}

// tiny makes a working directory with tinyNetwork and tinySet.
func tiny(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("tiny.json", []byte(tinyNetwork), 0o666))
	tinySet(t, "set")
}

// with appends flags to tinyFlags.
func with(flags ...string) []string {
	return append(tinyFlags[:len(tinyFlags):len(tinyFlags)], flags...)
}

// same requires that two runs left the same bytes behind. Speeds, which the
// log holds, differ.
func same(t *testing.T, want, got string) {
	t.Helper()
	for _, name := range []string{solver.WeightsFile, solver.BestFile, solver.CheckpointFile} {
		a, err := os.ReadFile(filepath.Join(want, name))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(got, name))
		require.NoError(t, err)
		require.True(t, bytes.Equal(a, b), "%s differs", name)
	}
}

func TestTrainWritesARun(t *testing.T) {
	tiny(t)
	stdout := succeed(t, with("-epochs", "6", "-log-every", "5")...)

	const dir = "runs/tiny-mnist"
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if e.Name() != solver.PreviousFile {
			require.Contains(t, stdout, filepath.Join(dir, e.Name()))
		}
	}
	require.ElementsMatch(t, []string{solver.WeightsFile, solver.BestFile, solver.CheckpointFile, solver.PreviousFile, results.LogFile,
		curveFile, filtersFile, "confusion.png", "confusion.csv"}, names)

	log, err := results.ReadLog(filepath.Join(dir, results.LogFile))
	require.NoError(t, err)
	require.Len(t, log, 13, "the first iteration, and every fifth")
	last := log[len(log)-1]
	require.Equal(t, 60, last.Iteration)
	require.InDelta(t, 6, last.Epoch, 1e-9)
	require.InDelta(t, 0.1, last.Rate, 1e-7)
	require.Less(t, last.Loss, log[0].Loss/2)
	accuracy, ok := last.Test.Get("accuracy")
	require.True(t, ok)
	require.Greater(t, accuracy, 0.8)

	m, err := modelfile.Read(filepath.Join(dir, solver.WeightsFile))
	require.NoError(t, err)
	require.Equal(t, "tiny", m.Network.Name)
	require.Equal(t, data.Preprocess{Scale: 1. / 256}, m.Preprocess)
	require.Len(t, m.Classes, 10)
	require.Equal(t, []int{4, 1, 3, 3}, []int(m.Weights["conv1.weight"].Shape()))

	require.Equal(t, image.Pt(1000, 700), dimensions(t, filepath.Join(dir, curveFile)))
	filters := filepath.Join(dir, filtersFile)
	again := filepath.Join(t.TempDir(), "again.png")
	require.NoError(t, report.Filters(again, m.Weights["conv1.weight"]))
	require.Equal(t, dimensions(t, again), dimensions(t, filters))

	require.Contains(t, stdout, "tiny on mnist into "+dir+": 320 images to train, 64 to test; 60 iterations of 32 on cpu; 10 classes: \"0\", \"1\", \"2\", \"3\", \"4\", ...\n")
	require.Equal(t, 6, strings.Count(stdout, "\nepoch "))
	require.Regexp(t, `\nepoch 6/6  loss 0\.\d{4}  test loss 0\.\d{4}  accuracy \d+\.\d\d %  \d+ images/s\n`, stdout)
	require.Regexp(t, `\nDone in \d+s: test loss 0\.\d{4}  accuracy \d+\.\d\d %\n`, stdout)
	for _, next := range []string{
		"bin/train -eval -weights runs/tiny-mnist/weights.safetensors -data mnist:set\n",
		"bin/train -resume runs/tiny-mnist -epochs 12\n",
		"bin/train -h\n",
	} {
		require.Contains(t, filepath.ToSlash(stdout), next)
	}
}

func dimensions(t *testing.T, path string) image.Point {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	c, _, err := image.DecodeConfig(f)
	require.NoError(t, err)
	return image.Pt(c.Width, c.Height)
}

func TestTrainKeepsWhatIsThere(t *testing.T) {
	tiny(t)
	succeed(t, with("-iters", "1")...)
	refused(t, "choose another folder with -out, go on with -resume ", with("-iters", "1")...)
	refused(t, "set is there already", with("-out", "set")...)
	refused(t, "tiny.json", with("-out", "tiny.json")...)
}

func TestSameSeedSameBytes(t *testing.T) {
	tiny(t)
	succeed(t, with("-epochs", "1", "-out", "a", "-threads", "1")...)
	succeed(t, with("-epochs", "1", "-out", "b", "-threads", "4")...)
	same(t, "a", "b")
	succeed(t, with("-epochs", "1", "-out", "c", "-seed", "2")...)
	a, err := modelfile.Read("a/" + solver.WeightsFile)
	require.NoError(t, err)
	c, err := modelfile.Read("c/" + solver.WeightsFile)
	require.NoError(t, err)
	require.NotEqual(t, a.Weights["conv1.weight"].Float32s(), c.Weights["conv1.weight"].Float32s())
}

// Winograd's algorithm rounds otherwise, so a run keeps to what it began with.
func TestRunKeepsItsConvolutions(t *testing.T) {
	tiny(t)
	succeed(t, with("-iters", "1", "-winograd", "off", "-out", "a")...)
	c, err := solver.ReadCheckpoint("a")
	require.NoError(t, err)
	require.True(t, c.Config.DirectConv)
	refused(t, "-winograd cannot be changed", "-resume", "a", "-winograd", "auto")
}

// TF32 is for GPUs that have it, and a run keeps to it too.
func TestRunKeepsTF32(t *testing.T) {
	tiny(t)
	const says = `device "cpu" has no tensor cores: -tf32 is for GPUs of compute capability 8.0 or later`
	refused(t, says, with("-tf32", "-out", "a")...)
	refused(t, says, "-net", "tiny.json", "-summary", "-tf32")
	succeed(t, with("-iters", "1", "-device", "ptxsim", "-tf32", "-out", "a")...)
	c, err := solver.ReadCheckpoint("a")
	require.NoError(t, err)
	require.True(t, c.Config.TF32)
	refused(t, "-tf32 cannot be changed", "-resume", "a", "-tf32=false")
	refused(t, says, "-resume", "a", "-iters", "2")
	succeed(t, "-resume", "a", "-iters", "2", "-device", "ptxsim")
}

// Each path of the CPU, and each device, rounds in its own way: a run keeps to
// its own unless it is told otherwise.
func TestRunKeepsItsArithmetic(t *testing.T) {
	tiny(t)
	goesOn := func(says string, args ...string) {
		t.Helper()
		code, _, stderr := call(t, args...)
		require.Equal(t, command.Done, code, stderr)
		require.Contains(t, stderr, says)
	}
	succeed(t, with("-iters", "1", "-device", "ptxsim", "-out", "sim")...)
	const was = "sim: the run was trained on ptxsim of compute capability 8.0 with 80 multiprocessors, and cpu generic rounds differently"
	t.Setenv("HUBEL_CPU", "generic")
	refused(t, was+": -device ptxsim goes on as before where it can be had, -device cpu goes on all the same\n", "-resume", "sim", "-iters", "2")
	succeed(t, "-resume", "sim", "-iters", "2", "-device", "ptxsim:1")
	goesOn("goes on on cpu generic, which rounds differently", "-resume", "sim", "-iters", "3", "-device", "cpu")
	succeed(t, "-resume", "sim", "-iters", "4")

	t.Setenv("HUBEL_CPU", "")
	d, err := device.Open("cpu", device.Options{})
	require.NoError(t, err)
	_, path, _ := strings.Cut(d.Arithmetic(), " ")
	require.NoError(t, d.Close())
	if path == "generic" {
		t.Skip("this machine has no other path than generic")
	}
	succeed(t, with("-iters", "1", "-cpu-path", "generic", "-out", "cpu")...)
	says := "cpu: the run was trained on cpu generic, and cpu " + path + " rounds differently: -cpu-path generic goes on as before where it can be had, -cpu-path " + path + " goes on all the same\n"
	refused(t, says, "-resume", "cpu", "-iters", "2")
	refused(t, says, "-resume", "cpu", "-iters", "2", "-device", "cpu")
	succeed(t, "-resume", "cpu", "-iters", "2", "-cpu-path", "generic")
	goesOn("goes on on cpu "+path, "-resume", "cpu", "-iters", "3", "-cpu-path", "auto")
	succeed(t, "-resume", "cpu", "-iters", "4")
	refused(t, "it is auto, avx512, avx2, neon or generic", "-resume", "cpu", "-iters", "5", "-cpu-path", "sse2")
}

func TestResume(t *testing.T) {
	tiny(t)
	succeed(t, with("-epochs", "4", "-out", "whole", "-accumulate", "3", "-nesterov", "-clip", "1")...)
	succeed(t, with("-epochs", "2", "-out", "parts", "-accumulate", "3", "-nesterov", "-clip", "1")...)
	stdout := succeed(t, "-resume", "parts", "-epochs", "4")
	same(t, "whole", "parts")
	require.Contains(t, stdout, "16 iterations of 96")
	require.Contains(t, stdout, "epoch 3/4")
	require.NotContains(t, stdout, "epoch 2/4")

	refused(t, "parts has 16 of 16 iterations behind it", "-resume", "parts")
	refused(t, "parts has 16 of 4 iterations behind it", "-resume", "parts", "-iters", "4")
	refused(t, "there is no run to resume in nowhere", "-resume", "nowhere")
	require.NoError(t, os.Rename("set", "moved"))
	refused(t, "set", "-resume", "parts", "-epochs", "5")
	succeed(t, "-resume", "parts", "-epochs", "5", "-data", "mnist:moved")
}

func TestResumeNamesADamagedCheckpoint(t *testing.T) {
	tiny(t)
	succeed(t, with("-epochs", "2", "-out", "whole", "-checkpoint", "15")...)
	succeed(t, with("-epochs", "2", "-out", "parts", "-checkpoint", "15")...) // checkpoints of 15 and 20
	path := filepath.Join("parts", solver.CheckpointFile)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o666))
	code, stdout, stderr := call(t, "-resume", "parts")
	require.Equal(t, command.Done, code, stderr)
	require.Contains(t, stdout, "20 iterations of 32")
	require.Equal(t, "train: "+path+": the file is damaged: its checksum does not match; going on from the one before it, "+
		filepath.Join("parts", solver.PreviousFile)+", of iteration 15\n", stderr)
	same(t, "whole", "parts")
}

func TestEarlyStopping(t *testing.T) {
	tiny(t)
	// So low a rate changes no weight.
	flags := with("-epochs", "30", "-out", "a", "-lr", "1e-30", "-lr-policy", "plateau", "-gamma", "0.1", "-step", "2", "-patience", "3")
	stdout := succeed(t, flags...)
	require.Contains(t, stdout, "\nEnded early after 40 of 300 iterations: none of the last 3 tests was better than that of iteration 10.\n")
	require.Contains(t, stdout, "best.safetensors  (of iteration 10)\n")
	refused(t, "the run ended early, since none of the 3 tests", "-resume", "a")
	require.NoError(t, os.Remove(filepath.Join("a", curveFile)))
	stdout = succeed(t, "-resume", "a")
	require.Contains(t, stdout, "they are drawn now\n")
	require.Contains(t, stdout, "\nEnded early after 40 of 300 iterations: ")
	refused(t, "the run ended early, since none of the 3 tests", "-resume", "a")
	succeed(t, "-resume", "a", "-patience", "4")
}

// A run that was killed when it had come to its end, but not to its pictures, draws
// them when it is resumed, and only then.
func TestResumeDrawsPictures(t *testing.T) {
	tiny(t)
	succeed(t, with("-epochs", "2", "-out", "a")...)
	before := files(t)
	drawings := []string{filtersFile, confusionFile + ".png", confusionFile + ".csv", curveFile}
	left := filepath.Join("a", curveFile+"."+rand.Text()+".tmp")
	for n := range drawings { // so many of them were drawn
		for _, name := range drawings[n:] {
			require.NoError(t, os.Remove(filepath.Join("a", name)))
		}
		require.NoError(t, os.WriteFile(left, []byte("a part"), 0o666))
		stdout := succeed(t, "-resume", "a")
		require.Contains(t, stdout, "a had come to its end, but not to its pictures: they are drawn now\n\nDone in ")
		require.Contains(t, stdout, "best.safetensors  (of iteration ")
		require.Equal(t, before, files(t))
		refused(t, "a has 20 of 20 iterations behind it", "-resume", "a")
	}

	// The curve of an earlier end is none of this one.
	succeed(t, with("-epochs", "4", "-out", "b")...)
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join("b", curveFile), old, old))
	require.Contains(t, succeed(t, "-resume", "b"), "they are drawn now")
}

// How often a run logs and saves it keeps, unless it is told otherwise.
func TestResumeKeepsHabits(t *testing.T) {
	tiny(t)
	iterations := func(dir string) (list []int) {
		log, err := results.ReadLog(filepath.Join(dir, results.LogFile))
		require.NoError(t, err)
		for _, l := range log {
			list = append(list, l.Iteration)
		}
		return list
	}
	debugged := func(dir string) (list []int) {
		log, err := solver.ReadDebug(filepath.Join(dir, solver.DebugFile))
		require.NoError(t, err)
		for _, l := range log {
			list = append(list, l.Iteration)
		}
		return list
	}
	succeed(t, with("-iters", "5", "-log-every", "2", "-checkpoint", "3", "-debug", "4", "-out", "a")...)
	c, err := solver.ReadCheckpoint("a")
	require.NoError(t, err)
	require.Equal(t, 3, c.Config.CheckpointEvery)
	succeed(t, "-resume", "a", "-iters", "9", "-debug", "4")
	require.Equal(t, []int{1, 2, 4, 5, 6, 8, 9}, iterations("a"))
	require.Equal(t, []int{1, 5, 9}, debugged("a"))
	c, err = solver.ReadCheckpoint("a")
	require.NoError(t, err)
	require.Equal(t, 3, c.Config.CheckpointEvery)

	succeed(t, "-resume", "a", "-iters", "13", "-log-every", "3", "-checkpoint", "10m")
	require.Equal(t, []int{1, 2, 4, 5, 6, 8, 9, 10, 12, 13}, iterations("a"))
	require.Equal(t, []int{1, 5, 9}, debugged("a"))
	c, err = solver.ReadCheckpoint("a")
	require.NoError(t, err)
	require.Zero(t, c.Config.CheckpointEvery)
	require.Equal(t, 10*time.Minute, c.Config.CheckpointTime)
}

// interrupter cancels once a text has been written.
type interrupter struct {
	bytes.Buffer
	at     string
	cancel func()
}

func (w *interrupter) Write(b []byte) (int, error) {
	n, err := w.Buffer.Write(b)
	if strings.Contains(w.String(), w.at) {
		w.cancel()
	}
	return n, err
}

func TestInterrupt(t *testing.T) {
	tiny(t)
	succeed(t, with("-epochs", "2", "-out", "whole")...)

	for _, at := range []string{"images to train", "epoch 1/2"} {
		ctx, cancel := context.WithCancel(t.Context())
		stdout := &interrupter{at: at, cancel: cancel}
		code, stderr := callTo(ctx, stdout, with("-epochs", "2", "-out", "stopped")...)
		require.Equal(t, command.Interrupted, code)
		require.Empty(t, stderr)
		require.Regexp(t, `Stopped and saved after \d+ of 20 iterations. To go on:\n  bin/train -resume stopped\n$`, stdout.String())
		require.NotContains(t, stdout.String(), "epoch 2/2")

		succeed(t, "-resume", "stopped")
		same(t, "whole", "stopped")
		require.NoError(t, os.RemoveAll("stopped"))
	}
}

func TestEvaluate(t *testing.T) {
	tiny(t)
	succeed(t, with("-epochs", "3", "-out", "a")...)
	log, err := results.ReadLog("a/" + results.LogFile)
	require.NoError(t, err)
	last := log[len(log)-1]
	stdout := succeed(t, "-eval", "-weights", "a/weights.safetensors", "-data", "mnist:set", "-batch", "7")
	require.Equal(t, "tiny on the 64 test images of mnist: "+outcome(solver.Test{Loss: *last.TestLoss, Metrics: results.Metrics{{Name: "accuracy", Value: last.Test[0].Value, Share: true}}})+"\n", stdout)

	// The confusion matrix: all in a table, the right ones on its diagonal.
	succeed(t, "-eval", "-weights", "a/best.safetensors", "-data", "mnist:set", "-out", "of/best")
	table, err := os.ReadFile("of/best/confusion.csv")
	require.NoError(t, err)
	rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 11)
	all := 0
	for _, row := range rows[1:] {
		for _, count := range row[1:] {
			n, err := strconv.Atoi(count)
			require.NoError(t, err)
			all += n
		}
	}
	require.Equal(t, tinyTest, all)
	require.Greater(t, dimensions(t, "of/best/confusion.png").X, 300)

	eval := func(weights, data string) []string { return []string{"-eval", "-weights", weights, "-data", data} }
	refused(t, "nothing.safetensors", eval("nothing.safetensors", "mnist:set")...)
	refused(t, "tiny.json", eval("tiny.json", "mnist:set")...)
	refused(t, "Trouser", eval("a/weights.safetensors", "fashion-mnist:set")...)
	refused(t, "a checkpoint is for resuming", eval("a/checkpoint.safetensors", "mnist:set")...)

	whole, err := os.ReadFile("a/weights.safetensors")
	require.NoError(t, err)
	whole[len(whole)-1] ^= 1
	require.NoError(t, os.WriteFile("damaged.safetensors", whole, 0o666))
	refused(t, "damaged", eval("damaged.safetensors", "mnist:set")...)
	require.NoError(t, os.WriteFile("short.safetensors", whole[:100], 0o666))
	refused(t, "short.safetensors", eval("short.safetensors", "mnist:set")...)
}

func TestFineTuning(t *testing.T) {
	tiny(t)
	succeed(t, with("-epochs", "1", "-out", "a")...)
	succeed(t, with("-epochs", "1", "-out", "b", "-weights", "a/weights.safetensors", "-frozen", "conv1")...)
	a, err := modelfile.Read("a/" + solver.WeightsFile)
	require.NoError(t, err)
	b, err := modelfile.Read("b/" + solver.WeightsFile)
	require.NoError(t, err)
	require.Equal(t, a.Weights["conv1.weight"].Float32s(), b.Weights["conv1.weight"].Float32s())
	require.NotEqual(t, a.Weights["fc2.weight"].Float32s(), b.Weights["fc2.weight"].Float32s())

	// A new last layer: another number of filters, or of classes, must be named
	// fresh.
	wider := strings.Replace(tinyNetwork, `"filters": 4`, `"filters": 5`, 1)
	require.NoError(t, os.WriteFile("wider.json", []byte(wider), 0o666))
	start := []string{"-net", "wider.json", "-data", "mnist:set", "-epochs", "1", "-out", "c", "-weights", "a/weights.safetensors"}
	refused(t, "conv1.weight has the shape [5 1 3 3] in the network and [4 1 3 3] in the file; the file is of another network, or damaged; -fresh LAYER leaves out the weights of a layer", start...)
	refused(t, "fc2.weight", append(start, "-fresh", "conv1")...) // it reads one more channel
	refused(t, `has a layer or parameter "fc3"`, append(start, "-fresh", "fc3")...)
	refused(t, "-fresh needs -weights", with("-fresh", "fc2")...)
	succeed(t, append(start, "-fresh", "conv1,fc2")...)

	head := strings.NewReplacer(`"fc2"`, `"top"`, `"out": 10`, `"out": 12`).Replace(tinyNetwork)
	require.NoError(t, os.WriteFile("head.json", []byte(head), 0o666))
	start = []string{"-net", "head.json", "-data", "mnist:set", "-epochs", "10", "-lr", "0.1", "-decay", "0", "-out", "d",
		"-weights", "a/best.safetensors", "-frozen", "conv1"}
	refused(t, "weights of network tiny are missing: top.weight, top.bias", start...)
	refused(t, "has no weights named fc2.bias, fc2.weight; the file is of another network, or damaged; -fresh LAYER leaves out the weights of a layer", append(start, "-fresh", "top")...)
	succeed(t, append(start, "-fresh", "top,fc2")...)
	best, err := modelfile.Read("a/" + solver.BestFile)
	require.NoError(t, err)
	d, err := modelfile.Read("d/" + solver.WeightsFile)
	require.NoError(t, err)
	require.Equal(t, best.Weights["conv1.weight"].Float32s(), d.Weights["conv1.weight"].Float32s())
	log, err := results.ReadLog("d/" + results.LogFile)
	require.NoError(t, err)
	require.Greater(t, log[len(log)-1].Test[0].Value, 0.6, "a new last layer learns on old filters")
}

func TestTrainRefusesDataThatDoesNotFit(t *testing.T) {
	tiny(t)
	writeIDX(t, "set/train-labels-idx1-ubyte", make([]byte, tinyTrain-1), tinyTrain)
	refused(t, "train-labels-idx1-ubyte", tinyFlags...)
	tinySet(t, "set")
	require.NoError(t, os.Truncate("set/t10k-images-idx3-ubyte", 1000))
	refused(t, "t10k-images-idx3-ubyte", tinyFlags...)
	require.NoError(t, os.Remove("set/t10k-images-idx3-ubyte"))
	refused(t, "t10k-images-idx3-ubyte", tinyFlags...)
	tinySet(t, "set")

	for _, c := range []struct{ message, args string }{
		{"get the data with", "-model lenet -data mnist:nowhere"},
		{`data set "imagenet" is unknown; there are mnist`, "-model lenet -data imagenet"},
		{"two numbers of images", "-model lenet -data synthetic:10"},
		{"two numbers of images", "-model lenet -data synthetic:10,0"},
		{"conv1: a window of 11x11 does not fit in an image of 8x8", "-model alexnet -data mnist:set"},
		{"net1 predicts 10 numbers, but the training set has classes", "-model net1 -data mnist:set"},
		{"the largest batch that fits is ", "-net tiny.json -data mnist:set -batch 1000000000"},
		{`"conv9"`, "-net tiny.json -data mnist:set -frozen conv9"},
		{"nothing to train", "-net tiny.json -data mnist:set -frozen conv1,fc2"},
		{`device "gpu" is unknown`, "-net tiny.json -data mnist:set -device gpu"},
	} {
		refused(t, c.message, strings.Fields(c.args)...)
	}

	large := strings.Replace(tinyNetwork, "[1, 8, 8]", "[1, 9, 9]", 1)
	require.NoError(t, os.WriteFile("large.json", []byte(large), 0o666))
	refused(t, "network tiny takes images of the shape [1 9 9], but those of the t", "-net", "large.json", "-data", "mnist:set")
	few := strings.Replace(tinyNetwork, `"out": 10`, `"out": 9`, 1)
	require.NoError(t, os.WriteFile("few.json", []byte(few), 0o666))
	refused(t, "tells 9 classes apart", "-net", "few.json", "-data", "mnist:set")
}

func TestTrainOnSynthetic(t *testing.T) {
	tiny(t)
	stdout := succeed(t, "-net", "tiny.json", "-data", "synthetic:96,20", "-iters", "4", "-lr-policy", "poly", "-power", "1")
	require.Contains(t, stdout, "tiny on synthetic into")
	require.Contains(t, stdout, "96 images to train, 20 to test; 4 iterations of 64")
	require.Contains(t, stdout, "epoch 2/2")
}

// TestDivergence is training that begins and cannot go on.
func TestDivergence(t *testing.T) {
	tiny(t)
	code, stdout, stderr := call(t, with("-lr", "1e30", "-out", "a")...)
	require.Equal(t, command.Broken, code)
	require.Equal(t, 2, strings.Count(stderr, "\n"), stderr) // a notice of the search, and the error
	require.Contains(t, stderr, "; repeating from iteration 1 on to find where it began\n")
	require.Regexp(t, `train: iteration 2: the loss is NaN; the first value to go bad is in the .*sample 0 of the batch, which is image \d+: .*smaller learning rate`, stderr)
	require.Regexp(t, `\n +layer +mean +deviation +zeros +largest +NaN or infinite +gradient/weight\n +conv1 `, stdout)
	require.Contains(t, stdout, "The first value to go bad is in the output of layer ")
	require.Contains(t, filepath.ToSlash(stdout), "bin/train -replay a/diverged.safetensors\n")

	// The same again from the file, and on another device.
	for _, flags := range [][]string{nil, {"-threads", "1"}, {"-device", "reference"}} {
		code, again, stderr := call(t, append([]string{"-replay", "a/diverged.safetensors"}, flags...)...)
		require.Equal(t, command.Broken, code, stderr)
		require.Contains(t, again, "The first value to go bad is in the output of layer fc2 (dense), sample 0")
		if len(flags) < 2 || flags[0] == "-threads" {
			require.Contains(t, stdout, again)
		}
	}
	refused(t, "there is no batch to repeat", "-replay", "a/checkpoint.safetensors")
	refused(t, "-lr has no meaning with -replay", "-replay", "a/diverged.safetensors", "-lr", "1")
	refused(t, "-replay needs a file", "-replay=")
}

func TestCheck(t *testing.T) {
	tiny(t)
	before := files(t)
	stdout := succeed(t, with("-check")...)
	require.Regexp(t, `^PASS  initial loss: 2\.302585 with fc2 at zero; ln 10 is 2\.302585
PASS  weight decay: .*
PASS  gradients: .*
PASS  overfitting: the loss on 20 samples fell from .*
PASS  gradients in float64: those of every layer .*
$`, stdout)
	code, stdout, stderr := call(t, append(with("-check"), "-lr", "1e-7")...)
	require.Equal(t, command.Broken, code)
	require.Contains(t, stdout, "\nFAIL  overfitting: ")
	require.Equal(t, "train: 1 of 5 checks failed\n", stderr)
	require.Equal(t, before, files(t), "nothing is written")
	refused(t, "-check writes nothing", append(with("-check"), "-out", "x")...)
	refused(t, "-check cannot be changed", "-resume", "x", "-check")
}

func TestDebug(t *testing.T) {
	tiny(t)
	succeed(t, with("-epochs", "1", "-out", "a", "-debug", "5")...)
	log, err := solver.ReadDebug("a/" + solver.DebugFile)
	require.NoError(t, err)
	require.Len(t, log, 2)
	require.Equal(t, 6, log[1].Iteration)
	require.Equal(t, "conv1", log[1].Layers[0].Layer)
	require.NotNil(t, log[1].Layers[0].Gradient)
}

func TestBalancedRunIsResumed(t *testing.T) {
	tiny(t)
	succeed(t, with("-balance", "-epochs", "2", "-out", "whole")...)
	succeed(t, with("-balance", "-epochs", "1", "-out", "resumed")...)
	succeed(t, "-resume", "resumed", "-epochs", "2")
	same(t, "whole", "resumed")
	refused(t, "-balance cannot be changed", "-resume", "resumed", "-epochs", "3", "-balance")
	require.Contains(t, succeed(t, with("-balance", "-check", "-lr", "0.01")...), "PASS")
}

// A run that mixes images learns shares of classes; it is resumed, tested and used
// as any other.
func TestMixedRunIsResumed(t *testing.T) {
	tiny(t)
	flags := with("-augment", "flip,mixup=0.2@0.5,cutmix=1@0.5")
	succeed(t, append(flags, "-epochs", "2", "-out", "whole")...)
	succeed(t, append(flags, "-epochs", "1", "-out", "resumed")...)
	succeed(t, "-resume", "resumed", "-epochs", "2")
	same(t, "whole", "resumed")
	require.Contains(t, succeed(t, "-eval", "-weights", "whole/weights.safetensors", "-data", "mnist:set"), "accuracy")
	require.Contains(t, succeed(t, append(flags, "-check", "-lr", "0.01")...), "PASS")
	succeed(t, append(flags, "-weights", "whole/weights.safetensors", "-epochs", "1", "-out", "tuned")...)
	alone := strings.Replace(tinyNetwork, `,
    {"name": "accuracy", "type": "accuracy", "in": ["fc2", "label"]}`, "", 1)
	require.NoError(t, os.WriteFile("alone.json", []byte(alone), 0o666))
	succeed(t, "-net", "alone.json", "-data", "mnist:set", "-augment", "mixup=0.2", "-epochs", "1")
	hinge := strings.Replace(alone, "softmax-loss", "hinge-loss", 1)
	require.NoError(t, os.WriteFile("hinge.json", []byte(hinge), 0o666))
	refused(t, "the augmentation mixup=0.2 mixes classes, but network tiny has no softmax loss that takes a target", "-net", "hinge.json", "-data", "mnist:set", "-augment", "mixup=0.2")
	facesFile(t, "faces.csv")
	refused(t, "-augment mixes classes, which are what network net1 must learn", "-model", "net1", "-data", "keypoints:faces.csv", "-augment", "mixup=0.2")
}
