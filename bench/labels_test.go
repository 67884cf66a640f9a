package bench

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

func TestLabelsFindRoom(t *testing.T) {
	at := func(names []string, xy ...plotter.XY) labelled {
		return labelled{XYLabels: plotter.XYLabels{XYs: xy, Labels: names}}
	}
	same := func(v float64) vg.Length { return vg.Length(v) }
	l := labels{}
	for range 6 { // as many passes in one place, and a point that stands alone
		l.series = append(l.series, at([]string{"fc6", "fc7", "conv1"}, plotter.XY{X: 100, Y: 100}, plotter.XY{X: 103, Y: 95}, plotter.XY{X: 130, Y: 100}))
	}
	notes, taken := l.notes(same, same)
	require.Len(t, notes, 12)
	require.Len(t, taken, 18)
	require.Equal(t, "fc6, fc7", notes[0].text)
	require.Equal(t, "conv1", notes[1].text)
	for _, n := range notes {
		box := around(placeFor(n, 30, taken), 15, labelSize/2)
		require.False(t, overlapsAny(box, taken), n.text)
		taken = append(taken, box)
	}
}
