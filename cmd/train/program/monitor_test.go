package program

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/results"
)

// monitoredIn are the iterations that -monitor has looked at.
func monitoredIn(t *testing.T, dir string) (list []int) {
	t.Helper()
	log, err := results.ReadLines[results.MonitorLine](dir + "/" + results.MonitorFile)
	require.NoError(t, err)
	for _, l := range log {
		list = append(list, l.Iteration)
	}
	return list
}

func TestMonitor(t *testing.T) {
	tiny(t)
	stdout := succeed(t, with("-iters", "6", "-log-every", "1", "-out", "a", "-monitor=2")...)
	require.Equal(t, []int{1, 3, 5}, monitoredIn(t, "a"))
	require.Regexp(t, `\n\nthe gradient at conv1 is \S+ times that at fc2, in the median of 3 updates: they neither vanish nor explode\n`, stdout)
	require.Regexp(t, `(?s)  a/monitor.jsonl\n  a/monitor.png\n`, stdout)
	before, err := os.ReadFile("a/monitor.png")
	require.NoError(t, err)

	stdout = succeed(t, "-resume", "a", "-iters", "12", "-monitor=2")
	require.Equal(t, []int{1, 3, 5, 7, 9, 11}, monitoredIn(t, "a"))
	require.Contains(t, stdout, "in the median of 6 updates")
	require.Contains(t, stdout, "\ncurves: ")
	after, err := os.ReadFile("a/monitor.png")
	require.NoError(t, err)
	require.NotEqual(t, before, after)

	succeed(t, with("-iters", "6", "-out", "b", "-monitor")...) // 50 in a run of fewer
	require.Equal(t, []int{1, 2, 3, 4, 5, 6}, monitoredIn(t, "b"))
	require.NotContains(t, succeed(t, with("-iters", "6", "-out", "c")...), "monitor")
	require.NoFileExists(t, "c/"+results.MonitorFile)

	require.NotContains(t, succeed(t, "-resume", "c", "-iters", "8", "-monitor=10"), "monitor", "none of the first of ten is left")

	refused(t, `invalid boolean value "0" for -monitor: it is a number of iterations, at least 1, such as -monitor=100`, with("-monitor=0")...)
	refused(t, "it is a number of iterations, at least 1", with("-monitor=often")...)
	refused(t, "-check writes nothing", with("-check", "-monitor")...)
	refused(t, "-monitor has no meaning with -summary", "-summary", "-model", "lenet", "-monitor")
}
