package gemm

import (
	"unsafe"

	"github.com/hubel-go/hubel/kernels/cpu/parallel"
)

// Engine is a tile with the workers that run it and their memory for packed
// panels. Whoever uses that memory has acquired the pool.
type Engine struct {
	Tile *Tile
	Pool *parallel.Pool

	// CutFor is how many workers tasks are cut for, those of the pool. Bits do not depend
	// on it.
	CutFor int

	workers []*Worker
	shared  []float32 // panels for all workers, [NC,KC]
}

// Worker is the scratch memory of one worker.
type Worker struct {
	Rows, Steps []int    // for MultiplyIndirect
	Spans       [][2]int // of the steps of a tile

	places      []int     // of rows that are packed
	panels      []float32 // for itself: MC rows or privateColumns columns, KC deep
	store       Store
	edge        []float32 // one tile
	elementwise []float32
}

// IndirectRows is the most rows of indirect products, or steps, whose places a
// worker has room for.
const IndirectRows = 768

// NewEngine allocates the memory of each worker of the pool.
func NewEngine(t *Tile, p *parallel.Pool) *Engine {
	e := &Engine{Tile: t, Pool: p, CutFor: p.Workers(), workers: make([]*Worker, p.Workers())}
	e.shared = aligned(Panel(t.NC, t.KC))
	for i := range e.workers {
		e.workers[i] = &Worker{
			Rows:   make([]int, IndirectRows+t.IR),
			Steps:  make([]int, IndirectRows),
			Spans:  make([][2]int, IndirectRows),
			places: make([]int, max(t.MR, t.NR)),
			panels: aligned(max(t.MC, privateColumns) * t.KC),
			edge:   aligned(t.MR * t.NR),
		}
	}
	return e
}

// Worker is the memory of a worker.
func (e *Engine) Worker(worker int) *Worker { return e.workers[worker] }

// rows are the places of n rows that lie ld apart.
func (w *Worker) rows(n, ld int) []int {
	for i := range n {
		w.places[i] = i * ld
	}
	return w.places[:n]
}

// Reserve makes room for n elements of Scratch with every worker, whichever
// will run an item. Who calls it has acquired the pool.
func (e *Engine) Reserve(n int) {
	for _, w := range e.workers {
		if n > len(w.elementwise) {
			w.elementwise = aligned(n)
		}
	}
}

// Scratch is n reserved elements for a worker's element-wise kernel.
func (e *Engine) Scratch(worker, n int) []float32 { return e.workers[worker].elementwise[:n] }

// aligned makes n elements that begin on a cache line.
func aligned(n int) []float32 {
	mem := make([]float32, n+15)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(mem)))/4) & 15
	return mem[skip : skip+n : skip+n]
}
