// Neon counts the instructions of the main loops of the CPU's path neon, those that
// multiply and add, in the disassembly of a test binary for arm64: how many are FMLA, and
// how many registers are loaded for each. It needs GNU's objdump for aarch64
// (apt-get install binutils-aarch64-linux-gnu).
//
//	go run ./tools/neon
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// objdump is GNU's disassembler.
const objdump = "aarch64-linux-gnu-objdump"

func main() {
	loops, err := count()
	if err != nil {
		fmt.Fprintln(os.Stderr, "neon:", err)
		os.Exit(1)
	}
	fmt.Print("| loop | instructions | FMLA | share | vectors loaded per FMLA |\n|---|---|---|---|---|\n")
	for _, l := range loops {
		fmt.Printf("| `%s` | %d | %d | %.1f %% | %.2f |\n", l.name, l.all, l.fmla, 100*l.share(), float64(l.loaded)/float64(l.fmla))
	}
}

// kernels are the functions whose longest loop is counted, and their packages.
var kernels = []struct {
	room  string
	names []string
}{
	{"gemm", []string{"neon8x12", "neon4x12", "neon8x8", "neon4x8", "neon8x4", "neon4x4", "indirect8x12", "dot4x4"}},
	{"depthwise", []string{"correlatePlane", "dot16"}},
}

// loop is what a loop has of instructions.
type loop struct {
	name              string
	all, fmla, loaded int // loaded counts registers of vectors or of an element
}

func (l *loop) share() float64 { return float64(l.fmla) / float64(l.all) }

// count builds each package's tests for arm64 and counts its loops.
func count() ([]loop, error) {
	dir, err := os.MkdirTemp("", "neon")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var loops []loop
	for _, k := range kernels {
		binary := filepath.Join(dir, k.room)
		path := "github.com/hubel-go/hubel/kernels/cpu/" + k.room
		build := exec.Command("go", "test", "-c", "-o", binary, path)
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go test -c %s: %w: %s", path, err, out)
		}
		for _, name := range k.names {
			text, err := exec.Command(objdump, "-d", "--disassemble="+path+"."+name+".abi0", binary).Output()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", objdump, err)
			}
			l, err := longest(string(text))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			l.name = name
			loops = append(loops, l)
		}
	}
	return loops, nil
}

var (
	instruction = regexp.MustCompile(`^ *([0-9a-f]+):\t[0-9a-f]{8} \t([a-z0-9.]+)\t?(.*)$`)
	target      = regexp.MustCompile(`\b([0-9a-f]+) <`)
	registers   = regexp.MustCompile(`^\{v(\d+)\.\w+(?:-v(\d+)\.\w+)?(?:, v(\d+)\.\w+)?\}`)
)

// longest counts the innermost loop that has the most FMLA: the instructions between a
// branch back and where it goes, without another such branch.
func longest(text string) (best loop, err error) {
	type step struct{ at, op, args string }
	var steps []step
	places := map[string]int{}
	for line := range strings.Lines(text) {
		m := instruction.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		places[m[1]] = len(steps)
		steps = append(steps, step{m[1], m[2], m[3]})
	}
	last := 0 // behind the last branch back
	for i, s := range steps {
		m := target.FindStringSubmatch(s.args)
		if m == nil {
			continue
		}
		first, here := places[m[1]]
		if !here || first > i || first < last {
			continue
		}
		last = i + 1
		l := loop{all: i + 1 - first}
		for _, s := range steps[first : i+1] {
			switch {
			case s.op == "fmla":
				l.fmla++
			case s.op == "ld1" || s.op == "ld1r":
				l.loaded += list(s.args)
			case s.op == "ldr" && (s.args[0] == 's' || s.args[0] == 'q'):
				l.loaded++
			}
		}
		if l.fmla > best.fmla {
			best = l
		}
	}
	if best.fmla == 0 {
		return best, fmt.Errorf("no loop with FMLA in %d instructions", len(steps))
	}
	return best, nil
}

// list is how many registers a list in braces has.
func list(args string) int {
	m := registers.FindStringSubmatch(args)
	switch {
	case m == nil:
		return 0
	case m[2] != "":
		var first, last int
		fmt.Sscan(m[1]+" "+m[2], &first, &last)
		return last - first + 1
	case m[3] != "":
		return 2
	}
	return 1
}
