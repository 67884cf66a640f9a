// Mutants changes the module's Go code at random, one place at a time, and says
// which changes the tests do not see. A change is an operator, a number or a
// condition that becomes another one, a statement that is gone, or two arguments
// that change places. What does not compile does not count. `make mutants` runs
// it.
//
//	go run ./tools/mutants [-n 300] [-seed 1] [-least 95] [-own] [-explained FILE] PACKAGE…
//
// A change is seen if a test fails, panics or hangs, or go vet complains as part
// of go test: a test of its package, or else one of a package that imports it,
// the quickest first. With -own only the tests of its package count. The files are not touched; the compiler is given the
// changed one in their place.
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
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"time"
)

func main() {
	var o options
	flag.IntVar(&o.n, "n", 300, "changes to try")
	flag.Uint64Var(&o.seed, "seed", 1, "of their choice")
	flag.Float64Var(&o.least, "least", 95, "share to be seen, in percent, for exit code 0")
	flag.StringVar(&o.explained, "explained", "tools/mutants/explained.txt", "list of changes that need not be seen, with reasons")
	flag.BoolVar(&o.own, "own", false, "run only the tests of the package that is changed: quicker, and stricter")
	flag.StringVar(&o.kind, "kind", "", "only this kind: operator, constant, condition, statement or argument")
	flag.Parse()
	o.packages = flag.Args()
	if len(o.packages) == 0 || o.n < 1 || o.kind != "" && !slices.Contains(kinds, o.kind) {
		fmt.Fprintln(os.Stderr, "usage: mutants [-n 300] [-seed 1] [-least 95] [-kind KIND] [-own] [-explained FILE] PACKAGE…")
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
	least     float64
	explained string
	kind      string
	own       bool
	packages  []string
	module    string // the folder of the module; empty for the current one
}

// unit is a package with what can be changed in it.
type unit struct {
	path    string
	dir     string
	users   []string             // packages of the module that import it
	mutants map[string][]*mutant // by kind
	limit   time.Duration        // how long its tests may take
	absPath map[string]string    // of files, by their name in the module
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
	units, err := list(ctx, o.module, o.packages)
	if err != nil {
		return err
	}
	for _, u := range units {
		began := time.Now()
		if o.own {
			u.users = nil
		}
		if out, err := goTool(ctx, o.module, "test", "-vet=off", "-count=1", u.path); err != nil {
			return fmt.Errorf("the tests of %s fail as they are: %w\n%s", u.path, err, out)
		}
		u.limit = 4*time.Since(began) + 20*time.Second
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t := &tester{module: o.module, dir: dir, took: map[string]time.Duration{}}
	var survivors []*mutant
	counts := map[string]int{}
	d := newDeck(units, o)
	for tried := 0; tried < o.n; {
		u, m := d.draw()
		if m == nil {
			fmt.Fprintf(w, "there are only %d changes that compile\n", tried)
			break
		}
		verdict, err := t.try(ctx, u, m)
		if err != nil {
			return err
		}
		reason := known[m.change()]
		switch {
		case verdict == broken:
			continue
		case verdict == unseen && reason != "":
			verdict = excused
		case verdict == unseen:
			survivors = append(survivors, m)
		}
		tried++
		counts[verdict]++
		fmt.Fprintf(w, "%d/%d %s: %s:%d %s: %s  =>  %s\n", tried, o.n, verdict, m.file, m.line, m.kind, m.before, m.now)
	}
	if len(survivors) > 0 {
		fmt.Fprintln(w, "\nnot seen:")
	}
	for _, m := range survivors {
		fmt.Fprintf(w, "\n%s\n(%s, line %d)\n", m.change(), m.kind, m.line)
	}
	all := counts[seen] + counts[unseen]
	share := 100 * float64(counts[seen]) / float64(max(all, 1))
	fmt.Fprintf(w, "\n%d of %d changes seen, %.1f %%; %d more are explained in %s\n", counts[seen], all, share, counts[excused], o.explained)
	if share < o.least {
		return fmt.Errorf("%.1f %% are less than %g %%", share, o.least)
	}
	return nil
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
	unseen  = "not seen"
	excused = "explained"
	broken  = "does not compile"
)

// tester tries changes.
type tester struct {
	module string
	dir    string                   // for the changed file and the tests
	took   map[string]time.Duration // the tests of a user, when they last ran
}

// try compiles a change and runs the tests that might see it.
func (t *tester) try(ctx context.Context, u *unit, m *mutant) (verdict string, err error) {
	path := u.absPath[m.file]
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	changed := filepath.Join(t.dir, filepath.Base(path))
	text := slices.Concat(source[:m.start], []byte(m.text), source[m.end:])
	if err := os.WriteFile(changed, text, 0o666); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		return "", err
	}
	overlayFile := filepath.Join(t.dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o666); err != nil {
		return "", err
	}
	tests := filepath.Join(t.dir, "tests.exe")
	if err := os.RemoveAll(tests); err != nil {
		return "", err
	}
	if _, err := goTool(ctx, t.module, "test", "-c", "-o", tests, "-overlay", overlayFile, u.path); err != nil {
		return broken, ctx.Err()
	}
	if _, err := os.Stat(tests); err == nil { // none are made where there are no tests
		if _, err := output(ctx, u.dir, tests, "-test.failfast", "-test.timeout", u.limit.String()); err != nil {
			return seen, ctx.Err()
		}
	}
	if _, err := goTool(ctx, t.module, "test", "-run", "^$", "-overlay", overlayFile, u.path); err != nil { // what go vet says
		return seen, ctx.Err()
	}
	slices.SortStableFunc(u.users, func(a, b string) int { return cmp.Compare(t.took[a], t.took[b]) })
	for _, user := range u.users {
		began := time.Now()
		if _, err := goTool(ctx, t.module, "test", "-vet=off", "-failfast", "-overlay", overlayFile, "-timeout", "20m", user); err != nil {
			return seen, ctx.Err()
		}
		t.took[user] = time.Since(began)
	}
	return unseen, ctx.Err()
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
		u := &unit{path: p.ImportPath, dir: p.Dir, mutants: map[string][]*mutant{}, absPath: map[string]string{}}
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
			u.absPath[inModule] = path
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
