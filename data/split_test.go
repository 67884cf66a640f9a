package data

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// numberedFiles are n files in each of some classes; they need not exist.
func numberedFiles(n ...int) *Files {
	f := &Files{shards: []string{"set"}}
	for c, k := range n {
		f.classes = append(f.classes, fmt.Sprintf("c%d", c))
		for i := range k {
			f.files = append(f.files, file{name: fmt.Sprintf("c%d/%d.jpg", c, i), label: int32(c)})
		}
	}
	return f
}

func TestSplitShares(t *testing.T) {
	f := numberedFiles(100, 10, 1, 2)
	s, err := ParseSplit("0.2,0.1")
	require.NoError(t, err)
	train, val, test, err := f.Parts(s)
	require.NoError(t, err)
	count := func(f *Files) (n [4]int) {
		for i := range f.Len() {
			n[f.Label(i)]++
		}
		return n
	}
	require.Equal(t, [4]int{70, 7, 1, 1}, count(train))
	require.Equal(t, [4]int{20, 2, 0, 0}, count(val))
	require.Equal(t, [4]int{10, 1, 0, 1}, count(test))
	all := slices.Concat(listing(train), listing(val), listing(test))
	slices.Sort(all)
	want := listing(f)
	slices.Sort(want)
	require.Equal(t, want, all, "each file is in one part")

	_, again, _, err := numberedFiles(100, 10, 1, 2).Parts(s)
	require.NoError(t, err)
	require.Equal(t, listing(val), listing(again))
	s, err = ParseSplit("0.2,0.1@2")
	require.NoError(t, err)
	_, other, _, err := f.Parts(s)
	require.NoError(t, err)
	require.NotEqual(t, listing(val), listing(other))
}

func TestSplitList(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	require.NoError(t, os.WriteFile(path, []byte("# mine\n\nc0/1.jpg train\n./c1/0.jpg\tval\nc0/0.jpg test\n"), 0o666))
	s, err := ParseSplit(path)
	require.NoError(t, err)
	train, val, test, err := numberedFiles(3, 2).Parts(s)
	require.NoError(t, err)
	require.Equal(t, []string{"c0/1.jpg c0"}, listing(train))
	require.Equal(t, []string{"c1/0.jpg c1"}, listing(val))
	require.Equal(t, []string{"c0/0.jpg c0"}, listing(test))
	_, _, _, err = numberedFiles(3).Parts(s)
	require.EqualError(t, err, "1 of the 3 files that the list of the split names are not in set, such as c1/0.jpg; names there are like c0/0.jpg")

	// One that was left out is in the set all the same, and is reported.
	f := numberedFiles(3)
	f.shards = []string{"a.tar", "b.tar"}
	f.skip(1, "./c1/0.jpg", "it is empty")
	train, val, test, err = f.Parts(s)
	require.NoError(t, err)
	require.Equal(t, []int{1, 0, 1}, []int{train.Len(), val.Len(), test.Len()})

	for text, want := range map[string]string{
		"a.jpg":                    "line 1 is not a name and one of train, val and test",
		"\na.jpg validation":       "line 2 is not a name",
		"train":                    "line 1 is not a name",
		"a.jpg train\n/a.jpg test": "line 2 puts a.jpg into test, but it is in train already",
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		_, err := ParseSplit(path)
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, os.WriteFile(path, []byte("c0/0.jpg val"), 0o666))
	s, err = ParseSplit(path)
	require.NoError(t, err)
	_, _, _, err = numberedFiles(3).Parts(s)
	require.ErrorContains(t, err, "leaves nothing to train on")
	for text, want := range map[string]string{
		"0": "something must be left", "1": "something must be left", "-0.1": "something must be left",
		"0.5,0.5": "something must be left", "NaN": "something must be left",
		"0.1@x": "is neither shares, such as 0.1 or 0.1,0.2, nor a file", "no/such/file": "is neither shares",
	} {
		_, err := ParseSplit(text)
		require.ErrorContains(t, err, want, text)
	}
}
