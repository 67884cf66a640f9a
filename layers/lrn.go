package layers

import (
	"cmp"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &LRN{} }) }

// LRN is local response normalisation across channels (Krizhevsky et al. 2012,
// section 3.3): device.LRN has the equation. The defaults are those of the
// paper; Caffe has K 1 and AlphaOverSize.
//
// With the Region "within" the sum is over the Size by Size pixels around each, of its own
// channel, those outside of the image being 0: y = x (K + Alpha sum of x²)^-Beta, and
// AlphaOverSize divides Alpha by the number of these pixels. Caffe's WITHIN_CHANNEL has
// K 1 and AlphaOverSize.
type LRN struct {
	Size  int      `json:"size,omitempty"`  // 5 unless given
	Alpha *float32 `json:"alpha,omitempty"` // 1e-4 unless given
	Beta  *float32 `json:"beta,omitempty"`  // 0.75 unless given
	K     float32  `json:"k,omitempty"`     // 2 unless given

	// AlphaOverSize divides Alpha by Size.
	AlphaOverSize bool `json:"alpha_over_size,omitempty"`

	Region string `json:"region,omitempty"` // "across" channels unless given, or "within" each
}

// Type is "lrn".
func (l *LRN) Type() string { return "lrn" }

// Plan checks the parameters. The scale is saved for the gradient.
func (l *LRN) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectImage(in); err != nil {
		return Spec{}, err
	}
	if l.Region != "" && l.Region != "across" && l.Region != "within" {
		return Spec{}, fmt.Errorf("region %q is neither across nor within", l.Region)
	}
	if err := bounded(option{"size", l.Size}); err != nil {
		return Spec{}, err
	}
	g := l.geometry(in[0].Shape)
	if err := g.Check(); err != nil {
		return Spec{}, err
	}
	s := Spec{Out: like(in[0]), Backward: NeedInputs}
	if o.Train {
		s.Saved = []Slot{{Name: "scale", Shape: slices.Clone(in[0].Shape), DType: device.Float32, Batched: true}}
	}
	if l.within() {
		x := device.Elements(in[0].Shape)
		s.Temporary = temporaries(x, x)
		s.Programs = lrnWithin(g)
	}
	return s, nil
}

// Forward enqueues the normalisation.
func (l *LRN) Forward(q device.Queue, c *Call) {
	g := l.geometry(c.In[0].Shape)
	if l.within() {
		l.forwardWithin(q, c, g)
		return
	}
	q.LRNForward(g, c.Out[0], saved(c), c.In[0])
}

// Backward enqueues the gradient.
func (l *LRN) Backward(q device.Queue, c *Call) {
	if !c.WantsGradient(0) {
		return
	}
	g := l.geometry(c.In[0].Shape)
	if l.within() {
		l.backwardWithin(q, c, g)
		return
	}
	q.LRNBackward(g, c.DIn[0], c.In[0], saved(c), c.DOut[0], c.Modes[0])
}

func (l *LRN) geometry(x tensor.Shape) device.LRN {
	return device.LRN{
		N: x[0], C: x[1], H: x[2], W: x[3],
		Size: cmp.Or(l.Size, 5), Alpha: or(l.Alpha, 1e-4), Beta: or(l.Beta, 0.75), K: cmp.Or(l.K, 2),
		AlphaOverSize: l.AlphaOverSize,
	}
}

func (l *LRN) within() bool { return l.Region == "within" }

// lrnWithin are the programs within channels, where m is the mean of squares in a window
// and s = k + a m: y = x s^-beta, of x and m; what each window hands back, of x, m and dy,
// t = -2 a beta x dy s^(-beta-1); and dx = dy s^-beta + x u, of x, m, dy and the u that
// comes back, the mean of t over windows.
func lrnWithin(g device.LRN) []*expr.Program {
	x, m, dy, u := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole), expr.Input(2, expr.Whole), expr.Input(3, expr.Whole)
	a := g.Alpha
	if !g.AlphaOverSize {
		a *= float32(g.Size) * float32(g.Size)
	}
	s := expr.Add(expr.Const(g.K), expr.Mul(expr.Const(a), m))
	power := expr.Exp(expr.Mul(expr.Const(-g.Beta), expr.Log(s)))
	back := expr.Mul(expr.Const(-2*a*g.Beta), expr.Div(expr.Mul(expr.Mul(x, dy), power), s))
	return []*expr.Program{
		expr.MustNew(expr.Mul(x, power)),
		expr.MustNew(back),
		expr.MustNew(expr.Add(expr.Mul(dy, power), expr.Mul(x, u))),
	}
}

// lrnWindow is the mean over the pixels around each.
func lrnWindow(g device.LRN) device.Pool {
	r := g.Size / 2
	return device.Pool{
		Op: device.AveragePool, N: g.N, C: g.C, H: g.H, W: g.W, R: g.Size, S: g.Size, StrideH: 1, StrideW: 1,
		PadTop: r, PadBottom: r, PadLeft: r, PadRight: r, CountPad: true,
	}
}

func (l *LRN) forwardWithin(q device.Queue, c *Call, g device.LRN) {
	x := c.In[0]
	v := viewOf(x.Shape)
	squares, mean := c.part(0, x.Shape...), saved(c)
	if mean.IsNil() {
		mean = c.part(1, x.Shape...)
	}
	args := c.Args(x, squares)
	q.Map(l2Square, v, args[1:], args[:1], overwrite, device.Random{})
	q.PoolForward(lrnWindow(g), mean, device.Tensor{}, squares)
	q.Map(c.Programs[0], v, c.Out, c.Args(x, mean), overwrite, device.Random{})
}

func (l *LRN) backwardWithin(q device.Queue, c *Call, g device.LRN) {
	x := c.In[0]
	v := viewOf(x.Shape)
	each, back := c.part(0, x.Shape...), c.part(1, x.Shape...)
	args := c.Args(x, saved(c), c.DOut[0], back, each)
	q.Map(c.Programs[1], v, args[4:], args[:3], overwrite, device.Random{})
	q.PoolBackward(lrnWindow(g), back, each, device.Tensor{}, device.Overwrite)
	q.Map(c.Programs[2], v, c.DIn, args[:4], c.Modes, device.Random{})
}
