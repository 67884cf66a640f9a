package program

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/solver"
)

// steps shows n iterations of 100, from one on, that take a second each.
func steps(p *progress, first, n int) {
	now := time.Unix(0, 0)
	p.now = func() time.Time { return now }
	for i := range n {
		p.update(solver.Progress{Iteration: first + i, Iterations: 100, Epoch: 2, Loss: 0.25, ImagesPerSecond: 64})
		now = now.Add(time.Second)
	}
}

func TestProgressInALog(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b)
	require.False(t, p.terminal)
	steps(p, 51, 25)
	p.clear()
	require.Equal(t, "61/100  epoch 2  loss 0.2500  64 images/s, 39s left\n"+
		"71/100  epoch 2  loss 0.2500  64 images/s, 29s left\n", b.String())
}

func TestProgressOnATerminal(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b)
	p.terminal = true
	steps(p, 76, 25)
	text := b.String()
	require.NotContains(t, text, "\n", "one line, written over")
	require.Contains(t, text, "88/100  epoch 2  loss 0.2500  64 images/s  50% |", "half of what this session has to do")
	require.True(t, strings.HasSuffix(text, " \r"), "the bar is taken away at the end")

	b.Reset()
	p = newProgress(&b)
	p.terminal = true
	steps(p, 1, 50)
	p.clear()
	require.True(t, strings.HasSuffix(b.String(), " \r"), "and for a line of text")
}

func TestProgressOfOneIteration(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b)
	p.terminal = true
	p.update(solver.Progress{Iteration: 1, Iterations: 1})
	p.clear()
	require.Empty(t, b.String())
}

func TestFilesAreNoTerminals(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/log")
	require.NoError(t, err)
	defer f.Close()
	require.False(t, newProgress(printable.NewWriter(&command.Lasting{File: f})).terminal)
}
