package solver

import (
	"github.com/hubel-go/hubel/expr"
)

// The methods. w is a weight and g is its gradient, clipped. All methods but AdamW and
// Lion first add Decay*d*w to g. r and d are the layer's multipliers of rate and decay,
// rate is Rate*r, and t counts updates from 1. What a method keeps of each weight begins
// with 0.
const (
	// SGD is stochastic gradient descent with momentum. The velocity includes the
	// rate, as in the AlexNet paper and Caffe:
	//
	//	v = Momentum*v - rate*g
	//	w = w + v
	//
	// and with Nesterov (Sutskever et al. 2013, as Caffe and others rewrite it)
	//
	//	w = w + (1+Momentum)*v - Momentum*(v before)
	//
	// Without momentum it is the plain method.
	SGD = "sgd"

	// SGDPyTorch does not include the rate in the velocity, as in PyTorch. Its results
	// differ from those of SGD if the rate changes.
	//
	//	v = Momentum*v + g
	//	w = w - rate*v, with Nesterov w - rate*(g + Momentum*v)
	SGDPyTorch = "sgd-pytorch"

	// AdaGrad is that of Duchi et al. 2011, "Adaptive subgradient methods":
	//
	//	s = s + g^2
	//	w = w - rate*g / (sqrt(s) + Epsilon)
	AdaGrad = "adagrad"

	// AdaDelta is that of Zeiler 2012, "ADADELTA: an adaptive learning rate
	// method", whose rho is Beta2; there the rate is 1.
	//
	//	s = Beta2*s + (1-Beta2)*g^2
	//	x = g * sqrt(u + Epsilon) / sqrt(s + Epsilon)
	//	u = Beta2*u + (1-Beta2)*x^2
	//	w = w - rate*x
	AdaDelta = "adadelta"

	// RMSProp is that of Tieleman and Hinton 2012, lecture 6.5 of "Neural networks
	// for machine learning", with Beta2 = 0.9:
	//
	//	s = Beta2*s + (1-Beta2)*g^2
	//	w = w - rate*g / (sqrt(s) + Epsilon)
	RMSProp = "rmsprop"

	// Adam is that of Kingma and Ba 2015, "Adam: a method for stochastic
	// optimization":
	//
	//	m = Beta1*m + (1-Beta1)*g
	//	s = Beta2*s + (1-Beta2)*g^2
	//	w = w - rate * (m / (1-Beta1^t)) / (sqrt(s / (1-Beta2^t)) + Epsilon)
	Adam = "adam"

	// AdamW is that of Loshchilov and Hutter 2019, "Decoupled weight decay
	// regularization", with the rate in the decay as PyTorch has it: Adam, and
	//
	//	w = w - rate*Decay*d*(w before)
	AdamW = "adamw"

	// LARS is that of You et al. 2017, "Large batch training of convolutional
	// networks". |w| and |g| are the norms of the whole parameter, before decay is
	// added to g. If one of them is 0, the ratio is 1.
	//
	//	ratio = Trust*|w| / (|g| + Decay*d*|w|)
	//	v = Momentum*v + rate*ratio*g
	//	w = w - v
	LARS = "lars"

	// Lion is that of Chen et al. 2023, "Symbolic discovery of optimization
	// algorithms":
	//
	//	w = w - rate*(sign(Beta1*m + (1-Beta1)*g) + Decay*d*w)
	//	m = Beta2*m + (1-Beta2)*g
	Lion = "lion"
)

// The slabs that are kept: a checkpoint has a tensor SLAB/NAME of each parameter.
const (
	momentumSlab = "momentum"
	meanSlab     = "first-moment"  // of gradients
	squaresSlab  = "second-moment" // of gradients
	changesSlab  = "second-moment-of-changes"
	averageSlab  = "average" // of weights; with any method
)

// method is what one is made of.
type method struct {
	name     string
	slabs    []string
	usual    Optimiser // a number that is 0, but for Decay, is not used by the method
	nesterov bool      // there is such a momentum
	apart    bool      // decay is no part of the gradient
	corrects bool      // it reads the corrections

	// step is the weight after an update, and what is kept.
	step func(o Optimiser, x operands) (w expr.Expr, slabs []expr.Expr)
}

// operands are what a step is made of.
type operands struct {
	w, g        expr.Expr
	slabs       [maxSlabs]expr.Expr
	rate        expr.Expr // of the iteration and the parameter
	decay       expr.Expr // of the parameter
	momentum    expr.Expr
	corrections [2]expr.Expr // 1-Beta1^t and 1-Beta2^t
	trust       expr.Expr    // the ratio of LARS
}

// maxSlabs is the most slabs that a method keeps.
const maxSlabs = 2

var methods = []method{
	{name: SGD, slabs: []string{momentumSlab}, nesterov: true, usual: usual(0.01, 5e-4, Optimiser{Momentum: 0.9}), step: stepSGD},
	{name: SGDPyTorch, slabs: []string{momentumSlab}, nesterov: true, usual: usual(0.01, 5e-4, Optimiser{Momentum: 0.9}), step: stepSGDPyTorch},
	{name: AdaGrad, slabs: []string{squaresSlab}, usual: usual(0.01, 0, Optimiser{Epsilon: 1e-8}), step: stepAdaGrad},
	{name: AdaDelta, slabs: []string{squaresSlab, changesSlab}, usual: usual(1, 0, Optimiser{Beta2: 0.95, Epsilon: 1e-6}), step: stepAdaDelta},
	{name: RMSProp, slabs: []string{squaresSlab}, usual: usual(1e-3, 0, Optimiser{Beta2: 0.9, Epsilon: 1e-8}), step: stepRMSProp},
	{name: Adam, slabs: []string{meanSlab, squaresSlab}, corrects: true, usual: usual(1e-3, 0, Optimiser{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}), step: stepAdam},
	{name: AdamW, slabs: []string{meanSlab, squaresSlab}, apart: true, corrects: true, usual: usual(1e-3, 0.01, Optimiser{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}), step: stepAdamW},
	{name: LARS, slabs: []string{momentumSlab}, usual: usual(1, 5e-4, Optimiser{Momentum: 0.9, Trust: 1e-3}), step: stepLARS},
	{name: Lion, slabs: []string{meanSlab}, apart: true, usual: usual(1e-4, 0.1, Optimiser{Beta1: 0.9, Beta2: 0.99}), step: stepLion},
}

func usual(rate float64, decay float32, o Optimiser) Optimiser {
	o.Schedule.Rate, o.Decay = rate, decay
	return o
}

func stepSGD(o Optimiser, x operands) (expr.Expr, []expr.Expr) {
	v := x.slabs[0]
	next := expr.Sub(expr.Mul(x.momentum, v), expr.Mul(x.rate, x.g))
	step := next
	if o.Nesterov { // (1+Momentum)*next - Momentum*v
		step = expr.Add(next, expr.Mul(x.momentum, expr.Sub(next, v)))
	}
	return expr.Add(x.w, step), []expr.Expr{next}
}

func stepSGDPyTorch(o Optimiser, x operands) (expr.Expr, []expr.Expr) {
	next := expr.Add(expr.Mul(x.momentum, x.slabs[0]), x.g)
	step := next
	if o.Nesterov {
		step = expr.Add(x.g, expr.Mul(x.momentum, next))
	}
	return expr.Sub(x.w, expr.Mul(x.rate, step)), []expr.Expr{next}
}

func stepAdaGrad(o Optimiser, x operands) (expr.Expr, []expr.Expr) {
	s := expr.Add(x.slabs[0], square(x.g))
	return expr.Sub(x.w, expr.Mul(x.rate, expr.Div(x.g, expr.Add(expr.Sqrt(s), expr.Const(o.Epsilon))))), []expr.Expr{s}
}

func stepAdaDelta(o Optimiser, x operands) (expr.Expr, []expr.Expr) {
	epsilon := expr.Const(o.Epsilon)
	s := mean(o.Beta2, x.slabs[0], square(x.g))
	change := expr.Mul(x.g, expr.Div(expr.Sqrt(expr.Add(x.slabs[1], epsilon)), expr.Sqrt(expr.Add(s, epsilon))))
	return expr.Sub(x.w, expr.Mul(x.rate, change)), []expr.Expr{s, mean(o.Beta2, x.slabs[1], square(change))}
}

func stepRMSProp(o Optimiser, x operands) (expr.Expr, []expr.Expr) {
	s := mean(o.Beta2, x.slabs[0], square(x.g))
	return expr.Sub(x.w, expr.Mul(x.rate, expr.Div(x.g, expr.Add(expr.Sqrt(s), expr.Const(o.Epsilon))))), []expr.Expr{s}
}

func stepAdam(o Optimiser, x operands) (expr.Expr, []expr.Expr) {
	change, slabs := adamChange(o, x)
	return expr.Sub(x.w, expr.Mul(x.rate, change)), slabs
}

func stepAdamW(o Optimiser, x operands) (expr.Expr, []expr.Expr) {
	change, slabs := adamChange(o, x)
	return expr.Sub(x.w, expr.Mul(x.rate, expr.Add(change, expr.Mul(x.decay, x.w)))), slabs
}

func adamChange(o Optimiser, x operands) (expr.Expr, []expr.Expr) {
	m, s := mean(o.Beta1, x.slabs[0], x.g), mean(o.Beta2, x.slabs[1], square(x.g))
	root := expr.Sqrt(expr.Div(s, x.corrections[1]))
	return expr.Div(expr.Div(m, x.corrections[0]), expr.Add(root, expr.Const(o.Epsilon))), []expr.Expr{m, s}
}

func stepLARS(o Optimiser, x operands) (expr.Expr, []expr.Expr) {
	v := expr.Add(expr.Mul(x.momentum, x.slabs[0]), expr.Mul(expr.Mul(x.rate, x.trust), x.g))
	return expr.Sub(x.w, v), []expr.Expr{v}
}

func stepLion(o Optimiser, x operands) (expr.Expr, []expr.Expr) {
	zero := expr.Const(0)
	c := mean(o.Beta1, x.slabs[0], x.g)
	sign := expr.Select(expr.Less(zero, c), expr.Const(1), expr.Select(expr.Less(c, zero), expr.Const(-1), c)) // a NaN shows
	return expr.Sub(x.w, expr.Mul(x.rate, expr.Add(sign, expr.Mul(x.decay, x.w)))), []expr.Expr{mean(o.Beta2, x.slabs[0], x.g)}
}

// mean is a running mean, beta*m + (1-beta)*x.
func mean(beta float32, m, x expr.Expr) expr.Expr {
	return expr.Add(expr.Mul(expr.Const(beta), m), expr.Mul(expr.Const(float32(1-float64(beta))), x))
}

func square(x expr.Expr) expr.Expr { return expr.Mul(x, x) }
