package program

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/solver"
)

// How often progress is shown: on a terminal, and in a log that is kept.
const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 10 * time.Second
)

// progress shows how far training is: a bar where w is a terminal, and
// otherwise a line now and then.
type progress struct {
	w        io.Writer
	terminal bool
	now      func() time.Time

	bar     *progressbar.ProgressBar // on a terminal, from the second call on
	started time.Time
	first   int // iteration of the first call
	shown   time.Time
	drawn   int // iteration that the bar stands at
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, now: time.Now}
	if text, ok := w.(*printable.Writer); ok {
		if l, ok := text.Under().(*command.Lasting); ok && term.IsTerminal(int(l.File.Fd())) {
			p.w, p.terminal = l.File, true // the bar asks it for its width, and moves the cursor; it has numbers only
		}
	}
	return p
}

// update is called after each iteration. The first one only starts the clock:
// it is slower than the others.
func (p *progress) update(s solver.Progress) {
	now := p.now()
	if p.started.IsZero() {
		p.started, p.shown = now, now
		p.first, p.drawn = s.Iteration, s.Iteration
		return
	}
	every := lineEvery
	if p.terminal {
		every = barEvery
	}
	if now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	if p.terminal {
		p.draw(s)
		return
	}
	left := now.Sub(p.started) * time.Duration(s.Iterations-s.Iteration) / time.Duration(s.Iteration-p.first)
	fmt.Fprintf(p.w, "%s, %v left\n", describe(s), left.Round(time.Second))
}

func (p *progress) draw(s solver.Progress) {
	if p.bar == nil {
		p.bar = progressbar.NewOptions(s.Iterations-p.first,
			progressbar.OptionSetWriter(p.w),
			progressbar.OptionSetWidth(20),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionClearOnFinish())
	}
	p.bar.Describe(describe(s))
	_ = p.bar.Add(s.Iteration - p.drawn) // nothing depends on what the terminal shows
	p.drawn = s.Iteration
}

// clear takes the bar off the screen, for a line of text. The next update
// draws it again.
func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.shown = time.Time{}
	}
}

// describe is one line of text.
func describe(s solver.Progress) string {
	metrics := ""
	for _, m := range s.Metrics {
		if m.Share {
			metrics += fmt.Sprintf("  %s %.0f %%", printable.Name(m.Name), 100*m.Value)
		} else {
			metrics += "  " + printable.Line(m.String())
		}
	}
	input := ""
	if s.InputPerSecond > 0 {
		input = fmt.Sprintf(" (input %.0f)", s.InputPerSecond)
	}
	return fmt.Sprintf("%d/%d  epoch %d  loss %.4f%s  %.0f images/s%s", s.Iteration, s.Iterations, s.Epoch, s.Loss, metrics, s.ImagesPerSecond, input)
}
