package program

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
	"github.com/hubel-go/hubel/tensorboard"
)

// sameTable fails where log.csv of a run has not the numbers of log.jsonl, and returns its
// header.
func sameTable(t *testing.T, dir string) []string {
	t.Helper()
	f, err := os.Open(dir + "/" + results.CSVFile)
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	log, err := results.ReadLines[map[string]json.Number](dir + "/" + results.LogFile)
	require.NoError(t, err)
	require.Len(t, rows, 1+len(log))
	for i, want := range log {
		got := map[string]json.Number{}
		for c, cell := range rows[1+i] {
			if cell != "" {
				got[rows[0][c]] = json.Number(cell)
			}
		}
		require.Equal(t, want, got)
	}
	return rows[0]
}

// killed makes the folder of a run one that was killed after its last checkpoint but one.
func killed(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, os.Rename(dir+"/"+solver.PreviousFile, dir+"/"+solver.CheckpointFile))
}

func TestLogAsTable(t *testing.T) {
	tiny(t)
	stdout := succeed(t, with("-iters", "8", "-log-every", "2", "-checkpoint", "4", "-out", "a", "-log-csv")...)
	require.Contains(t, stdout, "\n  a/log.csv\n")
	header := sameTable(t, "a")
	require.Equal(t, []string{"iteration", "epoch", "loss", "train_accuracy", "test_loss", "accuracy", "rate", "images_per_second", "input_per_second"}, header)

	killed(t, "a") // of what is logged since, the run that goes on writes other lines
	succeed(t, "-resume", "a", "-iters", "10", "-log-every", "3", "-log-csv")
	require.Equal(t, header, sameTable(t, "a"))

	succeed(t, with("-iters", "4", "-out", "b")...)
	require.NoFileExists(t, "b/log.csv")
	succeed(t, "-resume", "b", "-iters", "8", "-log-csv") // has what was before, too
	sameTable(t, "b")

	succeed(t, with("-iters", "4", "-ema", "0.9", "-out", "c", "-log-csv")...)
	require.Contains(t, sameTable(t, "c"), "averaged_test_loss")
	refused(t, "-check writes nothing", with("-check", "-log-csv")...)
	refused(t, "-log-csv has no meaning with -summary", "-summary", "-model", "lenet", "-log-csv")
}

// What is in the files is tested in package tensorboard, and by TensorBoard itself in
// make tensorboard-test.
func TestEventFiles(t *testing.T) {
	tiny(t)
	events := func(dir string) []string {
		files, err := tensorboard.Files(dir)
		require.NoError(t, err)
		return files
	}
	stdout := succeed(t, with("-iters", "4", "-checkpoint", "2", "-out", "a", "-tensorboard", "-monitor=2")...)
	require.Len(t, events("a"), 1)
	require.Contains(t, stdout, "\n  "+events("a")[0]+"\n")
	content, err := os.ReadFile(events("a")[0])
	require.NoError(t, err)
	for _, tag := range []string{"loss/train", "loss/test", "accuracy/train", "accuracy/test", "rate", "images_per_second", "outputs/conv1", "weight_gradients/fc2",
		"filters/conv1.weight", "_output_shapes", `"kernel":3`, "_hparams_/session_start_info", "schedule.policy", "_hparams_/session_end_info"} {
		require.Contains(t, string(content), tag)
	}

	killed(t, "a")
	succeed(t, "-resume", "a", "-iters", "6", "-tensorboard")
	require.Len(t, events("a"), 2)
	more, err := os.ReadFile(events("a")[1])
	require.NoError(t, err)
	require.Contains(t, string(more), "loss/train")
	require.NotContains(t, string(more), "_output_shapes", "the graph is that of the first file")

	succeed(t, with("-iters", "4", "-out", "b")...)
	require.Empty(t, events("b"))
	succeed(t, "-resume", "b", "-iters", "6", "-tensorboard") // whose first file this is
	content, err = os.ReadFile(events("b")[0])
	require.NoError(t, err)
	require.Contains(t, string(content), "_output_shapes")
	refused(t, "-check writes nothing", with("-check", "-tensorboard")...)
}
