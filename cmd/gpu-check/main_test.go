package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
)

// fake is a bundle whose programs are scripts: a device with a name, a suite of
// two cases, a training, and a bench that knows a layer and a step.
func fake(t *testing.T) (bundle string) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("the bundle's stand-ins are shell scripts, and there is no sh")
	}
	bundle = t.TempDir()
	for _, dir := range []string{"bin", "tests", "mnist"} {
		require.NoError(t, os.Mkdir(filepath.Join(bundle, dir), 0o777))
	}
	script(t, bundle, "bin/train", `
if [ "$1" = -devices ]; then
	printf 'cuda:0  card    NVIDIA H100 80GB HBM3, 132 multiprocessors\n        compute capability  9.0\n        driver  12.4\ncuda:1  cannot be used  too old\n'
	exit
fi
while [ "$1" != -out ]; do shift; done
mkdir -p "$2"
printf '{"iteration":1,"loss":2.3,"images_per_second":9}\n{"iteration":9,"loss":0.1,"accuracy":0.9912,"images_per_second":12345}\n' >"$2/log.jsonl"`)
	script(t, bundle, "tests/cuda.test", `
[ "$HUBEL_DEVICE" = cuda:0 ] || exit 1
printf -- '--- PASS: TestConformance\n    --- PASS: TestConformance/gemm\n'`)
	script(t, bundle, "bin/bench", `
kind=$1 device=cpu
while [ $# -gt 0 ]; do
	case $1 in -json) json=$2 ;; -devices) device=$2 ;; -gpu) device=$2 predicted=" (predicted)" ;; -tf32=true) tf32=" TF32" ;; esac
	shift
done
device="$device$tf32$predicted"
sum=10
seconds=0.002
[ "$tf32" ] && seconds=0.001
[ "$device" = cpu ] && seconds=0.2
if [ $kind = layers ]; then
	echo '{"machine":{"cpu":"Abacus"},"results":[{"kind":"layers","model":"alexnet","batch":128,"name":"conv1","pass":"forward","product":true,"device":"'$device'","seconds":'$seconds',"flops":66900000000,"bytes":4,"checksum":{"sum":'$sum',"absolute":20}}]}' >"$json"
else
	echo '{"machine":{"cpu":"Abacus"},"results":[{"kind":"net","model":"alexnet","batch":128,"name":"step","pass":"training","device":"'$device'","seconds":'$seconds',"images":128}]}' >"$json"
fi`)
	t.Setenv("PATH", pathWithoutPython(t))
	return bundle
}

func script(t *testing.T, bundle, name, text string) {
	require.NoError(t, os.WriteFile(filepath.Join(bundle, name), []byte("#!/bin/sh\n"+text), 0o777))
}

// pathWithoutPython has what the scripts need, so that no PyTorch of the machine
// is timed.
func pathWithoutPython(t *testing.T) string {
	dir := t.TempDir()
	for _, name := range []string{"sh", "mkdir"} {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(dir, name)))
	}
	return dir
}

// checked runs gpu-check and returns what it says and its report.
func checked(t *testing.T, bundle string, args ...string) (code int, report string) {
	out := filepath.Join(t.TempDir(), "out")
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), bundle, append(args, "-out", out), &stdout, &stderr)
	t.Logf("%s%s", stdout.String(), stderr.String())
	b, err := os.ReadFile(filepath.Join(out, "report.md"))
	require.NoError(t, err)
	return code, string(b)
}

func TestPasses(t *testing.T) {
	code, report := checked(t, fake(t))
	require.Equal(t, command.Done, code)
	report = regexp.MustCompile(`\d+\.\d s \|`).ReplaceAllString(report, "1.0 s |")
	require.Equal(t, `# gpu-check on cuda:0

| step | result | time | |
|---|---|---|---|
| devices | PASS | 1.0 s | card NVIDIA H100 80GB HBM3, 132 multiprocessors compute capability 9.0 driver 12.4 |
| suite | PASS | 1.0 s | 2 tests |
| lenet | PASS | 1.0 s | 99.12 % of MNIST's test set right, up to 12345 images/s |
| alexnet | PASS | 1.0 s | alexnet, batch 128: training 64000 images/s |
| tf32 | PASS | 1.0 s | alexnet, batch 128: training 128000 images/s |
| cpu | PASS | 1.0 s | alexnet, batch 128: training 640 images/s |
| prediction | PASS | 1.0 s | H100 SXM5, alexnet, batch 128: training 64000 images/s, with TF32 alexnet, batch 128: training 128000 images/s |
| pytorch | skip | 1.0 s | there is no python3 |
| comparison | PASS | 1.0 s | cpu: 1 values agree, predicted: 1 values agree |
`, report[:strings.Index(report, "\n## Devices")])
	require.Contains(t, report, `
| layers of alexnet, batch 128 | pass | cuda:0 | cpu | h100 (predicted) |
|---|---|---|---|---|
| conv1 | forward | 2.00 ms, 50 % | 200 ms | 2.00 ms |
`)
	require.Contains(t, report, `
| net of alexnet, batch 128 | pass | cuda:0 | cuda:0 TF32 | cpu | h100 (predicted) | h100 TF32 (predicted) |
|---|---|---|---|---|---|---|
| step | training | 2.00 ms, 64000 images/s | 1.00 ms, 128000 images/s | 200 ms, 640 images/s | 2.00 ms, 64000 images/s | 1.00 ms, 128000 images/s |
`)
	require.Regexp(t, `cuda:0: layers of alexnet, batch 128 +cpu +100\.00`, report)
}

// What fails is said, and the steps after it run.
func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		program, text string
		args          []string
		says          []string
	}{
		"no such device": {args: []string{"-device", "cuda:7"}, says: []string{
			`devices | FAIL .*cuda:7 is not among the devices, which are cuda:0, cuda:1 `, `suite | skip`, `comparison | skip .*there is no device to try`}},
		"no driver": {program: "bin/train", text: "echo 'cpu   path  avx2'; echo 'cuda  cannot be used  no CUDA driver'", says: []string{
			`devices | FAIL .*cuda:0 cannot be used no CUDA driver `, `cpu | skip`}},
		"unusable device": {args: []string{"-device", "cuda:1"}, says: []string{`devices | FAIL .*cuda:1 cannot be used too old`}},
		"suite": {program: "tests/cuda.test", text: `
for name in '' '/gemm' '/gemm/NN' '/gemm/NT' '/conv' '/conv/1x1'; do
	echo "--- FAIL: TestConformance$name (0.00s)"
done
echo '--- PASS: TestLeNetTrains'
exit 1`, says: []string{
			`suite | FAIL .*6 of 7 fail, the first TestConformance/gemm/NN; .*suite.txt says how`, `alexnet | PASS`}},
		"crash": {program: "bin/bench", text: "echo lost device >&2; exit 3", says: []string{
			`alexnet | FAIL .*bench: exit status 3: lost device \(.*device-layers.txt has all of it\)`, `comparison | FAIL .*the device was not timed`}},
		"signal": {program: "tests/cuda.test", text: `printf 'SIGSEGV: segmentation violation\nPC=0x0 m=0\n\nr15 0x0\ngs 0x0\n' >&2; exit 2`, says: []string{
			`suite | FAIL .*cuda.test: exit status 2: SIGSEGV: segmentation violation \(.*suite.txt has all of it\)`}},
		"accuracy": {program: "bin/train", text: `while [ "$1" != -out ]; do shift || exit; done; mkdir -p $2; echo '{"loss":1,"accuracy":0.98}' >$2/log.jsonl`, says: []string{
			`lenet | FAIL .*98.00 % of MNIST's test set right, .*: less than 99 %`}},
		"endless": {program: "bin/train", text: "while true; do true; done", args: []string{"-limit", "100ms"}, says: []string{
			`devices | FAIL .*train: took longer than 100ms`}},
		"other card": {program: "bin/train", text: `[ "$1" = -devices ] && echo 'cuda:0  card  NVIDIA H100 PCIe, 114 multiprocessors'`, says: []string{
			`prediction | skip .*no card that is predicted`, `lenet | FAIL`, `tf32 | skip .*TF32 takes compute capability 8.0 or later`}},
	} {
		t.Run(name, func(t *testing.T) {
			bundle := fake(t)
			if c.program != "" {
				script(t, bundle, c.program, c.text)
			}
			code, report := checked(t, bundle, c.args...)
			require.Equal(t, command.Broken, code)
			for _, s := range c.says {
				require.Regexp(t, strings.ReplaceAll(s, " | ", ` \| `), report)
			}
		})
	}
}

// Values that differ are a failure, and the times are shown all the same.
func TestOtherValues(t *testing.T) {
	bundle := fake(t)
	text, err := os.ReadFile(filepath.Join(bundle, "bin/bench"))
	require.NoError(t, err)
	script(t, bundle, "bin/bench", strings.Replace(string(text), "seconds=0.2", "seconds=0.2 sum=11", 1))
	code, report := checked(t, bundle)
	require.Equal(t, command.Broken, code)
	require.Regexp(t, `comparison \| FAIL .*layers/alexnet@128/conv1/forward: the values of cuda:0 and cpu differ`, report)
	require.Contains(t, report, "| conv1 | forward | 2.00 ms, 50 % |")
}

func TestWrong(t *testing.T) {
	full := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(full, "report.md"), nil, 0o666))
	bundle := fake(t)
	for args, says := range map[string]string{
		"-fast":        "-h lists the flags",
		"more":         `"more" is not a flag`,
		"-limit 0s":    "-limit 0s must be positive",
		"-gpu gtx480":  `GPU "gtx480" is unknown; there are v100`,
		"-out " + full: "is not empty; name another",
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, command.Wrong, run(t.Context(), bundle, strings.Fields(args), &stdout, &stderr), args)
		require.Contains(t, stderr.String(), says)
		require.Equal(t, 1, strings.Count(stderr.String(), "\n"))
	}
	var stdout, stderr bytes.Buffer
	require.Equal(t, command.Wrong, run(t.Context(), t.TempDir(), nil, &stdout, &stderr))
	require.Contains(t, stderr.String(), "bin/train is missing beside this program")
	require.Equal(t, command.Done, run(t.Context(), bundle, []string{"-h"}, &stdout, &stderr))
	require.Contains(t, stdout.String(), "-limit")
}

// The real programs, on the simulator.
func TestOnSimulator(t *testing.T) {
	if os.Getenv("HUBEL_LONG") == "" {
		t.Skip("set HUBEL_LONG=1 to run gpu-check on the simulator")
	}
	bundle := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(bundle, "mnist"), 0o777))
	for _, args := range [][]string{
		{"build", "-o", filepath.Join(bundle, "bin") + string(filepath.Separator), "../train", "../bench"},
		{"test", "-c", "-o", filepath.Join(bundle, "tests", "cuda.test"), "../../kernels/cuda"},
	} {
		out, err := exec.Command("go", args...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	code, report := checked(t, bundle, "-device", "ptxsim", "-gpu", "a100", "-limit", "10m")
	require.Equal(t, command.Done, code, report)
	require.Contains(t, report, "values agree")
	require.Contains(t, report, "| net of lenet, batch 4 | pass | ptxsim | ptxsim TF32 | cpu")
	require.Contains(t, report, "| net of alexnet, batch 128 | pass | a100 (predicted) | a100 TF32 (predicted) |")
	require.NotContains(t, report, "| "+fail+" |")
}
