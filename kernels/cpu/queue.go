package cpu

import (
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
	"github.com/hubel-go/hubel/kernels/cpu/parallel"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// queue runs each call before it returns. It keeps the task of every kernel,
// so that a call allocates nothing.
type queue struct {
	device.Immediate
	engine *gemm.Engine
	pool   *parallel.Pool
	traits traits

	softmax       softmaxTask
	fill          fillTask
	strided       stridedTask
	poolForward   poolTask
	poolBack      poolBackTask
	poolGather    gatherTask
	lrn           lrnTask
	conv          convTask
	pointwise     pointwiseTask
	convSteps     []int // memory of conv.steps
	convFilter    convFilterTask
	convPack      convPackTask
	pointwisePack pointwisePackTask
	rowSums       rowSumsTask
	columnSums    columnSumsTask
	filterSums    filterSumsTask
	product       gemm.Product
	mapping       mapTask
	updating      updateTask
	runs          runsTask
	columns       columnsTask
	combining     combineTask
	partials      []float64 // of a reduction
	programs      map[programKey]*program
	machines      []*machine // by worker

	epilogue  []evaluation // the maps of one
	finishing []*machine   // for each map, by worker
	after     epilogueTask

	depthwise           depthwiseTask
	depthwiseFilterTask depthwiseFilterTask

	phases             phaseTask
	winograd           winogradTask
	winogradFilters    winogradPackTask
	winogradFilterTask winogradFilterTask
}

// loops are those of the path.
func (q *queue) loops() *vec.Loops { return q.engine.Tile.Loops }

// grain is how many elements an item of an element-wise task has: some
// microseconds of work.
const grain = 16 << 10

// chunks is the number of items of a task over n elements.
func chunks(n int) int { return (n + grain - 1) / grain }

// chunk is the elements of one item.
func chunk(item, n int) (first, end int) { return item * grain, min((item+1)*grain, n) }

// rowItems is the number of items of a task over n rows of a length, and rows
// the rows of one item: as many as make a grain.
func rowItems(n, length int) int {
	each := rowsEach(length)
	return (n + each - 1) / each
}

func rows(item, n, length int) (first, end int) {
	each := rowsEach(length)
	return item * each, min((item+1)*each, n)
}

func rowsEach(length int) int { return max(1, grain/max(length, 1)) }

// task is a pointer to a task kept in the queue.
type task[T any] interface {
	*T
	parallel.Task
}

// run runs a task that needs no scratch memory.
func run[T any, P task[T]](q *queue, t P, items int) { runWithScratch(q, t, items, 0) }

// runWithScratch runs a task on the workers, each with a scratch of so many elements.
func runWithScratch[T any, P task[T]](q *queue, t P, items, scratch int) {
	q.pool.Acquire()
	defer q.pool.Release()
	q.engine.Reserve(scratch)
	q.pool.Run(t, items)
	reset(t)
}

// reset clears a task, so that the queue holds no buffer that the caller
// frees.
func reset[T any, P task[T]](t P) {
	var none T
	*t = none
}

func (q *queue) Upload(dst device.Tensor, src *tensor.Dense) {
	if q.Err != nil {
		return
	}
	if err := device.CheckHost(src, dst); err != nil {
		q.Fail("upload", err)
		return
	}
	switch dst.DType {
	case device.Float32:
		copy(floats(dst), src.Float32s())
	case device.Int32:
		copy(ints(dst), src.Int32s())
	case device.Uint8:
		copy(bytes(dst), src.Uint8s())
	}
}

func (q *queue) Download(dst *tensor.Dense, src device.Tensor) {
	if q.Err != nil {
		return
	}
	if err := device.CheckHost(dst, src); err != nil {
		q.Fail("download", err)
		return
	}
	switch src.DType {
	case device.Float32:
		copy(dst.Float32s(), floats(src))
	case device.Int32:
		copy(dst.Int32s(), ints(src))
	case device.Uint8:
		copy(dst.Uint8s(), bytes(src))
	}
}

func (q *queue) Copy(dst, src device.Tensor) {
	if q.Err != nil {
		return
	}
	if err := device.CheckCopy(dst, src); err != nil {
		q.Fail("copy", err)
		return
	}
	n := src.Bytes()
	copy(own(dst.Buffer)[:n], own(src.Buffer)[:n])
}
