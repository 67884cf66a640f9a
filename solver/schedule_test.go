package solver

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSchedules(t *testing.T) {
	steps := Schedule{Policy: MultiStep, Rate: 0.1, Gamma: 0.5, Steps: []int{2, 5}}
	net4 := Schedule{Policy: Linear, Rate: 0.03, End: 0.0001, Max: 2000} // of a lecture on keypoints
	restarts := Schedule{Policy: CosineRestarts, Rate: 1, Gamma: 3, Step: 4}
	oneCycle := Schedule{Policy: OneCycle, Rate: 1, Gamma: 0.1, Max: 1000}
	warm := func(s Schedule) Schedule {
		s.Warmup = 200
		return s
	}
	for _, c := range []struct {
		s    Schedule
		k    int
		want float64
	}{
		{Schedule{Policy: Fixed, Rate: 0.01}, 0, 0.01},
		{Schedule{Policy: Fixed, Rate: 0.01}, 1e6, 0.01},
		{Schedule{Policy: Step, Rate: 0.01, Gamma: 0.1, Step: 100}, 99, 0.01},
		{Schedule{Policy: Step, Rate: 0.01, Gamma: 0.1, Step: 100}, 100, 0.001},
		{Schedule{Policy: Step, Rate: 0.01, Gamma: 0.1, Step: 100}, 299, 0.0001},
		{steps, 0, 0.1},
		{steps, 1, 0.1},
		{steps, 2, 0.05},
		{steps, 4, 0.05},
		{steps, 5, 0.025},
		{steps, 1000, 0.025},
		{Schedule{Policy: Exp, Rate: 2, Gamma: 0.5}, 3, 0.25},
		{Schedule{Policy: Inv, Rate: 0.01, Gamma: 1e-4, Power: 0.75}, 0, 0.01}, // Caffe's LeNet
		{Schedule{Policy: Inv, Rate: 0.01, Gamma: 1e-4, Power: 0.75}, 10000, 0.005946036},
		{Schedule{Policy: Inv, Rate: 1, Gamma: 0.5, Power: 1}, 6, 0.25},
		{Schedule{Policy: Poly, Rate: 0.01, Power: 2, Max: 10}, 0, 0.01},
		{Schedule{Policy: Poly, Rate: 0.01, Power: 2, Max: 10}, 5, 0.0025},
		{Schedule{Policy: Poly, Rate: 0.01, Power: 0.5, Max: 10}, 10, 0},
		{Schedule{Policy: Poly, Rate: 0.01, Power: 0.5, Max: 10}, 11, 0}, // and no NaN
		{Schedule{Policy: Cosine, Rate: 0.01, Max: 30}, 0, 0.01},
		{Schedule{Policy: Cosine, Rate: 0.01, Max: 30}, 10, 0.0075},
		{Schedule{Policy: Cosine, Rate: 0.01, Max: 30}, 15, 0.005},
		{Schedule{Policy: Cosine, Rate: 0.01, Max: 30}, 30, 0},
		{Schedule{Policy: Cosine, Rate: 0.01, Max: 30}, 60, 0}, // it does not rise again
		{Schedule{Policy: NaturalExp, Rate: 2, Gamma: math.Ln2}, 3, 0.25},
		{Schedule{Policy: InvTime, Rate: 1, Gamma: 0.5}, 0, 1}, // and no division by 0
		{Schedule{Policy: InvTime, Rate: 1, Gamma: 0.5}, 6, 0.25},
		{net4, 0, 0.03},
		{net4, 1000, 0.01505},
		{net4, 2000, 0.0001},
		{net4, 3000, 0.0001},
		{restarts, 0, 1},
		{restarts, 2, 0.5},
		{restarts, 3, 0.5 + 0.5*math.Cos(0.75*math.Pi)},
		{restarts, 4, 1}, // of 12
		{restarts, 10, 0.5},
		{restarts, 16, 1}, // of 36
		{restarts, 34, 0.5},
		{restarts, 52, 1},
		{Schedule{Policy: CosineRestarts, Rate: 1, Gamma: 1, Step: 4}, 4_000_002, 0.5},
		{oneCycle, 0, 0.1},
		{oneCycle, 225, 0.55},
		{oneCycle, 450, 1},
		{oneCycle, 675, 0.55},
		{oneCycle, 900, 0.1},
		{oneCycle, 950, 0.1 * (1 - 0.99/2)},
		{oneCycle, 1000, 0.001},
		{oneCycle, 2000, 0.001},
		{warm(oneCycle), 199, 0.1 * 200. / 201},
		{warm(Schedule{Policy: Fixed, Rate: 1}), 0, 1. / 201},
		{warm(Schedule{Policy: Fixed, Rate: 1}), 99, 100. / 201},
		{warm(Schedule{Policy: Fixed, Rate: 1}), 199, 200. / 201},
		{warm(Schedule{Policy: Fixed, Rate: 1}), 200, 1},
		{warm(Schedule{Policy: Step, Rate: 1, Gamma: 0.5, Step: 10}), 209, 1},
		{warm(Schedule{Policy: Step, Rate: 1, Gamma: 0.5, Step: 10}), 210, 0.5},
		{warm(Schedule{Policy: Cosine, Rate: 1, Max: 1000}), 199, 200. / 201},
		{warm(Schedule{Policy: Cosine, Rate: 1, Max: 1000}), 600, 0.5},
		{warm(Schedule{Policy: Cosine, Rate: 1, Max: 1000}), 1000, 0},
	} {
		require.NoError(t, c.s.Check())
		require.InDelta(t, c.want, c.s.At(c.k), 1e-7, "%+v at %d", c.s, c.k)
	}
}

// caffe is Caffe's SGDSolver::GetLearningRate, called for each iteration in
// turn.
func caffe(s Schedule) func(k int) float64 {
	current := 0
	return func(k int) float64 {
		iter := float64(k)
		switch s.Policy {
		case Step:
			return s.Rate * math.Pow(s.Gamma, float64(k/s.Step))
		case Exp:
			return s.Rate * math.Pow(s.Gamma, iter)
		case Inv:
			return s.Rate * math.Pow(1+s.Gamma*iter, -s.Power)
		case MultiStep:
			if current < len(s.Steps) && k >= s.Steps[current] {
				current++
			}
			return s.Rate * math.Pow(s.Gamma, float64(current))
		case Poly:
			return s.Rate * math.Pow(1-iter/float64(s.Max), s.Power)
		}
		return s.Rate
	}
}

func TestSchedulesAreCaffes(t *testing.T) {
	const iterations = 500
	for _, policy := range []string{Fixed, Step, MultiStep, Exp, Inv, Poly} {
		s := Schedule{Policy: policy, Rate: 0.05, Gamma: 0.97, Power: 0.9, Step: 7, Steps: []int{1, 2, 100, 433}, Max: iterations}
		require.NoError(t, s.Check())
		want := caffe(s)
		for k := range iterations {
			w := want(k)
			require.InDelta(t, w, s.At(k), 1e-7*w, "%s at %d", policy, k)
		}
	}
}

func TestScheduleCheck(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	good := Schedule{Rate: 0.1, Gamma: 0.5, Power: 1, Step: 10, Steps: []int{1, 2}, Max: 10}
	for _, c := range []struct {
		policy string
		change func(s *Schedule)
		want   string
	}{
		{"stepwise", func(*Schedule) {}, `learning-rate policy "stepwise" is unknown; there are fixed, step, `},
		{"", func(*Schedule) {}, `learning-rate policy "" is unknown`},
		{Fixed, func(s *Schedule) { s.Rate = 0 }, "learning rate 0 must be"},
		{Fixed, func(s *Schedule) { s.Rate = -1 }, "learning rate -1 must be"},
		{Fixed, func(s *Schedule) { s.Rate = nan }, "learning rate NaN must be"},
		{Fixed, func(s *Schedule) { s.Rate = 1e39 }, "learning rate 1e+39 must be"},
		{Step, func(s *Schedule) { s.Gamma = 0 }, "policy step: gamma 0 must be"},
		{Step, func(s *Schedule) { s.Gamma = inf }, "policy step: gamma +Inf must be finite and above 0"},
		{Inv, func(s *Schedule) { s.Gamma = inf }, "policy inv: gamma +Inf must be finite and not negative"},
		{Poly, func(s *Schedule) { s.Power = inf }, "policy poly: power +Inf must be finite and not negative"},
		{MultiStep, func(s *Schedule) { s.Gamma = -1 }, "policy multistep: gamma -1 must be"},
		{Exp, func(s *Schedule) { s.Gamma = inf }, "policy exp: gamma +Inf must be"},
		{Inv, func(s *Schedule) { s.Gamma = nan }, "policy inv: gamma NaN must be"},
		{Inv, func(s *Schedule) { s.Power = -0.5 }, "policy inv: power -0.5 must be"},
		{Poly, func(s *Schedule) { s.Power = nan }, "policy poly: power NaN must be"},
		{Step, func(s *Schedule) { s.Step = 0 }, "policy step: step 0 must be at least 1"},
		{MultiStep, func(s *Schedule) { s.Steps = nil }, "policy multistep: steps [] must be"},
		{MultiStep, func(s *Schedule) { s.Steps = []int{0, 4} }, "policy multistep: steps [0 4] must be"},
		{MultiStep, func(s *Schedule) { s.Steps = []int{4, 4} }, "policy multistep: steps [4 4] must be"},
		{InvTime, func(s *Schedule) { s.Gamma = -1 }, "policy inverse-time: gamma -1 must be finite and not negative"},
		{NaturalExp, func(s *Schedule) { s.Gamma = nan }, "policy natural-exp: gamma NaN must be finite and not negative"},
		{Linear, func(s *Schedule) { s.End = -1 }, "policy linear: the rate -1 at its end must be finite and not negative"},
		{Linear, func(s *Schedule) { s.End = inf }, "policy linear: the rate +Inf at its end must be finite and not negative"},
		{CosineRestarts, func(s *Schedule) { s.Gamma = 1.5 }, "policy cosine-restarts: gamma 1.5 must be a whole number from 1 to "},
		{CosineRestarts, func(s *Schedule) { s.Gamma = nan }, "policy cosine-restarts: gamma NaN must be a whole number from 1 to "},
		{CosineRestarts, func(s *Schedule) { s.Step, s.Gamma = 0, 1 }, "policy cosine-restarts: step 0 must be at least 1"},
		{OneCycle, func(s *Schedule) { s.Gamma = 2 }, "policy one-cycle: gamma 2 must be above 0 and at most 1"},
		{OneCycle, func(s *Schedule) { s.Gamma = nan }, "policy one-cycle: gamma NaN must be above 0 and at most 1"},
		{Fixed, func(s *Schedule) { s.Warmup = -1 }, "policy fixed: a warm-up of -1 iterations must not be negative"},
		{Poly, func(s *Schedule) { s.Warmup = 10 }, "policy poly: a warm-up must be shorter than the run, below 10 iterations"},
		{Cosine, func(s *Schedule) { s.Max = -1 }, "policy cosine: max -1 must not"},
	} {
		s := good
		s.Policy = c.policy
		c.change(&s)
		require.ErrorContains(t, s.Check(), c.want, "%+v", s)
	}
	for _, policy := range Policies() {
		s := good
		s.Policy = policy
		if policy == CosineRestarts {
			s.Gamma = 2
		}
		require.NoError(t, s.Check(), policy)
	}
}

// Momentum goes to its end while the rate goes to its own, there and back in one cycle.
func TestMomentumSchedule(t *testing.T) {
	o := Optimiser{Schedule: Schedule{Policy: Linear, Rate: 0.03, End: 0.0001, Max: 1000}, Momentum: 0.9, MomentumEnd: 0.999}
	require.NoError(t, o.Check())
	for k, want := range map[int]float64{0: 0.9, 500: 0.9495, 1000: 0.999, 2000: 0.999} {
		require.InDelta(t, want, o.momentum(k), 1e-7)
	}
	o.Schedule.Warmup = 200
	for k, want := range map[int]float64{0: 0.9, 200: 0.9, 600: 0.9495, 1000: 0.999} {
		require.InDelta(t, want, o.momentum(k), 1e-7)
	}
	o.Schedule = Schedule{Policy: OneCycle, Rate: 1, Gamma: 0.1, Max: 1000}
	o.Momentum, o.MomentumEnd = 0.95, 0.85
	for k, want := range map[int]float64{0: 0.95, 225: 0.9, 450: 0.85, 900: 0.95, 1000: 0.95} {
		require.InDelta(t, want, o.momentum(k), 1e-7)
	}
}

func ExampleSchedule() {
	s := Schedule{Policy: Inv, Rate: 0.01, Gamma: 1e-4, Power: 0.75}
	for _, k := range []int{0, 1000, 10000} {
		fmt.Printf("%5d  %.5f\n", k, s.At(k))
	}
	// Output:
	//     0  0.01000
	//  1000  0.00931
	// 10000  0.00595
}

// What lies on the edge of a bound is accepted, and each drop of plateau
// multiplies by gamma.
func TestScheduleAccepts(t *testing.T) {
	for _, s := range []Schedule{
		{Policy: Step, Rate: 1, Gamma: 1, Step: 1},
		{Policy: Plateau, Rate: 1, Gamma: 1, Step: 1},
		{Policy: MultiStep, Rate: 1, Gamma: 1, Steps: []int{1}},
		{Policy: Inv, Rate: 1},
		{Policy: Poly, Rate: 1},
		{Policy: Cosine, Rate: math.MaxFloat32},
	} {
		require.NoError(t, s.Check(), "%+v", s)
	}
	s := Schedule{Policy: Plateau, Rate: 8, Gamma: 0.5, Step: 1}
	for drops, want := range []float32{8, 4, 2, 1} {
		require.Equal(t, want, s.dropped(drops).At(100))
	}
}
