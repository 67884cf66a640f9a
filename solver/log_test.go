package solver

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), LogFile)
	w, err := newLog(path)
	require.NoError(t, err)
	lines := []LogLine{
		{Iteration: 1, Epoch: 0.5, Loss: 2.25, Rate: 0.01, ImagesPerSecond: 100},
		{Iteration: 2, Epoch: 1, Loss: 2, TestLoss: new(1.5), Accuracy: new(0.0), Top5: new(0.5), Rate: 0.01, ImagesPerSecond: 120},
		{Iteration: 3, Epoch: 1.5, Loss: 1.75, Rate: 0.001, ImagesPerSecond: 110},
	}
	for _, l := range lines {
		require.NoError(t, w.write(l))
	}
	require.NoError(t, w.Close())
	_, err = newLog(path)
	require.ErrorIs(t, err, fs.ErrExist)

	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, `{"iteration":1,"epoch":0.5,"loss":2.25,"rate":0.01,"images_per_second":100}
{"iteration":2,"epoch":1,"loss":2,"test_loss":1.5,"accuracy":0,"top5":0.5,"rate":0.01,"images_per_second":120}
{"iteration":3,"epoch":1.5,"loss":1.75,"rate":0.001,"images_per_second":110}
`, string(content))
	read := func() []LogLine {
		log, err := ReadLog(path)
		require.NoError(t, err)
		return log
	}
	require.Equal(t, lines, read())

	// Wherever the process was killed, what was whole is there.
	second := len(`{"iteration":1,"epoch":0.5,"loss":2.25,"rate":0.01,"images_per_second":100}`)
	for cut := range content {
		require.NoError(t, os.WriteFile(path, content[:cut], 0o666))
		log := read()
		require.Equal(t, lines[:len(log)], append([]LogLine{}, log...))
		require.Equal(t, cut >= second, len(log) >= 1, cut)
	}

	// A run that goes on behind iteration 2 writes over what came after.
	require.NoError(t, os.WriteFile(path, content[:len(content)-20], 0o666))
	w, err = resumeLog[LogLine](path, 2)
	require.NoError(t, err)
	require.Equal(t, lines[:2], read())
	require.NoError(t, w.write(lines[2]))
	require.Equal(t, lines, read())
	require.NoError(t, w.Close())
	w, err = resumeLog[LogLine](path, 1)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.Equal(t, lines[:1], read())
}

func TestReadLogRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), LogFile)
	_, err := ReadLog(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("{\"iteration\":1}\nnonsense\n{\"iteration\":3}\n"), 0o666))
	_, err = ReadLog(path)
	require.ErrorContains(t, err, "log.jsonl: line 2: ")
}

func TestResumeLogThatIsDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), LogFile)
	require.NoError(t, os.WriteFile(path, []byte("nonsense\n"), 0o666))
	_, err := resumeLog[LogLine](path, 3)
	require.ErrorContains(t, err, path+": line 1: ")
	require.ErrorContains(t, err, "; the run goes on without that file, so move it away")
}

func TestResumeLogThatIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), LogFile)
	w, err := resumeLog[LogLine](path, 7)
	require.NoError(t, err)
	require.NoError(t, w.write(LogLine{Iteration: 8}))
	require.NoError(t, w.Close())
	log, err := ReadLog(path)
	require.NoError(t, err)
	require.Equal(t, []LogLine{{Iteration: 8}}, log)
}
