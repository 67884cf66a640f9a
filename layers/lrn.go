package layers

import (
	"cmp"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &LRN{} }) }

// LRN is local response normalisation across channels (Krizhevsky et al. 2012,
// section 3.3): device.LRN has the equation. The defaults are those of the
// paper; Caffe has K 1 and AlphaOverSize.
type LRN struct {
	Size  int      `json:"size,omitempty"`  // 5 unless given
	Alpha *float32 `json:"alpha,omitempty"` // 1e-4 unless given
	Beta  *float32 `json:"beta,omitempty"`  // 0.75 unless given
	K     float32  `json:"k,omitempty"`     // 2 unless given

	// AlphaOverSize divides Alpha by Size.
	AlphaOverSize bool `json:"alpha_over_size,omitempty"`
}

// Type is "lrn".
func (l *LRN) Type() string { return "lrn" }

// Plan checks the parameters. The scale is saved for the gradient.
func (l *LRN) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectImage(in); err != nil {
		return Spec{}, err
	}
	if err := bounded(option{"size", l.Size}); err != nil {
		return Spec{}, err
	}
	if err := l.geometry(in[0].Shape).Check(); err != nil {
		return Spec{}, err
	}
	s := Spec{Out: like(in[0]), Backward: NeedInputs}
	if o.Train {
		s.Saved = []Slot{{Name: "scale", Shape: slices.Clone(in[0].Shape), DType: device.Float32, Batched: true}}
	}
	return s, nil
}

// Forward enqueues the normalisation.
func (l *LRN) Forward(q device.Queue, c *Call) {
	q.LRNForward(l.geometry(c.In[0].Shape), c.Out[0], saved(c), c.In[0])
}

// Backward enqueues the gradient.
func (l *LRN) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		q.LRNBackward(l.geometry(c.In[0].Shape), c.DIn[0], c.In[0], saved(c), c.DOut[0], c.Modes[0])
	}
}

func (l *LRN) geometry(x tensor.Shape) device.LRN {
	return device.LRN{
		N: x[0], C: x[1], H: x[2], W: x[3],
		Size: cmp.Or(l.Size, 5), Alpha: or(l.Alpha, 1e-4), Beta: or(l.Beta, 0.75), K: cmp.Or(l.K, 2),
		AlphaOverSize: l.AlphaOverSize,
	}
}
