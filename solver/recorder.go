package solver

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/results"
)

// The names of files in a run's folder, besides results.LogFile.
const (
	// WeightsFile is the trained network.
	WeightsFile = "weights.safetensors"

	// BestFile is a weights file with the weights of the best test. The network's
	// first metric decides which is the best; among equal ones, and for a network
	// without a metric, the lowest loss does.
	BestFile = "best.safetensors"

	// AverageFile is a weights file with the averages of the weights, if the
	// optimiser keeps some. It has the running statistics of WeightsFile.
	AverageFile = "average.safetensors"

	// CheckpointFile has all that resuming needs: the weights, what the optimiser
	// keeps of each trained parameter, such as "momentum/NAME", the configuration of
	// the run, and the results of its tests. Random numbers are counter-based, so
	// their state is the seed and the iteration. PreviousFile is the checkpoint
	// before it. DamagedFile is a checkpoint that could not be read when the run was
	// resumed.
	CheckpointFile = "checkpoint.safetensors"
	PreviousFile   = "checkpoint-previous.safetensors"
	DamagedFile    = "checkpoint-damaged.safetensors"

	// ReplayFile is written if the loss of a run is not finite. It has the batch
	// and all other inputs of the update. Replay repeats the update.
	ReplayFile = "diverged.safetensors"

	// DebugFile is the file of Config.DebugEvery: one line of JSON for each
	// DebugLine.
	DebugFile = "debug.jsonl"

	// LockFile is locked by the process that trains in the folder.
	LockFile = "run.lock"
)

// LockFolder locks a run's folder for this process until the lock is closed.
func LockFolder(dir string) (io.Closer, error) {
	l, err := atomicfile.Lock(filepath.Join(dir, LockFile))
	if errors.Is(err, atomicfile.ErrLocked) {
		return nil, fmt.Errorf("%s: another process trains there: wait for its end, or choose another folder", dir)
	}
	return l, err
}

// refuseRun is an error if there is a run in the folder.
func refuseRun(dir string) error {
	for _, name := range []string{CheckpointFile, PreviousFile, WeightsFile, BestFile, AverageFile, results.LogFile} {
		_, err := os.Lstat(filepath.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case name == CheckpointFile || name == PreviousFile:
			return fmt.Errorf("%s already holds a run (%s): resume it, or choose another folder", dir, name)
		default: // it cannot be resumed
			return fmt.Errorf("%s already holds a part of a run (%s): remove it, or choose another folder", dir, name)
		}
	}
	return nil
}

// recorder writes all that a run leaves in its folder. A file is written beside its
// place and renamed, so that it is there whole or as it was; a line of a log is
// written in one piece. It is the first observer of the run.
type recorder struct {
	dir       string
	lock      io.Closer      // of the folder; nil before it is taken
	log       *logWriter     // nil before the folder is open
	debugLog  *logWriter     // nil where there is none
	monitor   *logWriter     // nil where there is none
	filters   *logWriter     // nil where there is none
	machine   []results.Fact // nil where there is none
	saved     bool           // there is a checkpoint
	abandoned bool           // the first one could not be written, or the first update failed
}

func (r *recorder) file(name string) string { return filepath.Join(r.dir, name) }

func (r *recorder) takeLock() (err error) {
	r.lock, err = LockFolder(r.dir)
	return err
}

// open makes the folder of a new run, or takes over that of one that is resumed, whose
// log goes on after some iterations. Where the newest checkpoint is damaged it is set
// aside. The logs of layers go on after other iterations, if they are wanted.
func (r *recorder) open(resume bool, logged int, damaged, debug, monitor, filters bool, debugged int) (err error) {
	if resume {
		r.log, err = resumeLog[results.LogLine](r.file(results.LogFile), logged)
	} else {
		err = r.newFolder()
	}
	if err != nil {
		return err
	}
	r.saved = resume
	// Nothing can be refused any more: what the last process left is tidied away.
	err = atomicfile.Clean(r.dir)
	if err == nil && damaged { // or it would take the place of the good one
		err = os.Rename(r.file(CheckpointFile), r.file(DamagedFile))
	}
	if err == nil && debug {
		r.debugLog, err = resumeLog[DebugLine](r.file(DebugFile), debugged)
	}
	if err == nil && monitor {
		r.monitor, err = resumeLog[results.MonitorLine](r.file(results.MonitorFile), debugged)
	}
	if err == nil && filters {
		r.filters, err = resumeLog[results.FiltersLine](r.file(results.FiltersFile), debugged)
	}
	if err != nil {
		return FailedError{err}
	}
	return nil
}

// newFolder makes a folder for a new run, and its log.
func (r *recorder) newFolder() error {
	_, err := os.Lstat(r.dir)
	made := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(r.dir, 0o777); err != nil {
		return err
	}
	err = r.takeLock()
	if err == nil { // another process may have been faster
		err = refuseRun(r.dir)
	}
	if err == nil {
		r.log, err = newLog(r.file(results.LogFile))
	}
	if err != nil && made {
		return FailedError{err}
	}
	return err
}

// Observe writes the logs, the machine, and the answers of a test.
func (r *recorder) Observe(e Event) error {
	switch e := e.(type) {
	case Started:
		if r.machine != nil {
			return r.json(results.MachineFile, r.machine)
		}
	case Test:
		if e.Answers != nil {
			return r.json(results.AnswersFile, e.Answers)
		}
	case Logged:
		return r.log.write(e.LogLine)
	case DebugLine:
		return r.debugLog.write(e)
	case Monitored:
		return r.monitor.write(e.MonitorLine)
	case Filtered:
		return r.filters.write(e.FiltersLine)
	}
	return nil
}

// json writes a file of one value.
func (r *recorder) json(name string, value any) error {
	return atomicfile.Write(r.file(name), func(w io.Writer) error { return json.NewEncoder(w).Encode(value) })
}

// checkpoint writes the weights, their averages and a checkpoint, unless they are not finite, and
// returns the checkpoint's path. None holds a time or a speed: the same training
// makes the same bytes.
func (r *recorder) checkpoint(s *snapshot) (path string, err error) {
	if err := checkFinite(s.all()); err != nil {
		return "", err
	}
	if err := safetensors.Write(r.file(WeightsFile), s.weights, s.model); err != nil {
		return "", err
	}
	if averages := s.averages(); averages != nil {
		if err := safetensors.Write(r.file(AverageFile), averages, s.model); err != nil {
			return "", err
		}
	}
	metadata, err := s.metadata()
	if err != nil {
		return "", err
	}
	path = r.file(CheckpointFile)
	err = atomicfile.Rotate(path, r.file(PreviousFile), func(w io.Writer) error {
		return safetensors.WriteTo(w, s.all(), metadata)
	})
	r.saved = r.saved || err == nil
	return path, err
}

// bestKey is the key, in the metadata of BestFile, of its score in JSON.
const bestKey = "best"

// best writes the weights of a network as the best, and returns the path.
func (r *recorder) best(weights []safetensors.Tensor, model map[string]string, s *score) (path string, err error) {
	if err := modelfile.PutJSON(model, map[string]any{bestKey: s}); err != nil {
		return "", err
	}
	path = r.file(BestFile)
	return path, safetensors.Write(path, weights, model)
}

// diverged writes what it takes to repeat an update, and returns the path.
func (r *recorder) diverged(tensors []safetensors.Tensor, metadata map[string]string) (path string, err error) {
	path = r.file(ReplayFile)
	return path, safetensors.Write(path, tensors, metadata)
}

// closeLogs closes the logs that are open.
func (r *recorder) closeLogs() error {
	var errs []error
	for _, l := range []*logWriter{r.debugLog, r.monitor, r.filters, r.log} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	return cmp.Or(errs...)
}

// release gives the folder free. A run that has failed before it has learned anything
// leaves no file, so that it can be started again.
func (r *recorder) release() (err error) {
	if r.abandoned {
		for _, name := range []string{WeightsFile, AverageFile, CheckpointFile, results.LogFile, DebugFile, results.MonitorFile, results.FiltersFile, results.MachineFile, results.AnswersFile} {
			if gone := os.Remove(r.file(name)); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
				err = gone
				break
			}
		}
	}
	if r.lock == nil {
		return err
	}
	return cmp.Or(err, r.lock.Close())
}
