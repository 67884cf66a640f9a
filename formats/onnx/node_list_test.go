package onnx

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/graph/gradcheck"
	"github.com/hubel-go/hubel/layers"

	_ "github.com/hubel-go/hubel/kernels/cpu"
	_ "github.com/hubel-go/hubel/kernels/cuda/simdevice"
)

var update = flag.Bool("update", false, "write the counts of the node cases into docs/interop/onnx.md")

// nodeCases is where Debian's package libonnx-testdata has the cases of ONNX 1.12. HUBEL_ONNX_NODES
// names another folder, such as one that `make interop CHECK=onnx` fills.
const nodeCases = "/usr/share/libonnx-testdata/data/node"

const document = "../../docs/interop/onnx.md"

// What runs on the simulator: networks of so many operations, a multiply-add as two, and values
// of so many elements.
const (
	simulatedOperations = 200_000
	simulatedElements   = 20_000
)

// known are the cases that fail, each with the reason.
func known(t *testing.T) map[string]string {
	f, err := os.Open("testdata/node-cases.txt")
	require.NoError(t, err)
	defer f.Close()
	list := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if line := lines.Text(); line != "" && !strings.HasPrefix(line, "#") {
			name, reason, ok := strings.Cut(line, ": ")
			require.True(t, ok && reason != "" && list[name] == "", line)
			list[name] = reason
		}
	}
	return list
}

// counts are how many cases there are of each operator, and how many pass.
type counts struct{ all, passed map[string]int }

func (c counts) add(op string, passed bool) {
	c.all[op]++
	if passed {
		c.passed[op]++
	}
}

// total counts all operators.
func (c counts) total() (passed, all int) {
	for op, n := range c.all {
		passed, all = passed+c.passed[op], all+n
	}
	return passed, all
}

// lines are the counts as they stand in the documentation.
func (c counts) lines() string {
	var whole, part []string
	for _, op := range slices.Sorted(maps.Keys(c.all)) {
		if c.passed[op] == c.all[op] {
			whole = append(whole, fmt.Sprintf("%s %d", op, c.all[op]))
		} else {
			part = append(part, fmt.Sprintf("%s %d of %d", op, c.passed[op], c.all[op]))
		}
	}
	return "All pass: " + strings.Join(whole, ", ") + ".\n\nNot all pass: " + strings.Join(part, ", ") + "."
}

// nodeRun is a run of all cases.
type nodeRun struct {
	cpu, simulator device.Device

	counts
	left                       map[string]int // cases that are not counted, by the reason
	failures                   map[string]error
	simulated, large           int // cases on the simulator, and those that are too large
	gradients, flat            int // cases whose gradients were compared, and those without one
	onSimulator, withGradients []string
	timeSimulated, timeChecked time.Duration
}

// TestNodeCasesOfListedOperators runs the cases of the ONNX project: those that fail must be
// the ones of the list. Those that pass run on the simulator too, where they are small, and
// their gradients are compared with differences.
func TestNodeCasesOfListedOperators(t *testing.T) {
	folder := os.Getenv("HUBEL_ONNX_NODES")
	if folder == "" {
		folder = nodeCases
	}
	cases, err := filepath.Glob(filepath.Join(folder, "test_*"))
	require.NoError(t, err)
	if len(cases) == 0 {
		t.Skipf("there are no cases in %s: apt-get install libonnx-testdata brings them", folder)
	}
	r := &nodeRun{counts: counts{map[string]int{}, map[string]int{}}, left: map[string]int{}, failures: map[string]error{}}
	for name, d := range map[string]*device.Device{"cpu": &r.cpu, "ptxsim": &r.simulator} {
		*d, err = device.Open(name, device.Options{Threads: 2})
		require.NoError(t, err)
		defer func() { require.NoError(t, (*d).Close()) }()
	}
	for _, dir := range cases {
		require.NoError(t, r.run(dir), dir)
	}
	passed, all := r.total()
	t.Logf("%d of %d cases of %d operators pass; not counted are %v", passed, all, len(r.all), r.left)
	t.Logf("on ptxsim %d run, and %d are too large (%v); the gradients of %d are compared, %d have none (%v)",
		r.simulated, r.large, r.timeSimulated.Round(time.Second), r.gradients, r.flat, r.timeChecked.Round(time.Second))
	for _, name := range slices.Sorted(maps.Keys(r.failures)) {
		t.Logf("%s: %v", name, r.failures[name])
	}
	require.GreaterOrEqual(t, float64(passed), 0.95*float64(all))
	require.Empty(t, strings.Join(r.onSimulator, "\n"), "cases that pass on cpu fail on ptxsim")
	require.Empty(t, strings.Join(r.withGradients, "\n"), "cases that pass on cpu have other gradients than central differences")

	list := known(t)
	for name, err := range r.failures {
		require.Contains(t, list, name, "testdata/node-cases.txt does not list it, and it fails: %v", err)
	}
	version, err := os.ReadFile(filepath.Join(folder, "VERSION"))
	for name := range list {
		_, missing := os.Stat(filepath.Join(folder, name))
		if missing == nil || err == nil { // the list is that of the newest version
			require.Contains(t, r.failures, name, "testdata/node-cases.txt lists it, and it does not fail")
		}
	}
	if err == nil {
		r.document(t, strings.TrimSpace(string(version)), list)
	}
}

// run runs a case on all devices.
func (r *nodeRun) run(dir string) error {
	c, why, err := readCase(dir)
	switch {
	case err != nil:
		return err
	case c == nil:
		return nil
	case why != "":
		r.left[why]++
		return nil
	}
	for _, set := range c.sets {
		if c.folds {
			err = c.fold(set)
		} else {
			err = r.converted(c, set)
		}
		if err != nil {
			r.failures[c.name] = err
			break
		}
	}
	r.add(c.op, err == nil)
	return nil
}

// converted runs a data set of a case as a network.
func (r *nodeRun) converted(c *nodeCase, set string) error {
	data, err := c.ready(set)
	if err != nil {
		return err
	}
	if err := data.compute(r.cpu); err != nil {
		return err
	}
	small, err := data.small(r.simulator)
	begin := time.Now()
	switch {
	case err != nil:
	case !small:
		r.large++
	default:
		r.simulated++
		err = data.compute(r.simulator)
	}
	if err != nil {
		r.onSimulator = append(r.onSimulator, fmt.Sprintf("%s: %v", c.name, err))
	}
	r.timeSimulated += time.Since(begin)
	begin = time.Now()
	if steps[c.op] {
		r.flat++
	} else {
		r.gradients++
		if err := data.gradients(); err != nil {
			r.withGradients = append(r.withGradients, fmt.Sprintf("%s: %v", c.name, err))
		}
	}
	r.timeChecked += time.Since(begin)
	return nil
}

// steps are the operators that are constant but for jumps: they have no gradient.
var steps = map[string]bool{"Equal": true, "Less": true, "LessOrEqual": true, "Greater": true, "GreaterOrEqual": true, "Sign": true, "ArgMax": true, "ArgMin": true}

// small reports whether a network is small enough for the simulator.
func (r *ready) small(d device.Device) (bool, error) {
	plan, err := r.model.Network.Plan(d.Traits(), graph.PlanOptions{Batch: r.batch()})
	if err != nil {
		return false, err
	}
	operations, most := int64(0), 0
	for _, s := range plan.Specs {
		operations += s.FLOPs
	}
	for _, v := range plan.Values {
		most = max(most, device.Elements(v.Shape))
	}
	return operations <= simulatedOperations && most <= simulatedElements, nil
}

// batch is how many samples the case has.
func (r *ready) batch() int {
	in := r.model.Network.Inputs[0]
	return len(r.inputs[in.Name].values) / product(in.Shape)
}

// gradients compares those of the inputs and parameters with central differences, at the
// values of the case. They are moved a little, since some are where a function has a kink.
func (r *ready) gradients() error {
	n := *r.model.Network
	n.Inputs, n.Nodes = slices.Clone(n.Inputs), slices.Clone(n.Nodes)
	o := gradcheck.Options{Batch: r.batch(), Elements: 4, Values: map[string][]float32{}}
	random := rand.New(rand.NewPCG(5, 6))
	moved := func(name string, values []float32) {
		list := slices.Clone(values)
		for i := range list {
			if v := float64(list[i]); math.IsNaN(v) || math.IsInf(v, 0) {
				list[i] = 1
			}
			list[i] += (0.01 + 0.01*random.Float32()) * max(list[i], -list[i], 0.1)
		}
		o.Values[name] = list
	}
	for name, x := range r.inputs {
		moved(name, x.values)
	}
	for name, w := range r.model.Weights {
		moved(name, w.Float32s())
	}
	for i := range n.Nodes { // what moves elements is not trained
		if l, ok := n.Nodes[i].Layer.(*layers.Conv); ok && l.WeightRate != nil && *l.WeightRate == 0 {
			o.Frozen = append(o.Frozen, n.Nodes[i].WeightName("weight"))
		}
	}
	plan, err := n.Plan(reference.New().Traits(), graph.PlanOptions{Batch: o.Batch, Keep: n.Outputs})
	if err != nil {
		return err
	}
	for i, name := range n.Outputs {
		at := slices.IndexFunc(plan.Values, func(v graph.Value) bool { return v.Name == name })
		if at < 0 {
			return errors.New("the plan lacks the output " + name)
		}
		target := n.Input(fmt.Sprintf("target%d", i), device.Float32, plan.Values[at].Shape[1:]...)
		n.Add(fmt.Sprintf("loss%d", i), &layers.L2Loss{}, name, target)
	}
	names, err := gradcheck.Names(&n, o)
	if err == nil && len(names) == 0 {
		err = errors.New("there are none")
	}
	return errors.Join(err, gradcheck.Check(&n, o))
}

// document compares the counts with the documentation, or writes them there.
func (r *nodeRun) document(t *testing.T, version string, list map[string]string) {
	passed, all := r.total()
	var b strings.Builder
	fmt.Fprintf(&b, "Of ONNX %s, %d of %d cases of %d operators pass.\n\n%s\n\n", version, passed, all, len(r.all), r.lines())
	b.WriteString(failureLines(list))
	fmt.Fprintf(&b, "\n%d cases run on `ptxsim` as well, and %d are too large for it: of more than %d operations, or values of more than %d elements. The gradients of %d are within 1e-6 of central differences.\n\n",
		r.simulated, r.large, simulatedOperations, simulatedElements, r.gradients)
	b.WriteString("Not counted:")
	for i, why := range slices.Sorted(maps.Keys(r.left)) {
		fmt.Fprintf(&b, "%s %d of %s", []string{"", ","}[min(i, 1)], r.left[why], why)
	}
	b.WriteString(".\n")
	want := wrapped(b.String())
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	head, rest, ok := strings.Cut(string(text), documentBegin)
	require.True(t, ok)
	got, foot, ok := strings.Cut(rest, documentEnd)
	require.True(t, ok)
	if *update {
		require.NoError(t, os.WriteFile(document, []byte(head+documentBegin+want+documentEnd+foot), 0o644))
		return
	}
	require.Equal(t, want, got, "docs/interop/onnx.md has other counts: run it with -update")
}

const documentBegin, documentEnd = "<!-- go test -run NodeCases -update writes from here -->\n", "<!-- to here -->\n"

// failureLines are the known failures as they stand in the documentation.
func failureLines(list map[string]string) string {
	var b strings.Builder
	b.WriteString("| case that fails | why |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(list)) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, list[name])
	}
	return b.String()
}

// wrapped breaks lines of text that are longer than the documentation's.
func wrapped(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "|") {
			continue
		}
		var b strings.Builder
		width := 0
		for k, word := range strings.Fields(line) {
			switch {
			case k == 0:
			case width+1+len(word) > 95:
				b.WriteByte('\n')
				width = 0
			default:
				b.WriteByte(' ')
				width++
			}
			b.WriteString(word)
			width += len(word)
		}
		lines[i] = b.String()
	}
	return strings.Join(lines, "\n")
}

// The documentation lists the failures that are known, also where there are no cases to run.
func TestDocumentationListsTheFailures(t *testing.T) {
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	require.Contains(t, string(text), failureLines(known(t)))
}
