package caffe

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Solver is what a solver's prototxt says of training, with Caffe's defaults for what it does
// not say.
type Solver struct {
	Net      string   // file of the network of both phases
	TrainNet string   // or of each
	TestNets []string // one for each test

	TestIter           []int // batches of each test
	TestInterval       int   // updates between tests; 0 for none
	TestInitialization bool  // whether there is a test before the first update
	TestComputeLoss    bool

	Type           string // SGD, Nesterov, AdaGrad, RMSProp, AdaDelta or Adam
	BaseLR         float32
	Policy         string // of the rate: fixed, step, exp, inv, multistep, poly or sigmoid
	Gamma, Power   float32
	StepSize       int
	StepValues     []int
	Momentum       float32
	Momentum2      float32 // Adam's
	RMSDecay       float32
	Delta          float32
	WeightDecay    float32
	Regularization string  // of WeightDecay: L2 or L1
	ClipGradients  float32 // largest norm; negative for none

	MaxIter     int
	IterSize    int // batches that make an update
	Display     int
	AverageLoss int
	RandomSeed  int64 // negative for none

	Snapshot           int
	SnapshotPrefix     string
	SnapshotFormat     string // BINARYPROTO or HDF5
	SnapshotDiff       bool
	SnapshotAfterTrain bool
	Mode               string // GPU or CPU
	DeviceID           int
	DebugInfo          bool

	TestStates []string // of each test: its stages, with spaces between them

	path string
	net  *message // that is part of the file
	m    *message
}

// ReadSolver reads a solver's prototxt.
func ReadSolver(path string) (*Solver, error) {
	b, err := readFile(path)
	if err == nil {
		var s *Solver
		if s, err = newSolver(b); err == nil {
			s.path = path
			return s, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}

// looksLikeSolver reports whether a text has a field of solvers at its top.
func looksLikeSolver(text []byte) bool {
	l := lexer{text: bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), line: 1, column: 1}
	depth := 0
	for {
		t, err := l.read()
		if err != nil || t.kind == endToken {
			return false
		}
		switch {
		case t.kind == symbolToken && (t.text == "{" || t.text == "<"):
			depth++
		case t.kind == symbolToken && (t.text == "}" || t.text == ">"):
			depth--
		case t.kind == wordToken && depth == 0:
			if schema()["NetParameter"].byName[t.text] != nil {
				return false // debug_info is in both, and says little
			}
			if schema()["SolverParameter"].byName[t.text] != nil {
				return true
			}
		}
	}
}

// newSolver reads the text of a solver.
func newSolver(text []byte) (*Solver, error) {
	m, err := parseText(schema()["SolverParameter"], text)
	if err != nil {
		return nil, err
	}
	s := &Solver{
		Net: m.text("net", ""), TrainNet: m.text("train_net", ""), TestNets: m.texts("test_net"),
		TestInitialization: m.bool("test_initialization", true), TestComputeLoss: m.bool("test_compute_loss", false),
		Type: m.text("type", "SGD"), BaseLR: m.float("base_lr", 0), Policy: m.text("lr_policy", ""), Gamma: m.float("gamma", 0),
		Power: m.float("power", 0), Momentum: m.float("momentum", 0), Momentum2: m.float("momentum2", 0.999),
		RMSDecay: m.float("rms_decay", 0.99), Delta: m.float("delta", 1e-8), WeightDecay: m.float("weight_decay", 0),
		Regularization: m.text("regularization_type", "L2"), ClipGradients: m.float("clip_gradients", -1),
		RandomSeed: m.int("random_seed", -1), SnapshotPrefix: m.text("snapshot_prefix", ""),
		SnapshotFormat: m.enum("snapshot_format", "BINARYPROTO"), SnapshotDiff: m.bool("snapshot_diff", false),
		SnapshotAfterTrain: m.bool("snapshot_after_train", true), Mode: m.enum("solver_mode", "GPU"), DebugInfo: m.bool("debug_info", false),
		m: m,
	}
	for _, i := range []struct {
		to        *int
		name      string
		otherwise int64
	}{
		{&s.TestInterval, "test_interval", 0}, {&s.StepSize, "stepsize", 0}, {&s.MaxIter, "max_iter", 0}, {&s.IterSize, "iter_size", 1},
		{&s.Display, "display", 0}, {&s.AverageLoss, "average_loss", 1}, {&s.Snapshot, "snapshot", 0}, {&s.DeviceID, "device_id", 0},
	} {
		if *i.to, err = m.count(i.name, m.int(i.name, i.otherwise)); err != nil {
			return nil, err
		}
	}
	for name, to := range map[string]*[]int{"test_iter": &s.TestIter, "stepvalue": &s.StepValues} {
		for _, v := range m.ints(name) {
			n, err := m.count(name, v)
			if err != nil {
				return nil, err
			}
			*to = append(*to, n)
		}
	}
	if f := m.get("solver_type"); f != nil {
		if m.has("type") {
			return nil, fmt.Errorf("%v: solver_type and its new form, type, are both given: give type", f.at)
		}
		s.Type = map[string]string{"SGD": "SGD", "NESTEROV": "Nesterov", "ADAGRAD": "AdaGrad", "RMSPROP": "RMSProp", "ADADELTA": "AdaDelta", "ADAM": "Adam"}[m.enum("solver_type", "")]
	}
	for _, state := range m.subs("test_state") {
		s.TestStates = append(s.TestStates, strings.Join(state.texts("stage"), " "))
	}
	for _, name := range []string{"train_net_param", "net_param"} {
		if n := m.sub(name); n != nil {
			s.net = n
		}
	}
	return s, nil
}

// count checks a number of updates or batches.
func (m *message) count(name string, v int64) (int, error) {
	if v < 0 || v > math.MaxInt32 {
		return 0, fmt.Errorf("%v: %s %d must be from 0 to %d", m.get(name).at, name, v, math.MaxInt32)
	}
	return int(v), nil
}

// methods are hubel's names of the types of solvers.
var methods = map[string]string{"SGD": "sgd", "Nesterov": "sgd", "AdaGrad": "adagrad", "AdaDelta": "adadelta", "RMSProp": "rmsprop", "Adam": "adam"}

// Flags are the flags of hubel's train that do what the solver does, as far as there are some.
// What remains is for the data, the network and the batch, which the solver does not know.
func (s *Solver) Flags() []string {
	var flags []string
	add := func(name, value string) { flags = append(flags, "-"+name+"="+value) }
	number := func(name string, v float32) { add(name, strconv.FormatFloat(float64(v), 'g', -1, 32)) }
	count := func(name string, n, from int) {
		if n >= from {
			add(name, strconv.Itoa(n))
		}
	}
	if m := methods[s.Type]; m != "" && m != "sgd" {
		add("optimiser", m)
	}
	number("lr", s.BaseLR)
	switch s.Policy {
	case "step", "multistep", "exp", "inv":
		add("lr-policy", s.Policy)
		number("gamma", s.Gamma)
	case "poly":
		add("lr-policy", s.Policy)
	}
	switch s.Policy {
	case "step":
		add("step", strconv.Itoa(s.StepSize))
	case "multistep":
		add("steps", strings.Trim(strings.ReplaceAll(fmt.Sprint(s.StepValues), " ", ","), "[]"))
	case "inv", "poly":
		number("power", s.Power)
	}
	switch s.Type {
	case "SGD":
		number("momentum", s.Momentum)
	case "Nesterov":
		number("momentum", s.Momentum)
		flags = append(flags, "-nesterov")
	case "AdaGrad":
		number("epsilon", s.Delta)
	case "AdaDelta":
		number("beta2", s.Momentum)
		number("epsilon", s.Delta)
	case "RMSProp":
		number("beta2", s.RMSDecay)
		number("epsilon", s.Delta)
	case "Adam":
		number("beta1", s.Momentum)
		number("beta2", s.Momentum2)
		number("epsilon", s.Delta)
	}
	if s.Regularization == "L2" {
		number("decay", s.WeightDecay)
	}
	if s.ClipGradients > 0 {
		number("clip", s.clip())
	}
	count("accumulate", s.IterSize, 2)
	count("iters", s.MaxIter, 1)
	count("checkpoint", s.Snapshot, 1)
	count("log-every", s.Display, 1)
	if s.RandomSeed >= 0 {
		add("seed", strconv.FormatInt(s.RandomSeed, 10))
	}
	return flags
}

// Lost are lines about what of the solver hubel's train has no flag for.
func (s *Solver) Lost() []string {
	var lost []string
	say := func(format string, args ...any) { lost = append(lost, "solver: "+fmt.Sprintf(format, args...)) }
	if methods[s.Type] == "" {
		say("type %q: hubel has no such method", s.Type)
	}
	switch s.Policy {
	case "", "fixed", "step", "multistep", "exp", "inv", "poly":
	default:
		say("lr_policy %q: hubel has no such policy", s.Policy)
	}
	if s.Regularization != "L2" && s.WeightDecay != 0 {
		say("regularization_type %q: hubel's decay is L2", s.Regularization)
	}
	if s.Type == "Adam" {
		say("delta is added before the second moment is corrected, in hubel behind that: a rate that differs in the first updates by less than delta does")
	}
	if len(s.TestIter) > 1 {
		say("%d test networks: hubel tests on one set", len(s.TestIter))
	}
	return lost
}
