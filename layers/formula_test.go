package layers_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/layers"
)

func TestFormulaComputesWhatItSays(t *testing.T) {
	x, y := 0.75, -2.0
	for formula, want := range map[string]float64{
		"x":                               x,
		"x0 - x1":                         x - y,
		"1 - 2 - 3":                       -4,
		"8 / 2 / 2 * x":                   2 * x,
		"2 + 3 * x":                       2 + 3*x,
		"(2 + 3) * x":                     5 * x,
		"--x * -(x1)":                     -x * y,
		" min ( x , x1 )":                 y,
		"max(x,-x1)":                      2,
		"abs(x1)":                         2,
		"exp(1.5e-1 * log(x))":            math.Pow(x, 0.15),
		"sqrt(x) + erf(x)":                math.Sqrt(x) + math.Erf(x),
		"sigmoid(x)":                      1 / (1 + math.Exp(-x)),
		"softplus(x1)":                    math.Log1p(math.Exp(y)),
		"tanh(x)":                         math.Tanh(x),
		"select(x < x1, 1, 2)":            2,
		"select(x1 <= -2, 1, 2)":          1,
		"select(x1 == 3, 1, x)":           x,
		"x + " + layers.FormulaNumber(-1): x - 1,
	} {
		l := &layers.Formula{Formula: formula}
		inputs := 1
		if strings.Contains(formula, "x1") {
			inputs = 2
		}
		in := make([]layers.Input, inputs)
		for i := range in {
			in[i] = layers.Input{Shape: []int{2, 3}}
		}
		s, err := l.Plan(nil, in, layers.Options{})
		require.NoError(t, err, formula)
		out := make([]float64, 1)
		s.Programs[0].Eval(out, expr.Element{Inputs: []float64{x, y}})
		require.InDelta(t, want, out[0], 1e-6, formula)
	}
	require.Equal(t, "(3.4028235e+38)", layers.FormulaNumber(float32(math.Inf(1))))
}

func TestFormulaErrors(t *testing.T) {
	for formula, want := range map[string]string{
		"":                                    `formula "" ends where a number, an input or a function is missing`,
		"x +":                                 `formula "x +" ends where a number, an input or a function is missing`,
		"x x1":                                `formula "x x1": at byte 2 stands "x1", want an operator`,
		"(x":                                  `formula "(x" ends where ")" is missing`,
		"max(x)":                              `formula "max(x)": at byte 5 stands ")", want ","`,
		"max x":                               `formula "max x": at byte 4 stands "x", want "("`,
		"abs(x, x)":                           `formula "abs(x, x)": at byte 5 stands ", x)", want ")"`,
		"sin(x)":                              `formula "sin(x)": "sin" is no function; there are abs, erf, exp, log, max, min, sigmoid, softplus, sqrt, tanh and select`,
		"x15":                                 `formula "x15": "x15" is no input; there are x0, which is x too, to x14`,
		"1.2.3":                               `formula "1.2.3": "1.2.3" is not a number of float32`,
		"1e99":                                `formula "1e99": "1e99" is not a number of float32`,
		"select x":                            `formula "select x": at byte 7 stands "x", want "("`,
		"select(x, 1, 2)":                     `formula "select(x, 1, 2)": at byte 8 stands ", 1, 2)", want "<", "<=" or "=="`,
		"select(x < 1; 2":                     `formula "select(x < 1; 2": at byte 12 stands "; 2", want ","`,
		"select(x < 1, 2, 3":                  `formula "select(x < 1, 2, 3" ends where ")" is missing`,
		"x\x00":                               `formula "x\x00": at byte 1 stands "\x00", want an operator`,
		strings.Repeat("(", 3000):             `has more than 50 parentheses in one another`,
		strings.Repeat("x", 5000):             `the formula has 5000 bytes; at most 4096 are allowed`,
		strings.Repeat("tanh(x)*", 300) + "x": `a program of more than 256 instructions`,
	} {
		_, err := (&layers.Formula{Formula: formula}).Plan(nil, []layers.Input{{Shape: []int{2, 3}}}, layers.Options{})
		require.ErrorContains(t, err, want, "%.50q", formula)
	}
}

func FuzzFormula(f *testing.F) {
	for _, seed := range []string{"max(x, 0) - 0.5 * min(x, 0)", "select(x < 1, 0, log(x))", "x / (x1 + 1e-6)", "--x", "(((x)))", "1e+", "x99", "select(x == 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, formula string) {
		x := layers.Input{Shape: []int{2, 3}}
		_, _ = (&layers.Formula{Formula: formula}).Plan(nil, []layers.Input{x, x}, layers.Options{})
		_, _ = (&layers.Formula{Formula: formula}).Plan(nil, []layers.Input{x}, layers.Options{})
	})
}
