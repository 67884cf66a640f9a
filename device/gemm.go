package device

import "fmt"

// GEMM is C = alpha op(A) op(B) + beta C with op(A) [M,K], op(B) [K,N] and
// C [M,N], all row-major and contiguous. A is stored [K,M] when TransA is
// set, B [N,K] when TransB is. With Beta 0, C is never read.
type GEMM struct {
	M, N, K        int
	TransA, TransB bool
	Alpha, Beta    float32
}

// GEMMKernels is the matrix product. ws has Needs.Scratch bytes, as Traits
// say for the GEMM.
type GEMMKernels interface {
	GEMM(g GEMM, c, a, b Tensor, ws Buffer)
}

// FLOPs counts a multiply-add as two operations.
func (g GEMM) FLOPs() int64 { return 2 * int64(g.M) * int64(g.N) * int64(g.K) }

// String returns the shape in BLAS's manner: "NT 64x500x800".
func (g GEMM) String() string {
	t := map[bool]string{false: "N", true: "T"}
	return fmt.Sprintf("%s%s %dx%dx%d", t[g.TransA], t[g.TransB], g.M, g.N, g.K)
}
