package solver

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/graph"
)

// Optimiser is the rule by which gradients change the weights. A method uses the numbers
// in its formula, and the others must be 0. Defaults returns the usual ones.
type Optimiser struct {
	Method   string   `json:"method,omitempty"` // empty is SGD
	Schedule Schedule `json:"schedule"`
	Momentum float32  `json:"momentum"` // in [0,1)
	Decay    float32  `json:"decay"`    // of weights; not in the loss that is reported
	Nesterov bool     `json:"nesterov,omitempty"`

	// MomentumEnd is the momentum at the iteration Schedule.Max: it changes along a
	// straight line. With OneCycle it is the momentum at the highest rate, after which
	// it goes back to Momentum. 0 means no change.
	MomentumEnd float32 `json:"momentum_end,omitempty"`

	// ClipNorm bounds the Euclidean norm of the gradients of all weights
	// together, before decay: larger ones are scaled down to it. 0 is off.
	ClipNorm float32 `json:"clip_norm,omitempty"`

	Beta1   float32 `json:"beta1,omitempty"`   // in [0,1)
	Beta2   float32 `json:"beta2,omitempty"`   // in [0,1)
	Epsilon float32 `json:"epsilon,omitempty"` // above 0
	Trust   float32 `json:"trust,omitempty"`   // above 0

	// EMA, in (0,1), keeps an exponential moving average of each trained weight beside
	// it, a = EMA*a + (1-EMA)*w, which is w itself after the first update. SWA keeps the
	// plain mean of the weights after update SWA, counted from 1, and after each update
	// since (Izmailov et al. 2018, "Averaging weights leads to wider optima"). 0 is off;
	// there is one of the two.
	EMA float32 `json:"ema,omitempty"`
	SWA int     `json:"swa,omitempty"`

	// LayerRates multiply the rates of layers, or of parameters such as "fc8.weight".
	// The factor of a parameter replaces that of its layer.
	LayerRates map[string]float32 `json:"layer_rates,omitempty"`
}

// Methods lists the methods.
func Methods() []string {
	var names []string
	for _, m := range methods {
		names = append(names, m.name)
	}
	return names
}

// Defaults returns the usual numbers of a method: those of its paper, if it has them,
// and a fixed rate. An unknown method has no numbers.
func Defaults(name string) Optimiser {
	if m := methodOf(name); m != nil {
		o := m.usual
		o.Method, o.Schedule.Policy = m.name, Fixed
		return o
	}
	return Optimiser{Method: name}
}

// Reads reports whether the method uses Momentum, Beta1, Beta2, Epsilon or Trust, which
// is named as in JSON, "momentum".
func (o Optimiser) Reads(number string) bool {
	usual := Defaults(o.Method)
	for _, n := range usual.numbers() {
		if n.name == number {
			return n.value != 0
		}
	}
	return false
}

// number is one of the numbers that only some methods use.
type number struct {
	name  string
	value float32
	below float32 // its bound: 1 for a number from 0 on, infinity for one above 0
}

func (o *Optimiser) numbers() []number {
	inf := float32(math.Inf(1))
	return []number{{"momentum", o.Momentum, 1}, {"beta1", o.Beta1, 1}, {"beta2", o.Beta2, 1}, {"epsilon", o.Epsilon, inf}, {"trust", o.Trust, inf}}
}

// Check says what is wrong with the options, if anything.
func (o Optimiser) Check() error {
	m := methodOf(o.Method)
	if m == nil {
		return fmt.Errorf("optimiser %q is unknown; there are %s", o.Method, strings.Join(Methods(), ", "))
	}
	if err := o.Schedule.Check(); err != nil {
		return err
	}
	for _, n := range o.numbers() {
		switch {
		case !o.Reads(n.name) && n.value != 0:
			return fmt.Errorf("optimiser %s has no %s: it must be 0, not %g", m.name, n.name, n.value)
		case o.Reads(n.name) && n.below == 1 && !(n.value >= 0 && n.value < 1):
			return fmt.Errorf("%s %g must be at least 0 and below 1", n.name, n.value)
		case o.Reads(n.name) && n.below != 1 && !(n.value > 0 && n.value < n.below):
			return fmt.Errorf("%s %g must be finite and above 0", n.name, n.value)
		}
	}
	if !(o.Decay >= 0 && o.Decay <= math.MaxFloat32) {
		return fmt.Errorf("weight decay %g must be finite and not negative", o.Decay)
	}
	if !(o.ClipNorm >= 0 && o.ClipNorm <= math.MaxFloat32) {
		return fmt.Errorf("largest gradient norm %g must be finite and not negative", o.ClipNorm)
	}
	for _, name := range slices.Sorted(maps.Keys(o.LayerRates)) {
		if x := o.LayerRates[name]; !(x >= 0 && x <= math.MaxFloat32) {
			return fmt.Errorf("rate of %s: the multiplier %g must be finite and not negative", name, x)
		}
	}
	switch {
	case o.MomentumEnd != 0 && !o.Reads("momentum"):
		return fmt.Errorf("optimiser %s has no momentum: its end must be 0, not %g", m.name, o.MomentumEnd)
	case !(o.MomentumEnd >= 0 && o.MomentumEnd < 1):
		return fmt.Errorf("momentum %g at its end must be at least 0 and below 1", o.MomentumEnd)
	case !(o.EMA >= 0 && o.EMA < 1):
		return fmt.Errorf("moving average of weights: %g must be at least 0 and below 1", o.EMA)
	case o.SWA < 0:
		return fmt.Errorf("mean of weights: the update %d that it begins with must not be negative", o.SWA)
	case o.EMA != 0 && o.SWA != 0:
		return errors.New("there is a moving average of weights or a mean of them, not both")
	case o.Nesterov && !m.nesterov:
		return fmt.Errorf("optimiser %s has no momentum of Nesterov's; %s and %s have", m.name, SGD, SGDPyTorch)
	case o.Nesterov && o.Momentum == 0:
		return errors.New("momentum must be above 0 to be Nesterov's")
	}
	return nil
}

// momentum is that of iteration k, counted from 0.
func (o *Optimiser) momentum(k int) float32 {
	from, to := float64(o.Momentum), float64(o.MomentumEnd)
	return float32(from + (to-from)*o.Schedule.turn(k))
}

// averages reports whether averages of the weights are kept.
func (o *Optimiser) averages() bool { return o.EMA != 0 || o.SWA != 0 }

// fraction is how far the average goes towards the weights in iteration k, counted from 0.
func (o *Optimiser) fraction(k int) float32 {
	switch update := k + 1; {
	case update == 1 || update <= o.SWA:
		return 1
	case o.EMA != 0:
		return float32(1 - float64(o.EMA))
	default:
		return float32(1 / float64(update-o.SWA+1))
	}
}

// Slabs names the buffers that are kept, each with one number per trained weight: those
// of the method, and the average of the weights.
func (o *Optimiser) Slabs() []string {
	names := methodOf(o.Method).slabs
	if o.averages() {
		return append(slices.Clip(names), averageSlab)
	}
	return names
}

// params are the parameters that a plan trains, in the order of the slabs, with their
// rates as the updates have them. A name in LayerRates that is no layer's or parameter's
// with weights is an error.
func (o *Optimiser) params(p *graph.Plan) ([]graph.Param, error) {
	left := maps.Clone(o.LayerRates)
	for _, name := range slices.Sorted(maps.Keys(left)) {
		if err := p.Network.SharedError(name); err != nil {
			return nil, fmt.Errorf("rates of layers: %w", err)
		}
	}
	for _, q := range p.Params {
		delete(left, q.Name)
		delete(left, p.Network.Nodes[q.Node].Name)
	}
	if len(left) > 0 {
		return nil, fmt.Errorf("rates of layers: %v has no layer or parameter %q with weights", p.Network, slices.Sorted(maps.Keys(left))[0])
	}
	params := slices.DeleteFunc(slices.Clone(p.Params), func(p graph.Param) bool { return p.Grad < 0 })
	for i := range params {
		q := &params[i]
		if x, ok := o.LayerRates[q.Name]; ok {
			q.Rate *= x
		} else if x, ok := o.LayerRates[p.Network.Nodes[q.Node].Name]; ok {
			q.Rate *= x
		}
	}
	return params, nil
}

// methodOf is a method by its name, nil if there is none.
func methodOf(name string) *method {
	if name == "" {
		name = SGD
	}
	for i := range methods {
		if methods[i].name == name {
			return &methods[i]
		}
	}
	return nil
}
