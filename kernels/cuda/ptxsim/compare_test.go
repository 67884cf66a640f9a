package ptxsim

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every comparison of every type, in its fast form, with a predicate, as the second
// of two predicates, and as set.
func TestComparisons(t *testing.T) {
	order := map[string]func(less, equal, unordered bool) bool{
		"eq": func(_, e, _ bool) bool { return e }, "ne": func(_, e, u bool) bool { return !e && !u },
		"lt": func(l, _, _ bool) bool { return l }, "le": func(l, e, _ bool) bool { return l || e },
		"gt": func(l, e, u bool) bool { return !l && !e && !u }, "ge": func(l, _, u bool) bool { return !l && !u },
	}
	order["lo"], order["ls"], order["hi"], order["hs"] = order["lt"], order["le"], order["gt"], order["ge"]
	floats := map[string]func(less, equal, unordered bool) bool{
		"num": func(_, _, u bool) bool { return !u }, "nan": func(_, _, u bool) bool { return u },
	}
	for _, name := range []string{"eq", "ne", "lt", "le", "gt", "ge"} {
		f := order[name]
		floats[name] = f
		floats[name+"u"] = func(l, e, u bool) bool { return u || f(l, e, u) }
	}
	values := map[typ][]uint64{
		typF32: {fb(-1), fb(2), fb(2.5), 0, 1 << 31, 1, nan32, fb(math.Inf(1))},
		typF64: {db(-1), db(2), db(2.5), 0, 1 << 63, nan64, db(math.Inf(-1))},
	}
	for _, k := range []typ{typS16, typU16, typB16, typS32, typU32, typB32, typS64, typU64, typB64} {
		n := k.bits()
		values[k] = []uint64{0, 1, mask64(n), 1 << (n - 1), 1<<(n-1) - 1}
	}
	for k, all := range values {
		names := order
		relation := func(a, b uint64) (less, equal, unordered bool) { return a < b, a == b, false }
		switch {
		case k.float():
			names = floats
			read := f64
			if k == typF32 {
				read = func(a uint64) float64 { return float64(f32(a)) }
			}
			relation = func(a, b uint64) (less, equal, unordered bool) {
				x, y := read(a), read(b)
				return x < y, x == y, x != x || y != y
			}
		case k.signed():
			top := uint64(1) << (k.bits() - 1)
			relation = func(a, b uint64) (less, equal, unordered bool) { return a^top < b^top, a == b, false }
		}
		var rows, withPredicate [][]uint64
		for _, a := range all {
			for _, b := range all {
				rows = append(rows, []uint64{a, b})
				withPredicate = append(withPredicate, []uint64{a, b, 1}, []uint64{a, b, 0})
			}
		}
		for name, says := range names {
			want := func(i int) bool { return says(relation(rows[i][0], rows[i][1])) }
			for text, yes := range map[string]bool{
				fmt.Sprintf("setp.%s.%s %%d, %%a, %%b;", name, k):        true,
				fmt.Sprintf("setp.%s.%s %%q|%%d, %%a, %%b;", name, k):    false,
				fmt.Sprintf("setp.%s.%s %%d|%%q, %%a, %%b;", name, k):    true,
				fmt.Sprintf("setp.%s.and.%s %%d, %%a, %%b, 1;", name, k): true,
			} {
				for i, got := range evaluate(t, text, typPred, []typ{k, k}, rows) {
					require.Equal(t, uint64(b2i(want(i) == yes)), got, "%s of %#x", text, rows[i])
				}
			}
			text := fmt.Sprintf("set.%s.u32.%s %%d, %%a, %%b;", name, k)
			for i, got := range evaluate(t, text, typU32, []typ{k, k}, rows) {
				require.Equal(t, uint64(b2i(want(i)))*0xffffffff, got, "%s of %#x", text, rows[i])
			}
			text = fmt.Sprintf("setp.%s.xor.%s %%d, %%a, %%b, !%%c;", name, k)
			for i, got := range evaluate(t, text, typPred, []typ{k, k, typPred}, withPredicate) {
				require.Equal(t, uint64(b2i(want(i/2) == (i%2 == 0))), got, "%s of %#x", text, withPredicate[i])
			}
		}
	}
}
