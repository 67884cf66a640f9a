package live

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/results"
)

// followed is a run in a folder with a log.
type followed struct {
	*Folder
	t   *testing.T
	hub *hub
}

func follow(t *testing.T, log string) *followed {
	h, r := oneRun()
	f := &followed{&Folder{Dir: t.TempDir(), Run: r, Describe: func() (About, error) {
		return About{Iterations: 100, PerEpoch: 10, Batch: 5}, nil
	}}, t, h}
	f.write(results.LogFile, log)
	return f
}

func (f *followed) write(name, text string) {
	require.NoError(f.t, os.WriteFile(filepath.Join(f.Dir, name), []byte(text), 0o666))
}

func (f *followed) add(name, text string) {
	w, err := os.OpenFile(filepath.Join(f.Dir, name), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o666)
	require.NoError(f.t, err)
	_, err = w.WriteString(text)
	require.NoError(f.t, err)
	require.NoError(f.t, w.Close())
}

// has is what pages know of a kind.
func has[Value any](f *followed, kind string) (v Value) {
	p := connected(f.t, f.hub, "")
	defer f.hub.disconnect(p)
	for _, e := range takes(f.t, f.hub, p) {
		if e.Kind == kind {
			require.NoError(f.t, json.Unmarshal(e.Data, &v))
		}
	}
	return v
}

func (f *followed) iterations() (list []int) {
	for _, l := range has[[]results.LogLine](f, "log") {
		list = append(list, l.Iteration)
	}
	return list
}

func logged(iteration int) string {
	return fmt.Sprintf(`{"iteration":%d,"epoch":1,"loss":1,"rate":0.1,"images_per_second":50}`+"\n", iteration)
}

// A log is read as it grows, a line when it is whole; one that begins anew is read anew.
func TestFollowingALog(t *testing.T) {
	f := follow(t, logged(1)+logged(10))
	require.NoError(t, f.Open())
	require.Equal(t, []int{1, 10}, f.iterations())
	whole := logged(20)
	f.add(results.LogFile, whole[:9])
	require.NoError(t, f.look())
	require.Equal(t, []int{1, 10}, f.iterations())
	f.add(results.LogFile, whole[9:]+logged(30))
	require.NoError(t, f.look())
	require.Equal(t, []int{1, 10, 20, 30}, f.iterations())
	p := has[Progress](f, "progress")
	require.Equal(t, Progress{Iteration: 30, Iterations: 100, Epoch: 3, ImagesPerSecond: 50, SecondsLeft: 70 * 5 / 50.}, p)

	// Resuming replaces the file by its beginning.
	shorter := filepath.Join(f.Dir, "new")
	require.NoError(t, os.WriteFile(shorter, []byte(logged(1)), 0o666))
	require.NoError(t, os.Rename(shorter, filepath.Join(f.Dir, results.LogFile)))
	f.add(results.LogFile, logged(5)+logged(6)+logged(7)+logged(8))
	require.NoError(t, f.look())
	require.Equal(t, []int{1, 5, 6, 7, 8}, f.iterations())
	f.add(results.LogFile, logged(100))
	require.NoError(t, f.look())
	require.Equal(t, "done", has[struct{ State string }](f, "status").State)
}

// The other files may be there, or come later.
func TestFollowingOtherFiles(t *testing.T) {
	f := follow(t, logged(1))
	require.NoError(t, f.Open())
	require.Nil(t, has[[]results.FiltersLine](f, "filters"))
	f.write(results.FiltersFile, `{"iteration":1,"layer":"conv1"}`+"\n")
	f.write(results.MonitorFile, `{"iteration":1,"layers":[]}`+"\n")
	f.write(results.MachineFile, `[{"name":"cpu","value":"x"}]`)
	f.write(results.AnswersFile, `{"iteration":1,"classes":["a"],"cells":[],"worst":[]}`)
	require.NoError(t, f.look())
	require.Len(t, has[[]results.FiltersLine](f, "filters"), 1)
	require.Len(t, has[[]results.MonitorLine](f, "monitor"), 1)
	require.Equal(t, []results.Fact{{Name: "cpu", Value: "x"}}, has[[]results.Fact](f, "machine"))
	require.Equal(t, 1, has[results.Answers](f, "answers").Iteration)
	f.write("new", `{"iteration":2,"classes":["a"],"cells":[],"worst":[]}`)
	require.NoError(t, os.Rename(filepath.Join(f.Dir, "new"), filepath.Join(f.Dir, results.AnswersFile)))
	require.NoError(t, f.look())
	require.Equal(t, 2, has[results.Answers](f, "answers").Iteration)
}

func TestFoldersThatAreNoRuns(t *testing.T) {
	f := follow(t, "")
	f.Dir = filepath.Join(f.Dir, "nothing")
	require.ErrorContains(t, f.Open(), "is not the folder of a run: it has no log.jsonl, which train writes")
	f = follow(t, "")
	f.Dir = filepath.Join(f.Dir, results.LogFile)
	require.ErrorContains(t, f.Open(), "is not a folder")
	f = follow(t, "")
	f.Describe = func() (About, error) { return About{}, fmt.Errorf("no run") }
	require.EqualError(t, f.Open(), "no run")
}

// A damaged line at the beginning is an error that names it; later the pages are told once,
// and what follows is read.
func TestDamagedLines(t *testing.T) {
	for _, name := range []string{results.LogFile, results.MonitorFile, results.FiltersFile} {
		f := follow(t, logged(1))
		good := logged(2)
		if name != results.LogFile {
			good = `{"iteration":2}` + "\n"
		}
		f.add(name, good+"{\x00\x1b[31m\n"+good)
		err := f.Open()
		require.ErrorContains(t, err, filepath.Join(f.Dir, name)+": line "+map[bool]string{true: "3", false: "2"}[name == results.LogFile]+": ", name)
		require.NotContains(t, err.Error(), "\n")
	}
	for _, name := range []string{results.MachineFile, results.AnswersFile} {
		f := follow(t, logged(1))
		f.write(name, `{"iteration":`)
		require.ErrorContains(t, f.Open(), filepath.Join(f.Dir, name)+": ")
	}

	f := follow(t, logged(1))
	require.NoError(t, f.Open())
	f.add(results.LogFile, "null, but not JSON\n"+logged(2))
	require.ErrorContains(t, f.look(), "line 2: ")
	require.NoError(t, f.look())
	require.Equal(t, []int{1, 2}, f.iterations())
}

// Following ends with its context, and complains of a file once.
func TestFollowEnds(t *testing.T) {
	f := follow(t, logged(1))
	require.NoError(t, f.Open())
	require.NoError(t, os.Remove(filepath.Join(f.Dir, results.LogFile)))
	require.NoError(t, os.Mkdir(filepath.Join(f.Dir, results.LogFile), 0o777)) // which cannot be read
	done := make(chan struct{})
	ctx := t.Context()
	go func() { f.Follow(ctx); close(done) }()
	require.Eventually(t, func() bool { return len(has[[]string](f, "notices")) > 0 }, time.Minute, 10*time.Millisecond)
	time.Sleep(2 * followEvery)
	require.Len(t, has[[]string](f, "notices"), 1)
	t.Cleanup(func() { <-done }) // the context of the test ends first
}

// However long a line is, and however it is cut, it is read whole.
func TestLinesInPieces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	text := strings.Repeat("x", 600<<10) + "\n\ny\n"
	tl := tail{path: path}
	var lines []string
	read := func() {
		require.NoError(t, tl.more(func() { lines = nil }, func(line []byte) error { lines = append(lines, string(line)); return nil }))
	}
	read() // not there yet
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	read()
	require.Equal(t, strings.Split(strings.TrimSuffix(text, "\n"), "\n"), lines)
	require.NoError(t, os.WriteFile(path, []byte("z\n"), 0o666))
	read()
	require.Equal(t, []string{"z"}, lines)
}
