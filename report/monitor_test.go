package report

import (
	"image/color"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/results"
)

// distribution is that of some numbers.
func distribution(x ...float32) *results.Distribution {
	var t results.Tally
	t.Add(x)
	return t.Distribution()
}

func TestMonitorPanels(t *testing.T) {
	log := []results.MonitorLine{
		{Iteration: 1, Layers: []results.LayerNumbers{{Layer: "conv1", Outputs: distribution(1, -1, 0, 0), Weights: distribution(4)}, {Layer: "loss", Outputs: distribution(2.5)}}},
		{Iteration: 11, Layers: []results.LayerNumbers{{Layer: "conv1", Outputs: distribution(1, 1), Weights: distribution(0)}, {Layer: "loss", Outputs: distribution(1)}}},
	}
	panels := monitorPanels(log)
	require.Len(t, panels, 8)
	outputs := panels[0]
	require.Equal(t, []string{"conv1: outputs", "+-2^0 to 2^2", "1 +- 0"}, outputs.Lines)
	require.Empty(t, panels[1].Lines, "it has no gradient")
	require.Equal(t, []string{"conv1: weights", "+-2^2 to 2^3", "0 +- 0"}, panels[2].Lines)
	require.Equal(t, "loss: outputs", panels[4].Lines[0])

	// From the top: 2^1, 2^0, 0, -2^0, -2^1.
	at := func(row, column int) color.RGBA { return outputs.at(column, row*panelHeight/5+5) }
	white := color.RGBA{255, 255, 255, 255}
	require.Equal(t, color.RGBA{0, 0, 0, 255}, at(1, panelWidth-1), "all are")
	require.Equal(t, tint(color.RGBA{}, 0.25).R, at(1, 0).R)
	require.Equal(t, tint(color.RGBA{}, 0.25).R, at(3, 0).R)
	require.Equal(t, white, at(3, panelWidth-1))
	require.Equal(t, white, at(0, 0))
	require.Equal(t, tint(lossColour, 0.5), at(2, 0))
	require.Equal(t, tint(lossColour, 0.02), at(2, panelWidth-1), "the line of 0")

	path := filepath.Join(t.TempDir(), "m.png")
	require.NoError(t, Monitor(path, log))
	require.FileExists(t, path)
	require.Error(t, Monitor(path, nil))
}
