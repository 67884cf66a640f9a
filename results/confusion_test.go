package results

import (
	"bytes"
	"encoding/csv"
	"testing"

	"github.com/stretchr/testify/require"
)

// A class's name is no formula, and what a reader of CSV reads.
func TestConfusionTableIsSafe(t *testing.T) {
	names := []string{"=cmd|'/C calc'!A0", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", `say "a,b"`, "a\nb", "", "caf\xe9", "plain", "a=b"}
	c := NewConfusion(names, len(names))
	var b bytes.Buffer
	require.NoError(t, c.WriteCSV(&b))
	require.NotContains(t, b.String(), ",-1")
	require.Contains(t, b.String(), `,"say ""a,b""",`)
	rows, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	for i, name := range names {
		want := name
		if i < 8 {
			want = "'" + name
		}
		require.Equal(t, want, rows[0][1+i])
		require.Equal(t, want, rows[1+i][0])
		require.Equal(t, "0", rows[1+i][1])
	}
	require.Equal(t, "=cmd|'/C calc'!A0", c.Classes[0], "the names themselves stay")
}

// A Spreadsheet's formulas, and what only looks like one.
func TestCells(t *testing.T) {
	require.Equal(t, []string{"", "a=b", "'=a", "'+a", "'-a", "'@a", "'\ta", "'\ra", "'\na", "'＝a"},
		cells([]string{"", "a=b", "=a", "+a", "-a", "@a", "\ta", "\ra", "\na", "＝a"}))
}
