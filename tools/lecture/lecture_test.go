package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// lecture is a page with blocks of each kind. What it prints has been written once.
const lecture = `# One
` + "```sh" + `
$ exit 1
` + "```" + `
` + "```console" + `
$ printf 'loss %s in 3s\n' 0.25
loss 0.25 in 1m2s
$ echo a \
    b
a b
$ echo drawn > runs/lecture/a.png
` + "```" + `
![a](lecture/a.png)
## Two
` + "```console slow" + `
$ echo slow
` + "```" + `
` + "```console needs runs/lecture/a.png" + `
$ cat runs/lecture/a.png
drawn
` + "```" + `
` + "```console needs datasets/none" + `
$ exit 2
` + "```" + `
` + "```console quoted takes a day" + `
$ exit 3
99 %
` + "```" + `
` + "```go Example_sum" + `
fmt.Println(1 + 1)
// Output: 2
` + "```" + `
`

const examples = `package lecture

func Example_sum() {
	fmt.Println(1 + 1)
	// Output: 2
}
`

// call writes a page into a new folder, runs the tool there, and returns what it prints
// and the page after it.
func call(t *testing.T, tool tool, page string) (out, after string, err error) {
	t.Helper()
	t.Chdir(t.TempDir())
	require.NoError(t, os.MkdirAll("docs/lecture", 0o777))
	require.NoError(t, os.WriteFile("docs/lecture.md", []byte(page), 0o600))
	require.NoError(t, os.WriteFile("docs/lecture/sum_test.go", []byte(examples), 0o600))
	require.NoError(t, os.WriteFile("docs/lecture/a.png", []byte("old"), 0o600))
	var b bytes.Buffer
	tool.stdout = &b
	err = tool.run(t.Context(), "docs/lecture.md")
	text, failed := os.ReadFile("docs/lecture.md")
	require.NoError(t, failed)
	return b.String(), string(text), err
}

func TestWrites(t *testing.T) {
	out, after, err := call(t, tool{}, lecture)
	require.NoError(t, err)
	want := strings.Replace(lecture, "1m2s", "3s", 1)
	want = strings.Replace(want, "$ echo slow\n", "$ echo slow\nslow\n", 1)
	require.Equal(t, want, after)
	require.Contains(t, out, "Not run\n"+
		"  docs/lecture.md:22: $ exit 2: needs datasets/none, which is not there\n"+
		"  docs/lecture.md:25: $ exit 3: takes a day\n")
	picture, err := os.ReadFile("docs/lecture/a.png")
	require.NoError(t, err)
	require.Equal(t, "drawn\n", string(picture))
	require.NoDirExists(t, "runs", "commands run elsewhere")
}

func TestChecks(t *testing.T) {
	out, after, err := call(t, tool{check: true}, lecture)
	require.NoError(t, err, out)
	require.Equal(t, lecture, after)
	require.Contains(t, out, "$ echo slow: slow")
	picture, err := os.ReadFile("docs/lecture/a.png")
	require.NoError(t, err)
	require.Equal(t, "old", string(picture))

	for _, c := range []struct{ old, new, want string }{
		{"\na b\n", "\na c\n", "docs/lecture.md:5: the output of\n$ echo a \\\n    b\nis now\na b\n"},
		{"\ndrawn\n", "\n", "docs/lecture.md:18: the output of\n$ cat runs/lecture/a.png\nis now\ndrawn\n"},
		{"Output: 2", "Output: 3", "docs/lecture.md:29: Example_sum is another one now: run make lecture"},
		{"(lecture/a.png)", "(lecture/b.png)", "docs/lecture.md shows lecture/b.png, which no command drew"},
	} {
		changed := strings.Replace(lecture, c.old, c.new, 1)
		require.NotEqual(t, lecture, changed)
		out, after, err := call(t, tool{check: true}, changed)
		require.EqualError(t, err, "docs/lecture.md: 1 failed, see above", out)
		require.Contains(t, out, c.want)
		require.Equal(t, changed, after)
	}
}

// A command that fails keeps its old output, and the other blocks are written.
func TestFails(t *testing.T) {
	page := "```console\n$ echo why >&2; exit 3\nold\n```\n```console\n$ echo new\n```\n"
	out, after, err := call(t, tool{}, page)
	require.EqualError(t, err, "docs/lecture.md: 1 failed, see above")
	require.Contains(t, out, "docs/lecture.md:1: $ echo why >&2; exit 3: exit status 3\nwhy\n")
	require.Equal(t, strings.Replace(page, "new\n", "new\nnew\n", 1), after)
}

func TestSection(t *testing.T) {
	_, after, err := call(t, tool{section: "Two"}, "# One\n```console\n$ echo 1\n```\n## Two\n```console\n$ echo 2\n```\n")
	require.NoError(t, err)
	require.Equal(t, "# One\n```console\n$ echo 1\n```\n## Two\n```console\n$ echo 2\n2\n```\n", after)
}

func TestRefused(t *testing.T) {
	for page, want := range map[string]string{
		"a\n```console fast\n```\n":   `docs/lecture.md:2: after console come slow, needs PATH or quoted WHY, not "fast"`,
		"```console needs\n```\n":     `docs/lecture.md:1: after console come slow, needs PATH or quoted WHY, not "needs"`,
		"```console\nno command\n```": `docs/lecture.md:1: the first line of the block is no command, "$ …"`,
		"```console\n$ echo\n":        "docs/lecture.md:1: the block has no end",
		"```go\n":                     "docs/lecture.md:1: the block has no end",
	} {
		_, after, err := call(t, tool{check: true}, page)
		require.Equal(t, page, after)
		require.EqualError(t, err, want)
	}
	out, _, err := call(t, tool{}, "```go Example_none\n```\n")
	require.Error(t, err)
	require.Contains(t, out, "docs/lecture.md:1: no file docs/lecture/*_test.go has Example_none")
}

func TestAlike(t *testing.T) {
	require.True(t, alike("loss 0.25  1,024 in 1h2m3s\n", "loss -1e-06 7 in 30ms\n"))
	require.False(t, alike("loss 0.25\n", "loss NaN\n"))
	require.False(t, alike("a\n", "a\na\n"))
}

// The page quotes its examples as they are, and its pictures are there.
func TestPage(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "lecture.md")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	p, err := parse(string(text))
	require.NoError(t, err)
	quoted := 0
	for _, b := range p.blocks {
		if b.example != "" {
			body, err := example(filepath.Join("..", "..", "docs", "lecture", "*_test.go"), b.example)
			require.NoError(t, err)
			require.Equal(t, body, b.body(), "%s is another one now: run make lecture", b.example)
			quoted++
		}
	}
	require.NotZero(t, quoted)
	var total int64
	for _, name := range p.pictures() {
		s, err := os.Stat(filepath.Join("..", "..", "docs", name))
		require.NoError(t, err)
		require.Less(t, s.Size(), int64(60<<10), name)
		total += s.Size()
	}
	require.Less(t, total, int64(600<<10))
}
