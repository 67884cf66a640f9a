package program

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	train "github.com/hubel-go/hubel/cmd/train/program"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/results"
)

// trained makes a run of a small network in a folder.
func trained(t *testing.T, dir string, more ...string) {
	t.Helper()
	const network = `{"name": "tiny", "inputs": [{"name": "data", "dtype": "float32", "shape": [1, 8, 8]}, {"name": "label", "dtype": "int32", "shape": []}],
		"layers": [
			{"name": "conv1", "type": "conv", "in": ["data"], "options": {"filters": 4, "kernel": 3}},
			{"name": "fc2", "type": "dense", "in": ["conv1"], "options": {"out": 10}},
			{"name": "prob", "type": "softmax", "in": ["fc2"]},
			{"name": "loss", "type": "softmax-loss", "in": ["fc2", "label"]},
			{"name": "accuracy", "type": "accuracy", "in": ["fc2", "label"]}],
		"outputs": ["prob"]}`
	net := filepath.Join(t.TempDir(), "net.json")
	require.NoError(t, os.WriteFile(net, []byte(network), 0o666))
	var stderr bytes.Buffer
	code := train.Run(t.Context(), append([]string{"train", "-net", net, "-data", "synthetic:64,16", "-iters", "4", "-log-every", "1", "-monitor", "-out", dir}, more...), io.Discard, &stderr)
	require.Equal(t, command.Done, code, stderr.String())
}

// shown runs the program until the test is over, and returns its address.
func shown(t *testing.T, args ...string) string {
	t.Helper()
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() { ended <- run(ctx, args, in, io.Discard) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	t.Cleanup(func() {
		cancel()
		require.Equal(t, command.Interrupted, <-ended)
	})
	return regexp.MustCompile(`http://\S+/`).FindString(line)
}

// events are those that a page gets at first, by run and kind.
func events(t *testing.T, address string) []map[string]json.RawMessage {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", address+"api/events", nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<24)
	var runs []map[string]json.RawMessage
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e struct {
			Run  int
			Kind string
			Data json.RawMessage
		}
		require.NoError(t, json.Unmarshal([]byte(text), &e))
		switch e.Kind {
		case "ready":
			return runs
		case "reset":
			var all []any
			require.NoError(t, json.Unmarshal(e.Data, &all))
			for range all {
				runs = append(runs, map[string]json.RawMessage{})
			}
		default:
			runs[e.Run][e.Kind] = e.Data
		}
	}
	t.Fatal("the stream ended")
	return nil
}

// Two runs that are over are shown with all that was recorded of them.
func TestTwoRuns(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	trained(t, a, "-lr", "0.01")
	trained(t, b, "-lr", "0.02")
	runs := events(t, shown(t, a, b))
	require.Len(t, runs, 2)
	for i, r := range runs {
		for _, kind := range []string{"about", "graph", "plan", "machine", "status", "progress", "log", "monitor", "filters", "answers"} {
			require.NotEmpty(t, r[kind], "run %d: %s", i, kind)
		}
		var log []results.LogLine
		require.NoError(t, json.Unmarshal(r["log"], &log))
		require.Len(t, log, 4)
		require.JSONEq(t, `{"state":"done"}`, string(r["status"]))
		var about struct {
			Parameters int64
			Settings   []results.Fact
		}
		require.NoError(t, json.Unmarshal(r["about"], &about))
		require.EqualValues(t, 4*10+36*4*10+10, about.Parameters)
		require.Contains(t, about.Settings, results.Fact{Name: "schedule rate", Value: []string{"0.01", "0.02"}[i]})
		var plan struct {
			Arena int64
			Spans []struct{ Offset, Bytes int64 }
		}
		require.NoError(t, json.Unmarshal(r["plan"], &plan))
		for _, s := range plan.Spans {
			require.LessOrEqual(t, s.Offset+s.Bytes, plan.Arena)
		}
	}
}

// One line, exit code 2, and nothing listens.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	trained(t, good)
	damaged := filepath.Join(dir, "damaged\x1b[31m")
	require.NoError(t, os.CopyFS(damaged, os.DirFS(good)))
	require.NoError(t, os.WriteFile(filepath.Join(damaged, results.LogFile), []byte("{\"iteration\":1}\n\x1b]0;x\x07\n"), 0o666))
	broken := filepath.Join(dir, "broken")
	require.NoError(t, os.CopyFS(broken, os.DirFS(good)))
	require.NoError(t, os.WriteFile(filepath.Join(broken, "checkpoint.safetensors"), []byte("nothing"), 0o666))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	for want, args := range map[string][]string{
		"the folders of runs are missing":                   {},
		"is not the folder of a run: it has no log.jsonl":   {dir},
		"log.jsonl: line 2: ":                               {good, damaged},
		"checkpoint.safetensors: ":                          {broken},
		"address already in use":                            {"-addr", l.Addr().String(), good},
		"for flag -addr: it is a port, such as 8080, or":    {"-addr", "x", good},
		"9 runs are too many to tell apart: give at most 8": {"1", "2", "3", "4", "5", "6", "7", "8", "9"},
		"flag provided but not defined: -x; -h lists":       {"-x"},
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, command.Wrong, run(t.Context(), args, &stdout, &stderr), want)
		require.Empty(t, stdout.String(), want)
		require.Contains(t, stderr.String(), want)
		require.True(t, strings.HasPrefix(stderr.String(), "live: "))
		require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
	}
}

func TestHelp(t *testing.T) {
	var stdout bytes.Buffer
	require.Equal(t, command.Done, run(t.Context(), []string{"-h"}, &stdout, io.Discard))
	require.Contains(t, stdout.String(), "live RUNFOLDER...")
	require.Contains(t, stdout.String(), "-addr address")
}
