package layers

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &BatchNorm{} }) }

// BatchNorm normalises each channel by the mean and the variance that it has in the
// micro-batch, over samples and pixels (Ioffe and Szegedy 2015):
//
//	y = (x - mean) / sqrt(variance + eps) weight + bias
//
// Its parameters are weight and bias [C]. Two micro-batches of 16 samples do not give the
// same as one batch of 32.
//
// Its state is running statistics [C]. Inference uses them. So does training if the layer is
// frozen: then they are constants. Otherwise a training pass updates them. m and v are the
// mean and the variance of a channel in the micro-batch, M is the number of its elements, and
// v' is v M/(M-1), or v if M is 1:
//
//	pytorch     running_mean += momentum (m - running_mean)
//	            running_var  += momentum (v' - running_var)
//	caffe       running_mean  = (1-momentum) running_mean + m
//	            running_var   = (1-momentum) running_var + v'
//	            scale_factor  = (1-momentum) scale_factor + 1
//	matconvnet  running_mean += momentum (m - running_mean)
//	            running_std  += momentum (sqrt(v + eps) - running_std)
//
// In inference the mean is running_mean and the variance is running_var. In Caffe's
// convention both are divided by scale_factor, or 0 before the first update. In MatConvNet's
// running_std is sqrt(variance + eps). The output of a training pass with one element per
// channel is the bias.
type BatchNorm struct {
	Eps      *float32 `json:"eps,omitempty"`      // 1e-5 unless given
	Momentum *float32 `json:"momentum,omitempty"` // 0.1 unless given, 0.001 for caffe, whose moving_average_fraction is 1 - momentum

	// Convention is "pytorch" (or empty), "caffe" or "matconvnet".
	Convention string `json:"convention,omitempty"`

	Affine // on unless given
}

// Programs of a Spec behind those of the norm.
const (
	batchNormUpdate     = normPrograms + iota // invstd and the running statistics
	batchNormFixed                            // mean and invstd of the running statistics
	batchNormInfer                            // y of them
	batchNormBackward                         // dx, if they are constants
	batchNormScale                            // the scale factor
	batchNormStatistics                       // invstd, and what the running statistics are moved by
	batchNormAverage                          // the running statistics, moved by those
)

// The conventions besides PyTorch's.
const (
	caffe      = "caffe"
	matconvnet = "matconvnet"
)

// Type is "batch-norm".
func (l *BatchNorm) Type() string { return "batch-norm" }

// Plan checks the options.
func (l *BatchNorm) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectChannels(in); err != nil {
		return Spec{}, err
	}
	switch l.Convention {
	case "", "pytorch", caffe, matconvnet:
	default:
		return Spec{}, fmt.Errorf("convention %q is not pytorch, caffe or matconvnet", l.Convention)
	}
	if m := l.momentum(); !(m >= 0 && m <= 1) {
		return Spec{}, fmt.Errorf("momentum %g must be in [0,1]", m)
	}
	channels := tensor.Shape{in[0].Shape[1]}
	params, err := l.params(true, channels)
	if err != nil {
		return Spec{}, err
	}
	n := l.norm(in[0].Shape)
	s, err := n.plan(in[0], o, l.eps(), params)
	if err != nil {
		return Spec{}, err
	}
	slot := func(name string, init float32, shape tensor.Shape) {
		s.State = append(s.State, Slot{Name: name, Shape: shape, DType: device.Float32, Init: init})
	}
	slot("running_mean", 0, channels.Clone())
	switch l.Convention {
	case caffe:
		slot("running_var", 0, channels.Clone())
		slot("scale_factor", 0, tensor.Shape{1})
	case matconvnet:
		slot("running_std", 1, channels.Clone())
	default:
		slot("running_var", 1, channels.Clone())
	}
	s.Programs = append(s.Programs, l.programs(n)...)
	return s, nil
}

// programs are those behind the norm's.
func (l *BatchNorm) programs(n norm) []*expr.Program {
	mean, invstd := l.fixed(n.stats)
	flatMean, flatInvStd := l.fixed(expr.Whole)
	return []*expr.Program{
		l.updated(),
		expr.MustNew(flatMean, flatInvStd),
		expr.MustNew(n.normalised(mean, invstd)),
		expr.MustNew(expr.Mul(expr.Mul(expr.Input(normDY, expr.Whole), n.factor(n.affine)), expr.Input(normInvStd, n.stats))),
		expr.MustNew(l.decayed(expr.Input(normScaleFactor, expr.Whole), expr.Const(1))),
		l.statistics(),
		l.average(),
	}
}

// updated is invstd and the running statistics after a pass.
func (l *BatchNorm) updated() *expr.Program {
	mean, spread := l.ofBatch()
	runningMean, running := expr.Input(normRunningMean, expr.Whole), expr.Input(normRunningVar, expr.Whole)
	return expr.MustNew(invStd(expr.Input(normInvStd, expr.Whole), l.eps()), l.moved(runningMean, mean), l.moved(running, spread))
}

// statistics is invstd, and what a pass moves the running statistics by.
func (l *BatchNorm) statistics() *expr.Program {
	mean, spread := l.ofBatch()
	return expr.MustNew(invStd(expr.Input(normInvStd, expr.Whole), l.eps()), mean, spread)
}

// average is the running statistics after they are moved, by statistics in the places of mean
// and invstd.
func (l *BatchNorm) average() *expr.Program {
	mean, spread := expr.Input(normMean, expr.Whole), expr.Input(normInvStd, expr.Whole)
	runningMean, running := expr.Input(normRunningMean, expr.Whole), expr.Input(normRunningVar, expr.Whole)
	return expr.MustNew(l.moved(runningMean, mean), l.moved(running, spread))
}

// ofBatch is the mean of a micro-batch, and its variance or deviation as the convention has it.
func (l *BatchNorm) ofBatch() (mean, spread expr.Expr) {
	mean, variance := expr.Input(normMean, expr.Whole), expr.Input(normInvStd, expr.Whole)
	if l.Convention == matconvnet {
		return mean, expr.Sqrt(expr.Add(variance, expr.Const(l.eps())))
	}
	count, one := expr.Input(normCount, expr.One), expr.Const(1)
	return mean, expr.Mul(variance, expr.Div(count, expr.Max(expr.Sub(count, one), one)))
}

// moved is a running statistic that a micro-batch has moved.
func (l *BatchNorm) moved(running, by expr.Expr) expr.Expr {
	if l.Convention == caffe {
		return l.decayed(running, by)
	}
	return expr.Add(running, expr.Mul(expr.Const(l.momentum()), expr.Sub(by, running)))
}

// decayed is a running sum with a summand more.
func (l *BatchNorm) decayed(sum, x expr.Expr) expr.Expr {
	return expr.Add(expr.Mul(expr.Const(1-l.momentum()), sum), x)
}

// fixed is mean and invstd of the running statistics, which have these axes.
func (l *BatchNorm) fixed(axes expr.Axes) (mean, invstd expr.Expr) {
	mean, running := expr.Input(normRunningMean, axes), expr.Input(normRunningVar, axes)
	switch l.Convention {
	case caffe:
		sum := expr.Input(normScaleFactor, expr.One)
		scale := expr.Select(expr.Equal(sum, expr.Const(0)), expr.Const(0), expr.Div(expr.Const(1), sum))
		return expr.Mul(mean, scale), invStd(expr.Mul(running, scale), l.eps())
	case matconvnet:
		return mean, expr.Div(expr.Const(1), running)
	}
	return mean, invStd(running, l.eps())
}

// Forward enqueues the normalisation, and the statistics if the state is updated.
func (l *BatchNorm) Forward(q device.Queue, c *Call) {
	n := l.norm(c.In[0].Shape)
	in := n.args(c)
	switch {
	case c.Again:
		n.normalise(q, c, in)
	case c.UpdateState:
		n.moments(q, c, in)
		l.update(q, c, in)
		n.normalise(q, c, in)
	case len(c.Saved) > 0:
		q.Map(c.Programs[batchNormFixed], flat(in[normMean]), in[normMean:][:2], in, normModes[:2], device.Random{})
		n.normalise(q, c, in)
	default:
		q.Map(c.Programs[batchNormInfer], n.view, c.Out, in, normModes[:1], device.Random{})
	}
}

// update makes invstd of the variance, and moves the running statistics or keeps what they are
// to be moved by.
func (l *BatchNorm) update(q device.Queue, c *Call, in []device.Tensor) {
	if len(c.Statistics) > 0 {
		copy(in[normRunningMean:], c.Statistics)
		q.Map(c.Programs[batchNormStatistics], flat(in[normInvStd]), in[normInvStd:][:3], in, normModes[:3], device.Random{})
		return
	}
	q.Map(c.Programs[batchNormUpdate], flat(in[normInvStd]), in[normInvStd:][:3], in, normModes[:3], device.Random{})
	if l.Convention == caffe {
		q.Map(c.Programs[batchNormScale], flat(in[normScaleFactor]), in[normScaleFactor:][:1], in, normModes[:1], device.Random{})
	}
}

// ForwardNone adds nothing to the sums of a batch that other devices have, and moves the running
// statistics as they do.
func (l *BatchNorm) ForwardNone(q device.Queue, c *Call) {
	if !c.UpdateState {
		return
	}
	n := l.norm(c.In[0].Shape)
	in := n.args(c)
	n.count(q, c, in)
	for _, i := range [...]int{normMean, normInvStd} {
		q.Fill(in[i], 0)
		n.sum(c, in[i:][:1])
	}
	l.update(q, c, in)
}

// BackwardNone adds nothing to the sums of which the input's gradient is made.
func (l *BatchNorm) BackwardNone(q device.Queue, c *Call) {
	if !c.UpdateState || !c.WantsGradient(0) {
		return
	}
	n := l.norm(c.In[0].Shape)
	sums := n.sums(n.args(c))
	for _, sum := range sums {
		q.Fill(sum, 0)
	}
	n.sum(c, sums)
}

// Average enqueues the move of the running statistics. That of the scale factor is the same for
// every micro-batch.
func (l *BatchNorm) Average(q device.Queue, c *Call) {
	var of [normCount + 1]device.Tensor
	copy(of[normMean:], c.Statistics[:2])
	copy(of[normRunningMean:], c.State)
	in := c.Args(of[:]...)
	q.Map(c.Programs[batchNormAverage], flat(in[normRunningMean]), in[normRunningMean:][:2], in, normModes[:2], device.Random{})
	if l.Convention == caffe {
		q.Map(c.Programs[batchNormScale], flat(in[normScaleFactor]), in[normScaleFactor:][:1], in, normModes[:1], device.Random{})
	}
}

// Backward enqueues the gradients.
func (l *BatchNorm) Backward(q device.Queue, c *Call) {
	var constant *expr.Program
	if !c.UpdateState {
		constant = c.Programs[batchNormBackward]
	}
	l.norm(c.In[0].Shape).backward(q, c, constant)
}

// norm has the statistics of channels. Channels of one pixel lie side by side, as pixels do.
func (l *BatchNorm) norm(x tensor.Shape) norm {
	n := norm{view: viewOf(x), stats: expr.C, affine: expr.C, running: true}
	if n.view.Inner == 1 {
		n.view = device.View{N: x[0], C: 1, Inner: x[1]}
		n.stats, n.affine = expr.Inner, expr.Inner
	}
	if l.on(true) {
		n.params = x[1]
	}
	return n
}

func (l *BatchNorm) eps() float32 { return or(l.Eps, 1e-5) }

func (l *BatchNorm) momentum() float32 {
	if l.Convention == caffe {
		return or(l.Momentum, 0.001)
	}
	return or(l.Momentum, 0.1)
}
