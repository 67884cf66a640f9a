package cuda

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// Kernel is a kernel that a layer outside this module brings with it: an entry of a
// module of PTX. Each device compiles it when it is first launched there.
//
// The PTX may be what a compiler made, or written by hand. Its .target is the lowest
// compute capability that it is to run on: sm_70 for all that hubel runs on.
type Kernel struct{ name, ptx string }

// NewKernel is the entry of that name of a module of PTX, as a variable of a package
// holds it.
func NewKernel(name, ptx string) *Kernel { return &Kernel{name, ptx} }

// Launch is a launch of a Kernel on a queue. The arguments are added in the order of the
// kernel's parameters; they are not checked against them. It belongs to the queue's
// goroutine and ends with Run. It allocates nothing.
type Launch struct {
	queue  *queue
	kernel *Kernel
}

// On begins a launch of the kernel. It is false for a queue of another kind of device. A
// queue that wraps another is asked for that one by its method Unwrap() device.Queue.
func (k *Kernel) On(q device.Queue) (Launch, bool) {
	for {
		switch of := q.(type) {
		case *queue:
			of.args.Reset()
			return Launch{of, k}, true
		case interface{ Unwrap() device.Queue }:
			q = of.Unwrap()
		default:
			return Launch{}, false
		}
	}
}

// Tensor adds the address of a tensor, a .u64 parameter; 0 where it is absent.
func (l Launch) Tensor(t device.Tensor) Launch {
	l.queue.args.Ptr(l.queue.at(t))
	return l
}

// Int adds a .u32 or .s32 parameter. A number of more than 32 bits panics.
func (l Launch) Int(v int) Launch {
	l.queue.args.Int(v)
	return l
}

// Float32 adds a .f32 parameter.
func (l Launch) Float32(v float32) Launch {
	l.queue.args.Float32(v)
	return l
}

// Run enqueues the kernel in so many blocks along x, of so many threads. What is wrong
// with the kernel or the launch becomes the error of the queue, as of any other kernel.
func (l Launch) Run(blocks, threads int) {
	q := l.queue
	if q.Err != nil {
		return
	}
	f, err := q.device.kernelOf(l.kernel)
	if err != nil {
		q.Fail(l.kernel.name, err)
		return
	}
	q.launch(f, driver.Dim{X: blocks}, threads)
}

// kernelOf is a layer's kernel, compiled for the device.
func (d *Device) kernelOf(k *Kernel) (driver.Function, error) {
	d.programs.Lock()
	defer d.programs.Unlock()
	if f, ok := d.programs.own[k]; ok {
		return f, nil
	}
	m, err := d.driver.Load(k.name+".ptx", k.ptx)
	if err != nil {
		return nil, fmt.Errorf("PTX of a layer: %w", err)
	}
	f, err := m.Function(k.name)
	if err != nil {
		return nil, fmt.Errorf("PTX of a layer: %w", err)
	}
	if d.programs.own == nil {
		d.programs.own = map[*Kernel]driver.Function{}
	}
	d.programs.own[k] = f
	return f, nil
}
