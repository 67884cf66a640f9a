package results

import (
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLogLineInJSON(t *testing.T) {
	l := LogLine{
		Iteration: 3, Epoch: 0.5, Loss: 2, TestLoss: new(1.0), Rate: 0.25, ImagesPerSecond: 9, InputPerSecond: 12,
		Train: Metrics{{Name: "hits", Value: 0.5}, {Name: "far", Value: math.NaN()}}, Test: Metrics{{Name: "hits", Value: 1}, {Name: "far", Value: 1e-3}},
	}
	const text = `{"iteration":3,"epoch":0.5,"loss":2,"train_hits":0.5,"test_loss":1,"hits":1,"far":0.001,"rate":0.25,"images_per_second":9,"input_per_second":12}`
	b, err := json.Marshal(l)
	require.NoError(t, err)
	require.Equal(t, text, string(b))
	var back LogLine
	require.NoError(t, json.Unmarshal([]byte(`{"later":"x",`+text[1:]), &back))
	l.Train = l.Train[:1]
	require.Equal(t, l, back)
	require.NoError(t, json.Unmarshal([]byte(`{"iteration":1}`), &back))
	require.Equal(t, LogLine{Iteration: 1}, back, "nothing of the line before stays")
	const averaged = `{"iteration":1,"epoch":0,"loss":0,"test_loss":1,"hits":1,"averaged_test_loss":2,"averaged_hits":0.5,"rate":0,"images_per_second":0}`
	l = LogLine{Iteration: 1, TestLoss: new(1.0), Test: Metrics{{Name: "hits", Value: 1}}, AverageLoss: new(2.0), Average: Metrics{{Name: "hits", Value: 0.5}}}
	b, err = json.Marshal(l)
	require.NoError(t, err)
	require.Equal(t, averaged, string(b))
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, l, back)
	l.AverageLoss, l.Average = new(math.NaN()), nil // which training lives with
	b, err = json.Marshal(l)
	require.NoError(t, err)
	require.NotContains(t, string(b), "averaged")
	for _, broken := range []string{`[]`, `7`, `{"iteration":"x"}`, `{"loss":1`} {
		require.Error(t, json.Unmarshal([]byte(broken), &back), broken)
	}
}

func TestMetricsInJSON(t *testing.T) {
	m := Metrics{{Name: "z", Value: 1}, {Name: "a", Value: 2}}
	b, err := json.Marshal(append(m, Metric{Name: "inf", Value: math.Inf(1)}))
	require.NoError(t, err)
	require.Equal(t, `{"z":1,"a":2}`, string(b))
	var back Metrics
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, m, back)
	require.Error(t, json.Unmarshal([]byte(`{"z":"a"}`), &back))
	_, ok := m.Get("y")
	require.False(t, ok)
	require.Equal(t, "hits 12.50 %", Metric{Name: "hits", Value: 0.125, Share: true}.String())
	require.Equal(t, "far 0.1250", Metric{Name: "far", Value: 0.125}.String())
}

// A metric has no name that a line has for something else.
func TestCheckMetric(t *testing.T) {
	require.NoError(t, CheckMetric("accuracy"))
	for _, name := range append(logKeys, "train_accuracy", "averaged_accuracy") {
		require.ErrorContains(t, CheckMetric(name), "the metric "+name+" is called as something else in the log, which has iteration, epoch, ")
	}
}

func TestReadLogRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), LogFile)
	_, err := ReadLog(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("{\"iteration\":1}\nnonsense\n{\"iteration\":3}\n"), 0o666))
	_, err = ReadLog(path)
	require.ErrorContains(t, err, "log.jsonl: line 2: ")
}

// A line that JSON cannot say is an error, and says which number it is.
func TestLogLineOfNonsense(t *testing.T) {
	_, err := json.Marshal(LogLine{Loss: math.NaN(), Epoch: math.Inf(1)})
	require.ErrorContains(t, err, "unsupported value: +Inf", "the first")
	_, err = json.Marshal(LogLine{Loss: math.NaN()})
	require.ErrorContains(t, err, "unsupported value: NaN")
}
