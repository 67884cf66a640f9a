package live

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/results"
)

// A line that is too long is passed over, takes no memory, and is told once; those behind it
// are read.
func TestLongLines(t *testing.T) {
	f := follow(t, logged(1))
	require.NoError(t, f.Open())
	f.add(results.LogFile, strings.Repeat("x", longestLine+1))
	require.NoError(t, f.look())
	require.Empty(t, f.log.part)
	f.add(results.LogFile, "x\n"+logged(2))
	err := f.look()
	require.ErrorContains(t, err, "line 2: it has more than")
	require.Equal(t, []int{1, 2}, f.iterations())
	f.complain(err)
	f.add(results.LogFile, "damaged\n"+logged(3))
	err = f.look()
	require.ErrorContains(t, err, "line 4: ")
	f.complain(err)
	require.Equal(t, []int{1, 2, 3}, f.iterations())
	require.Len(t, has[[]string](f, "notices"), 1)
}

// What is no regular file is not opened: a pipe would never end.
func TestNoFiles(t *testing.T) {
	for _, name := range []string{results.LogFile, results.MonitorFile, results.FiltersFile, results.AnswersFile, results.MachineFile} {
		f := follow(t, logged(1))
		path := filepath.Join(f.Dir, name)
		_ = os.Remove(path)
		require.NoError(t, os.Mkdir(path, 0o777))
		require.EqualError(t, f.Open(), path+" is not a regular file")
	}
}

// A huge file of one value is not read.
func TestHugeAnswers(t *testing.T) {
	f := follow(t, logged(1))
	path := filepath.Join(f.Dir, results.AnswersFile)
	require.NoError(t, os.WriteFile(path, nil, 0o666))
	require.NoError(t, os.Truncate(path, 1<<40))
	require.ErrorContains(t, f.Open(), path+" has more than 67108864 bytes")
}

// A list is bounded in bytes too, and has the newest.
func TestBytesOfALists(t *testing.T) {
	for _, kept := range []bool{false, true} {
		s := newState()
		for i := range 40 {
			data := make(json.RawMessage, 4<<20)
			data[0] = byte(i)
			s.add("filters", point{data, kept}, 1000)
			require.LessOrEqual(t, size(s.lists["filters"]), mostBytes)
			require.Equal(t, size(s.lists["filters"]), s.bytes["filters"])
		}
		list := s.lists["filters"]
		require.EqualValues(t, 39, list[len(list)-1].data[0])
		s.add("filters", point{data: make(json.RawMessage, mostBytes+1)}, 1000)
		require.LessOrEqual(t, len(s.lists["filters"]), 1)
		s.forget("filters")
		require.Zero(t, s.bytes["filters"])
	}
}

// No client holds a connection by not reading.
func TestClientsThatDoNotRead(t *testing.T) {
	s, err := Open(Loopback)
	require.NoError(t, err)
	defer s.Close()
	require.Positive(t, s.http.WriteTimeout)
	require.Positive(t, s.http.ReadTimeout)
}
