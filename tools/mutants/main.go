// Mutants changes the module's Go code at random, one place at a time, and says
// which changes the tests do not see. A change is an operator, a number or a
// condition that becomes another one, a statement that is gone, or two arguments
// that change places. What does not compile does not count. `make mutants` runs
// it.
//
//	go run ./tools/mutants [-n 300] [-seed 1] [-min 95] [-own] [-after CHANGE] [-parallel 2] [-explained FILE] PACKAGE…
//
// A change is seen if a test fails, panics or hangs, or go vet complains as part
// of go test: a test of its package, or else one of a package that imports it,
// the quickest first. With -own only the tests of its package count. A change that is
// explained in the list is not tried. All happens in copies of the module, so that what a
// changed program writes harms nobody.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	var o options
	flag.IntVar(&o.n, "n", 300, "changes to try")
	flag.Uint64Var(&o.seed, "seed", 1, "of their choice")
	flag.Float64Var(&o.atLeast, "min", 95, "how many are to be seen, in percent, for exit code 0")
	flag.StringVar(&o.explained, "explained", "tools/mutants/explained.txt", "list of changes that need not be seen, with reasons")
	flag.BoolVar(&o.own, "own", false, "run only the tests of the package that is changed: quicker, and stricter")
	flag.StringVar(&o.kind, "kind", "", "only this kind: operator, constant, condition, statement or argument")
	flag.StringVar(&o.after, "after", "", "go on behind this change, as a run of the same seed and code printed it: FILE:LINE KIND: …")
	flag.IntVar(&o.parallel, "parallel", 1, "changes to try at once, each in a copy of the module; the results are the same")
	flag.Parse()
	o.packages = flag.Args()
	if len(o.packages) == 0 || o.n < 1 || o.parallel < 1 || o.kind != "" && !slices.Contains(kinds, o.kind) {
		fmt.Fprintln(os.Stderr, "usage: mutants [-n 300] [-seed 1] [-min 95] [-kind KIND] [-own] [-after CHANGE] [-parallel N] [-explained FILE] PACKAGE…")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

type options struct {
	n         int
	seed      uint64
	atLeast   float64
	explained string
	kind      string
	own       bool
	after     string // the last change of a run that was cut off
	parallel  int
	packages  []string
	module    string // the folder of the module; empty for the current one
}

// unit is a package with what can be changed in it.
type unit struct {
	path    string
	users   []string             // packages of the module that import it
	mutants map[string][]*mutant // by kind

	once    sync.Once
	allowed time.Duration
	err     error
}

// limit is how long the tests of a package may take. Those of a change that was drawn
// first run once as they are, and must pass.
func (u *unit) limit(ctx context.Context, module string) (time.Duration, error) {
	u.once.Do(func() {
		began := time.Now()
		if out, err := goTool(ctx, module, "test", "-vet=off", "-count=1", u.path); err != nil {
			u.err = fmt.Errorf("the tests of %s fail as they are: %w\n%s", u.path, err, out)
		}
		u.allowed = 4*time.Since(began) + 20*time.Second
	})
	return u.allowed, u.err
}

func run(ctx context.Context, o options, w io.Writer) error {
	f, err := os.Open(o.explained)
	if err != nil {
		return err
	}
	defer f.Close()
	known, err := readExplained(f)
	if err != nil {
		return fmt.Errorf("%s: %w", o.explained, err)
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	free := make(chan *tester, o.parallel)
	for i := range o.parallel {
		t := &tester{tests: filepath.Join(dir, fmt.Sprintf("tests%d.exe", i)), took: map[string]time.Duration{}}
		if t.module, err = copyModule(ctx, filepath.Join(dir, fmt.Sprint("module", i)), o.module); err != nil {
			return err
		}
		free <- t
	}
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	root := filepath.Join(dir, "module0")
	units, err := list(ctx, root, o.packages)
	if err != nil {
		return err
	}
	if o.own {
		for _, u := range units {
			u.users = nil
		}
	}
	var survivors []*mutant
	counts := map[string]int{}
	d := newDeck(units, o)
	if err := d.discard(o.after); err != nil {
		return err
	}
	var ahead []*trial
	for tried := 0; tried < o.n; {
		for len(ahead) < lookahead*o.parallel {
			u, m := d.draw()
			if m == nil {
				break
			}
			x := &trial{mutant: m, done: make(chan struct{})}
			ahead = append(ahead, x)
			if known[m.change()] != "" {
				x.verdict = excused
				close(x.done)
				continue
			}
			running.Go(func() {
				defer close(x.done)
				select {
				case t := <-free:
					x.verdict, x.err = t.try(ctx, u, m)
					free <- t
				case <-ctx.Done():
					x.err = ctx.Err()
				}
			})
		}
		if len(ahead) == 0 {
			fmt.Fprintf(w, "there are only %d changes that compile\n", tried)
			break
		}
		x := ahead[0]
		ahead = ahead[1:]
		<-x.done
		if x.err != nil {
			return x.err
		}
		switch x.verdict {
		case broken:
			continue
		case excused:
			counts[excused]++
			continue
		case unseen:
			survivors = append(survivors, x.mutant)
		}
		tried++
		counts[x.verdict]++
		fmt.Fprintf(w, "%d/%d %s: %v\n", tried, o.n, x.verdict, x.mutant)
	}
	if len(survivors) > 0 {
		fmt.Fprintln(w, "\nnot seen:")
	}
	for _, m := range survivors {
		fmt.Fprintf(w, "\n%s\n(%s, line %d)\n", m.change(), m.kind, m.line)
	}
	found := counts[seen] + counts[hung]
	all := found + counts[unseen]
	percent := 100 * float64(found) / float64(max(all, 1))
	fmt.Fprintf(w, "\n%d of %d changes seen, %.1f %%; %d more are explained in %s\n", found, all, percent, counts[excused], o.explained)
	if percent < o.atLeast {
		return fmt.Errorf("%.1f %% are less than %g %%", percent, o.atLeast)
	}
	return nil
}

// lookahead is how many changes are drawn before their turn, for each copy of the module:
// one that takes long holds up only what is printed.
const lookahead = 8

// trial is a change that is tried while others are.
type trial struct {
	mutant  *mutant
	verdict string
	err     error
	done    chan struct{}
}

// deck deals changes: a kind at random, then one of its changes, each once.
type deck struct {
	random *rand.Rand
	kinds  map[string][]dealt
}

type dealt struct {
	unit   *unit
	mutant *mutant
}

func newDeck(units []*unit, o options) *deck {
	d := &deck{rand.New(rand.NewPCG(o.seed, 0)), map[string][]dealt{}}
	for _, k := range kinds {
		if o.kind != "" && k != o.kind {
			continue
		}
		for _, u := range units {
			for _, m := range u.mutants[k] {
				d.kinds[k] = append(d.kinds[k], dealt{u, m})
			}
		}
	}
	return d
}

// discard draws until a change has been drawn.
func (d *deck) discard(after string) error {
	for m := (*mutant)(nil); after != "" && (m == nil || m.String() != after); {
		if _, m = d.draw(); m == nil {
			return fmt.Errorf("-after %q is none of the changes", after)
		}
	}
	return nil
}

// draw is nil when there is none left.
func (d *deck) draw() (*unit, *mutant) {
	var open []string
	for _, k := range kinds {
		if len(d.kinds[k]) > 0 {
			open = append(open, k)
		}
	}
	if len(open) == 0 {
		return nil, nil
	}
	k := open[d.random.IntN(len(open))]
	left := d.kinds[k]
	i := d.random.IntN(len(left))
	x := left[i]
	left[i] = left[len(left)-1]
	d.kinds[k] = left[:len(left)-1]
	return x.unit, x.mutant
}

// What becomes of a change.
const (
	seen    = "seen"
	hung    = "seen, the tests hang"
	unseen  = "not seen"
	excused = "explained"
	broken  = "does not compile"
)

// tester tries changes.
type tester struct {
	module string                   // its copy
	tests  string                   // what the tests are compiled to
	took   map[string]time.Duration // the tests of a user, when they last ran
}

// try compiles a change and runs the tests that might see it.
func (t *tester) try(ctx context.Context, u *unit, m *mutant) (verdict string, err error) {
	limit, err := u.limit(ctx, t.module)
	if err != nil {
		return "", err
	}
	path := filepath.Join(t.module, filepath.FromSlash(m.file))
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(path, slices.Concat(source[:m.start], []byte(m.text), source[m.end:]), 0o666); err != nil {
		return "", err
	}
	defer func() { err = cmp.Or(err, os.WriteFile(path, source, 0o666)) }()
	if err := os.RemoveAll(t.tests); err != nil {
		return "", err
	}
	if _, err := goTool(ctx, t.module, "test", "-c", "-o", t.tests, u.path); err != nil {
		return broken, ctx.Err()
	}
	if _, err := os.Stat(t.tests); err == nil { // none are made where there are no tests
		if out, err := output(ctx, filepath.Dir(path), t.tests, "-test.failfast", "-test.timeout", limit.String()); err != nil {
			return failed(out, err), ctx.Err()
		}
	}
	if _, err := goTool(ctx, t.module, "test", "-run", "^$", u.path); err != nil { // what go vet says
		return seen, ctx.Err()
	}
	users := slices.Clone(u.users)
	slices.SortStableFunc(users, func(a, b string) int { return cmp.Compare(t.took[a], t.took[b]) })
	for _, user := range users {
		began := time.Now()
		if out, err := goTool(ctx, t.module, "test", "-vet=off", "-failfast", "-timeout", "8m", user); err != nil {
			return failed(out, err), ctx.Err()
		}
		t.took[user] = time.Since(began)
	}
	return unseen, ctx.Err()
}

// failed is what became of a change whose tests did not end well.
func failed(out []byte, err error) string {
	if bytes.Contains(out, []byte("panic: test timed out")) || strings.Contains(err.Error(), "panic: test timed out") {
		return hung
	}
	return seen
}

// copyModule copies the module that a folder belongs to, without what git keeps and tools
// that were installed.
func copyModule(ctx context.Context, to, dir string) (string, error) {
	root, err := goTool(ctx, dir, "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	from := strings.TrimSpace(string(root))
	return to, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && path != from && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o777)
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), text, 0o666)
	})
}

// list finds the packages, their files and who imports them.
func list(ctx context.Context, dir string, packages []string) ([]*unit, error) {
	type listed struct {
		Dir, ImportPath                    string
		GoFiles                            []string
		Imports, TestImports, XTestImports []string
		Module                             struct{ Dir string }
	}
	decode := func(args ...string) (all []listed, err error) {
		out, err := goTool(ctx, dir, append([]string{"list", "-json=Dir,ImportPath,GoFiles,Imports,TestImports,XTestImports,Module"}, args...)...)
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		for d := json.NewDecoder(bytes.NewReader(out)); ; {
			var p listed
			if err := d.Decode(&p); errors.Is(err, io.EOF) {
				return all, nil
			} else if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
	}
	module, err := decode("./...")
	if err != nil {
		return nil, err
	}
	chosen, err := decode(packages...)
	if err != nil {
		return nil, err
	}
	var units []*unit
	for _, p := range chosen {
		u := &unit{path: p.ImportPath, mutants: map[string][]*mutant{}}
		for _, q := range module {
			if q.ImportPath != p.ImportPath && slices.Contains(slices.Concat(q.Imports, q.TestImports, q.XTestImports), p.ImportPath) {
				u.users = append(u.users, q.ImportPath)
			}
		}
		for _, name := range p.GoFiles {
			path := filepath.Join(p.Dir, name)
			inModule, err := filepath.Rel(p.Module.Dir, path)
			if err != nil {
				return nil, err
			}
			inModule = filepath.ToSlash(inModule)
			all, err := mutants(path, inModule)
			if err != nil {
				return nil, err
			}
			for i := range all {
				u.mutants[all[i].kind] = append(u.mutants[all[i].kind], &all[i])
			}
		}
		units = append(units, u)
	}
	return units, nil
}

// goTool runs the go command in a module and returns what it printed.
func goTool(ctx context.Context, dir string, args ...string) ([]byte, error) {
	return output(ctx, dir, "go", args...)
}

// output runs a command in a folder.
func output(ctx context.Context, dir, command string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, command, args...)
	c.Dir = dir
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) } // it ends the tests it runs
	c.WaitDelay = 5 * time.Second
	out, err := c.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && len(exit.Stderr) > 0 {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return out, err
}
