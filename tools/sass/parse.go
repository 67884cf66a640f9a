package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// usage is what ptxas -v says of a kernel.
type usage struct {
	registers int // a thread
	shared    int // bytes, static
	spilled   int // bytes stored
}

var (
	compiling = regexp.MustCompile(`Compiling entry function '(\w+)'`)
	spilling  = regexp.MustCompile(`(\d+) bytes spill stores`)
	used      = regexp.MustCompile(`Used (\d+) registers`)
	shared    = regexp.MustCompile(`(\d+) bytes smem`)
)

// parseUsage reads the output of ptxas -v, by kernel.
func parseUsage(info string) map[string]usage {
	all := map[string]usage{}
	name := ""
	for line := range strings.Lines(info) {
		if m := compiling.FindStringSubmatch(line); m != nil {
			name = m[1]
		}
		u := all[name]
		if m := spilling.FindStringSubmatch(line); m != nil {
			u.spilled = number(m[1])
		}
		if m := used.FindStringSubmatch(line); m != nil {
			u.registers = number(m[1])
		}
		if m := shared.FindStringSubmatch(line); m != nil {
			u.shared = number(m[1])
		}
		all[name] = u
	}
	return all
}

func number(s string) int {
	n, _ := strconv.Atoi(s) // only digits come here
	return n
}

var entry = regexp.MustCompile(`(?s)\.entry (\w+)\((.*?)\)\s*(.*?)\{`)
var maxThreads = regexp.MustCompile(`\.maxntid (\d+), (\d+), (\d+)`)

// entries is the kernels of a module and the threads of their blocks, which
// every one of them declares.
func entries(ptx string) map[string]int {
	all := map[string]int{}
	for _, e := range entry.FindAllStringSubmatch(ptx, -1) {
		all[e[1]] = 0
		if m := maxThreads.FindStringSubmatch(e[3]); m != nil {
			all[e[1]] = number(m[1]) * number(m[2]) * number(m[3])
		}
	}
	return all
}

// instruction is a machine instruction: its place, its operation, such as
// FFMA or LDS.128, and, of a branch, where it goes.
type instruction struct {
	at     int
	op     string
	target int // -1 where it does not branch
}

var (
	function = regexp.MustCompile(`Function : (\w+)`)
	line     = regexp.MustCompile(`/\*([0-9a-f]{4,})\*/\s+(?:@!?U?P\w+ )?\s*([A-Z][\w.]*)([^;]*);`)
	branch   = regexp.MustCompile(`0x([0-9a-f]+)\s*$`)
)

// parseSASS reads the output of cuobjdump -sass, by kernel.
func parseSASS(sass string) map[string][]instruction {
	all := map[string][]instruction{}
	name := ""
	for l := range strings.Lines(sass) {
		if m := function.FindStringSubmatch(l); m != nil {
			name = m[1]
			continue
		}
		m := line.FindStringSubmatch(l)
		if m == nil {
			continue
		}
		at, _ := strconv.ParseInt(m[1], 16, 64)
		in := instruction{at: int(at), op: m[2], target: -1}
		if b := branch.FindStringSubmatch(m[3]); b != nil && strings.HasPrefix(in.op, "BRA") {
			target, _ := strconv.ParseInt(b[1], 16, 64)
			in.target = int(target)
		}
		all[name] = append(all[name], in)
	}
	return all
}

// multiplication is the machine instruction that a kernel multiplies with: HMMA,
// a warp's product of matrices, where tensor cores do it, or FFMA.
func multiplication(code []instruction) string {
	if slices.ContainsFunc(code, func(in instruction) bool { return strings.HasPrefix(in.op, tensorProduct) }) {
		return tensorProduct
	}
	return "FFMA"
}

const tensorProduct = "HMMA"

// mainLoop finds the loop with most multiplications, and in it the innermost one
// that has at least half of them, and returns the fraction that they are of its instructions
// and its length.
func mainLoop(code []instruction) (fmaFraction float64, length int) {
	most, multiplies := 0, multiplication(code)
	type loop struct{ fma, length int }
	var loops []loop
	for _, b := range code {
		if b.target < 0 || b.target > b.at {
			continue
		}
		var l loop
		for _, in := range code {
			if in.at < b.target || in.at > b.at {
				continue
			}
			l.length++
			if strings.HasPrefix(in.op, multiplies) {
				l.fma++
			}
		}
		loops = append(loops, l)
		most = max(most, l.fma)
	}
	for _, l := range loops {
		if 2*l.fma >= most && (length == 0 || l.length < length) {
			fmaFraction, length = float64(l.fma)/float64(l.length), l.length
		}
	}
	if most == 0 {
		return 0, 0
	}
	return fmaFraction, length
}

// keepMainLoops forgets the main loops of kernels that are mostly something
// else for every capability, but for those on tensor cores, where one product is
// a thousand multiply-adds. Of the others each capability has some, so that
// predictions for two cards rest on the same.
func keepMainLoops(all []kernel) {
	best := map[string]float64{}
	for _, k := range all {
		best[k.name] = max(best[k.name], k.fmaFraction)
	}
	for i, k := range all {
		if best[k.name] < 0.5 && !k.tensor {
			all[i].fmaFraction, all[i].loop = 0, 0
		}
	}
}
