package layers

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &Formula{} }) }

// Formula is an element-wise function of inputs of one shape, as text:
//
//	max(x, 0) - 0.5 * min(x, 0)
//	select(x < 1, 0, log(x))
//	x / (x1 + 1e-6)
//
// The inputs are x0 (or x), x1, and so on; there are as many as the largest number says.
// Between numbers, inputs and parentheses stand + - * and /; powers are products, or
// exp(p * log(x)). The functions are abs, erf, exp, log, sigmoid, softplus, sqrt and tanh of
// one value, max and min of two, and select(a < b, yes, no), where < may also be <= or ==.
// The gradient follows from the formula. It is that of the branch that is taken.
type Formula struct {
	Elementwise `json:"-"`

	Formula string `json:"formula"`
}

// The bounds of a formula, which may come from a file.
const (
	longestFormula = 4096 // bytes
	deepestFormula = 100  // parentheses
)

// Type is "formula".
func (l *Formula) Type() string { return "formula" }

// Plan reads the formula.
func (l *Formula) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	if len(l.Formula) > longestFormula {
		return Spec{}, fmt.Errorf("the formula has %d bytes; at most %d are allowed", len(l.Formula), longestFormula)
	}
	f := formulaReader{text: l.Formula, inputs: 1}
	y, err := f.sum()
	if err == nil && !f.ended() {
		err = f.unexpected("an operator")
	}
	if err != nil {
		return Spec{}, err
	}
	p, err := expr.New(y)
	if err != nil {
		return Spec{}, fmt.Errorf("formula %q: %w", l.Formula, err)
	}
	return PlanElementwise(p, f.inputs, in)
}

// formulaReader reads a formula from left to right.
type formulaReader struct {
	text   string
	at     int // byte
	depth  int
	inputs int
}

// peek is the next character that is no space, 0 at the end.
func (f *formulaReader) peek() byte {
	for f.at < len(f.text) && f.text[f.at] == ' ' {
		f.at++
	}
	if f.at == len(f.text) {
		return 0
	}
	return f.text[f.at]
}

// ended reports whether nothing is left.
func (f *formulaReader) ended() bool { return f.peek() == 0 && f.at == len(f.text) }

// take reads a character if it is the next.
func (f *formulaReader) take(c byte) bool {
	if f.peek() != c {
		return false
	}
	f.at++
	return true
}

func (f *formulaReader) unexpected(want string) error {
	if f.ended() {
		return fmt.Errorf("formula %q ends where %s is missing", f.text, want)
	}
	return fmt.Errorf("formula %q: at byte %d stands %q, want %s", f.text, f.at, f.text[f.at:min(f.at+10, len(f.text))], want)
}

// sum reads terms.
func (f *formulaReader) sum() (expr.Expr, error) {
	return f.chain("+-", f.term, expr.Add, expr.Sub)
}

// term reads factors.
func (f *formulaReader) term() (expr.Expr, error) {
	return f.chain("*/", f.factor, expr.Mul, expr.Div)
}

// chain reads operands with operators between them, which are computed from left to right.
func (f *formulaReader) chain(operators string, operand func() (expr.Expr, error), ops ...func(a, b expr.Expr) expr.Expr) (expr.Expr, error) {
	if f.depth++; f.depth > deepestFormula {
		return expr.Expr{}, fmt.Errorf("formula %.40q… has more than %d parentheses in one another", f.text, deepestFormula/2)
	}
	defer func() { f.depth-- }()
	y, err := operand()
	for err == nil {
		op := strings.IndexByte(operators, f.peek())
		if op < 0 {
			break
		}
		f.at++
		var b expr.Expr
		if b, err = operand(); err == nil {
			y = ops[op](y, b)
		}
	}
	return y, err
}

// factor reads a number, an input, a function, or what is in parentheses, with or without
// a sign.
func (f *formulaReader) factor() (expr.Expr, error) {
	negative := false
	for f.take('-') {
		negative = !negative
	}
	y, err := f.atom()
	if err == nil && negative {
		y = expr.Neg(y)
	}
	return y, err
}

func (f *formulaReader) atom() (expr.Expr, error) {
	if f.take('(') {
		y, err := f.sum()
		if err == nil && !f.take(')') {
			err = f.unexpected(`")"`)
		}
		return y, err
	}
	c := f.peek()
	begin := f.at
	switch {
	case c >= '0' && c <= '9' || c == '.':
		for f.at < len(f.text) && (strings.IndexByte("0123456789.e", f.text[f.at]) >= 0 || f.text[f.at-1] == 'e' && strings.IndexByte("+-", f.text[f.at]) >= 0) {
			f.at++
		}
		v, err := strconv.ParseFloat(f.text[begin:f.at], 32)
		if err != nil {
			return expr.Expr{}, fmt.Errorf("formula %q: %.20q is not a number of float32", f.text, f.text[begin:f.at])
		}
		return expr.Const(float32(v)), nil
	case c >= 'a' && c <= 'z':
		for f.at < len(f.text) && (f.text[f.at] >= 'a' && f.text[f.at] <= 'z' || f.text[f.at] >= '0' && f.text[f.at] <= '9') {
			f.at++
		}
		return f.named(f.text[begin:f.at])
	}
	return expr.Expr{}, f.unexpected("a number, an input or a function")
}

// The functions of one value and of two.
var (
	formulaUnary = map[string]func(x expr.Expr) expr.Expr{
		"abs": expr.Abs, "erf": expr.Erf, "exp": expr.Exp, "log": expr.Log,
		"sigmoid": expr.Sigmoid, "softplus": expr.Softplus, "sqrt": expr.Sqrt, "tanh": expr.Tanh,
	}
	formulaBinary = map[string]func(a, b expr.Expr) expr.Expr{"max": expr.Max, "min": expr.Min}
)

// named is an input or a function, whose name has been read.
func (f *formulaReader) named(name string) (expr.Expr, error) {
	if digits, ok := strings.CutPrefix(name, "x"); ok {
		i, err := strconv.Atoi(digits)
		if digits == "" {
			i, err = 0, nil
		}
		if err != nil || i >= expr.MaxInputs-1 { // a gradient has one more
			return expr.Expr{}, fmt.Errorf("formula %q: %.20q is no input; there are x0, which is x too, to x%d", f.text, name, expr.MaxInputs-2)
		}
		f.inputs = max(f.inputs, i+1)
		return expr.Input(i, expr.Whole), nil
	}
	if op, ok := formulaUnary[name]; ok {
		args, err := f.arguments(1)
		if err != nil {
			return expr.Expr{}, err
		}
		return op(args[0]), nil
	}
	if op, ok := formulaBinary[name]; ok {
		args, err := f.arguments(2)
		if err != nil {
			return expr.Expr{}, err
		}
		return op(args[0], args[1]), nil
	}
	if name == "select" {
		return f.choice()
	}
	return expr.Expr{}, fmt.Errorf("formula %q: %.20q is no function; there are %s and select", f.text, name, strings.Join(formulaFunctions(), ", "))
}

func formulaFunctions() []string {
	var names []string
	for name := range formulaUnary {
		names = append(names, name)
	}
	for name := range formulaBinary {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// arguments reads so many values in parentheses.
func (f *formulaReader) arguments(n int) ([]expr.Expr, error) {
	args := make([]expr.Expr, n)
	for i := range args {
		separator := byte(',')
		if i == 0 {
			separator = '('
		}
		if !f.take(separator) {
			return nil, f.unexpected(strconv.Quote(string(separator)))
		}
		var err error
		if args[i], err = f.sum(); err != nil {
			return nil, err
		}
	}
	if !f.take(')') {
		return nil, f.unexpected(`")"`)
	}
	return args, nil
}

// choice reads the arguments of select.
func (f *formulaReader) choice() (expr.Expr, error) {
	if !f.take('(') {
		return expr.Expr{}, f.unexpected(`"("`)
	}
	a, err := f.sum()
	if err != nil {
		return expr.Expr{}, err
	}
	var compare func(a, b expr.Expr) expr.Condition
	switch {
	case f.take('<'):
		compare = expr.Less
		if f.take('=') {
			compare = expr.LessEqual
		}
	case strings.HasPrefix(f.text[f.at:], "=="):
		f.at += 2
		compare = expr.Equal
	default:
		return expr.Expr{}, f.unexpected(`"<", "<=" or "=="`)
	}
	var rest [3]expr.Expr
	for i := range rest {
		if i > 0 && !f.take(',') {
			return expr.Expr{}, f.unexpected(`","`)
		}
		if rest[i], err = f.sum(); err != nil {
			return expr.Expr{}, err
		}
	}
	if !f.take(')') {
		return expr.Expr{}, f.unexpected(`")"`)
	}
	return expr.Select(compare(a, rest[0]), rest[1], rest[2]), nil
}

// FormulaNumber writes a number as a formula has it. One that is not finite is the nearest
// that is: no formula has others.
func FormulaNumber(v float32) string {
	v = min(max(v, -math.MaxFloat32), math.MaxFloat32)
	return "(" + strconv.FormatFloat(float64(v), 'g', -1, 32) + ")"
}
