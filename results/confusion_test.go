package results

import (
	"bytes"
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
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

func TestConfusion(t *testing.T) {
	c := NewConfusion([]string{"cat", "dog, small"}, 3)
	c.Add([]float32{
		1, 0, 0, // cat
		0, 2, 1, // dog
		1, 1, 1, // the first of equals
	}, []int32{0, 0, 1})
	c.Add([]float32{-3, -2, -1}, []int32{1})
	require.Equal(t, [][]int{{1, 1, 0}, {1, 0, 1}, {0, 0, 0}}, c.Counts)
	nan := float32(math.NaN())
	require.Equal(t, []int{1, -1}, []int{Highest([]float32{nan, -1, nan}), Highest([]float32{nan, nan, nan})})
	c.Add([]float32{nan, nan, nan}, []int32{0})
	require.Equal(t, [][]int{{1, 1, 0}, {1, 0, 1}, {0, 0, 0}}, c.Counts, "no answer is not counted")
	path := filepath.Join(t.TempDir(), "confusion.csv")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, c.WriteCSV(f))
	require.NoError(t, f.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "class \\ answer,cat,\"dog, small\",#2\ncat,1,1,0\n\"dog, small\",1,0,1\n#2,0,0,0\n", string(b))
}
