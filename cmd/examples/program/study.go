package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	train "github.com/hubel-go/hubel/cmd/train/program"
	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/report"
	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
)

// study is a call of an example.
type study struct {
	*options
	ctx            context.Context
	stdout, stderr io.Writer
}

// training is one row of an example's table: trainings that differ in the seed alone.
type training struct {
	name  string   // in the table, and of its folders, NAME-SEED
	flags []string // of train, besides -seed and -out
}

// outcome is what a training left behind.
type outcome struct {
	name string
	seed int
	dir  string // its folder
	log  []results.LogLine
}

// trainAll trains each row with each seed, the rows of one seed after the other. The
// outcomes are by row and then by seed.
func (s *study) trainAll(rows ...training) ([][]outcome, error) {
	all := make([][]outcome, len(rows))
	for seed := 1; seed <= s.seeds; seed++ {
		for i, row := range rows {
			o, err := s.train(row, seed)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], o)
		}
	}
	return all, nil
}

// train trains one row with a seed, in the folder NAME-SEED, which gets a file NAME-SEED.sh
// beside it with the command, and NAME-SEED.txt with what train prints. A training that has
// ended is read, and one that was stopped goes on, if its command is the same.
func (s *study) train(row training, seed int) (outcome, error) {
	o := outcome{name: row.name, seed: seed, dir: filepath.Join(s.out, fmt.Sprintf("%s-%d", row.name, seed))}
	args := slices.Concat([]string{"bin/train"}, row.flags, s.rest, []string{"-seed", fmt.Sprint(seed), "-out", o.dir})
	line := shell(args)
	fmt.Fprintln(s.stdout, line)
	args, err := begin(args, line, o.dir)
	if err != nil {
		return o, err
	}
	if args != nil {
		if err := s.call(args, o.dir+".txt"); err != nil {
			return o, err
		}
	}
	if o.log, err = results.ReadLog(filepath.Join(o.dir, results.LogFile)); err != nil {
		return o, err
	}
	last, ok := o.last()
	if !ok {
		return o, fmt.Errorf("%s: the training has no test", o.dir)
	}
	text := fmt.Sprintf("  test loss %.4f", *last.TestLoss)
	if x, ok := last.Test.Get(accuracy); ok {
		text += fmt.Sprintf(", %s %.2f %%", accuracy, 100*x)
	}
	fmt.Fprintln(s.stdout, text)
	return o, nil
}

// begin writes the command of a training beside its folder, or compares it with the one
// that is there. It returns what train is to be called with: args, or where the training had
// begun those that go on with it, or nil if it is done.
func begin(args []string, line, dir string) (left []string, err error) {
	path := dir + ".sh"
	was, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return nil, err
		}
		return args, atomicfile.Write(path, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, line)
			return err
		})
	case err != nil:
		return nil, err
	case string(was) != line+"\n":
		return nil, fmt.Errorf("%s has another command than this one: choose another folder with -out, or remove %s", path, filepath.Dir(dir))
	}
	c, err := solver.PeekCheckpoint(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return args, nil
	case err != nil:
		return nil, err
	case c.Done(c.Config.Iterations):
		return nil, nil
	}
	return append([]string{args[0], "-resume", dir}, train.ResumeFlags(args[1:])...), nil
}

// call runs train, whose output goes to a file. Its errors are on standard error already.
func (s *study) call(args []string, output string) (err error) {
	f, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer command.Close(f, &err)
	switch code := train.Run(s.ctx, args, f, s.stderr); {
	case code == command.Done:
		return nil
	case s.ctx.Err() != nil:
		return s.ctx.Err()
	case code == command.Wrong:
		return errors.New("train refused its flags or files, see above")
	}
	return command.BrokenError{Err: fmt.Errorf("a training failed; %s has what it printed", output)}
}

// epochsOr is -epochs, or a number of the example's own.
func (s *study) epochsOr(usual int) int {
	if s.epochs > 0 {
		return s.epochs
	}
	return usual
}

// firstSeeds are the trainings of each row with the first seed, as report.Runs draws them.
func firstSeeds(rows [][]outcome) (runs []report.Run) {
	for _, seeds := range rows {
		runs = append(runs, report.Run{Name: seeds[0].name, Log: seeds[0].log})
	}
	return runs
}

// last is the last line of the log that has a test, that of the end.
func (o outcome) last() (results.LogLine, bool) {
	for i := len(o.log) - 1; i >= 0; i-- {
		if o.log[i].TestLoss != nil {
			return o.log[i], true
		}
	}
	return results.LogLine{}, false
}

// shell is a command as a shell takes it.
func shell(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = command.Quoted(a)
	}
	return strings.Join(words, " ")
}
