package solver

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/formats/safetensors"
)

// batchCopy is what an update is made from, copied out of the loader's batches:
// preprocessed, in the order of the passes.
type batchCopy struct {
	shape   []int     // of an image
	x       []float32 // [N,C,H,W]
	labels  []int32   // [N]
	targets []float32 // [N,T] of a regression
	numbers int       // T
	index   []int     // [N], in the data set
	names   []string  // [N], of a data set that has names

	// state is that of the network before the first pass; nil where it is what the
	// weights have, as in a replay.
	state map[string]*tensor.Dense
}

// add copies a batch of a data set.
func (s *batchCopy) add(b *data.Batch, set data.Dataset) {
	s.shape = b.X.Shape()[1:]
	s.x = append(s.x, b.X.Float32s()...)
	s.labels = append(s.labels, b.Labels.Int32s()...)
	if b.Targets != nil {
		s.targets = append(s.targets, b.Targets.Float32s()...)
		s.numbers = b.Targets.Shape()[1]
	}
	s.index = append(s.index, b.Samples...)
	if named, ok := set.(data.Named); ok {
		for _, i := range b.Samples {
			s.names = append(s.names, named.Name(i))
		}
	}
}

func (s *batchCopy) len() int { return len(s.index) }

// batch is some of the samples, as upload takes them.
func (s *batchCopy) batch(from, to int) *data.Batch {
	n := to - from
	each := len(s.x) / s.len()
	b := &data.Batch{
		X:      tensor.New(tensor.WithShape(append([]int{n}, s.shape...)...), tensor.WithBacking(s.x[from*each:to*each])),
		Labels: tensor.New(tensor.WithShape(n), tensor.WithBacking(s.labels[from:to])),
		N:      n,
	}
	if s.numbers > 0 {
		b.Targets = tensor.New(tensor.WithShape(n, s.numbers), tensor.WithBacking(s.targets[from*s.numbers:to*s.numbers]))
	}
	return b
}

// The names of samples in a file.
const (
	samplesData   = "batch/data"
	samplesLabel  = "batch/label"
	samplesTarget = "batch/target"
	samplesIndex  = "batch/index"
)

// tensors are the samples as they stand in a file.
func (s *batchCopy) tensors() []safetensors.Tensor {
	b := s.batch(0, s.len())
	index := make([]int64, s.len())
	for i, k := range s.index {
		index[i] = int64(k)
	}
	list := []safetensors.Tensor{
		{Name: samplesData, Value: b.X},
		{Name: samplesLabel, Value: b.Labels},
		{Name: samplesIndex, Value: tensor.New(tensor.WithShape(s.len()), tensor.WithBacking(index))},
	}
	if b.Targets != nil {
		list = append(list, safetensors.Tensor{Name: samplesTarget, Value: b.Targets})
	}
	return list
}

// takeSamples takes samples out of what was read from a file.
func takeSamples(tensors map[string]*tensor.Dense) (*batchCopy, error) {
	take := func(name string, dtype tensor.Dtype, dims int) (*tensor.Dense, error) {
		x, ok := tensors[name]
		delete(tensors, name)
		if !ok || x.Dtype() != dtype || x.Dims() != dims || x.Shape()[0] < 1 {
			return nil, fmt.Errorf("tensor %s is missing or is not %v of %d dimensions: there is no batch to repeat, as in %s of a run that diverged", name, dtype, dims, ReplayFile)
		}
		return x, nil
	}
	x, err := take(samplesData, tensor.Float32, 4)
	if err != nil {
		return nil, err
	}
	labels, err := take(samplesLabel, tensor.Int32, 1)
	if err != nil {
		return nil, err
	}
	index, err := take(samplesIndex, tensor.Int64, 1)
	if err != nil {
		return nil, err
	}
	s := &batchCopy{shape: x.Shape()[1:], x: x.Float32s(), labels: labels.Int32s()}
	for _, k := range index.Int64s() {
		s.index = append(s.index, int(k))
	}
	n := x.Shape()[0]
	if tensors[samplesTarget] != nil {
		targets, err := take(samplesTarget, tensor.Float32, 2)
		if err != nil {
			return nil, err
		}
		s.targets, s.numbers = targets.Float32s(), targets.Shape()[1]
		if targets.Shape()[0] != n {
			return nil, fmt.Errorf("tensor %s is of %d samples, %s of %d", samplesTarget, targets.Shape()[0], samplesData, n)
		}
	}
	if len(s.labels) != n || len(s.index) != n {
		return nil, fmt.Errorf("tensors %s, %s and %s are of different numbers of samples", samplesData, samplesLabel, samplesIndex)
	}
	return s, nil
}
