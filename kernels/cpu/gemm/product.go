package gemm

import "github.com/hubel-go/hubel/device"

// Product is C = activation(alpha op(A) op(B) + beta C + ColBias), a task
// that is kept by who calls Multiply, so that a call allocates nothing.
type Product struct {
	device.GEMM
	C, A, B    []float32
	ColBias    []float32 // [N]; may be absent
	Activation device.Activation

	e *Engine
	// The block at hand: rows, columns and steps, from its first.
	ic, mb, jc, nb, pc, kb int
	packs                  bool // or multiplies
	packsB                 bool
}

// itemSteps is how many multiply-adds an item has at least, if there are as
// many: some tens of microseconds of work for the fastest tile.
const itemSteps = 1 << 20

// packPanels is how many panels an item packs.
const packPanels = 16

// Multiply computes p. For each block, all workers pack it together, and then
// share its rows and columns.
func (e *Engine) Multiply(p *Product) {
	t := e.Tile
	p.e = e
	e.Pool.Acquire()
	defer e.Pool.Release()
	blocks, length := t.Depth(p.K)
	for p.jc = 0; p.jc < p.N; p.jc += t.NC {
		p.nb = min(t.NC, p.N-p.jc)
		for block := range blocks {
			p.pc = block * length
			p.kb = min(length, p.K-p.pc)
			for p.ic = 0; p.ic < p.M; p.ic += t.NC {
				p.mb = min(t.NC, p.M-p.ic)
				p.packs, p.packsB = true, p.ic == 0
				if p.kb > 0 {
					e.Pool.Run(p, p.packItems())
				}
				p.packs = false
				across, down, _ := p.items()
				e.Pool.Run(p, across*down)
			}
		}
	}
	*p = Product{}
}

// Run packs some panels, or multiplies a part of the block.
func (p *Product) Run(item, worker int) {
	t := p.e.Tile
	if p.packs {
		w := p.e.workers[worker]
		if itemsA := p.panelItems(p.mb, t.MR); item < itemsA {
			p.packA(item, w)
		} else {
			p.packB(item-itemsA, w)
		}
		return
	}
	across, _, columns := p.items()
	i, j := item/across*t.MC, item%across*columns
	b := Block{
		M: min(t.MC, p.mb-i), N: min(columns, p.nb-j), K: p.kb,
		A: p.e.a[i/t.MR*Panel(t.MR, p.kb):], B: p.e.b[j/t.NR*Panel(t.NR, p.kb):],
		C: p.C[(p.ic+i)*p.N+p.jc+j:], LDC: p.N,
		Alpha: p.Alpha, Beta: 1,
	}
	if p.pc == 0 {
		b.Beta = p.Beta
	}
	if p.pc+p.kb == p.K {
		if p.ColBias != nil {
			b.ColBias = p.ColBias[p.jc+j:]
		}
		b.Activation = p.Activation
	}
	t.Multiply(p.e.workers[worker], &b)
}

// items cuts the block at hand: into rows of MC, and columns of a number that
// makes enough work.
func (p *Product) items() (across, down, columns int) {
	t := p.e.Tile
	steps := min(t.MC, p.mb) * max(p.kb, 1)
	columns = roundUp((itemSteps+steps-1)/steps, t.NR)
	return (p.nb + columns - 1) / columns, (p.mb + t.MC - 1) / t.MC, columns
}

func (p *Product) panelItems(n, r int) int {
	return (n + r*packPanels - 1) / (r * packPanels)
}

func (p *Product) packItems() int {
	n := p.panelItems(p.mb, p.e.Tile.MR)
	if p.packsB {
		n += p.panelItems(p.nb, p.e.Tile.NR)
	}
	return n
}

func (p *Product) packA(item int, w *Worker) {
	r := p.e.Tile.MR
	for i := item * packPanels * r; i < min((item+1)*packPanels*r, p.mb); i += r {
		dst, n := p.e.a[i/r*Panel(r, p.kb):], min(r, p.mb-i)
		if p.TransA {
			p.e.Tile.PackColumns(dst, p.A[p.pc*p.M+p.ic+i:], r, n, p.kb, p.M)
		} else {
			p.e.Tile.PackRows(dst, p.A[(p.ic+i)*p.K+p.pc:], r, w.rows(n, p.K), p.kb)
		}
	}
}

func (p *Product) packB(item int, w *Worker) {
	r := p.e.Tile.NR
	for j := item * packPanels * r; j < min((item+1)*packPanels*r, p.nb); j += r {
		dst, n := p.e.b[j/r*Panel(r, p.kb):], min(r, p.nb-j)
		if p.TransB {
			p.e.Tile.PackRows(dst, p.B[(p.jc+j)*p.K+p.pc:], r, w.rows(n, p.K), p.kb)
		} else {
			p.e.Tile.PackColumns(dst, p.B[p.pc*p.N+p.jc+j:], r, n, p.kb, p.N)
		}
	}
}
