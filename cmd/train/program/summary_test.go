package program

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/layers"
)

// words squeezes runs of spaces, so that tests do not depend on the widths of
// columns.
func words(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestSummaryOfLeNet(t *testing.T) {
	t.Chdir(t.TempDir())
	code, stdout, stderr := call(t, "-model", "lenet", "-summary", "-memory", "8GiB")
	require.Equal(t, command.Done, code, stderr)
	require.Empty(t, stderr)
	for _, line := range []string{
		"lenet",
		"layer type output parameters MFLOPs",
		"data input 1x28x28",
		"conv1 conv 20x24x24 520 0.58",
		"conv2 conv 50x8x8 25,050 3.20",
		"ip1 dense 500 400,500 0.80",
		"total 431,080 4.59",
		"largest batch in 8GiB:",
	} {
		require.Contains(t, words(stdout), line+"\n")
	}
	require.Regexp(t, `memory to train at batch 64: \d+\.\d MiB`, stdout)
	require.Regexp(t, `memory to infer at batch 64: \d+\.\d MiB`, stdout)
	require.Regexp(t, `to train +\d{4,}\n  to infer +\d{5,}\n`, stdout)
	require.Len(t, files(t), 1, "nothing is written")
}

func TestSummaryOfAlexNet(t *testing.T) {
	_, stdout, _ := call(t, "-model", "alexnet", "-summary", "-batch", "128", "-memory", "10MiB")
	require.Contains(t, words(stdout), "total 60,965,224 ")
	require.Contains(t, stdout, "none: one image does not fit")
}

func TestSummaryOfAnOptimiser(t *testing.T) {
	for flags, want := range map[string]string{"": "0.6", "-optimiser lion": "0.6", "-optimiser adam": "1.1", "-optimiser adam -ema 0.9": "1.7", "-swa 5": "1.1"} {
		args := append([]string{"-model", "cifar10-quick", "-summary"}, strings.Fields(flags)...)
		_, stdout, stderr := call(t, args...)
		require.Empty(t, stderr)
		require.Contains(t, stdout, "optimiser "+want, flags)
	}
}

func TestSummaryOfFile(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("tiny.json", []byte(tinyNetwork), 0o666))
	_, stdout, stderr := call(t, "-net", "tiny.json", "-summary", "-frozen", "conv1,fc2")
	require.Empty(t, stderr)
	require.Contains(t, words(stdout), "fc2 dense 10 ")
	require.Contains(t, stdout, "gradients 0.0 MiB")
}

func TestSummaryRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	misfit := strings.Replace(tinyNetwork, `"in": ["relu1"]`, `"in": ["label"]`, 1)
	require.NoError(t, os.WriteFile("misfit.json", []byte(misfit), 0o666))
	require.NoError(t, os.WriteFile("broken.json", []byte(tinyNetwork[:50]), 0o666))
	refused(t, `network "lenet6" is unknown; there are alexnet, `, "-model", "lenet6", "-summary")
	refused(t, "missing.json", "-net", "missing.json", "-summary")
	refused(t, "broken.json", "-net", "broken.json", "-summary")
	refused(t, "train: misfit.json: fc2: input is int32", "-net", "misfit.json", "-summary")
	refused(t, `device "gpu" is unknown; this program has cpu, `, "-model", "lenet", "-summary", "-device", "gpu")
	refused(t, `"conv9"`, "-model", "lenet", "-summary", "-frozen", "conv9")
}

// What is wrong with a network names its file, in whatever is done with it.
func TestErrorsOfANetworkNameItsFile(t *testing.T) {
	tiny(t)
	write := func(name string, change ...string) {
		require.NoError(t, os.WriteFile(name, []byte(strings.NewReplacer(change...).Replace(tinyNetwork)), 0o666))
	}
	write("zero.json", `"filters": 4`, `"filters": 0`)
	write("nameless.json", `"name": "tiny",`, "", `"softmax-loss", "in": ["fc2", "label"]`, `"softmax", "in": ["fc2"]`)
	for _, flags := range [][]string{{"-data", "mnist:set", "-iters", "1"}, {"-data", "mnist:set", "-check"}, {"-summary"}} {
		refused(t, "train: zero.json: conv1: 0 filters of 3x3", append(flags, "-net", "zero.json")...)
		refused(t, "train: nameless.json: the network has no loss to train\n", append(flags, "-net", "nameless.json")...)
	}
	refused(t, "train: frozen: network tiny has no layer", with("-iters", "1", "-frozen", "conv9")...)
}

// The network in docs/training.md trains, and the table beside it has every type
// of layer with all of its options.
func TestNetworkOfTheDocuments(t *testing.T) {
	document, err := os.ReadFile("../../../docs/training.md")
	require.NoError(t, err)
	_, section, _ := strings.Cut(string(document), "## A network of your own: -net\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, network, _ := strings.Cut(section, "```json\n")
	network, _, found := strings.Cut(network, "```")
	require.True(t, found)

	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("small.json", []byte(network), 0o666))
	require.Contains(t, succeed(t, "-net", "small.json", "-summary"), "memory to train")
	require.Contains(t, succeed(t, "-net", "small.json", "-data", "synthetic:64,16", "-iters", "2"), "Done")

	for _, name := range layers.Types() {
		require.Contains(t, section, "`"+name+"`")
		l, err := layers.FromJSON(name, nil)
		require.NoError(t, err)
		options := reflect.TypeOf(l).Elem()
		for i := range options.NumField() {
			if option, _, _ := strings.Cut(options.Field(i).Tag.Get("json"), ","); option != "-" {
				require.Contains(t, section, "`"+option+"`", name)
			}
		}
	}
}

// A network of a user's own is trained by what it says of itself; where it says
// nothing, or less than enough, the error says what is missing.
func TestNetworkWithNamesOfItsOwn(t *testing.T) {
	t.Chdir(t.TempDir())
	own := strings.NewReplacer(
		`{
  "name"`, `{
  "version": 1,
  "name"`, `"data", "dtype"`, `"picture", "role": "image", "dtype"`, `["data"]`, `["picture"]`,
		`"label", "dtype"`, `"kind", "role": "label", "dtype"`, `"label"]`, `"kind"]`, `"name": "accuracy"`, `"name": "hits"`,
		`"outputs"`, `"metrics": [{"value": "hits", "better": "higher"}],
  "outputs"`).Replace(tinyNetwork)
	write := func(change ...string) {
		require.NoError(t, os.WriteFile("own.json", []byte(strings.NewReplacer(change...).Replace(own)), 0o666))
	}
	write()
	require.Regexp(t, `test loss \d\.\d{4}  hits \d+\.\d\d %`, succeed(t, "-net", "own.json", "-data", "synthetic:64,16", "-iters", "2", "-out", "run"))
	require.Contains(t, succeed(t, "-eval", "-weights", "run/best.safetensors", "-data", "synthetic:64,16"), "  hits ")
	require.Contains(t, succeed(t, "-resume", "run", "-iters", "4"), "  hits ")

	train := []string{"-net", "own.json", "-data", "synthetic:64,16", "-iters", "2", "-out", "none"}
	write(`"version": 1`, `"version": 7`)
	refused(t, "own.json: network in JSON: version 7 is newer than this hubel, which reads up to version 2: a newer hubel opens it", train...)
	write(`"version": 1,`, ``)
	refused(t, `network in JSON: network tiny has roles or metrics, but no version: put "version": 1 before its name`, train...)
	write(`"role": "image", `, ``)
	refused(t, `network tiny has no input of the role "image": give it to the one that takes them, "role": "image" in JSON`, train...)
	write(`"role": "label", `, ``)
	refused(t, "network tiny has the input kind without a role", train...)
	write(`"inputs": [`, `"inputs": [{"name": "more", "role": "image", "dtype": "float32", "shape": [1, 8, 8]}, `)
	refused(t, `network tiny has two inputs of the role "image", more and picture: keep one`, train...)
	write(`"value": "hits"`, `"value": "accuracy"`)
	refused(t, `network tiny: the metric "accuracy" is no layer's output`, train...)
	write(`"value": "hits"`, `"value": "fc2"`)
	refused(t, "network tiny: the metric fc2 is float32 of the shape [64 10]; it must be one float32 a sample", train...)
	write(`"outputs": ["prob"]`, `"outputs": []`)
	refused(t, `network tiny has no outputs, which say how many classes it tells apart: name one in "outputs"`, train...)
	require.NoDirExists(t, "none")
}
