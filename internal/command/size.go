package command

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a flag of bytes, such as 8GiB.
type Size int64

// units are powers of two; the decimal ones are there because people mean
// either.
var units = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"B", 1},
}

// Set implements flag.Value.
func (s *Size) Set(text string) error {
	for _, u := range units {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(v > 0) || v*u.bytes >= math.MaxInt64 {
			break
		}
		*s = Size(v * u.bytes)
		return nil
	}
	return fmt.Errorf("a size is a number and a unit, such as 8GiB or 500MB")
}

// String implements flag.Value.
func (s *Size) String() string {
	if *s == 0 {
		return ""
	}
	for i := 3; i >= 0; i-- {
		if v := float64(*s) / units[i].bytes; v >= 1 {
			return strconv.FormatFloat(v, 'f', -1, 64) + units[i].name
		}
	}
	return strconv.FormatInt(int64(*s), 10) + "B"
}
