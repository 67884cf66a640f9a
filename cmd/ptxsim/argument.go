package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// argument is a scalar, or a buffer and what it begins with.
type argument struct {
	text     string // as given
	kind     string // f32, …
	buffer   bool
	n        int // elements of a buffer
	contents string

	at     driver.Ptr
	before []byte
}

var form = regexp.MustCompile(`^(f32|f64|i32|u32|i64|u64|u8)(\[(\d+)\])?=(.+)$`)

// sizes is bytes of an element.
var sizes = map[string]int{"f32": 4, "f64": 8, "i32": 4, "u32": 4, "i64": 8, "u64": 8, "u8": 1}

// maxBytes bounds a buffer.
const maxBytes = 1 << 32

func parseArgument(s string) (*argument, error) {
	m := form.FindStringSubmatch(s)
	if m == nil {
		return nil, errors.New("wants TYPE=VALUE or TYPE[N]=CONTENTS, such as f32[1000]=rand")
	}
	a := &argument{text: s, kind: m[1], buffer: m[2] != "", contents: m[4]}
	if a.buffer {
		var err error
		if a.n, err = strconv.Atoi(m[3]); err != nil || a.n < 1 || a.n > maxBytes/sizes[a.kind] {
			return nil, fmt.Errorf("%s elements: there can be 1 to %d", m[3], maxBytes/sizes[a.kind])
		}
		switch {
		case a.contents == "rand" || a.contents == "count" || a.contents == "none" || strings.HasPrefix(a.contents, "@"):
			return a, nil
		}
	}
	_, err := a.number(a.contents)
	return a, err
}

func (a *argument) String() string { return a.text }

// number is the bits of a number of the argument's type.
func (a *argument) number(s string) (uint64, error) {
	size := 8 * sizes[a.kind]
	var bits uint64
	var err error
	switch a.kind[0] {
	case 'f':
		var v float64
		if v, err = strconv.ParseFloat(s, size); err == nil {
			bits = a.float(v)
		}
	case 'i':
		var v int64
		if v, err = strconv.ParseInt(s, 0, size); err == nil {
			bits = uint64(v)
		}
	default:
		bits, err = strconv.ParseUint(s, 0, size)
	}
	if err != nil {
		return 0, fmt.Errorf("%q is not a number of type %s", s, a.kind)
	}
	return bits, nil
}

// float is the bits of a number of a float type.
func (a *argument) float(v float64) uint64 {
	if a.kind == "f32" {
		return uint64(math.Float32bits(float32(v)))
	}
	return math.Float64bits(v)
}

// bind allocates and fills a buffer, and adds the argument to those of the
// launch.
func (a *argument) bind(d driver.Driver, s driver.Stream, args *driver.Args, i int, seed uint64) error {
	if !a.buffer {
		bits, err := a.number(a.contents)
		if err == nil {
			args.Uint64(bits)
		}
		return err
	}
	var err error
	if a.at, err = d.Alloc(fmt.Sprintf("argument %d", i), int64(a.n*sizes[a.kind])); err != nil {
		return err
	}
	args.Ptr(a.at)
	if a.contents == "none" {
		return nil
	}
	if a.before, err = a.fill(rand.New(rand.NewPCG(seed, uint64(i)))); err != nil {
		return err
	}
	return s.Upload(a.at, a.before)
}

// fill makes the contents of a buffer.
func (a *argument) fill(r *rand.Rand) ([]byte, error) {
	size := sizes[a.kind]
	if path, ok := strings.CutPrefix(a.contents, "@"); ok {
		mem, err := os.ReadFile(path)
		if err == nil && len(mem) != a.n*size {
			err = fmt.Errorf("%s has %d bytes, not %d", path, len(mem), a.n*size)
		}
		return mem, err
	}
	mem := make([]byte, 0, (a.n+1)*size)
	for i := range a.n {
		var bits uint64
		var err error
		float := a.kind[0] == 'f'
		switch {
		case a.contents == "count" && float:
			bits = a.float(float64(i))
		case a.contents == "count":
			bits = uint64(i)
		case a.contents == "rand" && float:
			bits = a.float(float64(2*r.Float32() - 1))
		case a.contents == "rand":
			bits = uint64(r.IntN(a.n))
		default:
			bits, err = a.number(a.contents)
		}
		if err != nil {
			return nil, err
		}
		mem = binary.LittleEndian.AppendUint64(mem, bits)[:len(mem)+size]
	}
	return mem, nil
}

// print prints the first elements of a buffer that the kernel changed.
func (a *argument) print(to io.Writer, s driver.Stream, i, count int) error {
	if !a.buffer {
		return nil
	}
	size := sizes[a.kind]
	after := make([]byte, a.n*size)
	if err := s.Download(after, a.at); err != nil {
		return err
	}
	changed := 0
	for e := range a.n {
		if a.before == nil || !bytes.Equal(after[e*size:(e+1)*size], a.before[e*size:(e+1)*size]) {
			changed++
		}
	}
	if changed == 0 {
		return nil
	}
	fmt.Fprintf(to, "argument %d, %s[%d]", i, a.kind, a.n)
	if a.before != nil {
		fmt.Fprintf(to, ", %d changed", changed)
	}
	fmt.Fprint(to, ":")
	for e := range min(count, a.n) {
		fmt.Fprint(to, " ", a.value(after[e*size:]))
	}
	if a.n > count {
		fmt.Fprint(to, " …")
	}
	fmt.Fprintln(to)
	return nil
}

// value is the first element of the memory.
func (a *argument) value(mem []byte) any {
	switch a.kind {
	case "f32":
		return math.Float32frombits(binary.LittleEndian.Uint32(mem))
	case "f64":
		return math.Float64frombits(binary.LittleEndian.Uint64(mem))
	case "i32":
		return int32(binary.LittleEndian.Uint32(mem))
	case "u32":
		return binary.LittleEndian.Uint32(mem)
	case "i64":
		return int64(binary.LittleEndian.Uint64(mem))
	case "u64":
		return binary.LittleEndian.Uint64(mem)
	}
	return mem[0]
}
