package graph

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"reflect"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// Weights are a network's parameters and state on one device. They do not
// belong to a plan: plans for training, evaluation and other batch sizes share
// one set.
type Weights struct {
	network *Network
	device  device.Device
	queue   device.Queue

	slab   device.Buffer // all parameters, in the order of Params
	state  device.Buffer
	params []Param
	states []stateSlot

	tensors map[string]device.Tensor // parameters and state by name
	packed  map[packedKey]*packedSlot
	version int // counts changes of the parameters
}

type stateSlot struct {
	layers.Slot
	name string // "bn1.mean"
}

type packedKey struct {
	node int
	pass device.Pass
}

type packedSlot struct {
	buffer  device.Buffer
	version int // of the weights it was packed from
}

// NewWeights allocates a network's weights on a device. Their values are
// undefined until Fill or Set.
func NewWeights(n *Network, d device.Device) (*Weights, error) {
	switch {
	case n == nil:
		return nil, errors.New("weights of no network")
	case d == nil:
		return nil, fmt.Errorf("weights of %s: there is no device for them", n.Name)
	}
	g, err := n.infer(d.Traits(), 1, false)
	if err != nil {
		return nil, err
	}
	w := &Weights{network: n, device: d, tensors: map[string]device.Tensor{}, packed: map[packedKey]*packedSlot{}, version: 1}
	var bytes, stateTotal int64
	w.params, _, bytes = g.params(d.Traits())
	w.states = g.states()
	var offsets []int64
	for _, s := range w.states {
		offsets = append(offsets, stateTotal)
		stateTotal += stateBytes(s.Slot, d.Traits())
	}
	if err := w.alloc(bytes, stateTotal); err != nil {
		return nil, cmp.Or(fmt.Errorf("weights of %s: %w", n.Name, err), w.Close())
	}
	for _, p := range w.params {
		w.tensors[p.Name] = carve(w.slab, p.Weight, device.Float32, p.Shape)
	}
	for i, s := range w.states {
		w.tensors[s.name] = carve(w.state, offsets[i], s.DType, s.Shape)
	}
	return w, nil
}

func (w *Weights) alloc(bytes, stateTotal int64) (err error) {
	if w.slab, err = w.device.Alloc(bytes); err != nil {
		return err
	}
	if w.state, err = w.device.Alloc(stateTotal); err != nil {
		return err
	}
	w.queue, err = w.device.NewQueue()
	return err
}

// carve is a tensor that lies in a buffer.
func carve(b device.Buffer, offset int64, dtype device.DType, shape tensor.Shape) device.Tensor {
	bytes := int64(device.Elements(shape)) * dtype.Size()
	return device.Tensor{Buffer: b.Slice(offset, bytes), DType: dtype, Shape: shape.Clone()}
}

// Network is the network the weights belong to.
func (w *Weights) Network() *Network { return w.network }

// Names lists parameters and state in the network's order.
func (w *Weights) Names() []string {
	var names []string
	params := slices.Clone(w.params)
	slices.SortStableFunc(params, func(a, b Param) int { return a.Node - b.Node })
	for _, p := range params {
		names = append(names, p.Name)
	}
	for _, s := range w.states {
		names = append(names, s.name)
	}
	return names
}

// Shape is the shape of a parameter or state by name, nil if there is none.
func (w *Weights) Shape(name string) tensor.Shape { return w.tensors[name].Shape }

// fillIteration sets the random numbers of fillers apart from those of any
// layer, whose stream may happen to be the same.
const fillIteration = math.MaxUint32

// Fill initialises every parameter and state. The initial value of a parameter
// depends only on the seed and its name.
func (w *Weights) Fill(seed uint64) error {
	for _, p := range w.params {
		values := make([]float32, device.Elements(p.Shape))
		h := fnv.New32a()
		h.Write([]byte(p.Name))
		p.Filler.Fill(values, p.Fan, device.Random{Seed: seed, Stream: h.Sum32(), Iteration: fillIteration})
		if err := w.Set(p.Name, tensor.New(tensor.WithShape(p.Shape...), tensor.WithBacking(values))); err != nil {
			return err
		}
	}
	for _, s := range w.states {
		if s.DType == device.Float32 {
			w.queue.Fill(w.tensors[s.name], s.Init)
			continue
		}
		x := hostTensor(s.DType, s.Shape)
		if err := x.Memset(whole(s.DType, s.Init)); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := w.Set(s.name, x); err != nil {
			return err
		}
	}
	return w.queue.Sync()
}

// whole is a number of a type of integers.
func whole(t device.DType, x float32) any {
	return reflect.ValueOf(x).Convert(t.Host().Type).Interface()
}

// State downloads the state of all layers by name; it is nil if there is none.
// The executor that writes it must have synced.
func (w *Weights) State() (map[string]*tensor.Dense, error) {
	var state map[string]*tensor.Dense
	for _, s := range w.states {
		x, err := w.Get(s.name)
		if err != nil {
			return nil, err
		}
		if state == nil {
			state = map[string]*tensor.Dense{}
		}
		state[s.name] = x
	}
	return state, nil
}

// SetState uploads what State has returned.
func (w *Weights) SetState(state map[string]*tensor.Dense) error {
	for name, x := range state {
		if err := w.Set(name, x); err != nil {
			return err
		}
	}
	return nil
}

// DType is the type of a parameter or state by name.
func (w *Weights) DType(name string) device.DType { return w.tensors[name].DType }

// Set uploads a parameter or state.
func (w *Weights) Set(name string, x *tensor.Dense) error {
	t, ok := w.tensors[name]
	if !ok {
		return fmt.Errorf("%v has no weights named %q", w.network, name)
	}
	if !slices.Equal([]int(x.Shape()), []int(t.Shape)) {
		return fmt.Errorf("%s has the shape %v in the network and %v in the given weights", name, []int(t.Shape), []int(x.Shape()))
	}
	w.queue.Scope(name)
	w.queue.Upload(t, x)
	if slices.ContainsFunc(w.params, func(p Param) bool { return p.Name == name }) {
		w.Changed()
	}
	return w.queue.Sync()
}

// Get downloads a parameter or state.
func (w *Weights) Get(name string) (*tensor.Dense, error) {
	t, ok := w.tensors[name]
	if !ok {
		return nil, fmt.Errorf("%v has no weights named %q", w.network, name)
	}
	x := hostTensor(t.DType, t.Shape)
	w.queue.Scope(name)
	w.queue.Download(x, t)
	return x, w.queue.Sync()
}

// hostTensor is an empty host tensor of the element type.
func hostTensor(t device.DType, shape tensor.Shape) *tensor.Dense {
	return tensor.New(tensor.Of(t.Host()), tensor.WithShape(shape...))
}

// Slab is the memory of all parameters, as the update kernel sees it.
func (w *Weights) Slab() device.Tensor {
	return carve(w.slab, 0, device.Float32, tensor.Shape{int(w.slab.Size() / device.Float32.Size())})
}

// Changed must be called after the parameters were changed, so that packed
// copies are refreshed before their next use.
func (w *Weights) Changed() { w.version++ }

// packedSlot is the packed memory of a node for a pass, allocated if it is missing.
func (w *Weights) packedSlot(node int, pass device.Pass, bytes int64) (*packedSlot, error) {
	key := packedKey{node, pass}
	s, ok := w.packed[key]
	if !ok {
		b, err := w.device.Alloc(bytes)
		if err != nil {
			return nil, err
		}
		s = &packedSlot{buffer: b}
		w.packed[key] = s
	}
	if s.buffer.Size() != bytes {
		return nil, fmt.Errorf("weights packed for %v take %d bytes in one plan and %d in another", pass, s.buffer.Size(), bytes)
	}
	return s, nil
}

// Close frees the memory.
func (w *Weights) Close() error {
	var errs []error
	if w.queue != nil {
		errs = append(errs, w.queue.Close())
	}
	for _, b := range []device.Buffer{w.slab, w.state} {
		if b != nil {
			errs = append(errs, b.Free())
		}
	}
	for _, s := range w.packed {
		errs = append(errs, s.buffer.Free())
	}
	return cmp.Or(errs...)
}
