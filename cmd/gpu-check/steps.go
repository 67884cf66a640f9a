package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/bench"
	"github.com/hubel-go/hubel/kernels/cuda/costmodel"
	"github.com/hubel-go/hubel/results"
)

// right is the share of MNIST's test set that LeNet must get right.
const right = 0.99

// The places that are compared with the device.
const (
	onDevice  = "device"
	onCPU     = "cpu"
	predicted = "predicted"
	pytorch   = "pytorch"
)

func (c *check) steps() {
	c.reports = map[string][]*bench.Report{}
	c.step("devices", c.devices)
	c.step("suite", c.suite)
	c.step("lenet", c.lenet)
	c.step("alexnet", c.alexnet)
	c.step("tf32", c.tf32)
	c.step("cpu", c.cpu)
	c.step("prediction", c.prediction)
	c.step("pytorch", c.pytorch)
	c.step("comparison", c.comparison)
}

// devices lists what there is and looks for the device. Without one that can be
// used there is nothing to do in the other steps.
func (c *check) devices(ctx context.Context) (string, error) {
	text, err := c.command(ctx, "devices.txt", nil, c.program("bin/train"), "-devices")
	if err != nil {
		return "", err
	}
	c.sections = append(c.sections, "## Devices\n\n```\n"+text+"```\n")
	kind, _, _ := strings.Cut(c.device, ":")
	var names []string
	// A device has a line for each fact, of which the first has its name.
	for _, block := range strings.Split(regexp.MustCompile(`(?m)^(\S)`).ReplaceAllString(text, "\x00$1"), "\x00")[1:] {
		name, facts, _ := strings.Cut(block, " ")
		facts = strings.Join(strings.Fields(facts), " ")
		names = append(names, name)
		switch {
		case (name == c.device || name == kind) && strings.Contains(facts, "cannot be used"):
			c.missing = fmt.Sprintf("%s %s", c.device, facts)
		case name == c.device:
			c.listing = facts
		}
	}
	if c.listing == "" && c.missing == "" {
		c.missing = fmt.Sprintf("%s is not among the devices, which are %s", c.device, strings.Join(names, ", "))
	}
	if c.missing != "" {
		return "", errors.New(c.missing)
	}
	return c.listing, nil
}

// suite runs the conformance suite, and LeNet and AlexNet beside the CPU. What
// takes the simulator long is left out on it.
func (c *check) suite(ctx context.Context) (string, error) {
	text, err := c.command(ctx, "suite.txt", []string{"HUBEL_DEVICE=" + c.device, "HUBEL_LONG="}, c.program("tests/cuda.test"),
		"-test.v", "-test.timeout", c.limit.String(), "-test.run", "^(TestConformance|TestLeNetTrains|TestAlexNet)")
	cases := strings.Count(text, "--- PASS: ")
	if err != nil {
		failed := regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)`).FindAllStringSubmatch(text, -1)
		if len(failed) == 0 {
			return "", err
		}
		return "", fmt.Errorf("%d of %d fail, the first %s; %s says how", len(failed), cases+len(failed), firstCase(failed), c.path("suite.txt"))
	}
	return fmt.Sprintf("%d tests", cases), nil
}

// firstCase is the first of the tests that failed which is no group of others. A
// kernel that breaks a GPU's context fails all cases after its own, too.
func firstCase(failed [][]string) string {
	first := failed[0][1]
	for _, f := range failed[1:] { // a group comes before its cases
		if !strings.HasPrefix(f[1], first+"/") {
			break
		}
		first = f[1]
	}
	return first
}

// lenet trains LeNet: on MNIST, to 99 % right, or a few steps.
func (c *check) lenet(ctx context.Context) (string, error) {
	dir := c.path("lenet")
	args := []string{"-model", "lenet", "-device", c.device, "-out", dir}
	if c.quick {
		args = append(args, "-data", "synthetic:160,32", "-iters", "20", "-batch", "16", "-log-every", "1")
	} else {
		args = append(args, "-data", "mnist:"+c.program("mnist"), "-epochs", "5", "-batch", "64", "-lr", "0.04", "-lr-policy", "cosine")
	}
	if _, err := c.command(ctx, "lenet.txt", nil, c.program("bin/train"), args...); err != nil {
		return "", err
	}
	log, err := results.ReadLog(dir + "/" + results.LogFile)
	if err != nil {
		return "", err
	}
	if len(log) == 0 {
		return "", errors.New("the log is empty")
	}
	first, last := log[0], log[len(log)-1]
	if c.quick {
		if !(last.Loss < first.Loss) {
			return "", fmt.Errorf("the loss went from %.4f to %.4f in %d steps", first.Loss, last.Loss, last.Iteration)
		}
		return fmt.Sprintf("%d steps of 16: loss %.4f to %.4f", last.Iteration, first.Loss, last.Loss), nil
	}
	accuracy, speed := 0.0, 0.0
	for _, l := range log {
		if x, ok := l.Test.Get("accuracy"); ok { // LeNet's
			accuracy = x
		}
		speed = max(speed, l.ImagesPerSecond)
	}
	detail := fmt.Sprintf("%.2f %% of MNIST's test set right, up to %.0f images/s", 100*accuracy, speed)
	if !(accuracy >= right) {
		return "", fmt.Errorf("%s: less than %.0f %%", detail, 100*right)
	}
	return detail, nil
}

// work is a network and a batch to time, and what of it.
type work struct {
	model, batch string
	kinds        []string
	runs         int
	tf32         bool
}

// work is AlexNet's layers and whole steps. For the simulator, which needs
// minutes for AlexNet, it is LeNet's.
func (c *check) work(runs int) work {
	w := work{"alexnet", "128", []string{bench.KindLayers, bench.KindNet}, runs, false}
	if c.quick {
		w.model, w.batch, w.runs = "lenet", "4", 1
	}
	return w
}

// inTF32 is its whole steps. The values of layers are of another rounding than
// those that they would be compared with.
func (w work) inTF32() work {
	w.kinds, w.tf32 = []string{bench.KindNet}, true
	return w
}

// timed has bench time some work.
func (c *check) timed(ctx context.Context, place string, w work, args ...string) (string, error) {
	var last *bench.Report
	for _, kind := range w.kinds {
		name := place + "-" + kind
		if w.tf32 {
			name += "-tf32"
		}
		json := c.path(name + ".json")
		all := append([]string{kind, "-model", w.model, "-batch", w.batch, "-runs", strconv.Itoa(w.runs), "-json", json,
			fmt.Sprintf("-tf32=%v", w.tf32)}, args...)
		if _, err := c.command(ctx, name+".txt", nil, c.program("bin/bench"), all...); err != nil {
			return "", err
		}
		r, err := bench.ReadFile(json)
		if err != nil {
			return "", err
		}
		c.reports[place] = append(c.reports[place], r)
		last = r
	}
	return told(last), nil
}

// told is the whole steps of a report, or the time of its layers.
func told(r *bench.Report) string {
	var parts []string
	seconds := 0.0
	for _, x := range r.Results {
		seconds += x.Seconds
		if x.Kind == bench.KindNet {
			parts = append(parts, fmt.Sprintf("%s %.0f images/s", x.Pass, x.PerSecond()))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, fmt.Sprintf("layers %.1f ms", 1e3*seconds))
	}
	return fmt.Sprintf("%s, batch %d: %s", r.Results[0].Model, r.Results[0].Batch, strings.Join(parts, ", "))
}

func (c *check) alexnet(ctx context.Context) (string, error) {
	return c.timed(ctx, onDevice, c.work(10), "-devices", c.device)
}

// tensorCores matches the listing of a device that multiplies TF32.
var tensorCores = regexp.MustCompile(`compute capability ([89]|\d\d+)\.`)

// tf32 times steps with tensor cores, which stand beside those of float32.
func (c *check) tf32(ctx context.Context) (string, error) {
	if !tensorCores.MatchString(c.listing) {
		return "", skipped("TF32 takes compute capability 8.0 or later")
	}
	return c.timed(ctx, onDevice, c.work(10).inTF32(), "-devices", c.device)
}

func (c *check) cpu(ctx context.Context) (string, error) {
	return c.timed(ctx, onCPU, c.work(3), "-devices", "cpu")
}

// prediction predicts the card that the listing names. Only some blocks of each
// launch are simulated, so that it is AlexNet for the simulator too.
func (c *check) prediction(ctx context.Context) (string, error) {
	card, err := c.card()
	if err != nil {
		return "", err
	}
	w := work{"alexnet", "128", []string{bench.KindLayers, bench.KindNet}, 1, false}
	on := []string{"-devices", "ptxsim", "-gpu", card.Name}
	detail, err := c.timed(ctx, predicted, w, on...)
	if err == nil && card.TF32 > 0 {
		var fast string
		fast, err = c.timed(ctx, predicted, w.inTF32(), on...)
		detail += ", with TF32 " + fast
	}
	return card.Model + ", " + detail, err
}

// card is the one to predict.
func (c *check) card() (costmodel.Card, error) {
	switch {
	case c.gpu != "":
		return costmodel.Find(c.gpu)
	case c.quick:
		return costmodel.Cards[0], nil
	}
	listing := strings.ToLower(strings.ReplaceAll(c.listing, " ", ""))
	for _, card := range costmodel.Cards {
		if strings.Contains(listing, card.Name) && strings.Contains(listing, fmt.Sprintf(",%dmultiprocessors", card.SMs)) {
			return card, nil
		}
	}
	return costmodel.Card{}, skipped("no card that is predicted; -gpu takes one for it")
}

// pytorch times PyTorch where Python has it, with CUDA.
func (c *check) pytorch(ctx context.Context) (string, error) {
	if c.quick {
		return "", skipped("PyTorch has no simulator")
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		return "", skipped("there is no python3")
	}
	if exec.CommandContext(ctx, python, "-c", "import torch, sys; sys.exit(not torch.cuda.is_available())").Run() != nil {
		return "", skipped("python3 has no PyTorch with CUDA")
	}
	text, err := c.command(ctx, "pytorch.txt", nil, python, c.program("torch_layers.py"), "all", c.program("alexnet.json"), "128", "10", "1", "cuda")
	if err != nil {
		return "", err
	}
	json := c.path("pytorch.json") // without the warnings
	if err := os.WriteFile(json, []byte(text), 0o666); err != nil {
		return "", err
	}
	r, err := bench.ReadFile(json)
	if err != nil {
		return "", err
	}
	c.reports[pytorch] = append(c.reports[pytorch], r)
	return told(r), nil
}
