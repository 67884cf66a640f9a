package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/big"
	"os"
	"strconv"
	"strings"
)

// kinds are the kinds of change, in the order in which they are drawn from.
var kinds = []string{"operator", "constant", "condition", "statement", "argument"}

// mutant is one change to one file: the bytes from start to end become text.
type mutant struct {
	file, kind  string // the file from the root of the module, with slashes
	line        int
	start, end  int
	text        string
	before, now string // the lines that change, as they were and as they are then
}

// String is the change as it is printed.
func (m *mutant) String() string {
	return fmt.Sprintf("%s:%d %s: %s  =>  %s", m.file, m.line, m.kind, m.before, m.now)
}

// operators are what takes the place of an operator.
var operators = map[token.Token][]string{
	token.ADD: {"-"}, token.SUB: {"+"}, token.MUL: {"/"}, token.QUO: {"*"}, token.REM: {"/"},
	token.LSS: {"<=", ">"}, token.LEQ: {"<", ">="}, token.GTR: {">=", "<"}, token.GEQ: {">", "<="},
	token.EQL: {"!="}, token.NEQ: {"=="}, token.LAND: {"||"}, token.LOR: {"&&"},
	token.SHL: {">>"}, token.SHR: {"<<"}, token.AND: {"|"}, token.OR: {"&"}, token.XOR: {"&"}, token.AND_NOT: {"&"},
	token.ADD_ASSIGN: {"-="}, token.SUB_ASSIGN: {"+="}, token.MUL_ASSIGN: {"/="}, token.QUO_ASSIGN: {"*="},
	token.OR_ASSIGN: {"&="}, token.AND_ASSIGN: {"|="}, token.SHL_ASSIGN: {">>="}, token.SHR_ASSIGN: {"<<="},
	token.INC: {"--"}, token.DEC: {"++"},
}

// symmetric are functions whose arguments may stand in any order.
var symmetric = map[string]bool{
	"min": true, "max": true, "math.Min": true, "math.Max": true, "slices.Equal": true, "bytes.Equal": true,
	"bits.Mul32": true, "bits.Mul64": true, "gcd": true,
}

// mutants lists all changes to a file, whose name is only for reports. Those
// that do not compile are among them.
func mutants(path, name string) ([]mutant, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	m := mutator{source: source, set: set, name: name}
	ast.Inspect(f, m.visit)
	return m.found, nil
}

// mutator collects the changes to a file.
type mutator struct {
	source []byte
	set    *token.FileSet
	name   string
	found  []mutant
}

func (m *mutator) offset(p token.Pos) int { return m.set.Position(p).Offset }

// of is the text of a node.
func (m *mutator) of(n ast.Node) string {
	return string(m.source[m.offset(n.Pos()):m.offset(n.End())])
}

// add notes that the text from one place to another may become another text.
func (m *mutator) add(kind string, from, to token.Pos, text string) {
	start, end := m.offset(from), m.offset(to)
	first := strings.LastIndexByte(string(m.source[:start]), '\n') + 1
	last := len(m.source)
	if i := strings.IndexByte(string(m.source[end:]), '\n'); i >= 0 {
		last = end + i
	}
	oneLine := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	m.found = append(m.found, mutant{
		file: m.name, kind: kind, line: m.set.Position(from).Line, start: start, end: end, text: text,
		before: oneLine(string(m.source[first:last])),
		now:    oneLine(string(m.source[first:start]) + text + string(m.source[end:last])),
	})
}

// operator notes what an operator of a statement or an expression may become.
func (m *mutator) operator(op token.Token, at token.Pos) {
	for _, text := range operators[op] {
		m.add("operator", at, at+token.Pos(len(op.String())), text)
	}
}

func (m *mutator) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec, *ast.Field: // types and tags of fields compute nothing
		return false
	case *ast.BinaryExpr:
		m.operator(n.Op, n.OpPos)
	case *ast.UnaryExpr:
		if n.Op == token.NOT || n.Op == token.SUB {
			m.add("operator", n.OpPos, n.OpPos+1, "")
		}
	case *ast.BasicLit:
		if text := otherNumber(n); text != "" {
			m.add("constant", n.Pos(), n.End(), text)
		}
	case *ast.IfStmt:
		c := m.of(n.Cond)
		for _, text := range []string{"!(" + c + ")", "(" + c + ") || true", "(" + c + ") && false"} {
			m.add("condition", n.Cond.Pos(), n.Cond.End(), text)
		}
	case *ast.IncDecStmt:
		m.operator(n.Tok, n.TokPos)
		m.remove(n)
	case *ast.AssignStmt:
		m.operator(n.Tok, n.TokPos)
		if n.Tok != token.DEFINE {
			m.remove(n)
		}
	case *ast.ExprStmt, *ast.SendStmt, *ast.DeferStmt, *ast.GoStmt:
		m.remove(n)
	case *ast.BranchStmt:
		if n.Tok == token.BREAK || n.Tok == token.CONTINUE {
			m.remove(n)
		}
	case *ast.ReturnStmt:
		if len(n.Results) == 0 {
			m.remove(n)
		}
	case *ast.CallExpr:
		if symmetric[m.of(n.Fun)] {
			break
		}
		for i := 1; i < len(n.Args); i++ {
			a, b := n.Args[i-1], n.Args[i]
			if x, y := m.of(a), m.of(b); x != y {
				m.add("argument", a.Pos(), b.End(), y+string(m.source[m.offset(a.End()):m.offset(b.Pos())])+x)
			}
		}
	}
	return true
}

// remove notes that a statement may be missing.
func (m *mutator) remove(n ast.Node) { m.add("statement", n.Pos(), n.End(), "") }

// otherNumber is a number near a literal's; for other literals it is empty.
func otherNumber(l *ast.BasicLit) string {
	switch l.Kind {
	case token.INT:
		n, ok := new(big.Int).SetString(l.Value, 0)
		if !ok {
			return ""
		}
		return n.Add(n, big.NewInt(1)).String()
	case token.FLOAT:
		x, err := strconv.ParseFloat(strings.ReplaceAll(l.Value, "_", ""), 64)
		if err != nil {
			return ""
		}
		if x *= 2; x == 0 {
			x = 1
		}
		text := strconv.FormatFloat(x, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0" // 1/2 would be 0
		}
		return text
	}
	return ""
}
