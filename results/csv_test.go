package results

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A table has the numbers of the log, under their keys, however late a key comes.
func TestLogTable(t *testing.T) {
	lines := []LogLine{
		{Iteration: 1, Epoch: 0.5, Loss: 2.5, Train: Metrics{{Name: "hits", Value: 0.25}}, Rate: 0.1, ImagesPerSecond: 1e6},
		{Iteration: 2, Epoch: 1, Loss: 2, Train: Metrics{{Name: "hits", Value: math.NaN()}}, TestLoss: new(1.0), Test: Metrics{{Name: "hits", Value: 0.5}, {Name: `a,"b`, Value: 1e-9}}},
		{Iteration: 3, Train: Metrics{{Name: "=1+2", Value: 3}}, TestLoss: new(2.0), AverageLoss: new(4.0), Average: Metrics{{Name: "hits", Value: 1}}},
	}
	var table LogTable
	require.True(t, table.Fit(lines[0]))
	require.False(t, table.Fit(lines[0], LogLine{}))
	require.True(t, table.Fit(lines...))
	require.False(t, table.Fit(lines...))
	var file bytes.Buffer
	require.NoError(t, table.WriteHeader(&file))
	for _, l := range lines {
		before := file.Len()
		require.NoError(t, table.WriteRow(&file, l))
		require.Equal(t, 1, bytes.Count(file.Bytes()[before:], []byte("\n")))
	}
	rows, err := csv.NewReader(&file).ReadAll() // which wants rows of one length
	require.NoError(t, err)
	require.Equal(t, []string{"iteration", "epoch", "loss", "train_=1+2", "test_loss", "averaged_test_loss", "averaged_hits", "hits", `a,"b`, "train_hits", "rate", "images_per_second"}, rows[0])
	for i, l := range lines {
		text, err := json.Marshal(l)
		require.NoError(t, err)
		var want map[string]json.Number
		require.NoError(t, json.Unmarshal(text, &want))
		got := map[string]json.Number{}
		for c, cell := range rows[i+1] {
			if cell != "" {
				got[rows[0][c]] = json.Number(cell)
			}
		}
		require.Equal(t, want, got)
	}

	var small LogTable
	small.Fit(lines[0])
	require.ErrorContains(t, small.WriteRow(&file, lines[1]), `the table has no column for "test_loss"`)
	formula := LogLine{TestLoss: new(1.0), Test: Metrics{{Name: "=1+2", Value: 3}}}
	small.Fit(formula)
	file.Reset()
	require.NoError(t, small.WriteHeader(&file))
	rows, err = csv.NewReader(&file).ReadAll()
	require.NoError(t, err)
	require.True(t, slices.Contains(rows[0], "'=1+2"), "no spreadsheet computes it")
}
