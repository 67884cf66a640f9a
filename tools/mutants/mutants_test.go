package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const sum = `package sum

// Sum adds the numbers below n.
func Sum(n int) (s int) {
	for i := range n {
		s += i
	}
	if n > 100 {
		println(max(n, 100), "is large")
	}
	return s
}
`

const sumTest = `package sum

import "testing"

func TestSum(t *testing.T) {
	if got := Sum(5); got != 10 {
		t.Fatal(got)
	}
}
`

// module writes a module of one package.
func module(t *testing.T) (dir string) {
	t.Setenv("GOFLAGS", "-mod=mod")
	dir = t.TempDir()
	for name, text := range map[string]string{"go.mod": "module sum\n\ngo 1.26\n", "sum.go": sum, "sum_test.go": sumTest} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	return dir
}

func TestMutantsOfAFile(t *testing.T) {
	path := filepath.Join(module(t), "sum.go")
	all, err := mutants(path, "sum.go")
	require.NoError(t, err)
	var texts []string
	for _, m := range all {
		require.Equal(t, "sum.go", m.file)
		texts = append(texts, m.kind+" "+m.before+" => "+m.now)
	}
	require.ElementsMatch(t, []string{
		"operator s += i => s -= i",
		"statement s += i => ",
		"condition if n > 100 { => if !(n > 100) {",
		"condition if n > 100 { => if (n > 100) || true {",
		"condition if n > 100 { => if (n > 100) && false {",
		"operator if n > 100 { => if n >= 100 {",
		"operator if n > 100 { => if n < 100 {",
		`constant println(max(n, 100), "is large") => println(max(n, 101), "is large")`,
		"constant if n > 100 { => if n > 101 {",
		`statement println(max(n, 100), "is large") => `,
		`argument println(max(n, 100), "is large") => println("is large", max(n, 100))`,
	}, texts)
}

func TestOtherNumber(t *testing.T) {
	path := filepath.Join(t.TempDir(), "numbers.go")
	require.NoError(t, os.WriteFile(path, []byte("package n\n\nvar _ = []any{7, 0xff, 0., 2.5, 1e300, 'a', \"b\"}\n"), 0o666))
	all, err := mutants(path, "numbers.go")
	require.NoError(t, err)
	var texts []string
	for _, m := range all {
		texts = append(texts, m.text)
	}
	require.Equal(t, []string{"8", "256", "1.0", "5.0", "2e+300"}, texts)
}

func TestExplained(t *testing.T) {
	e, err := readExplained(strings.NewReader("a.go\n- s++\n+\nnobody\nlooks\n\n# more\na.go\n- x < 1\n+ x <= 1\nsame\n"))
	require.NoError(t, err)
	gone := mutant{file: "a.go", before: "s++"}
	require.Equal(t, explained{gone.change(): "nobody looks", "a.go\n- x < 1\n+ x <= 1": "same"}, e)

	f, err := os.Open("explained.txt")
	require.NoError(t, err)
	defer f.Close()
	e, err = readExplained(f)
	require.NoError(t, err)
	require.NotEmpty(t, e)
}

// The test of the little module sees the sum, not what is printed of large
// numbers; one of those changes is explained.
func TestRun(t *testing.T) {
	dir := module(t)
	list := filepath.Join(dir, "explained.txt")
	require.NoError(t, os.WriteFile(list, []byte("# printed\n\nsum.go\n- if n > 100 {\n+ if n >= 100 {\nno test\nprints\n"), 0o666))
	o := options{n: 100, seed: 1, atLeast: 10, explained: list, module: dir, packages: []string{"."}, parallel: 1}
	var b strings.Builder
	require.NoError(t, run(t.Context(), o, &b))
	text := b.String()
	require.Contains(t, text, "there are only ")
	_, missed, _ := strings.Cut(text, "\nnot seen:\n")
	require.Contains(t, missed, "sum.go\n- if n > 100 {\n+ if n > 101 {\n(constant, line 8)\n")
	require.NotContains(t, missed, "n >= 100")
	require.NotContains(t, missed, "s -= i")
	require.NotContains(t, text, "if n >= 100")
	require.Contains(t, text, "seen: sum.go:6 operator: s += i  =>  s -= i\n")
	require.Regexp(t, `\n\d of \d+ changes seen, \d\d\.\d %; 1 more are explained in `, missed)

	// A run that goes on behind one of its changes tries those that came then, also if it
	// tries several at once.
	o.parallel = 3
	tried := regexp.MustCompile(`(?m)^\d+/100 [^:]*: (.*)$`).FindAllStringSubmatch(text, -1)
	require.Greater(t, len(tried), 4)
	o.after = tried[2][1]
	var rest strings.Builder
	require.NoError(t, run(t.Context(), o, &rest))
	require.NotContains(t, rest.String(), tried[2][1])
	again := regexp.MustCompile(`(?m)^\d+/100 [^:]*: (.*)$`).FindAllStringSubmatch(rest.String(), -1)
	require.Len(t, again, len(tried)-3)
	for i, line := range again {
		require.Equal(t, tried[3+i][1], line[1])
	}
	o.after = "sum.go:1 operator: nothing"
	require.ErrorContains(t, run(t.Context(), o, &rest), `-after "sum.go:1 operator: nothing" is none of the changes`)
	o.after = ""

	unchanged, err := os.ReadFile(filepath.Join(dir, "sum.go"))
	require.NoError(t, err)
	require.Equal(t, sum, string(unchanged))

	o.atLeast, o.n, o.kind = 99, 1, "constant"
	require.ErrorContains(t, run(t.Context(), o, &b), "are less than 99 %")
	require.NoError(t, os.WriteFile(list, []byte("sum.go\n- x\n"), 0o666))
	require.ErrorContains(t, run(t.Context(), o, &b), "line 1: a block is a file")
}
