package gemm

// Where one of two matrices has few rows and both have their steps next to each
// other, as a dense layer for a small batch has, no element is used often
// enough to be packed: elements of C are dot products of rows where they stand,
// several at a time, and the other matrix is read once.

// dotRows is the most rows of the smaller matrix, and dotDepth the fewest
// steps, for which dot products are faster than panels.
const (
	dotRows  = 24
	dotDepth = 48
)

// asDots reports whether the product is made of dot products.
func (p *Product) asDots() bool {
	return p.TransB && !p.TransA && min(p.M, p.N) <= dotRows && p.K >= dotDepth
}

// dotItems is the number of items: each is some rows of the larger matrix.
func (p *Product) dotItems() int {
	rows := p.dotItemRows()
	return (max(p.M, p.N) + rows - 1) / rows
}

// dotItemRows is how many make enough work.
func (p *Product) dotItemRows() int {
	t := p.e.Tile
	each := min(p.M, p.N) * p.K
	return roundUp((itemSteps+each-1)/each, t.DM*t.DN)
}

// dots computes one item. A sum is not cut: its partial sums are few enough.
func (p *Product) dots(w *Worker, item int) {
	t, rows := p.e.Tile, p.dotItemRows()
	s := w.storing(p.Alpha, p.Beta, p.Activation)
	block := func(i, j int) {
		m, n := min(t.DM, p.M-i), min(t.DN, p.N-j)
		s.lanes = lanes(n)
		if p.ColBias != nil {
			s.ColBias = p.ColBias[j : j+n]
		}
		c := p.C[i*p.N+j:]
		t.dot(p.K, p.A[i*p.K:], m, p.B[j*p.K:], n, c, p.N, s)
		if !inStore(p.Activation) {
			activate(t.Loops, p.Activation.Unary, c, p.N, m, n)
		}
	}
	// Rows of the larger matrix stay in the cache until they are done with.
	if p.M > p.N {
		for i := item * rows; i < min((item+1)*rows, p.M); i += t.DM {
			for j := 0; j < p.N; j += t.DN {
				block(i, j)
			}
		}
		return
	}
	for j := item * rows; j < min((item+1)*rows, p.N); j += t.DN {
		for i := 0; i < p.M; i += t.DM {
			block(i, j)
		}
	}
}

// dot2x2 is Tile.dot in Go, four dot products at a time.
func dot2x2(k int, a []float32, m int, b []float32, n int, c []float32, ldc int, s *Store) {
	a0, a1 := a[:k], a[(m-1)*k:][:k]
	b0, b1 := b[:k], b[(n-1)*k:][:k]
	var s00, s01, s10, s11 float32
	for i, x := range a0 {
		s00 += float32(x * b0[i])
		s01 += float32(x * b1[i])
		s10 += float32(a1[i] * b0[i])
		s11 += float32(a1[i] * b1[i])
	}
	copy(s.edge, []float32{s00, s01, s10, s11})
	s.merge(2, c, ldc, m)
}
