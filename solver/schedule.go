package solver

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The learning-rate policies: those of Caffe, cosine (Loshchilov and Hutter
// 2017, without restarts) and plateau. k is the iteration, counted from 0, and
// K is Max.
const (
	Fixed     = "fixed"     // Rate
	Step      = "step"      // Rate * Gamma^floor(k/Step)
	MultiStep = "multistep" // Rate * Gamma^(how many of Steps are at most k)
	Exp       = "exp"       // Rate * Gamma^k
	Inv       = "inv"       // Rate * (1 + Gamma*k)^-Power
	Poly      = "poly"      // Rate * (1 - k/K)^Power, 0 from K on
	Cosine    = "cosine"    // Rate * (1 + cos(pi*k/K)) / 2, 0 from K on

	// Plateau is Rate * Gamma^(how often Step tests in a row were no better
	// than the best before them), as the AlexNet paper lowers its rate.
	Plateau = "plateau"
)

// Policies lists the learning-rate policies.
func Policies() []string { return []string{Fixed, Step, MultiStep, Exp, Inv, Poly, Cosine, Plateau} }

// Schedule is the learning rate as a function of the iteration. A policy uses
// the fields in its formula.
type Schedule struct {
	Policy string  `json:"policy"`
	Rate   float64 `json:"rate"` // at iteration 0
	Gamma  float64 `json:"gamma,omitempty"`
	Power  float64 `json:"power,omitempty"`
	Step   int     `json:"step,omitempty"`  // iterations, or tests
	Steps  []int   `json:"steps,omitempty"` // rising

	// Max is the iteration at which poly and cosine end; 0 means the iterations of
	// the run. If a run is then resumed with more iterations, it follows the curve
	// of the longer run from there, so its rate jumps up. If Max is given, the rate
	// after it is 0.
	Max int `json:"max,omitempty"`
}

// Check says what is wrong with the schedule, if anything.
func (s Schedule) Check() error {
	if !slices.Contains(Policies(), s.Policy) {
		return fmt.Errorf("learning-rate policy %q is unknown; there are %s", s.Policy, strings.Join(Policies(), ", "))
	}
	if !(s.Rate > 0) || s.Rate > math.MaxFloat32 {
		return fmt.Errorf("learning rate %g must be finite and above 0", s.Rate)
	}
	fail := func(format string, value any) error {
		return fmt.Errorf("learning-rate policy %s: "+format, s.Policy, value)
	}
	switch s.Policy {
	case Step, MultiStep, Exp, Plateau:
		if !(s.Gamma > 0) || math.IsInf(s.Gamma, 0) {
			return fail("gamma %g must be finite and above 0", s.Gamma)
		}
	case Inv:
		if !(s.Gamma >= 0) || math.IsInf(s.Gamma, 0) {
			return fail("gamma %g must be finite and not negative", s.Gamma)
		}
	}
	switch s.Policy {
	case Inv, Poly:
		if !(s.Power >= 0) || math.IsInf(s.Power, 0) {
			return fail("power %g must be finite and not negative", s.Power)
		}
	case Step, Plateau:
		if s.Step < 1 {
			return fail("step %d must be at least 1", s.Step)
		}
	case MultiStep:
		if len(s.Steps) == 0 || s.Steps[0] < 1 || !rising(s.Steps) {
			return fail("steps %v must be iterations from 1 on, rising", s.Steps)
		}
	}
	if s.Max < 0 {
		return fail("max %d must not be negative", s.Max)
	}
	return nil
}

func rising(list []int) bool {
	for i := 1; i < len(list); i++ {
		if list[i] <= list[i-1] {
			return false
		}
	}
	return true
}

// At is the learning rate of iteration k, counted from 0. Poly and cosine
// need Max. For plateau it is the rate before the first drop.
func (s Schedule) At(k int) float32 {
	rate := s.Rate
	switch s.Policy {
	case Step:
		rate *= math.Pow(s.Gamma, float64(k/s.Step))
	case MultiStep:
		passed := 0
		for _, step := range s.Steps {
			if k >= step {
				passed++
			}
		}
		rate *= math.Pow(s.Gamma, float64(passed))
	case Exp:
		rate *= math.Pow(s.Gamma, float64(k))
	case Inv:
		rate *= math.Pow(1+s.Gamma*float64(k), -s.Power)
	case Poly:
		rate *= math.Pow(1-s.done(k), s.Power)
	case Cosine:
		rate *= (1 + math.Cos(math.Pi*s.done(k))) / 2
	}
	return float32(rate)
}

// dropped is the schedule of plateau after some drops of the rate.
func (s Schedule) dropped(drops int) Schedule {
	s.Rate *= math.Pow(s.Gamma, float64(drops))
	return s
}

// done is k/K, at most 1.
func (s Schedule) done(k int) float64 {
	if k >= s.Max {
		return 1
	}
	return float64(k) / float64(s.Max)
}
