package program

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/solver"
)

// checkRunFolder looks at the folder that a run is to be written into.
func (o *options) checkRunFolder() error {
	if o.withPreprocessing {
		return errors.New("-with-preprocessing is for a network, and the files are those of a run")
	}
	entries, err := os.ReadDir(o.out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if w, err := writerOf(o.out); err == nil {
			return fmt.Errorf("-o %s: the files are those of a run, which is written into a folder, such as -o runs/net; leave out the state of the training to write %s", o.out, w.Suffix)
		}
		err = command.CheckFolder(o.out)
	case err != nil:
		err = cmp.Or(command.CheckFolder(filepath.Dir(o.out)), err)
	case len(entries) > 0:
		err = fmt.Errorf("%s is there already, and not empty: choose another folder for the run", o.out)
	}
	if err != nil {
		return fmt.Errorf("-o: %w", err)
	}
	return nil
}

// writeRun writes a run into the folder of -o, and says how to go on with it.
func (o *options) writeRun(stdout io.Writer, r *formats.Run) error {
	tensors, metadata, err := r.Checkpoint(o.batch)
	if err != nil {
		return err
	}
	_, missing := os.Stat(o.out)
	if err := os.MkdirAll(o.out, 0o777); err != nil {
		return command.BrokenError{Err: err}
	}
	file := filepath.Join(o.out, solver.CheckpointFile)
	if err := safetensors.Write(file, tensors, metadata); err != nil {
		return command.BrokenError{Err: err}
	}
	if _, err := solver.PeekCheckpoint(o.out); err != nil {
		_ = os.Remove(file) // the error says enough
		if missing != nil {
			_ = os.Remove(o.out)
		}
		return fmt.Errorf("train cannot go on with this run, which was not written: %w", err)
	}
	longer := ""
	if r.Iteration >= r.Iterations {
		longer = fmt.Sprintf(" -iters N, with N above %d", r.Iteration)
	}
	of := ""
	if r.Iterations > 0 {
		of = fmt.Sprintf(" of %d", r.Iterations)
	}
	_, err = fmt.Fprintf(stdout, "%s: a run of %v at iteration %d%s, from %s\ngo on with it: train -resume %s -data SET%s\n",
		printable.Name(o.out), r.Network, r.Iteration, of, r.Format, command.Quoted(o.out), longer)
	return err
}
