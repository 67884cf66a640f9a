package program

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/report"
	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
)

// The pictures and tables in a run's folder.
const (
	curveFile     = "curve.png"
	filtersFile   = "filters.png"
	confusionFile = "confusion" // .png and .csv
	monitorFile   = "monitor.png"
)

// extra is an observer that writes files of its own into the run's folder.
type extra interface {
	solver.Observer

	// files are the names of those that it has written.
	files() []string
}

// session is what is shown of one training.
type session struct {
	c        solver.Config
	extras   []extra
	skipped  []data.Skip
	parts    []string    // of the data, where it has some
	index    *data.Index // of its tar files; nil where none is kept
	program  string
	stdout   io.Writer
	stderr   io.Writer
	progress *progress
	started  time.Time

	begun  bool
	first  int // iterations done before
	last   solver.Progress
	losses float64 // sum since the last test
	count  int
}

// Observe shows an event, and draws the pictures of a run that has come to its end.
func (s *session) Observe(e solver.Event) error {
	switch e := e.(type) {
	case solver.Started:
		s.first = e.Iteration
		s.index.Save()
	case solver.Progress:
		s.update(e)
	case solver.Test:
		s.tested(e)
	case solver.Notice:
		s.notice(e.Text)
	case solver.Ended:
		if e.Err == nil {
			return s.finished(e.Result)
		}
	}
	return nil
}

// update shows how far training is.
func (s *session) update(p solver.Progress) {
	if !s.begun {
		s.begun = true
		fmt.Fprintf(s.stdout, "%s on %s into %s: %d images to train, %d to test; %d iterations of %d on %s%s\n",
			printable.Name(s.c.Network.Name), printable.Name(dataName(s.c.Data)), printable.Name(s.c.Dir), s.c.Train.Len(), s.c.Test.Len(), p.Iterations, s.c.Whole(), onRanks(s.c), someClasses(s.c.Train.Classes()))
		if len(s.parts) > 1 {
			fmt.Fprintf(s.stdout, "parts of the data: %q to train on, %q to test on%s\n", s.parts[0], s.parts[1], forEval(s.parts[2:]))
		}
		if n := len(s.skipped); n > 0 {
			fmt.Fprintf(s.stdout, "files that cannot be used and are left out: %d; they are listed at the end\n", n)
		}
	}
	s.last = p
	s.losses += p.Loss
	s.count++
	s.progress.update(p)
}

// forEval says what a part is for that is beside those of training.
func forEval(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf(", %q for -eval alone", parts[0])
}

// someClasses is how many classes there are, and the names of the first few.
func someClasses(classes []string) string {
	const few = 5
	if len(classes) == 0 {
		return ""
	}
	var names []string
	for _, c := range classes[:min(few, len(classes))] {
		names = append(names, strconv.Quote(c))
	}
	if len(classes) > few {
		names = append(names, "...")
	}
	return fmt.Sprintf("; %d classes: %s", len(classes), strings.Join(names, ", "))
}

// tested shows a test.
func (s *session) tested(t solver.Test) {
	s.progress.clear()
	epochs := (s.last.Iterations + perEpoch(s.c) - 1) / perEpoch(s.c)
	fmt.Fprintf(s.stdout, "epoch %d/%d  loss %.4f  test %s  %.0f images/s\n",
		t.Epoch, epochs, s.losses/float64(s.count), outcome(t), s.last.ImagesPerSecond)
	s.losses, s.count = 0, 0
}

// notice shows what a user should know of.
func (s *session) notice(text string) {
	s.progress.clear()
	fmt.Fprintf(s.stderr, "train: %s\n", printable.Line(text))
}

// outcome is the numbers of a test.
func outcome(t solver.Test) string {
	text := fmt.Sprintf("loss %.4f", t.Loss)
	for _, m := range t.Metrics {
		text += "  " + printable.Line(m.String())
	}
	if t.Average != nil {
		text += "  averaged " + outcome(*t.Average)
	}
	return text
}

// finished draws the pictures and says what there is now and what can be done
// with it.
func (s *session) finished(r solver.Result) error {
	s.progress.clear()
	if s.c.Retest {
		fmt.Fprintf(s.stdout, "%s had come to its end, but not to its pictures: they are drawn now\n", s.c.Dir)
	}
	files, advice, err := s.draw(r)
	if err != nil {
		return err
	}
	longer := fmt.Sprintf("-iters %d", 2*r.Iteration)
	if n := perEpoch(s.c); r.Iteration%n == 0 {
		longer = fmt.Sprintf("-epochs %d", 2*r.Iteration/n)
	}
	if r.Early {
		fmt.Fprintf(s.stdout, "\nEnded early after %d of %d iterations: none of the last %d tests was better than that of iteration %d.\n",
			r.Iteration, s.c.Iterations, s.c.Patience, r.Best)
	}
	fmt.Fprintf(s.stdout, "\nDone in %v: test %s\n", time.Since(s.started).Round(time.Second), outcome(*r.Test))
	if x := r.Exchange; x.Started > 0 {
		fmt.Fprintf(s.stdout, "Exchange of %.1f MB an update took %v of the %v; %.0f %% of that was hidden behind computing\n",
			float64(x.Bytes)/1e6/float64(max(r.Iteration-s.first, 1)), x.Busy.Round(time.Millisecond), time.Since(s.started).Round(time.Second), 100*x.Hidden())
	}
	fmt.Fprintln(s.stdout)
	for _, line := range advice {
		fmt.Fprintf(s.stdout, "%s\n", printable.Line(line))
	}
	if advice != nil {
		fmt.Fprintln(s.stdout)
	}
	for _, name := range files {
		note := ""
		if name == solver.BestFile {
			note = fmt.Sprintf("  (of iteration %d)", r.Best)
		}
		fmt.Fprintf(s.stdout, "  %s%s\n", printable.Name(filepath.Join(s.c.Dir, name)), note)
	}
	listSkipped(s.stdout, s.skipped)
	fmt.Fprintln(s.stdout, "\nWhat next")
	w := tabwriter.NewWriter(s.stdout, 0, 0, 2, ' ', 0)
	d := data.ParsePhotoSpec(s.c.Data)
	d.Train, d.Val, d.Split = command.Quoted(d.Train), command.Quoted(d.Val), command.Quoted(d.Split)
	d.Classes, d.Each = command.Quoted(d.Classes), command.Quoted(d.Each)
	fmt.Fprintf(w, "  test again\t%s -eval -weights %s -data %v\n", s.program, command.Quoted(filepath.Join(s.c.Dir, solver.WeightsFile)), d)
	fmt.Fprintf(w, "  train twice as long\t%s -resume %s %s\n", s.program, command.Quoted(s.c.Dir), longer)
	fmt.Fprintf(w, "  other networks and settings\t%s -h\n", s.program)
	return w.Flush()
}

// listSkipped lists the files that were left out, and why.
func listSkipped(w io.Writer, skipped []data.Skip) {
	if len(skipped) == 0 {
		return
	}
	fmt.Fprintf(w, "\nFiles left out: %d\n", len(skipped))
	for _, s := range skipped {
		fmt.Fprintf(w, "  %s: %s\n", printable.Name(s.Name), printable.Line(s.Reason))
	}
}

// stopped says how to go on after Ctrl-C.
func (s *session) stopped(r solver.Result, err error) error {
	listSkipped(s.stdout, s.skipped)
	fmt.Fprintf(s.stdout, "\nStopped and saved after %d of %d iterations. To go on:\n  %s -resume %s\n", r.Iteration, s.c.Iterations, s.program, command.Quoted(s.c.Dir))
	return err
}

// draw writes the pictures and tables of a run, and returns the names of all
// its files, and what -monitor says.
func (s *session) draw(r solver.Result) (names, advice []string, err error) {
	file := func(name string) string { return filepath.Join(s.c.Dir, name) }
	names = []string{solver.WeightsFile, solver.BestFile, solver.CheckpointFile, results.LogFile, curveFile}
	if r.Test.Average != nil {
		names = slices.Insert(names, 2, solver.AverageFile)
	}
	log, err := results.ReadLog(file(results.LogFile))
	if err != nil {
		return nil, nil, err
	}
	title := s.c.Network.Name + " on " + dataName(s.c.Data)
	if r.Test.Confusion != nil {
		names = append(names, confusionFile+".png", confusionFile+".csv")
		if err := writeConfusion(s.c.Dir, title, r.Test); err != nil {
			return nil, nil, err
		}
	}
	if layer, ok := solver.FirstFilters(s.c.Network); ok {
		names = append(names, filtersFile)
		m, err := modelfile.Read(file(solver.WeightsFile))
		if err != nil {
			return nil, nil, err
		}
		if err := report.Filters(file(filtersFile), m.Weights[layer+".weight"]); err != nil {
			return nil, nil, err
		}
	}
	metric := results.Metric{}
	if len(r.Test.Metrics) > 0 {
		metric = r.Test.Metrics[0]
	}
	if s.c.MonitorEvery > 0 {
		var drawn []string
		if drawn, advice, err = drawMonitor(s.c.Dir, log, metric); err != nil {
			return nil, nil, err
		}
		names = append(names, drawn...)
	}
	for _, x := range s.extras {
		names = append(names, x.files()...)
	}
	return names, advice, report.Curve(file(curveFile), title, log, metric) // the last: see drawn
}

// writeConfusion draws a test's confusion matrix into a folder, and writes it
// as a table.
func writeConfusion(dir, title string, t *solver.Test) error {
	if len(t.Metrics) > 0 && t.Metrics[0].Share {
		title += fmt.Sprintf(": %.2f %% right", 100*t.Metrics[0].Value)
	}
	path := filepath.Join(dir, confusionFile)
	if err := report.Confusion(path+".png", title, t.Confusion); err != nil {
		return err
	}
	return atomicfile.Write(path+".csv", t.Confusion.WriteCSV)
}
