package program

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/solver"
)

// optimisers are the methods, with x for what is kept from update to update. g has the
// decay in it, but of adamw and lion.
var optimisers = []struct{ name, formula string }{
	{solver.SGD, "x = m*x - lr*g; w += x"},
	{solver.SGDPyTorch, "x = m*x + g; w -= lr*x"},
	{solver.AdaGrad, "x += g^2; w -= lr*g / sqrt(x)"},
	{solver.AdaDelta, "rates from means of g^2 and of changes"},
	{solver.RMSProp, "x = mean of g^2; w -= lr*g / sqrt(x)"},
	{solver.Adam, "w -= lr*(mean of g) / sqrt(mean of g^2)"},
	{solver.AdamW, "adam; decay beside it"},
	{solver.LARS, "sgd; lr of a layer times t*|w|/|g|"},
	{solver.Lion, "w -= lr*sign(mean of g); decay beside it"},
}

func optimiserNames() []string {
	var names []string
	for _, o := range optimisers {
		names = append(names, o.name)
	}
	return names
}

// optimiserFormulas is a table for the usage.
func optimiserFormulas() string {
	var lines []string
	for _, o := range optimisers {
		lines = append(lines, fmt.Sprintf("%-12s %s", o.name, o.formula))
	}
	return strings.Join(lines, "\n")
}

// usually says what a flag of a number is unless given: what it is of most methods,
// if all read it, and of which others what.
func usually(of func(o solver.Optimiser) float32) string {
	var values []float32
	names, readers := map[float32][]string{}, 0
	for _, name := range optimiserNames() {
		x := of(solver.Defaults(name))
		if x == 0 {
			continue
		}
		readers++
		if names[x] == nil {
			values = append(values, x)
		}
		names[x] = append(names[x], name)
	}
	slices.SortStableFunc(values, func(x, y float32) int { return len(names[y]) - len(names[x]) })
	text := "; usually "
	for i, x := range values {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprint(x)
		if i > 0 || readers < len(optimisers) {
			text += " of " + strings.Join(names[x], " and ")
		}
	}
	return text
}

// flagNumber is the flag of a number whose usual value depends on the method.
type flagNumber struct {
	name  string
	value *float64
	of    func(o *solver.Optimiser) *float32
}

func (o *options) flagNumbers() []flagNumber {
	return []flagNumber{
		{"momentum", &o.momentum, func(o *solver.Optimiser) *float32 { return &o.Momentum }},
		{"beta1", &o.beta1, func(o *solver.Optimiser) *float32 { return &o.Beta1 }},
		{"beta2", &o.beta2, func(o *solver.Optimiser) *float32 { return &o.Beta2 }},
		{"epsilon", &o.epsilon, func(o *solver.Optimiser) *float32 { return &o.Epsilon }},
		{"trust", &o.trust, func(o *solver.Optimiser) *float32 { return &o.Trust }},
		{"decay", &o.decay, func(o *solver.Optimiser) *float32 { return &o.Decay }},
	}
}

// checkOptimiser checks that there is such a method, that it reads the numbers that are
// given, and gives the others their usual values.
func (o *options) checkOptimiser() error {
	if !slices.Contains(optimiserNames(), o.method) {
		return fmt.Errorf("-optimiser %q is unknown; there are %s", o.method, strings.Join(optimiserNames(), ", "))
	}
	usual := solver.Defaults(o.method)
	if !o.given["lr"] {
		o.rate = usual.Schedule.Rate
	}
	for _, n := range o.flagNumbers() {
		switch {
		case !o.given[n.name]:
			*n.value = float64(*n.of(&usual))
		case n.name != "decay" && !usual.Reads(n.name):
			return fmt.Errorf("-%s has no meaning with -optimiser %s", n.name, o.method)
		}
	}
	for _, name := range []string{"nesterov", "momentum-end"} {
		if o.given[name] && !usual.Reads("momentum") {
			return fmt.Errorf("-%s has no meaning with -optimiser %s", name, o.method)
		}
	}
	return nil
}

// optimiser is the optimiser as the flags describe it.
func (o *options) optimiser() solver.Optimiser {
	s := solver.Optimiser{Method: o.method, Schedule: o.schedule(), MomentumEnd: float32(o.momentumEnd), Nesterov: o.nesterov, ClipNorm: float32(o.clip), EMA: float32(o.ema), SWA: o.swa, LayerRates: o.layerRates}
	for _, n := range o.flagNumbers() {
		*n.of(&s) = float32(*n.value)
	}
	return s
}
