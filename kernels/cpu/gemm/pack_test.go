package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cpu/guarded"
)

// TestPack holds the packing of every tile against its twin in Go, between
// guard pages, for every number of rows and steps that differs in kind.
func TestPack(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, tile := range tiles {
		for _, width := range []int{tile.MR, tile.NR} {
			for n := range width + 1 {
				for _, k := range []int{0, 1, 7, 8, 9, 15, 16, 17, 40} {
					atEnd := (n+k)%2 == 0
					ld := max(n, k) + r.IntN(5)
					src := guarded.Floats(t, max(0, max((n-1)*ld+k, (k-1)*ld+n)), atEnd)
					copy(src, numbers(r, len(src)))
					dst, want := guarded.Floats(t, k*width, atEnd), make([]float32, k*width)
					places := make([]int, n)
					for i := range places {
						places[i] = i * ld
					}
					r.Shuffle(n, func(i, j int) { places[i], places[j] = places[j], places[i] })
					what := fmt.Sprintf("%s: %d of %d, %d steps", tile.Name, n, width, k)

					forget(dst)
					tile.PackRows(dst, src, width, places, k)
					packRows(want, src, width, places, k)
					require.Equal(t, want, dst, "rows, "+what)

					forget(dst)
					tile.PackColumns(dst, src, width, n, k, ld)
					packColumns(want, src, width, n, k, ld)
					require.Equal(t, want, dst, "columns, "+what)

					panel := guarded.Floats(t, max(0, (k-1)*width+n), atEnd)
					copy(panel, numbers(r, len(panel)))
					back, wantBack := guarded.Floats(t, max(0, (n-1)*(k+3)+k), atEnd), make([]float32, max(0, (n-1)*(k+3)+k))
					forget(back)
					forget(wantBack) // between the rows
					tile.Unpack(back, panel, width, n, k, k+3)
					unpack(wantBack, panel, width, n, k, k+3)
					requireBits(t, wantBack, back, "back, "+what)
				}
			}
		}
	}
}

func requireBits(t *testing.T, want, got []float32, what string) {
	require.Len(t, got, len(want), what)
	for i := range want {
		require.Equal(t, math.Float32bits(want[i]), math.Float32bits(got[i]), "%s: element %d", what, i)
	}
}

// forget fills x with NaN.
func forget(x []float32) {
	for i := range x {
		x[i] = float32(math.NaN())
	}
}

// BenchmarkPack packs blocks of a matrix of 4096 columns that the second-level
// cache holds.
func BenchmarkPack(b *testing.B) {
	const k, ld, rows = 256, 4096, 96
	for _, tile := range tiles {
		dst, src := make([]float32, k*rows), make([]float32, k*ld)
		for _, width := range []int{tile.MR, tile.NR} {
			places := make([]int, width)
			for i := range places {
				places[i] = i * ld
			}
			b.Run(fmt.Sprintf("%s/%drows", tile.Name, width), func(b *testing.B) {
				b.SetBytes(4 * k * rows)
				for b.Loop() {
					for i := 0; i+width <= rows; i += width {
						tile.PackRows(dst[i*k:], src[i*ld:], width, places, k)
					}
				}
			})
			b.Run(fmt.Sprintf("%s/%dcolumns", tile.Name, width), func(b *testing.B) {
				b.SetBytes(4 * k * rows)
				for b.Loop() {
					for i := 0; i+width <= rows; i += width {
						tile.PackColumns(dst[i*k:], src[i:], width, width, k, ld)
					}
				}
			})
		}
	}
}
