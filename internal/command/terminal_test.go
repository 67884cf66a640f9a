package command_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/internal/command"
)

// evil is a name that clears a screen, writes over its line, makes a line of its
// own, turns text around, hides a character, and is not UTF-8.
const evil = "\x1b[2J\rover\nFAKE \u009b31m\u202egnp\u2066\u200b\x07\x7f\x9b"

// network is one whose name is evil, of images of 8x8 in two classes.
var network = `{"name": ` + strings.ReplaceAll(strconv.Quote(strings.ToValidUTF8(evil, "")), `\x`, `\u00`) + `,
  "inputs": [{"name": "data", "dtype": "float32", "shape": [3, 8, 8]}, {"name": "label", "dtype": "int32", "shape": []}],
  "layers": [
    {"name": "fc", "type": "dense", "in": ["data"], "options": {"out": 2}},
    {"name": "prob", "type": "softmax", "in": ["fc"]},
    {"name": "loss", "type": "softmax-loss", "in": ["fc", "label"]},
    {"name": "accuracy", "type": "accuracy", "in": ["fc", "label"]}
  ],
  "outputs": ["prob"]
}`

// hostileFolder makes a working directory where everything has an evil name.
func hostileFolder(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	network = strings.ReplaceAll(network, `\a`, `\u0007`)
	write := func(name string, content []byte) {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o777))
		require.NoError(t, os.WriteFile(name, content, 0o666))
	}
	for i, class := range []string{"red " + strings.ToValidUTF8(evil, ""), "blue"} {
		m := image.NewRGBA(image.Rect(0, 0, 9, 9))
		for p := range 81 {
			m.SetRGBA(p%9, p/9, color.RGBA{uint8(200 * i), uint8(p), uint8(200 - 200*i), 255})
		}
		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, m))
		for k := range 8 {
			write(filepath.Join("set", class, fmt.Sprintf("%d%s.png", k, evil)), b.Bytes())
		}
		write(filepath.Join("set", class, "broken"+evil+".png"), []byte("hello"))
	}
	write(evil+".json", []byte(network))
	write("layers.json", []byte(strings.Replace(network, `"fc"`, `"f\u001b[2Jc"`, 1)))
	write("kernel.ptx", []byte(".version 7.8\n.target sm_80\n.address_size 64\n.visible .entry k(\x1b[2J) {}\n"))
	write("report.json", []byte(`{"machine":{"cpu":"`+"\u202e"+`\u001b[2J"},"results":[{"kind":"net","model":"\u001b[2J\nFAKE"}]}`))
	x := tensor.New(tensor.WithShape(1), tensor.WithBacking([]float32{1}))
	require.NoError(t, safetensors.Write("tensors.safetensors", []safetensors.Tensor{{Name: strings.ToValidUTF8(evil, ""), Value: x}},
		map[string]string{"network": network, "preprocess": "{}", "classes": "[]"}))
}

// TestNoProgramSteersATerminal lets every program meet evil names, in files and on
// its command line, and looks at all that it writes.
func TestNoProgramSteersATerminal(t *testing.T) {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", bin, "../../cmd/...")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	hostileFolder(t)
	cache := t.TempDir()

	run := func(code int, line ...string) (stdout string) {
		t.Helper()
		c := exec.Command(filepath.Join(bin, line[0]), line[1:]...)
		c.Env = append(os.Environ(), "XDG_CACHE_HOME="+cache, "HOME="+cache, "GOMAXPROCS=1")
		var out, err bytes.Buffer
		c.Stdout, c.Stderr = &out, &err
		_ = c.Run() // the exit code says more
		require.Equal(t, code, c.ProcessState.ExitCode(), "%q: %s", line, &err)
		require.NotEmpty(t, out.String()+err.String(), "%q", line)
		for _, text := range []string{out.String(), err.String()} {
			require.True(t, utf8.ValidString(text), "%q: %q", line, text)
			for _, r := range text {
				require.True(t, r == '\n' || r == '\t' || unicode.IsGraphic(r), "%q: %q", line, text)
			}
			require.NotContains(t, text, "\nFAKE", "%q", line)
		}
		return out.String()
	}
	small := func(line ...string) []string {
		return append([]string{"train", "-net", evil + ".json", "-data", "set", "-split", "0.25", "-augment", "resize=8,crop=8", "-batch", "4", "-epochs", "1", "-preprocess", "scale=0.01"}, line...)
	}
	trained := filepath.Join(evil, "weights.safetensors")

	require.Contains(t, run(command.Done, "train", "-net", evil+".json", "-summary"), `"\x1b[2J\rover\nFAKE`)
	require.Contains(t, run(command.Done, small("-out", evil)...), `broken\x1b[2J`)
	for _, line := range [][]string{
		small("-out", evil),
		small("-strict"),
		small("-frozen", evil),
		{"train", "-net", evil + ".json", "-data", "set", "-split", "0.25", "-weights", evil},
		{"train", "-net", evil + ".json", "-data", "set", "-split", "0.25", "-augment", "resize=8,crop=8", "-weights", "tensors.safetensors"},
		{"train", "-resume", evil},
		{"train", "-eval", "-weights", trained, "-data", evil},
		{"train", "-eval", "-weights", "tensors.safetensors", "-data", "set"},
		{"train", "-net", "layers.json", "-summary"},
		{"train", "-net", "report.json", "-summary"},
		{"train", "-replay", evil},
		{"train", "-" + evil},
		{"train", evil},
		{"train", "-model", evil, "-summary"},
		{"train", "-model", "lenet", "-device", evil, "-summary"},
		{"train", "-model", "lenet", "-data", "mnist:" + evil},
		{"predict", "-weights", trained, "-features", evil, "set"},
		{"predict", "-weights", trained, evil + "x"},
		{"predict", "-weights", trained, "-device", evil, "set"},
		{"predict", "-weights", "tensors.safetensors", "set"},
		{"predict", "-" + evil},
		{"serve", "-weights", trained, "-addr", "127.0.0.1:0", "-features", evil},
		{"serve", "-weights", evil + "x", "-addr", "127.0.0.1:0"},
		{"serve", "-weights", trained, "-addr", evil},
		{"serve", "-weights", trained, "-host", evil + "/"},
		{"serve", "-weights", "tensors.safetensors", "-addr", "127.0.0.1:0"},
		{"serve", "-" + evil},
		{"live", evil + "x"},
		{"live", "-addr", evil, evil},
		{"live", "-" + evil},
		{"train", "-net", evil + ".json", "-data", "set", "-live=" + evil},
		{"bench", "net", "-model", evil},
		{"bench", "net", "-devices", evil},
		{"bench", "net", "-model", "lenet", "-batch", "1", "-peers", evil, "-compare", "report.json"},
		{"bench", evil},
		{"fetch", evil},
		{"ptxsim", "run", evil},
		{"ptxsim", "run", "kernel.ptx"},
		{"ptxsim", "run", "kernel.ptx", "-arg", evil},
		{"ptxsim", "-" + evil},
		{"gpu-check", evil},
		{"gpu-check", "-" + evil},
	} {
		run(command.Wrong, line...)
	}
	run(command.Done, "train", "-data", "set", "-augment", "resize=8,crop=8", "-preview", "4", evil+".png")
	run(command.Done, "train", "-eval", "-weights", trained, "-data", "set", "-split", "0.25")
	require.Contains(t, run(command.Broken, "predict", "-weights", trained, "set"), `"set/blue/0\x1b[2J`)

	// In JSON names stay what they are, of whatever bytes.
	stdout := run(command.Broken, "predict", "-weights", trained, "-json", "set/blue")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	require.Len(t, lines, 9)
	for k, text := range lines[:8] {
		var line struct {
			File  string
			Bytes []byte `json:"file_base64"`
			Top   []struct {
				Class string
				Bytes []byte `json:"class_base64"`
			}
		}
		require.NoError(t, json.Unmarshal([]byte(text), &line), text)
		name := fmt.Sprintf("set/blue/%d%s.png", k, evil)
		require.Equal(t, name, filepath.ToSlash(string(line.Bytes)))
		require.Equal(t, strings.ToValidUTF8(name, "\ufffd"), filepath.ToSlash(line.File))
		require.Len(t, line.Top, 2)
	}
}
