package program

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/solver"
)

// policies are the learning-rate policies, and the flags that each needs. K is the
// number of iterations.
var policies = []struct {
	name, formula string
	needs         []string
}{
	{solver.Fixed, "lr", nil},
	{solver.Step, "lr * g^floor(k/n)", []string{"gamma", "step"}},
	{solver.MultiStep, "lr * g^(how many of a,b,c have passed)", []string{"gamma", "steps"}},
	{solver.Exp, "lr * g^k", []string{"gamma"}},
	{solver.NaturalExp, "lr * e^(-g*k)", []string{"gamma"}},
	{solver.Inv, "lr * (1 + g*k)^-p", []string{"gamma", "power"}},
	{solver.InvTime, "lr / (1 + g*k)", []string{"gamma"}},
	{solver.Poly, "lr * (1 - k/K)^p, K iterations in all", []string{"power"}},
	{solver.Linear, "lr + (end - lr) * k/K", []string{"lr-end"}},
	{solver.Cosine, "lr * (1 + cos(pi*k/K)) / 2", nil},
	{solver.CosineRestarts, "cosine of n, n*g, n*g*g, ... iterations", []string{"gamma", "step"}},
	{solver.OneCycle, "from lr*g to lr, back, then to lr*g/100", []string{"gamma"}},
	{solver.Plateau, "lr * g^(times n tests were no better)", []string{"gamma", "step"}},
}

func policyNames() []string {
	var names []string
	for _, p := range policies {
		names = append(names, p.name)
	}
	return names
}

// policyFormulas is a table for the usage.
func policyFormulas() string {
	var lines []string
	for _, p := range policies {
		lines = append(lines, fmt.Sprintf("%-15s %s", p.name, p.formula))
	}
	return strings.Join(lines, "\n")
}

// checkPolicy checks that a policy has the flags it needs, and no others.
func (o *options) checkPolicy() error {
	i := slices.Index(policyNames(), o.policy)
	if i < 0 {
		return fmt.Errorf("-lr-policy %q is unknown; there are %s", o.policy, strings.Join(policyNames(), ", "))
	}
	for _, name := range []string{"gamma", "power", "step", "steps", "lr-end"} {
		needed := slices.Contains(policies[i].needs, name)
		switch {
		case needed && !o.given[name]:
			return fmt.Errorf("-lr-policy %s needs -%s", o.policy, name)
		case !needed && o.given[name]:
			return fmt.Errorf("-%s has no meaning with -lr-policy %s", name, o.policy)
		}
	}
	return nil
}

// schedule is the learning rate as the flags describe it. With -lr-per it is that of so many
// samples, and grows with the whole batch (Goyal et al. 2017).
func (o *options) schedule() solver.Schedule {
	rate := o.rate
	if o.lrPer > 0 {
		c := solver.Config{Batch: o.batch, Accumulate: o.accumulate, Group: o.group}
		rate *= float64(c.Whole()) / float64(o.lrPer)
	}
	return solver.Schedule{Policy: o.policy, Rate: rate, Gamma: o.gamma, Power: o.power, End: o.rateEnd, Step: o.step, Steps: o.steps, Warmup: o.warmup}
}
