package gemm

import "github.com/hubel-go/hubel/device"

// Product is C = activation(alpha op(A) op(B) + beta C + ColBias), a task
// that is kept by who calls Multiply, so that a call allocates nothing.
type Product struct {
	device.GEMM
	C, A, B    []float32
	ColBias    []float32 // [N]; may be absent
	Activation device.Activation

	e     *Engine
	phase phase
	a, b  operand

	// The smaller matrix is packed by all workers for all of them: rows of A
	// or columns of B, [first,first+n), in blocks of length steps from step.
	// The other is cut into items, whose worker packs its part for itself.
	sharesA        bool
	first, n       int
	step, length   int
	blocks         int
	private, parts int // rows or columns of an item, and items
}

// phase is what the items of a product do.
type phase int

const (
	packing phase = iota
	multiplying
	dotting
)

// operand is a matrix as panels see it: element i of step p lies at i*ld+p
// where the steps lie next to each other, and else at p*ld+i.
type operand struct {
	x     []float32
	ld    int
	along bool // the steps lie next to each other
}

// An item has at least itemSteps multiply-adds, some microseconds of work for
// the fastest tile; a smaller product is not worth waking the workers. Where
// panels have room for it, manyItems are enough, or one for each of more workers. An
// item has at least lowest panels of rows or narrowest columns, so that what all share is
// not fetched too often; one panel is enough where more than FewWorkers would be left
// without an item.
const (
	itemSteps = 1 << 19
	manyItems = 32
	lowest    = 4
	narrowest = 64
)

// FewWorkers is the most workers for which work is cut by its shape alone. For more, what has
// few items is cut finer, which costs some reading and transforming twice.
const FewWorkers = 4

// privateColumns is the most columns of an item, which has whole panels.
const privateColumns = 256

// fewPanels is how many panels of columns are too few to cut a product along.
const fewPanels = 8

// packPanels is how many panels an item packs.
const packPanels = 8

// fewTiles is how many tiles may share a panel of a small matrix that is not
// packed but read where it stands, and smallMatrix is the most elements it has.
// One tile alone reads any matrix where it stands.
const (
	fewTiles    = 8
	smallMatrix = 1 << 16
)

// Multiply computes p.
func (e *Engine) Multiply(p *Product) {
	p.e = e
	e.Pool.Acquire()
	defer e.Pool.Release()
	if p.asDots() {
		p.phase = dotting
		p.run(p.dotItems())
	} else {
		p.panels()
	}
	*p = Product{}
}

// panels computes the product from packed panels: as many blocks of the
// smaller matrix as there is room for, and then every item of the other.
func (p *Product) panels() {
	e, t := p.e, p.e.Tile
	p.a = operand{p.A, p.K, true}
	if p.TransA {
		p.a = operand{p.A, p.M, false}
	}
	p.b = operand{p.B, p.N, false}
	if p.TransB {
		p.b = operand{p.B, p.K, true}
	}
	p.sharesA = p.M <= p.N && (p.N > fewPanels*t.NR || p.M < fewPanels*t.MR)
	all, width := p.N, t.NR
	if p.sharesA {
		all, width = p.M, t.MR
	}
	blocks, length := t.Depth(p.K)
	p.length = length
	for p.first = 0; p.first < all; p.first += t.NC {
		p.n = min(t.NC, all-p.first)
		several := max(1, len(e.shared)/(panelCount(p.n, width)*Panel(width, max(length, 1))))
		for block := 0; block < blocks; block += several {
			p.step, p.blocks = block*length, min(several, blocks-block)
			p.cut()
			p.phase = packing
			p.run(p.blocks * p.packItems(width))
			p.phase = multiplying
			p.run(p.parts)
		}
	}
}

// small reports whether the product is not worth waking the other workers.
func (p *Product) small() bool { return p.M*p.N*p.K < itemSteps }

// run runs items: those of a small product without the other workers.
func (p *Product) run(items int) {
	if !p.small() {
		p.e.Pool.Run(p, items)
		return
	}
	for i := range items {
		p.Run(i, 0)
	}
}

// cut cuts the matrix that is not shared into items. Rows are cut finer than
// panels, where tiles may be lower.
func (p *Product) cut() {
	t := p.e.Tile
	all, width, largest, smallest, unit := p.M, t.MR, t.MC, lowest*t.MR, t.Low
	if p.sharesA {
		all, width, largest, unit = p.N, t.NR, privateColumns, t.NR
		smallest = min(narrowest, roundUp((all+1)/2, t.NR)) // for two workers
	}
	if p.small() { // as many as a worker has room for
		largest = largest * t.KC / max(1, p.length) / width * width
	}
	work := p.n * all * min(p.K, p.blocks*p.length)
	workers := p.e.CutFor
	if workers > FewWorkers {
		smallest = max(width, min(smallest, all/workers))
	}
	items := max((all+largest-1)/largest, min(max(manyItems, workers), work/itemSteps, all/smallest))
	if items > 1 && !p.small() {
		items = roundUp(items, 2) // as many for each of two workers
	}
	p.private = roundUp((all+items-1)/items, unit)
	rounds := func(private int) int { return ((all+private-1)/private + workers - 1) / workers }
	if less := p.private - unit; workers > FewWorkers && less >= smallest && rounds(less)*less < rounds(p.private)*p.private {
		p.private = less
	}
	p.parts = (all + p.private - 1) / p.private
}

// Run packs some panels of a shared block, or multiplies an item.
func (p *Product) Run(item, worker int) {
	w, t := p.e.workers[worker], p.e.Tile
	switch {
	case p.phase == dotting:
		p.dots(w, item)
	case p.phase == packing && p.sharesA:
		p.pack(w, item, &p.a, t.MR)
	case p.phase == packing:
		p.pack(w, item, &p.b, t.NR)
	case p.sharesA:
		first := p.apart(item) * p.private
		p.multiplyColumns(w, first, min(p.private, p.N-first))
	default:
		first := p.apart(item) * p.private
		p.multiplyRows(w, first, min(p.private, p.M-first))
	}
}

// apart puts items that follow each other half of C apart: neighbours share
// cache lines of C, which two workers must not write at the same time.
func (p *Product) apart(item int) int {
	half := (p.parts + 1) / 2
	return item/2 + item%2*half
}

// packItems is how many items pack a shared block.
func (p *Product) packItems(width int) int {
	return (p.n + packPanels*width - 1) / (packPanels * width)
}

func (p *Product) pack(w *Worker, item int, o *operand, width int) {
	items := p.packItems(width)
	block, i := item/items, item%items*packPanels*width
	n, k := min(packPanels*width, p.n-i), p.depth(block)
	shared := p.shared(block, width)[i/width*Panel(width, k):]
	o.pack(p.e.Tile, w, shared, width, p.first+i, n, p.step+block*p.length, k)
}

// depth is the length of a block: the last may be shorter.
func (p *Product) depth(block int) int {
	return max(0, min(p.length, p.K-p.step-block*p.length))
}

// shared is a block of the shared matrix.
func (p *Product) shared(block, width int) []float32 {
	return p.e.shared[block*panelCount(p.n, width)*Panel(width, p.length):]
}

// multiplyColumns computes columns [j,j+n) of the rows that are shared.
func (p *Product) multiplyColumns(w *Worker, j, n int) {
	t := p.e.Tile
	inPlace := 0 // columns of B that are read where they stand
	if t.AnyStep && p.K > 0 && !p.b.along && (p.n <= t.MR || p.n <= fewTiles*t.MR && p.N*p.K <= smallMatrix) {
		inPlace = n / t.NR * t.NR
	}
	for block := range p.blocks {
		k, step := p.depth(block), p.step+block*p.length
		if inPlace < n {
			p.b.pack(t, w, w.panels, t.NR, j+inPlace, n-inPlace, step, k)
		}
		for i := 0; i < p.n; i += t.MC {
			a, m := p.shared(block, t.MR)[i/t.MR*Panel(t.MR, k):], min(t.MC, p.n-i)
			if inPlace > 0 {
				b := p.block(block, p.first+i, j)
				b.M, b.N, b.A, b.B, b.LDB = m, inPlace, a, p.B[step*p.N+j:], p.N
				t.Multiply(w, &b)
			}
			if inPlace < n {
				b := p.block(block, p.first+i, j+inPlace)
				b.M, b.N, b.A, b.B = m, n-inPlace, a, w.panels
				t.Multiply(w, &b)
			}
		}
	}
}

// multiplyRows computes rows [i,i+n) of the columns that are shared.
func (p *Product) multiplyRows(w *Worker, i, n int) {
	t := p.e.Tile
	for block := range p.blocks {
		k := p.depth(block)
		p.a.pack(t, w, w.panels, t.MR, i, n, p.step+block*p.length, k)
		b := p.block(block, i, p.first)
		b.M, b.N, b.A, b.B = n, p.n, w.panels, p.shared(block, t.NR)
		t.Multiply(w, &b)
	}
}

// block is what all blocks at row i and column j share.
func (p *Product) block(block, i, j int) Block {
	first := p.step + block*p.length
	b := Block{K: p.depth(block), C: p.C[i*p.N+j:], LDC: p.N, Alpha: p.Alpha, Beta: 1}
	if first == 0 {
		b.Beta = p.Beta
	}
	if first+p.length >= p.K {
		if p.ColBias != nil {
			b.ColBias = p.ColBias[j:]
		}
		b.Activation = p.Activation
	}
	return b
}

// packSteps is how many steps of panels whose columns lie next to each other
// are packed at a time: the steps of several panels are one stretch of memory.
const packSteps = 16

// pack packs n rows from first, and k steps from step, into panels.
func (o *operand) pack(t *Tile, w *Worker, dst []float32, width, first, n, step, k int) {
	panel := Panel(width, k)
	if o.along {
		for i := 0; i < n; i += width {
			t.PackRows(dst[i/width*panel:], o.x[(first+i)*o.ld+step:], width, w.rows(min(width, n-i), o.ld), k)
		}
		return
	}
	for p := 0; p < k; p += packSteps {
		for i := 0; i < n; i += width {
			t.PackColumns(dst[i/width*panel+p*width:], o.x[(step+p)*o.ld+first+i:],
				width, min(width, n-i), min(packSteps, k-p), o.ld)
		}
	}
}

// panelCount is the number of panels of n rows or columns.
func panelCount(n, width int) int { return (n + width - 1) / width }
