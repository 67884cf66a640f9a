package solver

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The learning-rate policies: those of Caffe, and those of the papers that are
// named. k is the iteration, counted from 0, or from the end of the warm-up if
// there is one. K is the number of iterations: Max less the warm-up.
const (
	Fixed      = "fixed"        // Rate
	Step       = "step"         // Rate * Gamma^floor(k/Step)
	MultiStep  = "multistep"    // Rate * Gamma^(how many of Steps are at most k)
	Exp        = "exp"          // Rate * Gamma^k
	NaturalExp = "natural-exp"  // Rate * e^(-Gamma*k)
	Inv        = "inv"          // Rate * (1 + Gamma*k)^-Power
	InvTime    = "inverse-time" // Rate / (1 + Gamma*k)
	Poly       = "poly"         // Rate * (1 - k/K)^Power, 0 from K on
	Linear     = "linear"       // Rate + (End - Rate)*k/K, End from K on

	// Cosine is Rate * (1 + cos(pi*k/K)) / 2, 0 from K on (Loshchilov and Hutter
	// 2017, without restarts). CosineRestarts is SGDR of the same paper: the cosine
	// over Step iterations, which then begins again at Rate, each time over Gamma
	// times as many. Gamma is a whole number.
	Cosine         = "cosine"
	CosineRestarts = "cosine-restarts"

	// OneCycle is the policy of Smith and Topin 2018, "Super-convergence". It goes
	// from Gamma*Rate to Rate in the first 45 % of the iterations, back in the next
	// 45 %, and to Gamma*Rate/100 in the last 10 %, along straight lines.
	OneCycle = "one-cycle"

	// Plateau is Rate * Gamma^(how often Step tests in a row were no better
	// than the best before them), as the AlexNet paper lowers its rate.
	Plateau = "plateau"
)

// Policies lists the learning-rate policies.
func Policies() []string {
	return []string{Fixed, Step, MultiStep, Exp, NaturalExp, Inv, InvTime, Poly, Linear, Cosine, CosineRestarts, OneCycle, Plateau}
}

// Schedule is the learning rate as a function of the iteration. A policy uses
// the fields in its formula.
type Schedule struct {
	Policy string  `json:"policy"`
	Rate   float64 `json:"rate"` // at iteration 0; of OneCycle the highest
	Gamma  float64 `json:"gamma,omitempty"`
	Power  float64 `json:"power,omitempty"`
	End    float64 `json:"end,omitempty"`   // of Linear
	Step   int     `json:"step,omitempty"`  // iterations, or tests
	Steps  []int   `json:"steps,omitempty"` // rising

	// Warmup is the number of iterations in which the rate first rises along a
	// straight line to the rate at which the policy begins. That rate is reached in
	// the iteration after them (Goyal et al. 2017).
	Warmup int `json:"warmup,omitempty"`

	// Max is the iteration at which policies with a K end; 0 means the iterations of
	// the run. If a run is then resumed with more iterations, it follows the curve
	// of the longer run from there, so its rate jumps up. If Max is given, the rate
	// after it is that of K.
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
	case Inv, InvTime, NaturalExp:
		if !(s.Gamma >= 0) || math.IsInf(s.Gamma, 0) {
			return fail("gamma %g must be finite and not negative", s.Gamma)
		}
	case OneCycle:
		if !(s.Gamma > 0 && s.Gamma <= 1) {
			return fail("gamma %g must be above 0 and at most 1", s.Gamma)
		}
	case CosineRestarts:
		if !(s.Gamma >= 1) || s.Gamma != math.Trunc(s.Gamma) || s.Gamma > math.MaxInt32 {
			return fail("gamma %g must be a whole number from 1 to 2147483647", s.Gamma)
		}
	}
	switch s.Policy {
	case Inv, Poly:
		if !(s.Power >= 0) || math.IsInf(s.Power, 0) {
			return fail("power %g must be finite and not negative", s.Power)
		}
	case Linear:
		if !(s.End >= 0 && s.End <= math.MaxFloat32) {
			return fail("the rate %g at its end must be finite and not negative", s.End)
		}
	case Step, Plateau, CosineRestarts:
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
	if s.Warmup < 0 {
		return fail("a warm-up of %d iterations must not be negative", s.Warmup)
	}
	if s.Max > 0 && s.Warmup >= s.Max {
		return fail("a warm-up must be shorter than the run, below %d iterations", s.Max)
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

// At is the learning rate of iteration k, counted from 0. Policies with a K
// need Max. For plateau it is the rate before the first drop.
func (s Schedule) At(k int) float32 {
	rate := s.policy(max(k-s.Warmup, 0))
	if k < s.Warmup {
		rate *= float64(k+1) / float64(s.Warmup+1)
	}
	return float32(rate)
}

// policy is the rate so many iterations after the warm-up.
func (s Schedule) policy(k int) float64 {
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
	case NaturalExp:
		rate *= math.Exp(-s.Gamma * float64(k))
	case Inv:
		rate *= math.Pow(1+s.Gamma*float64(k), -s.Power)
	case InvTime:
		rate /= 1 + s.Gamma*float64(k)
	case Poly:
		rate *= math.Pow(1-s.done(k), s.Power)
	case Linear:
		rate += (s.End - rate) * s.done(k)
	case Cosine:
		rate *= (1 + math.Cos(math.Pi*s.done(k))) / 2
	case CosineRestarts:
		k, length := s.restarted(k)
		rate *= (1 + math.Cos(math.Pi*float64(k)/float64(length))) / 2
	case OneCycle:
		rate *= s.Gamma + (1-s.Gamma)*s.height(k)
		if done := s.done(k); done > cycle {
			rate *= 1 - 0.99*(done-cycle)/(1-cycle)
		}
	}
	return rate
}

// cycle is the part of all iterations that OneCycle goes up and down in.
const cycle = 0.9

// height is how high in its cycle OneCycle stands, from 0 to 1.
func (s Schedule) height(k int) float64 {
	done := s.done(k)
	return max(0, min(done, cycle-done)/(cycle/2))
}

// restarted is the place of iteration k since the last restart, and how many there are to
// the next.
func (s Schedule) restarted(k int) (place, length int) {
	length = s.Step
	if s.Gamma == 1 {
		return k % length, length
	}
	for k >= length {
		k -= length
		length *= int(s.Gamma)
	}
	return k, length
}

// turn is how much of the way from its first to its last value momentum has behind it
// after k iterations: k/K, and of OneCycle the height, so that it is back in the end.
func (s Schedule) turn(k int) float64 {
	k = max(k-s.Warmup, 0)
	if s.Policy == OneCycle {
		return s.height(k)
	}
	return s.done(k)
}

// dropped is the schedule of plateau after some drops of the rate.
func (s Schedule) dropped(drops int) Schedule {
	s.Rate *= math.Pow(s.Gamma, float64(drops))
	return s
}

// done is k/K, at most 1.
func (s Schedule) done(k int) float64 {
	switch all := s.Max - s.Warmup; {
	case k == 0:
		return 0
	case k >= all:
		return 1
	default:
		return float64(k) / float64(all)
	}
}
