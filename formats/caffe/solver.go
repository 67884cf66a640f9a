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

// Flags are the flags of hubel's train that do what the solver does, as far as there are some.
// What remains is for the data, the network and the batch, which the solver does not know.
func (s *Solver) Flags() []string {
	var flags []string
	add := func(name, value string) { flags = append(flags, "-"+name+"="+value) }
	number := func(name string, v float32) { add(name, strconv.FormatFloat(float64(v), 'g', -1, 32)) }
	if m := map[string]string{"SGD": "sgd", "Nesterov": "sgd", "Adam": "adam", "AdaGrad": "adagrad", "RMSProp": "rmsprop", "AdaDelta": "adadelta"}[s.Type]; m != "" && m != "sgd" {
		add("optimiser", m)
	}
	number("lr", s.BaseLR)
	switch s.Policy {
	case "step":
		add("lr-policy", "step")
		number("gamma", s.Gamma)
		add("step", strconv.Itoa(s.StepSize))
	case "multistep":
		add("lr-policy", "multistep")
		number("gamma", s.Gamma)
		var steps []string
		for _, v := range s.StepValues {
			steps = append(steps, strconv.Itoa(v))
		}
		add("steps", strings.Join(steps, ","))
	case "exp":
		add("lr-policy", "exp")
		number("gamma", s.Gamma)
	case "inv":
		add("lr-policy", "inv")
		number("gamma", s.Gamma)
		number("power", s.Power)
	case "poly":
		add("lr-policy", "poly")
		number("power", s.Power)
	}
	switch s.Type {
	case "SGD", "Nesterov":
		number("momentum", s.Momentum)
		if s.Type == "Nesterov" {
			flags = append(flags, "-nesterov")
		}
	case "Adam":
		number("beta1", s.Momentum)
		number("beta2", s.Momentum2)
		number("epsilon", s.Delta)
	}
	if s.Regularization == "L2" {
		number("decay", s.WeightDecay)
	}
	if s.ClipGradients >= 0 {
		number("clip", s.ClipGradients)
	}
	if s.IterSize > 1 {
		add("accumulate", strconv.Itoa(s.IterSize))
	}
	if s.MaxIter > 0 {
		add("iters", strconv.Itoa(s.MaxIter))
	}
	if s.Snapshot > 0 {
		add("checkpoint", strconv.Itoa(s.Snapshot))
	}
	if s.Display > 0 {
		add("log-every", strconv.Itoa(s.Display))
	}
	if s.RandomSeed >= 0 {
		add("seed", strconv.FormatInt(s.RandomSeed, 10))
	}
	return flags
}
