package command

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/device"
)

// Path is the flag -cpu-path: device.Options.CPUPath.
type Path string

// PathUsage explains -cpu-path.
const PathUsage = "vector `path` of the CPU: avx512, avx2, neon, generic, or auto, which is HUBEL_CPU or else the best of the machine; paths round differently"

// Set implements flag.Value.
func (p *Path) Set(text string) error {
	if !slices.Contains([]string{device.AutoPath, "avx512", "avx2", "neon", "generic"}, text) {
		return errors.New("it is auto, avx512, avx2, neon or generic")
	}
	*p = Path(text)
	return nil
}

// String implements flag.Value.
func (p *Path) String() string { return string(*p) }

// Names is a flag of names with commas between.
type Names []string

// Set implements flag.Value.
func (l *Names) Set(text string) error {
	*l = strings.Split(text, ",")
	if slices.Contains(*l, "") {
		return errors.New("it is names with commas between, such as conv1,conv2")
	}
	return nil
}

// String implements flag.Value.
func (l *Names) String() string { return strings.Join(*l, ",") }

// Numbers is a flag of whole numbers above 0 with commas between.
type Numbers []int

// Set implements flag.Value.
func (l *Numbers) Set(text string) error {
	*l = nil
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1 {
			return errors.New("it is whole numbers above 0 with commas between, such as 1,2")
		}
		*l = append(*l, n)
	}
	return nil
}

// String implements flag.Value.
func (l *Numbers) String() string {
	parts := make([]string, len(*l))
	for i, n := range *l {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, ",")
}

// Factors is a flag of names and their factors, with commas between.
type Factors map[string]float32

// Set implements flag.Value.
func (l *Factors) Set(text string) error {
	*l = Factors{}
	for part := range strings.SplitSeq(text, ",") {
		i := strings.LastIndex(part, "=")
		x, err := strconv.ParseFloat(strings.TrimSpace(part[i+1:]), 32)
		if i < 1 || err != nil || !(x >= 0 && x <= math.MaxFloat32) {
			return errors.New("it is names and numbers from 0 on with commas between, such as conv1=0.1,conv2=0.5")
		}
		if _, twice := (*l)[part[:i]]; twice {
			return fmt.Errorf("%s stands there twice", part[:i])
		}
		(*l)[part[:i]] = float32(x)
	}
	return nil
}

// String implements flag.Value.
func (l *Factors) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(*l)) {
		parts = append(parts, fmt.Sprintf("%s=%v", name, (*l)[name]))
	}
	return strings.Join(parts, ",")
}

// Range is a flag of two numbers above 0 with a comma between, the second the larger.
type Range struct{ From, To float64 }

// Set implements flag.Value.
func (r *Range) Set(text string) error {
	from, to, _ := strings.Cut(text, ",")
	var errs [2]error
	r.From, errs[0] = strconv.ParseFloat(strings.TrimSpace(from), 64)
	r.To, errs[1] = strconv.ParseFloat(strings.TrimSpace(to), 64)
	if errs != [2]error{} || !(r.From > 0 && r.From < r.To && r.To <= math.MaxFloat32) {
		return errors.New("it is two numbers above 0 with a comma between, the second larger, such as 1e-6,1")
	}
	return nil
}

// String implements flag.Value.
func (r *Range) String() string {
	if *r == (Range{}) {
		return ""
	}
	return fmt.Sprintf("%g,%g", r.From, r.To)
}
