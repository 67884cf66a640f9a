package solver

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/results"
)

// requireSameFiles requires that two runs left the same bytes.
func requireSameFiles(t *testing.T, want, got string) {
	t.Helper()
	for _, name := range []string{WeightsFile, BestFile, AverageFile, CheckpointFile} {
		if _, err := os.Stat(filepath.Join(want, name)); (name == BestFile || name == AverageFile) && errors.Is(err, fs.ErrNotExist) {
			require.NoFileExists(t, filepath.Join(got, name)) // nothing was tested, or averaged
			continue
		}
		a, err := os.ReadFile(filepath.Join(want, name))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(got, name))
		require.NoError(t, err)
		require.True(t, string(a) == string(b), "%s is not the same", name)
	}
}

// requireSameLog requires that two logs differ in speeds alone.
func requireSameLog(t *testing.T, want, got string) {
	t.Helper()
	var logs [2][]results.LogLine
	for i, dir := range []string{want, got} {
		log, err := results.ReadLog(filepath.Join(dir, results.LogFile))
		require.NoError(t, err)
		for k := range log {
			log[k].ImagesPerSecond, log[k].InputPerSecond = 0, 0
		}
		logs[i] = log
	}
	require.Equal(t, logs[0], logs[1])
}

// stopAfter trains in a new folder, cancels after an iteration, and returns
// the folder.
func stopAfter(t *testing.T, c Config, iteration int) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.Dir = filepath.Join(t.TempDir(), "run")
	c.Observers = []Observer{watch(func(p Progress) {
		if p.Iteration == iteration {
			cancel()
		}
	})}
	result, err := Train(ctx, c)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "stopped after ")
	require.ErrorContains(t, err, "resume "+c.Dir+" to go on")
	require.Equal(t, iteration, result.Iteration)
	return c.Dir
}

// resume goes on as a command does: with what the checkpoint says.
func resume(t *testing.T, dir string, c Config) {
	t.Helper()
	checkpoint, err := ReadCheckpoint(dir)
	require.NoError(t, err)
	r := checkpoint.Config
	r.Device, r.Train, r.Test, r.LogEvery = c.Device, c.Train, c.Test, c.LogEvery
	r.Iterations, r.Patience, r.Watch = c.Iterations, c.Patience, c.Watch
	_, err = Train(t.Context(), r)
	require.NoError(t, err)
}

func TestResumingLeavesTheSameBytes(t *testing.T) {
	changes := map[string]func(c *Config){
		"one pass":   func(*Config) {},
		"two passes": func(c *Config) { c.Batch, c.Accumulate = 8, 2 },
		"three passes, the last of an epoch alone": func(c *Config) { c.Batch, c.Accumulate = 6, 3 }, // 90 = 5*18
		"nesterov": func(c *Config) {
			c.Optimiser = Optimiser{Schedule: Schedule{Policy: Step, Rate: 0.05, Gamma: 0.5, Step: 3}, Momentum: 0.8, Nesterov: true}
		},
		"frozen":   func(c *Config) { c.Frozen = []string{"conv1.bias"} },
		"balanced": func(c *Config) { c.Balance = true },
	}
	changes["one cycle"] = func(c *Config) {
		c.Optimiser = Optimiser{Schedule: Schedule{Policy: OneCycle, Rate: 0.1, Gamma: 0.1, Warmup: 2}, Momentum: 0.95, MomentumEnd: 0.85}
	}
	changes["moving average"] = func(c *Config) { c.Optimiser.EMA, c.Frozen = 0.75, []string{"conv1"} }
	changes["rates of layers"] = func(c *Config) { c.Optimiser.LayerRates = map[string]float32{"fc2": 0.5, "conv1": 2} }
	changes["mean"] = func(c *Config) { c.Optimiser.SWA = 5 }
	for _, method := range Methods() {
		changes[method] = func(c *Config) {
			c.Optimiser = Defaults(method)
			c.Optimiser.Schedule = Schedule{Policy: Poly, Rate: c.Optimiser.Schedule.Rate, Power: 1}
			c.Optimiser.ClipNorm = 2
		}
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			c := smallConfig(t)
			change(&c)
			straight := trainIn(t, c)
			for _, iteration := range []int{4, 6} { // within an epoch, at its end
				dir := stopAfter(t, c, iteration)
				checkpoint, err := ReadCheckpoint(dir)
				require.NoError(t, err)
				require.Equal(t, iteration, checkpoint.Iteration)
				require.Equal(t, c.Train.Len(), checkpoint.Samples)
				require.Equal(t, c.Train.Classes(), checkpoint.Classes)
				require.Equal(t, c.Data, checkpoint.Config.Data)
				resume(t, dir, c)
				requireSameFiles(t, straight, dir)
				if iteration == 4 { // after 6 the test was cancelled
					requireSameLog(t, straight, dir)
				}
			}
		})
	}
}

func TestResumingWithMoreIterations(t *testing.T) {
	c := smallConfig(t)
	c.Optimiser.Schedule = Schedule{Policy: Inv, Rate: 0.05, Gamma: 0.1, Power: 1}
	straight := trainIn(t, c)
	c.Optimiser.Method = SGD // as the empty name
	c.Iterations = 4
	dir := trainIn(t, c)
	c.Iterations = 10
	resume(t, dir, c)
	requireSameFiles(t, straight, dir)

	// The cosine of a longer run: the rate jumps up.
	c = smallConfig(t)
	c.Iterations = 5
	dir = trainIn(t, c)
	checkpoint, err := ReadCheckpoint(dir)
	require.NoError(t, err)
	r := checkpoint.Config
	r.Device, r.Train, r.Test, r.Iterations = c.Device, c.Train, c.Test, 10
	var rates []float32
	r.Observers = []Observer{watch(func(p Progress) { rates = append(rates, p.Rate) })}
	_, err = Train(t.Context(), r)
	require.NoError(t, err)
	require.Len(t, rates, 5)
	require.InDelta(t, 0.025, rates[0], 1e-8) // of iteration 5 of 10
}

// A process that is killed leaves a checkpoint, a log that is ahead of it, and
// perhaps a part of a line.
func TestResumingAfterACrash(t *testing.T) {
	c := smallConfig(t)
	c.CheckpointEvery = 4
	straight := trainIn(t, c)
	c.Dir = filepath.Join(t.TempDir(), "run")
	killed := filepath.Join(t.TempDir(), "killed")
	c.Observers = []Observer{watch(func(p Progress) {
		if p.Iteration == 8 {
			require.NoError(t, os.CopyFS(killed, os.DirFS(c.Dir)))
		}
	})}
	_, err := Train(t.Context(), c)
	require.NoError(t, err)
	f, err := os.OpenFile(filepath.Join(killed, results.LogFile), os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"iteration":8,"epo`)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	log, err := results.ReadLog(filepath.Join(killed, results.LogFile))
	require.NoError(t, err)
	require.Equal(t, 6, log[len(log)-1].Iteration)

	resume(t, killed, c)
	requireSameFiles(t, straight, killed)
	requireSameLog(t, straight, killed)
}

func TestStoppingBeforeTheFirstIteration(t *testing.T) {
	c := smallConfig(t)
	straight := trainIn(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.Dir = filepath.Join(t.TempDir(), "run")
	result, err := Train(ctx, c)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, result.Iteration)
	resume(t, c.Dir, c)
	requireSameFiles(t, straight, c.Dir)
}

// A test that is cut short is made up for: the same bytes, the same log.
func TestStoppingWithinATest(t *testing.T) {
	for _, iterations := range []int{10, 6, 5} { // the test of iteration 6, 6 of 6, 5 of 5
		c := smallConfig(t)
		c.Iterations = iterations
		straight := trainIn(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		with := c
		with.Dir = filepath.Join(t.TempDir(), "run")
		with.Test = cancelling{c.Test, cancel}
		result, err := Train(ctx, with)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, min(6, iterations), result.Iteration)
		checkpoint, err := ReadCheckpoint(with.Dir)
		require.NoError(t, err)
		require.Equal(t, min(6, iterations), checkpoint.Iteration)
		require.False(t, checkpoint.Done(iterations))
		resume(t, with.Dir, c)
		requireSameFiles(t, straight, with.Dir)
		requireSameLog(t, straight, with.Dir)
		checkpoint, err = ReadCheckpoint(with.Dir)
		require.NoError(t, err)
		require.True(t, checkpoint.Done(iterations))
	}
}

func TestStoppingWhereNothingCanBeWritten(t *testing.T) {
	c := smallConfig(t)
	ctx, cancel := context.WithCancel(t.Context())
	c.Dir = filepath.Join(t.TempDir(), "run")
	c.Observers = []Observer{watch(func(Progress) {
		cancel()
		require.NoError(t, os.Remove(filepath.Join(c.Dir, WeightsFile)))
		require.NoError(t, os.MkdirAll(filepath.Join(c.Dir, WeightsFile, "in the way"), 0o777))
	})}
	_, err := Train(ctx, c)
	require.ErrorContains(t, err, "stopped after 1 of 10 iterations, and the checkpoint could not be written: ")
	require.ErrorContains(t, err, filepath.Join(c.Dir, WeightsFile))
	require.NotErrorIs(t, err, context.Canceled, "which would mean that it is saved")
}

// cancelling is a data set that cancels when it is read.
type cancelling struct {
	data.Dataset
	cancel func()
}

func (c cancelling) Read(dst []float32, i int) (int32, error) {
	c.cancel()
	return c.Dataset.Read(dst, i)
}

// unwritable is a layer that has no JSON.
type unwritable struct{ layers.Layer }

func (unwritable) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a layer that cannot be written")
}

func TestResumeRefusesAnotherConfiguration(t *testing.T) {
	c := smallConfig(t)
	c.Iterations = 3
	c.Dir = trainIn(t, c)
	c.Resume = true
	c.Iterations = 10
	for want, change := range map[string]func(c *Config){
		"batch is 8, but the run was started with 16":                                      func(c *Config) { c.Batch = 8 },
		"accumulate is 3, but the run was started with 1":                                  func(c *Config) { c.Accumulate = 3 },
		"seed is 9223372036854788154, but the run was started with 9223372036854788153":    func(c *Config) { c.Seed++ },
		"balance is true, but the run was started with nothing":                            func(c *Config) { c.Balance = true },
		"momentum is 0.5, but the run was started with 0.9":                                func(c *Config) { c.Optimiser.Momentum = 0.5 },
		"the optimiser is adam, but the run was started with sgd":                          func(c *Config) { c.Optimiser = Defaults(Adam) },
		"decay is 0, but the run was started with 0.001":                                   func(c *Config) { c.Optimiser.Decay = 0 },
		"clip_norm is nothing, but the run was started with 2":                             func(c *Config) { c.Optimiser.ClipNorm = 0 },
		`layer_rates is {"fc2":0.5}, but the run was started with nothing`:                 func(c *Config) { c.Optimiser.LayerRates = map[string]float32{"fc2": 0.5} },
		"ema is 0.5, but the run was started with nothing":                                 func(c *Config) { c.Optimiser.EMA = 0.5 },
		"nesterov is true, but the run was started with nothing":                           func(c *Config) { c.Optimiser.Nesterov = true },
		"schedule.rate is 0.1, but the run was started with 0.05":                          func(c *Config) { c.Optimiser.Schedule.Rate = 0.1 },
		`schedule.policy is "fixed", but the run was started with "cosine"`:                func(c *Config) { c.Optimiser.Schedule.Policy = Fixed },
		`frozen is ["fc2"], but the run was started with nothing`:                          func(c *Config) { c.Frozen = []string{"fc2"} },
		"there are 91 samples to train on, but the run was started with 90; name the same": func(c *Config) { c.Train, _ = synthetic(t, 91, 1, 1, 12, 12) },
		"preprocess.mean.0 is 100, but the run was started with 128":                       func(c *Config) { c.Preprocess.Mean = []float32{100} },
		`network.name is "other", but the run was started with "small"`:                    func(c *Config) { c.Network = smallNet(); c.Network.Name = "other" },
		"network.layers.3.options.p is 0.5, but the run was started with 0.3":              func(c *Config) { c.Network = smallNet(); c.Network.Nodes[3].Layer = &layers.Dropout{P: 0.5} },
		`network.outputs.0 is "fc2", but the run was started with "prob"`:                  func(c *Config) { c.Network = smallNet(); c.Network.Outputs = []string{"fc2"} },
		"a layer that cannot be written": func(c *Config) {
			c.Network = smallNet()
			c.Network.Nodes[3].Layer = unwritable{&layers.Dropout{P: 0.3}}
		},
		"3 of 3 iterations are done; ask for more to go on":                                 func(c *Config) { c.Iterations = 3 },
		"a run that is resumed has its own weights; other.safetensors cannot be loaded too": func(c *Config) { c.Weights = "other.safetensors" },
		"there is no folder to resume a run from":                                           func(c *Config) { c.Dir = "" },
		"there is no run to resume in nowhere: open nowhere/checkpoint.safetensors: ":       func(c *Config) { c.Dir = "nowhere" },
	} {
		with := c
		change(&with)
		_, err := Train(t.Context(), with)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
	}
	_, err := Train(t.Context(), c)
	require.NoError(t, err, "and the run is as it was")
}

func TestADamagedCheckpointIsNamedAndTheOneBeforeUsed(t *testing.T) {
	c := smallConfig(t)
	c.CheckpointEvery = 3
	straight := trainIn(t, c)
	whole := stopAfter(t, c, 7) // checkpoints of 6 and 7
	for name, damage := range map[string]func(b []byte) []byte{
		"a bit":         func(b []byte) []byte { b[len(b)-5] ^= 1; return b },
		"in the header": func(b []byte) []byte { b[200] ^= 1; return b },
		"cut":           func(b []byte) []byte { return b[:len(b)/2] },
		"empty":         func(b []byte) []byte { return nil },
		"zeros":         func(b []byte) []byte { clear(b); return b },
		"no checksum": func(b []byte) []byte {
			b[len(b)-5] ^= 1
			return bytes.Replace(b, []byte(`"sha256"`), []byte(`"sha257"`), 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			require.NoError(t, os.CopyFS(dir, os.DirFS(whole)))
			path := filepath.Join(dir, CheckpointFile)
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			damaged := damage(b)
			require.NoError(t, os.WriteFile(path, damaged, 0o666))
			checkpoint, err := ReadCheckpoint(dir)
			require.NoError(t, err)
			require.Equal(t, 6, checkpoint.Iteration)
			require.ErrorContains(t, checkpoint.Damaged, path+": ")
			resume(t, dir, c)
			requireSameFiles(t, straight, dir)
			requireSameLog(t, straight, dir)
			kept, err := os.ReadFile(filepath.Join(dir, DamagedFile))
			require.NoError(t, err)
			require.Equal(t, string(damaged), string(kept))
			checkpoint, err = ReadCheckpoint(dir)
			require.NoError(t, err)
			require.NoError(t, checkpoint.Damaged)
		})
	}

	// Killed between the two renames of a write: it is as if it were not
	// there, and nothing is damaged.
	dir := filepath.Join(t.TempDir(), "run")
	require.NoError(t, os.CopyFS(dir, os.DirFS(whole)))
	require.NoError(t, os.Remove(filepath.Join(dir, CheckpointFile)))
	left := filepath.Join(dir, CheckpointFile+"."+rand.Text()+".tmp")
	require.NoError(t, os.WriteFile(left, nil, 0o666))
	checkpoint, err := ReadCheckpoint(dir)
	require.NoError(t, err)
	require.NoError(t, checkpoint.Damaged)
	resume(t, dir, c)
	requireSameFiles(t, straight, dir)
	require.NoFileExists(t, left, "which a kill left")
}

func TestCheckpointsThatAreNoUse(t *testing.T) {
	c := smallConfig(t)
	c.Iterations = 7
	c.CheckpointEvery = 3
	c.Dir = trainIn(t, c)
	for _, name := range []string{CheckpointFile, PreviousFile} {
		path := filepath.Join(c.Dir, name)
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		b[len(b)-5] ^= 1
		require.NoError(t, os.WriteFile(path, b, 0o666))
	}
	c.Resume = true
	c.Iterations = 10
	_, err := Train(t.Context(), c)
	require.ErrorContains(t, err, filepath.Join(c.Dir, CheckpointFile)+": the file is damaged")
	require.ErrorContains(t, err, filepath.Join(c.Dir, PreviousFile)+": the file is damaged")
	const remedy = "; a new run can start from the weights in best.safetensors or weights.safetensors beside it"
	require.ErrorContains(t, err, remedy)
	require.NotContains(t, err.Error(), "\n")
	require.NoError(t, os.Remove(filepath.Join(c.Dir, PreviousFile)))
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, CheckpointFile+": the file is damaged: its checksum does not match; there is none before it"+remedy)
	path := filepath.Join(c.Dir, CheckpointFile)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, bytes.Replace(b, []byte(`"sha256"`), []byte(`"sha257"`), 1), 0o666))
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, CheckpointFile+": the file has no checksum; there is none before it"+remedy)
	weights, err := os.ReadFile(filepath.Join(c.Dir, WeightsFile))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, weights, 0o666))
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, CheckpointFile+": it is no checkpoint: it has weights, but nothing of the run")
	_, err = ReadCheckpoint(filepath.Join(c.Dir, WeightsFile))
	require.ErrorContains(t, err, WeightsFile+": it is not a folder")
	require.NoError(t, os.Remove(filepath.Join(c.Dir, CheckpointFile)))
	_, err = ReadCheckpoint(c.Dir)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "there is no run to resume in "+c.Dir)
}

func TestARunIsNotOverwritten(t *testing.T) {
	c := smallConfig(t)
	c.Dir = trainIn(t, c)
	before := requireFiles(t, c.Dir)
	_, err := Train(t.Context(), c)
	require.ErrorContains(t, err, c.Dir+" already holds a run (checkpoint.safetensors): resume it, or choose another folder")
	require.Equal(t, before, requireFiles(t, c.Dir))
	for _, name := range []string{CheckpointFile, PreviousFile, WeightsFile, BestFile} {
		require.NoError(t, os.Remove(filepath.Join(c.Dir, name)))
	}
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, "already holds a part of a run (log.jsonl): remove it, or choose another folder")

	require.NoError(t, os.WriteFile(filepath.Join(c.Dir, AverageFile), nil, 0o666))
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, "already holds a part of a run (average.safetensors): remove it, or choose another folder")
	require.NoError(t, os.Remove(filepath.Join(c.Dir, AverageFile)))

	// A folder with other things in it is welcome.
	require.NoError(t, os.Rename(filepath.Join(c.Dir, results.LogFile), filepath.Join(c.Dir, "notes.txt")))
	_, err = Train(t.Context(), c)
	require.NoError(t, err)
}

// requireFiles are the contents of a folder.
func requireFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		files[e.Name()] = string(b)
	}
	return files
}

// onOther is a device that rounds otherwise, or says so.
type onOther struct {
	device.Device
	arithmetic string
}

func (d onOther) Arithmetic() string { return d.arithmetic }

func TestResumingOnAnotherArithmetic(t *testing.T) {
	c := smallConfig(t)
	was := c.Device.Arithmetic()
	whole := trainIn(t, c)
	dir := stopAfter(t, c, 4)
	checkpoint, err := ReadCheckpoint(dir)
	require.NoError(t, err)
	require.Equal(t, was, checkpoint.Arithmetic)

	r := checkpoint.Config
	r.Device, r.Train, r.Test, r.LogEvery = onOther{c.Device, "abacus of 7 rods"}, c.Train, c.Test, c.LogEvery
	before := readAll(t, dir)
	_, err = Train(t.Context(), r)
	require.EqualError(t, err, "resume "+dir+": the run was trained on "+was+", and abacus of 7 rods rounds differently")
	require.ErrorAs(t, err, new(*ArithmeticError))
	require.Equal(t, before, readAll(t, dir))

	// With the user's word it goes on, says so, and is a run on that device then.
	other := filepath.Join(t.TempDir(), "other")
	require.NoError(t, os.CopyFS(other, os.DirFS(dir)))
	var notices []string
	o := r
	o.Dir, o.OtherArithmetic = other, true
	o.Observers = []Observer{watch(func(n Notice) { notices = append(notices, n.Text) })}
	_, err = Train(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, []string{"the run was trained on " + was + " and goes on on abacus of 7 rods, which rounds differently: it will not end with the bytes of a run on one of them"}, notices)
	checkpoint, err = ReadCheckpoint(other)
	require.NoError(t, err)
	require.Equal(t, "abacus of 7 rods", checkpoint.Arithmetic)

	// On the same device the word changes nothing, and nothing is said.
	notices = nil
	r.Device, r.OtherArithmetic, r.Observers = c.Device, true, o.Observers
	_, err = Train(t.Context(), r)
	require.NoError(t, err)
	require.Empty(t, notices)
	requireSameFiles(t, whole, dir)
}

// A checkpoint of the time before arithmetics were kept is resumed anywhere.
func TestResumingACheckpointWithoutArithmetic(t *testing.T) {
	c := smallConfig(t)
	whole := trainIn(t, c)
	dir := stopAfter(t, c, 4)
	path := filepath.Join(dir, CheckpointFile)
	tensors, metadata, err := modelfile.ReadTensors(path)
	require.NoError(t, err)
	kept := metadata[solverKey]
	metadata[solverKey] = strings.Replace(kept, `,"arithmetic":"`+c.Device.Arithmetic()+`"`, "", 1)
	require.NotEqual(t, kept, metadata[solverKey])
	writeTensors(t, path, tensors, metadata)
	resume(t, dir, c)
	requireSameFiles(t, whole, dir)
}

func TestRetest(t *testing.T) {
	c := smallConfig(t)
	var first, again Test
	c.Dir = filepath.Join(t.TempDir(), "run")
	c.Observers = []Observer{watch(func(e Ended) { first = *e.Test })}
	whole, err := Train(t.Context(), c)
	require.NoError(t, err)
	before := readAll(t, c.Dir)
	c.Resume, c.Retest = true, true
	c.Observers = []Observer{watch(func(e Ended) { again = *e.Test })}
	r, err := Train(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, whole.Best, r.Best)
	require.Equal(t, whole.Loss, r.Loss)
	require.Equal(t, before, readAll(t, c.Dir))

	c.Iterations++
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, "the run has not come to its end, so that there is no last test to repeat")
	c.Test = nil
	_, err = Train(t.Context(), c)
	require.EqualError(t, err, "a test is repeated of a run that is resumed with a test set")
}

// The loss of the first update after a resumption is read, however seldom it is read later,
// so that the progress has it.
func TestTheFirstLossIsRead(t *testing.T) {
	c := smallConfig(t)
	c.Dir, c.LogEvery, c.Iterations = t.TempDir(), 1000, 2
	before, err := Train(t.Context(), c)
	require.NoError(t, err)
	c.Resume, c.Iterations = true, 4
	var losses []float64
	c.Observers = []Observer{watch(func(p Progress) { losses = append(losses, p.Loss) })}
	_, err = Train(t.Context(), c)
	require.NoError(t, err)
	require.Len(t, losses, 2)
	require.NotEqual(t, before.Loss, losses[0], "that is of before")
}
