package graph

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// Mode is the purpose of a plan.
type Mode uint8

// The modes.
const (
	Infer Mode = iota
	Train
)

// String returns "infer" or "train".
func (m Mode) String() string {
	if m == Train {
		return "train"
	}
	return "infer"
}

// PlanOptions are the options of a plan.
type PlanOptions struct {
	Mode  Mode
	Batch int // samples of one pass; a pass may have fewer

	// Keep names values that can be read after the pass. In inference only these
	// are computed, and what they depend on; if Keep is empty, the network's
	// Outputs.
	Keep []string

	// InputGrad names inputs whose gradient is computed. An input that reaches no
	// loss, such as a target, has none.
	InputGrad []string

	// Losses keeps all losses, as training does. Tests need it.
	Losses bool

	// Frozen names layers, or parameters such as "conv1.weight", that are not
	// trained. The State of a layer is not updated if the layer, or a part of its
	// State, is named.
	Frozen []string

	// Slabs is how many buffers as large as the gradients an optimiser keeps, for the
	// Memory of a plan that trains; 0 means 1, as momentum does.
	Slabs int

	// Memory limits Plan.Memory, in bytes, of a plan that trains; 0 means no limit. If what
	// forward keeps for backward does not fit, forward steps run again in the backward part
	// (Step.Again), the cheapest that suffice. All results are the same bits. A plan that cannot
	// fit is a *MemoryError.
	Memory int64

	// Unshared gives every value its own memory, for comparisons.
	Unshared bool
}

// Plan is the order of a network's steps and the place of every value in one
// arena. It is pure data, made from a device's traits without opening the
// device.
type Plan struct {
	Network *Network
	Options PlanOptions
	Traits  device.Traits // of the device it was made for
	Specs   []layers.Spec // of the network's nodes
	Steps   []Step
	Values  []Value
	Params  []Param // trained and frozen, in the order of the weight slab
	Losses  []Loss

	uses [][]int // of the nodes: indices of their parameters in Params

	Arena    int64 // bytes of all values together
	Unshared int64 // bytes if each had its own memory

	WeightBytes   int64
	GradientBytes int64
	StateBytes    int64
	ConstantBytes int64 // of Spec.Constants
	PackedBytes   int64
}

// Jumping names the nodes whose output jumps where an input changes a little
// (layers.Spec.Jumps).
func (p *Plan) Jumping() []string {
	var names []string
	for i, s := range p.Specs {
		if s.Jumps {
			names = append(names, p.Network.Nodes[i].Name)
		}
	}
	return names
}

// Step is one call of a layer, with the values it works on as indices into
// Plan.Values; -1 stands for none.
type Step struct {
	Node      int
	Backward  bool
	Again     bool // a forward step that runs once more, between backward steps
	In, Out   []int
	DIn, DOut []int
	Modes     []device.Mode // of DIn
	Saved     []int
	Scratch   int
	Temporary []int
	Packed    [device.Passes]int64 // bytes of the layer's packed weights, by pass

	// UpdateState is set for the steps in training of layers with State that is not
	// frozen.
	UpdateState bool

	// Clear lists parameters, as indices into Plan.Params, whose gradients a step that
	// adds to others is the first to write. They are filled with zeros before it, unless a
	// micro-batch before has written them. Adds says that the step adds to the gradients
	// of its parameters, because a step before it has written some of them, which are
	// shared. Done lists the parameters whose gradients are whole after the step.
	Clear, Done []int
	Adds        bool

	// Zero lists gradients that no step writes, because the value does not reach a
	// loss. They are filled with zeros before the step.
	Zero []int

	// Activation is that of a later layer, which this step applies in its epilogue, and
	// Maps are later steps whose programs it runs after that, in this order. The forward
	// steps of those layers are Fused: they run no kernel.
	Activation device.Activation
	Maps       []int
	Fused      bool

	FLOPs int64
}

// Kind says what a value is.
type Kind uint8

// The kinds of values.
const (
	Uploaded   Kind = iota // an input of the network
	Activation             // an output of a layer
	Saved                  // kept by forward for backward
	Gradient               // of an activation or an input
	Scratch                // of one step
)

// Value is a tensor of a plan: a span of the arena, between its first and its
// last step.
type Value struct {
	Name  string // "conv1"; "conv1/d" is its gradient, "norm1/scale" a saved slot
	Kind  Kind
	DType device.DType
	Shape tensor.Shape

	// Batched says that dimension 0 is the batch. It is false for scratch memory,
	// whose shape is its bytes, and for slots of a fixed size.
	Batched bool

	// First and Last are the steps the value is alive in, inclusive. An input
	// is alive from -1; a kept value lives to the number of steps.
	First, Last int

	Offset int64 // in the arena
	Bytes  int64

	// InPlaceOf is the value whose memory this one uses in place; -1 if it has its
	// own memory.
	InPlaceOf int
}

// Param is a parameter and its place in the slabs, in bytes.
type Param struct {
	layers.Param
	Name   string // "conv1.weight"
	Node   int
	Index  int // among the node's parameters
	Weight int64
	Grad   int64 // -1 if frozen
}

// Loss is a value with one loss per sample. Training minimises the sum of the
// losses' means, each times its weight.
type Loss struct {
	Value  int
	Weight float32
}

// planner holds what is known while a plan is made.
type planner struct {
	*Plan
	typed  *typed
	traits device.Traits

	frozenState []bool // nodes whose State is frozen
	used        []bool // nodes that run
	value       []int  // of typed values: index into Plan.Values, -1 if unused
	grad        []int  // of typed values: the gradient's index, -1 if there is none
	saved       [][]int
	frozen      map[string]bool
	trained     []bool // nodes with a parameter that is not frozen
	wants       []bool // typed values whose gradient is wanted
	backward    []bool // nodes with a backward step
	keep        []bool // typed values
}

// Plan checks the network's shapes and plans its memory and order for a
// device of the given traits.
func (n *Network) Plan(t device.Traits, o PlanOptions) (*Plan, error) {
	if err := o.checkMemory(); err != nil {
		return nil, err
	}
	g, err := n.infer(t, o.Batch, o.Mode == Train)
	if err != nil {
		return nil, err
	}
	p := &planner{
		Plan:   &Plan{Network: n, Options: o, Traits: t},
		typed:  g,
		traits: t,
		keep:   make([]bool, len(g.values)),
		wants:  make([]bool, len(g.values)),
	}
	for _, node := range g.nodes {
		p.Specs = append(p.Specs, node.spec)
	}
	for _, name := range o.Keep {
		v, err := g.value(name)
		if err != nil {
			return nil, fmt.Errorf("keep: %w", err)
		}
		p.keep[v] = true
	}
	if err := p.chooseNodes(); err != nil {
		return nil, err
	}
	if err := p.planParams(); err != nil {
		return nil, err
	}
	if err := p.chooseGradients(); err != nil {
		return nil, err
	}
	p.placeGradients()
	p.forwardSteps()
	if o.Mode == Train {
		p.backwardSteps()
	}
	if o.Memory > 0 {
		if err := p.recompute(); err != nil {
			return nil, err
		}
		return p.Plan, nil
	}
	p.lifetimes()
	if !o.Unshared {
		p.shareInPlace()
	}
	p.place()
	return p.Plan, nil
}

// chooseNodes marks the nodes that what is wanted depends on: the losses and
// the kept values in training, the kept values or the outputs in inference.
func (p *planner) chooseNodes() error {
	var targets []int
	for v, k := range p.keep {
		if k {
			targets = append(targets, v)
		}
	}
	if p.Options.Mode == Train || p.Options.Losses {
		losses := 0
		for _, node := range p.typed.nodes {
			if node.spec.LossWeight != 0 {
				targets = append(targets, node.out[0])
				p.keep[node.out[0]] = true
				losses++
			}
		}
		if losses == 0 {
			return &NetworkError{fmt.Errorf("%v has no loss to train", p.Network)}
		}
	} else if len(targets) == 0 {
		for _, name := range p.Network.Outputs {
			v, err := p.typed.value(name)
			if err != nil {
				return &NetworkError{fmt.Errorf("outputs: %w", err)}
			}
			p.keep[v] = true
			targets = append(targets, v)
		}
		if len(targets) == 0 {
			return &NetworkError{fmt.Errorf("%v names no outputs, and no value was asked for", p.Network)}
		}
	}
	p.used = p.typed.needed(targets)
	return nil
}

// chooseGradients marks the values whose gradient is wanted, because a
// trained parameter or a wanted input lies before them, and the nodes that
// run backward for it.
func (p *planner) chooseGradients() error {
	g := p.typed
	p.backward = make([]bool, len(g.nodes))
	for _, name := range p.Options.InputGrad {
		v, err := g.value(name)
		if err != nil {
			return fmt.Errorf("input gradient: %w", err)
		}
		if p.Options.Mode != Train {
			return fmt.Errorf("input gradient: a plan for inference has none of %s", name)
		}
		if g.values[v].producer >= 0 || g.values[v].DType != device.Float32 {
			return fmt.Errorf("input gradient: %s is not a float32 input of the network", name)
		}
		p.wants[v] = true
	}
	if p.Options.Mode != Train {
		return nil
	}
	for i, node := range g.nodes {
		if !p.used[i] {
			continue
		}
		wants := p.trained[i]
		for k, v := range node.in {
			wants = wants || p.wants[v] && !slices.Contains(node.spec.NoGradient, k)
		}
		for _, v := range node.out {
			p.wants[v] = wants && g.values[v].DType == device.Float32
		}
	}
	reaches := make([]bool, len(g.values)) // a loss
	for i := len(g.nodes) - 1; i >= 0; i-- {
		node := g.nodes[i]
		if !p.used[i] {
			continue
		}
		active := node.spec.LossWeight != 0
		for _, v := range node.out {
			active = active || reaches[v]
		}
		if !active {
			continue
		}
		p.backward[i] = p.trained[i]
		for k, v := range node.in {
			if !slices.Contains(node.spec.NoGradient, k) {
				reaches[v] = true
				p.backward[i] = p.backward[i] || p.wants[v]
			}
		}
	}
	return nil
}

// forwardSteps adds a step for every used node, and the values it makes.
func (p *planner) forwardSteps() {
	g := p.typed
	p.value = filled(len(g.values))
	p.grad = filled(len(g.values))
	p.saved = make([][]int, len(g.nodes))
	for i, node := range g.nodes {
		if !p.used[i] {
			continue
		}
		s := Step{Node: i, FLOPs: node.spec.FLOPs, UpdateState: p.Options.Mode == Train && len(node.spec.State) > 0 && !p.frozenState[i]}
		for _, v := range node.in {
			if p.value[v] < 0 { // an input of the network, at its first reader
				p.value[v] = p.add(g.values[v].name, Uploaded, g.values[v].Input, true)
			}
			s.In = append(s.In, p.value[v])
		}
		for _, v := range node.out {
			p.value[v] = p.add(g.values[v].name, Activation, g.values[v].Input, true)
			s.Out = append(s.Out, p.value[v])
		}
		for _, slot := range node.spec.Saved {
			v := p.add(p.Network.Nodes[i].Name+"/"+slot.Name, Saved, layers.Input{Shape: slot.Shape, DType: slot.DType}, slot.Batched)
			p.saved[i] = append(p.saved[i], v)
		}
		if node.spec.LossWeight != 0 {
			p.Losses = append(p.Losses, Loss{Value: s.Out[0], Weight: node.spec.LossWeight})
		}
		s.Saved = p.saved[i]
		p.scratch(&s)
		s.Packed = p.packed(i)
		for _, bytes := range s.Packed {
			p.PackedBytes += bytes
		}
		p.Steps = append(p.Steps, s)
	}
}

// packed is the packed weights of a node that anything will read.
func (p *planner) packed(node int) [device.Passes]int64 {
	n := &p.typed.nodes[node]
	packed := n.spec.Packed
	if !slices.ContainsFunc(n.in, func(v int) bool { return p.wants[v] }) {
		packed[device.BackwardData] = 0
	}
	if !p.trained[node] {
		packed[device.BackwardFilter] = 0
	}
	return packed
}

// backwardSteps adds the same nodes in reverse. The first writer of a
// gradient overwrites, later ones accumulate.
func (p *planner) backwardSteps() {
	g := p.typed
	first := len(p.Steps)
	for f := len(p.Steps) - 1; f >= 0; f-- {
		forward := p.Steps[f]
		node := g.nodes[forward.Node]
		if !p.backward[forward.Node] {
			continue
		}
		s := Step{Node: forward.Node, Backward: true, In: forward.In, Out: forward.Out, Saved: forward.Saved, Packed: forward.Packed, UpdateState: forward.UpdateState}
		for _, v := range node.out {
			if node.spec.LossWeight == 0 && p.grad[v] < 0 && g.values[v].DType == device.Float32 {
				p.grad[v] = p.addGradient(v)
				s.Zero = append(s.Zero, p.grad[v])
			}
			s.DOut = append(s.DOut, p.grad[v])
		}
		products := int64(0) // of a layer with weights: for them, for its input
		if p.trained[forward.Node] {
			products++
		}
		wanted := false
		for k, v := range node.in {
			if !p.wants[v] || slices.Contains(node.spec.NoGradient, k) {
				s.DIn = append(s.DIn, -1)
				s.Modes = append(s.Modes, device.Overwrite)
				continue
			}
			wanted = true
			mode := device.Accumulate
			if p.grad[v] < 0 {
				p.grad[v] = p.addGradient(v)
				mode = device.Overwrite
			}
			s.DIn = append(s.DIn, p.grad[v])
			s.Modes = append(s.Modes, mode)
		}
		if wanted {
			products++
		}
		s.FLOPs = forward.FLOPs * products
		p.scratch(&s)
		p.Steps = append(p.Steps, s)
	}
	p.paramGradients(p.Steps[first:])
}

// paramGradients says how the steps of backward write the gradients of parameters. The first
// of those that share one overwrites, the others add.
func (p *planner) paramGradients(steps []Step) {
	last := map[int]int{} // step that uses a parameter
	for i, s := range steps {
		var fresh []int
		for _, k := range p.uses[s.Node] {
			if p.Params[k].Grad < 0 {
				continue
			}
			if _, written := last[k]; written {
				steps[i].Adds = true
			} else {
				fresh = append(fresh, k)
			}
			last[k] = i
		}
		if steps[i].Adds {
			steps[i].Clear = fresh
		}
	}
	for k := range p.Params {
		if i, ok := last[k]; ok {
			steps[i].Done = append(steps[i].Done, k)
		}
	}
}

// add adds a value and returns its index.
func (p *planner) add(name string, kind Kind, in layers.Input, batched bool) int {
	bytes := int64(device.Elements(in.Shape)) * in.DType.Size()
	p.Values = append(p.Values, Value{Name: name, Kind: kind, DType: in.DType, Shape: in.Shape.Clone(), Batched: batched, Bytes: bytes, InPlaceOf: -1})
	return len(p.Values) - 1
}

func (p *planner) addGradient(v int) int {
	return p.add(p.typed.values[v].name+"/d", Gradient, p.typed.values[v].Input, true)
}

// scratch adds the memory that a step needs for itself.
func (p *planner) scratch(s *Step) {
	spec, name := p.typed.nodes[s.Node].spec, p.Network.Nodes[s.Node].Name
	s.Scratch = -1
	if spec.Scratch > 0 {
		s.Scratch = p.add(name+"/scratch", Scratch, layers.Input{Shape: tensor.Shape{int(spec.Scratch)}, DType: device.Uint8}, false)
	}
	for _, slot := range spec.Temporary {
		s.Temporary = append(s.Temporary, p.add(name+"/"+slot.Name, Scratch, layers.Input{Shape: slot.Shape, DType: slot.DType}, slot.Batched))
	}
}

// lifetimes finds the first and last step of every value.
func (p *planner) lifetimes() {
	for v := range p.Values {
		p.Values[v].First, p.Values[v].Last = len(p.Steps), -1
	}
	touch := func(v, step int) {
		if v >= 0 {
			p.Values[v].First = min(p.Values[v].First, step)
			p.Values[v].Last = max(p.Values[v].Last, step)
		}
	}
	for i, s := range p.Steps {
		need := p.typed.nodes[s.Node].spec.Backward
		if !s.Backward || need&layers.NeedInputs != 0 {
			for _, v := range s.In {
				touch(v, i)
			}
		}
		if !s.Backward || need&layers.NeedOutputs != 0 {
			for _, v := range s.Out {
				touch(v, i)
			}
		}
		for _, list := range [][]int{s.Saved, s.DIn, s.DOut, s.Temporary, {s.Scratch}} {
			for _, v := range list {
				touch(v, i)
			}
		}
	}
	for v, k := range p.keep {
		if k && p.value[v] >= 0 {
			p.Values[p.value[v]].Last = len(p.Steps)
		}
	}
	for _, name := range p.Options.InputGrad {
		if v := p.grad[p.typed.byName[name]]; v >= 0 {
			p.Values[v].Last = len(p.Steps)
		}
	}
	for v := range p.Values {
		if p.Values[v].Kind == Uploaded {
			p.Values[v].First = -1
		}
	}
}

// filled is n times -1.
func filled(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = -1
	}
	return s
}
