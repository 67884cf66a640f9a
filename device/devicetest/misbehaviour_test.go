package devicetest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/expr"
)

// TestSuiteFindsMisbehaviour does for memory, transfers and queues what TestSuiteFindsFaults
// does for kernels.
func TestSuiteFindsMisbehaviour(t *testing.T) {
	noise := float32(0)
	for _, f := range []struct {
		name  string
		check func(device.Device) error
		says  string
		spoil func(f *faulty)
	}{
		{"alignment", checkTraits, "alignment 3", func(f *faulty) { f.traits = crooked{} }},
		{"scratch shrinks", checkTraits, "for 3 samples", func(f *faulty) { f.traits = shrinking{} }},
		{"packed for nobody", checkTraits, "for a pass that reads none", func(f *faulty) { f.traits = useless{} }},
		{"needs for no operation", checkTraits, "does not know needs {Scratch:1", func(f *faulty) { f.traits = always{} }},
		{"packed grows", checkTraits, "of packed weights for 3 samples", func(f *faulty) { f.traits = growing{} }},
		{"more free than there is", checkMemInfo, "2 bytes of 1 are free", func(f *faulty) {
			f.memInfo = func() (int64, int64, error) { return 2, 1, nil }
		}},
		{"wrong size", checkAlloc, "asked for 0 bytes", func(f *faulty) {
			f.alloc = func(n int64) (device.Buffer, error) { return f.Device.Alloc(n + 1) }
		}},
		{"allocates anything", checkAllocTooMuch, "2^50 bytes were allocated", func(f *faulty) {
			f.alloc = func(n int64) (device.Buffer, error) { return f.Device.Alloc(min(n, 100)) }
		}},
		{"refuses without a reason", checkAllocTooMuch, "does not say", func(f *faulty) {
			f.alloc = func(n int64) (device.Buffer, error) { return nil, errors.New("no") }
		}},
		{"loses a transfer", checkRoundTrips, "changed", func(f *faulty) {
			f.queue.upload = func(q device.Queue, dst device.Tensor, src *tensor.Dense) {}
		}},
		{"straightens views", checkRefusals, "a view of columns was not refused", func(f *faulty) {
			f.queue.upload = func(q device.Queue, dst device.Tensor, src *tensor.Dense) {
				if src.RequiresIterator() {
					src = src.Materialize().(*tensor.Dense)
				}
				q.Upload(dst, src)
			}
		}},
		{"refuses without a reason", checkRefusals, "does not name", func(f *faulty) {
			f.queue.sync = func(q device.Queue) error {
				if q.Sync() != nil {
					return errors.New("conv7: upload: download: failed")
				}
				return nil
			}
		}},
		{"keeps its error", checkStickyError, "still there", func(f *faulty) {
			var kept error
			f.queue.sync = func(q device.Queue) error {
				if err := q.Sync(); err != nil {
					kept = err
				}
				return kept
			}
		}},
		{"swallows errors", checkStickyError, "no error", func(f *faulty) {
			f.queue.sync = func(q device.Queue) error { q.Sync(); return nil }
		}},
		{"runs on after an error", checkStickyError, "still run", func(f *faulty) {
			f.queue.upload = func(q device.Queue, dst device.Tensor, src *tensor.Dense) {
				err := q.Sync()
				q.Upload(dst, src)
				if err != nil { // the first error again
					q.Sync()
					q.Scope("first")
					q.Upload(dst, host([]float32{1}))
				}
			}
		}},
		{"runs after an error", checkNothingAfterError, "gemm NN 1x1x1 alpha 1 beta 0 after an error: it writes c", func(f *faulty) {
			f.queue.gemm = func(_ *faultyQueue, g device.GEMM, c, a, b device.Tensor, ws device.Buffer) {
				q, err := f.Device.NewQueue()
				require.NoError(t, err)
				q.GEMM(g, c, a, b, ws)
				require.NoError(t, q.Close())
			}
		}},
		{"a kernel after an error", checkNoKernelAfterError, "looks at its tensors", func(f *faulty) {
			f.queue.update = func(q device.Queue, p *expr.Program, out, in []device.Tensor, segments []device.Segment) {
				out[0].Buffer.Size()
			}
		}},
		{"events without errors", checkErrorsGoWithEvents, "has the error <nil>", func(f *faulty) {
			f.queue.wait = func(device.Queue, device.Event) {}
		}},
		{"clears before it copies", checkCopyToItself, "changed", func(f *faulty) {
			f.queue.copy = func(q device.Queue, dst, src device.Tensor) {
				q.Fill(dst, 0)
				q.Copy(dst, src)
			}
		}},
		{"copies what fits of it", checkRefusedCopies, "5 elements copied to 4 of float32: the error is <nil>", func(f *faulty) {
			f.queue.copy = func(q device.Queue, dst, src device.Tensor) {
				if src.Len() > dst.Len() {
					src.Shape = dst.Shape
				}
				q.Copy(dst, src)
			}
		}},
		{"adds in a different order", checkSumRepeats, "the same sum", func(f *faulty) {
			f.queue.reduce = func(q device.Queue, p *expr.Program, v device.View, op device.ReduceOp, axes expr.Axes, out device.Tensor, in []device.Tensor, m device.Mode, r device.Random) {
				noise++
				q.Fill(out, noise)
			}
		}},
	} {
		t.Run(f.name, func(t *testing.T) {
			dev := newFaulty()
			require.NoError(t, f.check(dev))
			f.spoil(dev)
			require.ErrorContains(t, f.check(dev), f.says)
		})
	}
}

type crooked struct{ greedy }

func (crooked) Alignment() int64 { return 3 }

type shrinking struct{ greedy }

func (shrinking) Needs(op device.Operation) device.Needs {
	if c, ok := op.(device.ConvPass); ok {
		return device.Needs{Scratch: int64(100 / c.N)}
	}
	return device.Needs{}
}

type useless struct{ greedy }

func (useless) Needs(op device.Operation) device.Needs {
	if _, ok := op.(device.ConvPass); ok {
		return device.Needs{Packed: 8}
	}
	return device.Needs{}
}

type always struct{ greedy }

func (always) Needs(device.Operation) device.Needs { return device.Needs{Scratch: 1} }

type growing struct{ greedy }

func (growing) Needs(op device.Operation) device.Needs {
	if c, ok := op.(device.ConvPass); ok {
		return device.Needs{Packed: int64(c.N)}
	}
	return device.Needs{}
}

// endless is a device that does not know that it is closed.
type endless struct{ device.Device }

func (endless) Close() error { return nil }

// once is a device that cannot be closed twice.
type once struct {
	device.Device
	closed bool
}

func (o *once) Close() error {
	if o.closed {
		return errors.New("closed twice")
	}
	o.closed = true
	return o.Device.Close()
}

func TestSuiteFindsWhatIsNotClosed(t *testing.T) {
	require.NoError(t, checkClose(reference.New()))
	require.ErrorContains(t, checkClose(endless{reference.New()}), "of a closed device: the error is <nil>, not that it is closed")
	require.EqualError(t, checkClose(&once{Device: reference.New()}), "closed twice")
}
