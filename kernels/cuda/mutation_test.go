package cuda

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// Changes to PTX, each of which ought to make the tests of its kernel fail.
// line is one instruction; others are the lines around it, where registers
// come from.
var mutations = map[string]func(r *rand.Rand, line string, others []string) string{
	"drop": func(_ *rand.Rand, line string, _ []string) string { return "//" + line },
	"drop barrier": func(_ *rand.Rand, line string, _ []string) string {
		if !strings.Contains(line, "bar.sync") {
			return line
		}
		return "//" + line
	},
	"invert predicate": func(_ *rand.Rand, line string, _ []string) string {
		if strings.Contains(line, "@%p") {
			return strings.Replace(line, "@%p", "@!%p", 1)
		}
		return strings.Replace(line, "@!%p", "@%p", 1)
	},
	"swap operand": func(r *rand.Rand, line string, others []string) string {
		// The last operand becomes another register of its type.
		at := registers.FindAllStringIndex(line, -1)
		if len(at) < 2 {
			return line
		}
		last := at[len(at)-1]
		old := line[last[0]:last[1]]
		kind := strings.TrimRight(old, "0123456789")
		var choice []string
		for _, o := range others {
			for _, reg := range registers.FindAllString(o, -1) {
				if strings.TrimRight(reg, "0123456789") == kind && reg != old {
					choice = append(choice, reg)
				}
			}
		}
		if len(choice) == 0 {
			return line
		}
		return line[:last[0]] + choice[r.IntN(len(choice))] + line[last[1]:]
	},
	"shift address": func(_ *rand.Rand, line string, _ []string) string {
		return address.ReplaceAllStringFunc(line, func(a string) string {
			base, offset, _ := strings.Cut(strings.Trim(a, "[]"), "+")
			n, _ := strconv.Atoi(offset)
			return fmt.Sprintf("[%s+%d]", base, n+4)
		})
	},
}

var (
	registers = regexp.MustCompile(`%[a-z]+\d+`)
	address   = regexp.MustCompile(`\[%rd?\d+(\+\d+)?\]`)
)

// mutated is a kernel cut out of its file, to be changed.
type mutated struct {
	machine
	file, kernel string
	head, body   []string // what stands before the file's kernels, and the kernel
}

// mutables lists the kernels of a file for every capability that has it.
func mutables(t *testing.T, file string) []mutated {
	var list []mutated
	for _, m := range machines {
		if (m.arithmetic == tf32) != strings.HasSuffix(file, tf32.suffix()) {
			continue
		}
		text, err := ptx.ReadFile(ptxFile(m.capability, file))
		require.NoError(t, err)
		lines := strings.Split(string(text), "\n")
		var starts []int
		for i, l := range lines {
			if strings.Contains(l, ".entry ") {
				starts = append(starts, i)
			}
		}
		for i, start := range starts {
			_, name, _ := strings.Cut(lines[start], ".entry ")
			end := len(lines)
			if i+1 < len(starts) {
				end = starts[i+1]
			}
			list = append(list, mutated{m, file, strings.TrimSuffix(name, "("), lines[:starts[0]], lines[start:end]})
		}
	}
	return list
}

// suites are the tests of the products' kernels by file, in the eyes of which a
// change is to be seen. Each is given the kernel by its name. What other kernels
// are tested by, the mutator has.
var suites = map[string]func(bn *bench, name string, f driver.Function) error{
	"conv":             mutantConv,
	"conv_tf32":        mutantConv,
	"conv_pack":        mutantConv,
	"conv_filter":      mutantFilter,
	"conv_filter_tf32": mutantFilter,
	"conv_bias":        mutantFilter,
	"dense":            mutantDense,
	"gemm":             mutantGEMM,
	"gemm_tf32":        mutantGEMM,
	"partials":         mutantPartials,
}

// subjects are a device for each machine, with kernels to be replaced.
type subjects map[machine]*bench

func newSubjects(t *testing.T) subjects {
	s := subjects{}
	for _, m := range machines {
		s[m] = newBench(t, m, ptxsim.Config{MaxInstructions: 1 << 16})
	}
	return s
}

// test loads the kernel with the given body in the place of its original and
// runs its suite.
func (s subjects) test(t *testing.T, m mutated, body []string) error {
	bn := *s[m.machine]
	q, k := *bn.queue, *bn.queue.kernels
	bn.queue, q.kernels = &q, &k
	mod, err := bn.device.Load(m.file+".ptx", m.with(body))
	if err != nil {
		return err
	}
	defer func() { require.NoError(t, mod.Unload()) }()
	f, err := mod.Function(m.kernel)
	require.NoError(t, err)
	return suites[m.file](&bn, m.kernel, f)
}

// with is a module of the kernel alone, with another body.
func (m mutated) with(body []string) string {
	return strings.Join(m.head, "\n") + "\n" + strings.Join(body, "\n")
}

// mutants has the tests of all kernels.
type mutants struct {
	products subjects
	others   *mutator
}

func newMutants(t *testing.T) mutants { return mutants{newSubjects(t), newMutator(t)} }

// test runs a changed kernel through its tests, and returns what is wrong with
// it.
func (m mutants) test(t *testing.T, k mutated, body []string) error {
	if suites[k.file] != nil {
		return m.products.test(t, k, body)
	}
	return m.others.test(t, k, body)
}

// shipped calls f for each kernel that ships, once where it is the same for every
// capability. Without HUBEL_LONG it is one kernel of four; then the least number of changes
// that it returns is smaller than that for all.
func shipped(t *testing.T, all int, f func(k mutated)) (least int) {
	files, err := fs.Glob(ptx, ptxFile(capabilities[0], "*"))
	require.NoError(t, err)
	every, n := 4, 0
	if os.Getenv("HUBEL_LONG") != "" {
		every = 1
	}
	for _, file := range files {
		seen := map[string]bool{}
		for _, k := range mutables(t, strings.TrimSuffix(path.Base(file), ".ptx")) {
			if text := strings.Join(k.body, "\n"); !seen[text] {
				seen[text] = true
				if n++; n%every == 0 {
					f(k)
				}
			}
		}
	}
	return all / (2*every - 1)
}

// TestChanges makes every change of some kinds to the shipped PTX, one at a time.
// The tests notice each.
func TestChanges(t *testing.T) {
	m := newMutants(t)
	unordered, misaligned, coherent := 0, 0, 0
	least := shipped(t, 100, func(k mutated) {
		unordered += unorder(t, m, k)
		misaligned += misalign(t, m, k)
		coherent += cache(t, m, k)
	})
	t.Logf("%d without order, %d misaligned, %d through .nc", unordered, misaligned, coherent)
	require.Greater(t, unordered, least)
	require.Greater(t, misaligned, least/2)
	require.Greater(t, coherent, least/2)
}

// ordering is what orders the threads of a block, and a thread with its
// asynchronous copies.
var ordering = regexp.MustCompile(`^\s*(@!?%p\d+ )?(bar\.|barrier\.|cp\.async\.(commit|wait)_)`)

// unorder drops each barrier, and each commit and wait of asynchronous copies: all
// of them are needed.
func unorder(t *testing.T, m mutants, k mutated) (dropped int) {
	for at, line := range k.body {
		if !ordering.MatchString(line) {
			continue
		}
		body := slices.Clone(k.body)
		body[at] = "//" + line
		dropped++
		require.Error(t, m.test(t, k, body), "%v %s passes without line %d: %s", k.machine, k.kernel, at+1, line)
	}
	return dropped
}

// alignedAs is a declaration of shared memory with its alignment, and sharedAccess
// what is read or written of it at once: elements and their bits, or bytes.
var (
	alignedAs    = regexp.MustCompile(`^(\s*\.shared \.align )\d+( \.b8 (\w+)\[\d+\];)`)
	sharedAccess = regexp.MustCompile(`\.shared(?:\.v(\d))?\.[fub](\d+)|cp\.async\.c[ag]\.shared\.global .*, (\d+), `)
)

// misalign aligns each variable of shared memory to half of what the kernel reads
// or writes of it at once.
func misalign(t *testing.T, m mutants, k mutated) (halved int) {
	text, widest := strings.Join(k.body, "\n"), 0
	for _, a := range sharedAccess.FindAllStringSubmatch(text, -1) {
		elements, _ := strconv.Atoi(cmp.Or(a[1], "1"))
		bits, _ := strconv.Atoi(cmp.Or(a[2], "0"))
		bytes, _ := strconv.Atoi(cmp.Or(a[3], "0"))
		widest = max(widest, elements*bits/8, bytes)
	}
	for _, lines := range []*[]string{&k.head, &k.body} {
		for at, line := range *lines {
			d := alignedAs.FindStringSubmatch(line)
			if d == nil || !strings.Contains(text, d[3]+";") {
				continue
			}
			whole := *lines
			*lines = slices.Clone(whole)
			(*lines)[at] = fmt.Sprintf("%s%d%s", d[1], widest/2, d[2])
			halved++
			require.Error(t, m.test(t, k, k.body), "%v %s passes with %s", k.machine, k.kernel, (*lines)[at])
			*lines = whole
		}
	}
	return halved
}

var plainLoad = regexp.MustCompile(`\bld\.global\.([vfus])`)

// apart are the kernels that read nothing of what they write: they never work in
// place, nor add to what is there.
var apart = map[string]bool{"lrn_forward": true, "lrn_forward_5": true,
	"pool_max_forward": true, "pool_average_forward": true}

// cache reads all global memory through .nc, as a compiler may where pointers are
// __restrict__: wrong wherever a kernel reads what it writes.
func cache(t *testing.T, m mutants, k mutated) int {
	text := strings.Join(k.body, "\n")
	changed := plainLoad.ReplaceAllString(text, "ld.global.nc.$1")
	if changed == text {
		return 0
	}
	err := m.test(t, k, strings.Split(changed, "\n"))
	require.Equal(t, apart[k.kernel], err == nil, "%v %s: %v", k.machine, k.kernel, err)
	return 1
}

// TestMutations changes the shipped PTX at random and requires the tests to
// notice. HUBEL_MUTATIONS sets the number of changes to each file; at wanted 95 %
// of many are to be seen. A few scatter, so that of those at wanted 85 % are.
func TestMutations(t *testing.T) {
	count, wanted := 5, 80
	if n, err := strconv.Atoi(os.Getenv("HUBEL_MUTATIONS")); err == nil {
		count, wanted = n, 95
	}
	files, err := fs.Glob(ptx, ptxFile(capabilities[0], "*"))
	require.NoError(t, err)
	m := newMutants(t)
	caught := 0
	for _, file := range files {
		file = strings.TrimSuffix(path.Base(file), ".ptx")
		kernels := mutables(t, file)
		seed := fnv.New64a()
		seed.Write([]byte(file)) // a file's changes do not depend on the others
		n := 0
		for i := range count {
			r := rand.New(rand.NewPCG(seed.Sum64(), uint64(i)))
			k := kernels[r.IntN(len(kernels))]
			body, change := k.change(r)
			if m.test(t, k, body) != nil {
				n++
			} else {
				t.Logf("survived: %v %s: %s", k.machine, k.kernel, change)
			}
		}
		t.Logf("%s: %d of %d caught", file, n, count)
		caught += n
	}
	total := count * len(files)
	t.Logf("%d of %d caught", caught, total)
	require.GreaterOrEqual(t, caught*100, total*wanted)
}

// change changes one instruction of the kernel, and says how.
func (m mutated) change(r *rand.Rand) (body []string, change string) {
	kinds := []string{"drop", "drop barrier", "invert predicate", "swap operand", "shift address"}
	for {
		at := r.IntN(len(m.body))
		original := m.body[at]
		if !strings.HasSuffix(original, ";") || strings.HasPrefix(strings.TrimSpace(original), ".") {
			continue
		}
		kind := kinds[r.IntN(len(kinds))]
		changed := mutations[kind](r, original, m.body[max(0, at-20):at])
		if changed == original || pointless(m.body, at, changed) {
			continue
		}
		body = slices.Clone(m.body)
		body[at] = changed
		return body, fmt.Sprintf("%s of line %d: %s -> %s", kind, at+1, strings.TrimSpace(original), strings.TrimSpace(changed))
	}
}

// pointless reports whether a change cannot show: the last ret, behind which a
// kernel ends as well, or a copy of zero that becomes a copy of another zero.
func pointless(body []string, at int, changed string) bool {
	if strings.TrimSpace(body[at]) == "ret;" {
		return true
	}
	was, is := copied.FindStringSubmatch(body[at]), copied.FindStringSubmatch(changed)
	return was != nil && is != nil && zero(body[:at], was[1]) && zero(body[:at], is[1])
}

var copied = regexp.MustCompile(`^\s*mov\.f32 \s*%f\d+, (%f\d+);`)

// zero reports whether a register has just the value 0 in the lines before.
func zero(before []string, register string) bool {
	for _, l := range slices.Backward(before) {
		if strings.Contains(l, "\t"+register+",") {
			from := copied.FindStringSubmatch(l)
			return strings.Contains(l, "0f00000000;") || from != nil && zero(before, from[1])
		}
	}
	return false
}

// TestSuites checks that products' kernels pass unchanged, cut out of their
// files, and that the other kernels can be cut out.
func TestSuites(t *testing.T) {
	files, err := fs.Glob(ptx, ptxFile(capabilities[0], "*"))
	require.NoError(t, err)
	products, sim := newSubjects(t), ptxsim.New(ptxsim.Config{})
	for _, file := range files {
		file = strings.TrimSuffix(path.Base(file), ".ptx")
		for _, k := range mutables(t, file) {
			if suites[file] != nil {
				err = products.test(t, k, k.body)
			} else {
				_, err = sim.Load(file, k.with(k.body))
			}
			require.NoError(t, err, "%v %s", k.machine, k.kernel)
		}
	}
}
