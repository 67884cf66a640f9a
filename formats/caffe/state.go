package caffe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/formats"
)

// State is how far a solver has come.
type State struct {
	Iteration int      // updates done
	Step      int      // drops of the rate so far, of the policies step and multistep
	Weights   string   // the file of the weights at that time, as the solver wrote it
	History   []*Array // what the solver keeps of each parameter, in the network's order

	path string
}

// Array is a tensor of a file.
type Array struct {
	Shape  []int
	Values []float32
}

// ReadState reads a solverstate.
func ReadState(path string) (*State, error) {
	b, err := readFile(path)
	var s *State
	if err == nil {
		s, err = newState(b)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s.path = path
	return s, nil
}

func newState(b []byte) (*State, error) {
	m, err := parseBinary(schema()["SolverState"], b)
	if err != nil {
		return nil, err
	}
	iteration, step := m.int("iter", -1), m.int("current_step", 0)
	if iteration < 0 || iteration > math.MaxInt32 || step < 0 || step > math.MaxInt32 {
		return nil, fmt.Errorf("iter %d and current_step %d are not those of a solver's state", iteration, step)
	}
	s := &State{Iteration: int(iteration), Step: int(step), Weights: m.text("learned_net", "")}
	for _, h := range m.subs("history") {
		x, err := newBlob(h)
		if err != nil {
			return nil, err
		}
		s.History = append(s.History, &Array{x.dims, x.values})
	}
	return s, nil
}

// slabs are what hubel's optimisers call what each type of solver keeps, in its order.
var slabs = map[string][]string{
	"SGD": {"momentum"}, "Nesterov": {"momentum"}, "AdaGrad": {"second-moment"}, "RMSProp": {"second-moment"},
	"AdaDelta": {"second-moment", "second-moment-of-changes"}, "Adam": {"first-moment", "second-moment"},
}

// Run is a run of a solver, as far as it has come.
type Run struct {
	*formats.Model // the network of training, with its weights at that time
	Solver         *Solver
	State          *State
	Batch          int // samples of one pass; 0 if the network does not say

	// Slabs are the history as a checkpoint of hubel's has it: a tensor SLAB/NAME for each
	// parameter, such as "momentum/conv1.weight", of the parameter's shape. Caffe takes its
	// velocity off the weights and hubel adds its own, so that one is the other with its
	// sign changed; both have the rate in them.
	Slabs map[string]*tensor.Dense

	frozen []string // layers that are not trained
}

// ReadRun reads a run from a network, a caffemodel, a solver and a solverstate, and a mean image
// if there is one. A solver may hold its network.
func ReadRun(ctx context.Context, paths []string, o formats.Options) (*Run, error) {
	f, err := openFiles(ctx, paths)
	if err != nil {
		return nil, err
	}
	const are = "a run is a network, a caffemodel, a solver's prototxt and a solverstate; there is no "
	switch {
	case f.weights == nil && f.state != nil && f.state.Weights != "":
		return nil, fmt.Errorf(are+"caffemodel: %s was written with %q", f.state.path, f.state.Weights)
	case f.weights == nil:
		return nil, errors.New(are + "caffemodel")
	case f.solver == nil:
		return nil, errors.New(are + "solver's prototxt")
	case f.state == nil:
		return nil, errors.New(are + "solverstate")
	}
	b, m, err := f.model(o)
	if err != nil {
		return nil, err
	}
	r := &Run{Model: m, Solver: f.solver, State: f.state, frozen: b.fixed}
	if b.batch > 0 && b.batch <= math.MaxInt32 {
		r.Batch = int(b.batch)
	}
	if r.Slabs, err = b.slabs(r.State, r.Solver); err != nil {
		return nil, fmt.Errorf("%s: %w", r.State.path, err)
	}
	r.say()
	return r, nil
}

// readRun is ReadRun for formats.Reader.
func readRun(ctx context.Context, paths []string, o formats.Options) (*formats.Run, error) {
	r, err := ReadRun(ctx, paths, o)
	if err != nil {
		return nil, err
	}
	return &formats.Run{Model: r.Model, Iteration: r.State.Iteration, Iterations: r.Solver.MaxIter, Checkpoint: r.Checkpoint}, nil
}

// say adds what a user should know of the run, and what of it is lost.
func (r *Run) say() {
	s := r.Solver
	r.Lost = append(r.Lost, s.Lost()...)
	if s.Policy == "multistep" {
		// The drops that Caffe has made when update k begins; it counts one at the next.
		passed := func(k int) (n int) {
			for _, v := range s.StepValues {
				if v <= k {
					n++
				}
			}
			return n
		}
		if k := r.State.Iteration; r.State.Step != passed(k) && r.State.Step != passed(k-1) {
			r.Lost = append(r.Lost, fmt.Sprintf("the state has %d drops of the rate behind it, and the stepvalues of the solver have %d at iteration %d: the run goes on with those of the solver", r.State.Step, passed(k), k))
		}
	}
	r.Facts = append(r.Facts, fmt.Sprintf("a run at iteration %d of %d", r.State.Iteration, s.MaxIter),
		"the order of the samples, and what is drawn at random, is hubel's own from here on; tests come at the end of each epoch")
}

// slabs are the history by slab and parameter.
func (b *builder) slabs(s *State, solver *Solver) (map[string]*tensor.Dense, error) {
	names := slabs[solver.Type]
	if names == nil {
		return nil, fmt.Errorf("a solver of the type %q keeps what hubel has no method for", solver.Type)
	}
	var params []source
	owners := map[string]int{} // of what has a name, which others may share
	for _, p := range b.sources {
		if p.blob == ones || p.first {
			continue
		}
		owners[p.layer.spec(p.blob).name] = len(params)
		params = append(params, p)
	}
	if len(s.History) != len(names)*len(params) {
		return nil, fmt.Errorf("there are %d tensors for %d parameters and the solver %s, which keeps %d of each: the state is of another network or solver", len(s.History), len(params), solver.Type, len(names))
	}
	out := map[string]*tensor.Dense{}
	at := 0
	for _, p := range b.sources {
		i := at
		switch {
		case p.blob == ones || p.one:
			continue
		case p.first: // hubel has two of them
			i = owners[p.layer.spec(p.blob).name]
		default:
			at++
		}
		for k, slab := range names {
			h := s.History[k*len(params)+i]
			if len(h.Values) != p.shape.TotalSize() {
				return nil, fmt.Errorf("tensor %d has the shape %v, and %s %v: the state is of another network", k*len(params)+i, h.Shape, p.name, []int(p.shape))
			}
			if p.state {
				continue
			}
			values := slices.Clone(h.Values)
			if p.turn {
				values = turned(values, p.dims[0])
			}
			if slab == "momentum" {
				for j := range values {
					values[j] = -values[j]
				}
			}
			out[slab+"/"+p.name] = tensor.New(tensor.WithShape(p.shape.Clone()...), tensor.WithBacking(values))
		}
	}
	return out, nil
}
