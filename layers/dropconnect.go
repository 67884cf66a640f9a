package layers

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &DropConnect{P: 0.5} }) }

// DropConnect is a dense layer whose weights, not its outputs, are set to zero with
// probability P in training, the others being scaled by 1/(1-P) (Wan et al. 2013). All
// samples of a batch, micro-batches or not, see the same weights; in the paper each sample
// has its own, which is a product for each. The bias is not dropped. In inference the
// layer is the dense one.
type DropConnect struct {
	Dense
	P float32 `json:"p"` // in [0,1); 0.5 in JSON that does not say
}

// Type is "drop-connect".
func (l *DropConnect) Type() string { return "drop-connect" }

// Plan is that of the dense layer, with room in training for the weights that are left, or
// for their gradient. A weight is dropped where the bits that Call.Random has for it in
// sample 0 are below P 2^32; backward draws them again.
func (l *DropConnect) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := checkProbability(l.P); err != nil {
		return Spec{}, err
	}
	s, err := l.Dense.Plan(t, in, o)
	s.Streams = 1
	if err == nil && o.Train {
		s.Programs = []*expr.Program{expr.MustNew(dropped(l.P, expr.Input(0, expr.Whole)))}
		s.Temporary = []Slot{{Name: "left", Shape: s.Params[0].Shape}}
	}
	return s, err
}

// Forward enqueues the product.
func (l *DropConnect) Forward(q device.Queue, c *Call) {
	w := c.Params[0]
	if len(c.Programs) > 0 {
		w = c.Temporary[0]
		l.drop(q, c, c.Args(w, c.Params[0]), device.Overwrite)
	}
	e := c.Epilogue
	if !l.NoBias {
		e.Bias = c.Params[1]
	}
	q.DenseForward(l.geometry(c.In[0].Shape), c.Out[0], c.In[0], w, e, c.Scratch)
}

// drop makes of the second of two tensors like the weights, in the first, what is left
// after dropping some.
func (l *DropConnect) drop(q device.Queue, c *Call, args []device.Tensor, m device.Mode) {
	r := c.Random
	r.Sample = 0
	v := device.View{N: 1, C: args[0].Shape[0], Inner: args[0].Shape[1]}
	q.Map(c.Programs[0], v, args[:1], args[1:], modes[m], r)
}

// modes are lists of one mode.
var modes = [][]device.Mode{device.Overwrite: {device.Overwrite}, device.Accumulate: {device.Accumulate}}

// Backward enqueues the gradient of the input, and those of the parameters: of the weights
// as if none were dropped, and then those that are left.
func (l *DropConnect) Backward(q device.Queue, c *Call) {
	g := l.geometry(c.In[0].Shape)
	if c.WantsGradient(0) {
		w := c.Temporary[0]
		l.drop(q, c, c.Args(w, c.Params[0]), device.Overwrite)
		q.DenseBackwardData(g, c.DIn[0], c.DOut[0], w, c.Modes[0], c.Scratch)
	}
	dw, dbias := dparams(c)
	if !dbias.IsNil() {
		q.DenseBackwardFilter(g, device.Tensor{}, dbias, c.In[0], c.DOut[0], c.ParamMode, c.Scratch)
	}
	if !dw.IsNil() {
		all := c.Temporary[0]
		q.DenseBackwardFilter(g, all, device.Tensor{}, c.In[0], c.DOut[0], device.Overwrite, c.Scratch)
		l.drop(q, c, c.Args(dw, all), c.ParamMode)
	}
}
