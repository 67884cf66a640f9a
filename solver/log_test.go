package solver

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/results"
)

func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), results.LogFile)
	w, err := newLog(path)
	require.NoError(t, err)
	lines := []results.LogLine{
		{Iteration: 1, Epoch: 0.5, Loss: 2.25, Rate: 0.01, ImagesPerSecond: 100},
		{Iteration: 2, Epoch: 1, Loss: 2, TestLoss: new(1.5), Test: results.Metrics{{Name: "accuracy"}, {Name: "top5", Value: 0.5}}, Rate: 0.01, ImagesPerSecond: 120},
		{Iteration: 3, Epoch: 1.5, Loss: 1.75, Rate: 0.001, ImagesPerSecond: 110},
	}
	for _, l := range lines {
		require.NoError(t, w.write(l))
	}
	require.NoError(t, w.Close())
	_, err = newLog(path)
	require.ErrorIs(t, err, fs.ErrExist)

	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, `{"iteration":1,"epoch":0.5,"loss":2.25,"rate":0.01,"images_per_second":100}
{"iteration":2,"epoch":1,"loss":2,"test_loss":1.5,"accuracy":0,"top5":0.5,"rate":0.01,"images_per_second":120}
{"iteration":3,"epoch":1.5,"loss":1.75,"rate":0.001,"images_per_second":110}
`, string(content))
	read := func() []results.LogLine {
		log, err := results.ReadLog(path)
		require.NoError(t, err)
		return log
	}
	require.Equal(t, lines, read())

	// Wherever the process was killed, what was whole is there.
	second := len(`{"iteration":1,"epoch":0.5,"loss":2.25,"rate":0.01,"images_per_second":100}`)
	for cut := range content {
		require.NoError(t, os.WriteFile(path, content[:cut], 0o666))
		log := read()
		require.Equal(t, lines[:len(log)], append([]results.LogLine{}, log...))
		require.Equal(t, cut >= second, len(log) >= 1, cut)
	}

	// A run that goes on behind iteration 2 writes over what came after.
	require.NoError(t, os.WriteFile(path, content[:len(content)-20], 0o666))
	w, err = resumeLog[results.LogLine](path, 2)
	require.NoError(t, err)
	require.Equal(t, lines[:2], read())
	require.NoError(t, w.write(lines[2]))
	require.Equal(t, lines, read())
	require.NoError(t, w.Close())
	w, err = resumeLog[results.LogLine](path, 1)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.Equal(t, lines[:1], read())
}

func TestResumeLogThatIsDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), results.LogFile)
	require.NoError(t, os.WriteFile(path, []byte("nonsense\n"), 0o666))
	_, err := resumeLog[results.LogLine](path, 3)
	require.ErrorContains(t, err, path+": line 1: ")
	require.ErrorContains(t, err, "; the run goes on without that file, so move it away")
}

func TestResumeLogThatIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), results.LogFile)
	w, err := resumeLog[results.LogLine](path, 7)
	require.NoError(t, err)
	require.NoError(t, w.write(results.LogLine{Iteration: 8}))
	require.NoError(t, w.Close())
	log, err := results.ReadLog(path)
	require.NoError(t, err)
	require.Equal(t, []results.LogLine{{Iteration: 8}}, log)
}

// cannotWrite makes a log one that cannot be written, as on a disk that failed.
func cannotWrite(t *testing.T, w *logWriter) {
	t.Helper()
	f, err := os.Open(w.file.Name())
	require.NoError(t, err)
	require.NoError(t, w.file.Close())
	w.file = f
}

// calledOff is a data set that calls a function when it is read.
type calledOff struct {
	data.Dataset
	called func()
}

func (d calledOff) Read(dst []float32, i int) (int32, error) {
	d.called()
	return d.Dataset.Read(dst, i)
}

// A log that cannot be written any more in the middle of a run ends it with an error
// that names the file, whatever was to be written. The last checkpoint is good.
func TestALogThatCannotBeWritten(t *testing.T) {
	straight := trainIn(t, smallConfig(t))
	for name, change := range map[string]struct {
		log  string
		when func(c *Config, breakLog, stop func())
	}{
		"a line": {results.LogFile, func(c *Config, breakLog, stop func()) {
			c.Observers = []Observer{watch(func(p Progress) {
				if p.Iteration == 3 {
					breakLog()
				}
			})}
		}},
		"the line of a test": {results.LogFile, func(c *Config, breakLog, stop func()) { c.Observers = []Observer{watch(func(Test) { breakLog() })} }},
		"the line of a test that is cut short": {results.LogFile, func(c *Config, breakLog, stop func()) {
			test := c.Test
			c.Test = calledOff{test, func() { stop() }}
			c.Observers = []Observer{watch(func(p Progress) {
				if p.Iteration == 6 {
					breakLog()
				}
			})}
		}},
		"a line of the layers": {DebugFile, func(c *Config, breakLog, stop func()) {
			c.DebugEvery = 4
			c.Observers = []Observer{watch(func(p Progress) {
				if p.Iteration == 3 {
					breakLog()
				}
			})}
		}},
		"a line of the monitor": {results.MonitorFile, func(c *Config, breakLog, stop func()) {
			c.MonitorEvery = 4
			c.Observers = []Observer{watch(func(p Progress) {
				if p.Iteration == 3 {
					breakLog()
				}
			})}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := smallConfig(t)
			c.Dir = filepath.Join(t.TempDir(), "run")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var tr *trainer
			broken := false
			test := c.Test
			change.when(&c, func() {
				if !broken {
					broken = true
					cannotWrite(t, map[string]*logWriter{results.LogFile: tr.record.log, DebugFile: tr.record.debugLog, results.MonitorFile: tr.record.monitor}[change.log])
				}
			}, cancel)
			tr, err := newTrainer(c)
			require.NoError(t, err)
			err = tr.run(ctx)
			require.ErrorContains(t, err, "write "+filepath.Join(c.Dir, change.log)+": ")
			require.NotErrorIs(t, err, context.Canceled)
			require.True(t, broken)
			require.NoError(t, tr.close())
			require.NoError(t, tr.release())

			c = smallConfig(t)
			c.Test = test
			checkpoint, err := ReadCheckpoint(filepath.Dir(tr.record.file(results.LogFile)))
			require.NoError(t, err)
			require.Zero(t, checkpoint.Iteration%6, "the one at the start, or at an epoch's end")
			resume(t, tr.c.Dir, c)
			requireSameFiles(t, straight, tr.c.Dir)
		})
	}
}
