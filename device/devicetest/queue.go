package devicetest

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

var queueBehaviours = []behaviour{
	{"first error sticks", checkStickyError},
	{"no kernel after an error", checkNoKernelAfterError},
	{"nothing written after an error", checkNothingAfterError},
	{"copy to itself", checkCopyToItself},
	{"refused copies", checkRefusedCopies},
	{"refused strided copies", checkRefusedStrides},
	{"kernels run in order", checkOrder},
	{"events", checkEvents},
	{"wait between queues", checkWait},
	{"errors go with events", checkErrorsGoWithEvents},
	{"queues side by side", checkTwoQueues},
	{"a sum repeats its bits", checkSumRepeats},
}

func checkStickyError(dev device.Device) error {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	x, err := upload(dev, q, device.Float32, count[float32](4))
	if err != nil {
		return err
	}
	defer x.Buffer.Free()
	q.Scope("first")
	q.Upload(x, host(count[float32](5)))
	q.Scope("second")
	q.Upload(x, host(count[float32](6)))
	q.Fill(x, 7)
	q.Upload(x, host([]float32{9, 9, 9, 9}))
	err = q.Sync()
	if err == nil {
		return errors.New("no error after an upload of the wrong length")
	}
	if s := err.Error(); !strings.Contains(s, "first") || strings.Contains(s, "second") {
		return fmt.Errorf("the error %q is not that of the first failure, whose scope was first", s)
	}
	if err := q.Sync(); err != nil {
		return fmt.Errorf("the error is still there after Sync has returned it: %w", err)
	}
	got, err := download(q, x)
	if err != nil {
		return err
	}
	if sameBits(count[float32](4), got) >= 0 {
		return fmt.Errorf("calls after a failure still run: the tensor became %v", got)
	}
	q.Fill(x, 7)
	if got, err = download(q, x); err != nil {
		return err
	}
	if sameBits([]float32{7, 7, 7, 7}, got) >= 0 {
		return fmt.Errorf("after Sync the queue does not run again: Fill with 7 left %v", got)
	}
	return nil
}

// checkNothingAfterError launches a case of each operation on a queue that has failed:
// nothing may be written.
func checkNothingAfterError(dev device.Device) error {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	tried := map[string]bool{}
	for _, c := range Cases(Options{Short: true, Random: 1, Seed: 1}) {
		if tried[c.Op] || !c.Supported(dev.Traits()) {
			continue
		}
		tried[c.Op] = true
		if err := c.checkNothingAfterError(dev, q); err != nil {
			return fmt.Errorf("%s %s after an error: %w", c.Op, c.Name, err)
		}
	}
	return nil
}

func (c Case) checkNothingAfterError(dev device.Device, q device.Queue) error {
	b, err := c.Bind(dev)
	if err != nil {
		return err
	}
	defer b.Close()
	before, err := b.results(q)
	if err != nil {
		return err
	}
	q.Copy(device.Tensor{}, device.Tensor{DType: device.Int32})
	b.Launch(q)
	if err := q.Sync(); err == nil {
		return errors.New("the queue has forgotten it")
	}
	after, err := b.results(q)
	if err != nil {
		return err
	}
	for i, x := range before {
		if x != nil && sameBits(x, after[i]) >= 0 {
			return fmt.Errorf("it writes %s", c.args[i].name)
		}
	}
	return nil
}

// checkNoKernelAfterError calls every kernel with absent tensors: none may look at them.
func checkNoKernelAfterError(dev device.Device) (err error) {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a kernel that is called after an error looks at its tensors: %v", p)
		}
	}()
	var x device.Tensor
	var m device.Mode
	q.Scope("first")
	q.Copy(x, device.Tensor{DType: device.Int32})
	q.Copy(x, x)
	q.Fill(x, 1)
	q.CopyStrided(device.Strided{}, x, x, m)
	q.ConvForward(device.Conv{}, x, x, device.Filter{}, device.Epilogue{}, nil)
	q.ConvBackwardData(device.Conv{}, x, x, device.Filter{}, m, nil)
	q.ConvBackwardFilter(device.Conv{}, x, x, x, x, m, nil)
	q.ConvPack(device.Conv{}, device.Forward, nil, x)
	q.DenseForward(device.Dense{}, x, x, x, device.Epilogue{}, nil)
	q.DenseBackwardData(device.Dense{}, x, x, x, m, nil)
	q.DenseBackwardFilter(device.Dense{}, x, x, x, x, m, nil)
	q.GEMM(device.GEMM{}, x, x, x, nil)
	q.LRNForward(device.LRN{}, x, x, x)
	q.LRNBackward(device.LRN{}, x, x, x, x, m)
	q.Map(nil, device.View{}, nil, nil, nil, device.Random{})
	q.Reduce(nil, device.View{}, device.Sum, expr.Whole, x, nil, m, device.Random{})
	q.PoolForward(device.Pool{}, x, x, x)
	q.PoolBackward(device.Pool{}, x, x, x, m)
	q.PoolGather(device.Pool{}, x, x, x, m)
	q.SoftmaxForward(device.Softmax{}, x, x)
	q.SoftmaxBackward(device.Softmax{}, x, x, x, m)
	q.Update(nil, []device.Tensor{x}, nil, nil)
	q.Upload(x, nil)
	q.Download(nil, x)
	if err := q.Sync(); err == nil || !strings.HasPrefix(err.Error(), "first: ") {
		return fmt.Errorf("the error %v is not that of the copy", err)
	}
	return nil
}

func checkCopyToItself(dev device.Device) error {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	values := count[float32](1000)
	x, err := upload(dev, q, device.Float32, values)
	if err != nil {
		return err
	}
	defer x.Buffer.Free()
	q.Copy(x, x)
	got, err := download(q, x)
	if err != nil {
		return err
	}
	if i := sameBits(values, got); i >= 0 {
		return fmt.Errorf("element %d changed", i)
	}
	return nil
}

// checkRefusedCopies tries to copy what is longer, shorter or of another type.
func checkRefusedCopies(dev device.Device) error {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	values := count[float32](4)
	x, err := upload(dev, q, device.Float32, values)
	if err != nil {
		return err
	}
	defer x.Buffer.Free()
	for _, c := range []struct {
		what   string
		values any
		t      device.DType
	}{
		{"5 elements", []float32{9, 9, 9, 9, 9}, device.Float32},
		{"3 elements", []float32{9, 9, 9}, device.Float32},
		{"int32", []int32{9, 9, 9, 9}, device.Int32},
	} {
		other, err := upload(dev, q, c.t, c.values)
		if err != nil {
			return err
		}
		q.Scope("conv7")
		q.Copy(x, other)
		if err := q.Sync(); err == nil || !strings.Contains(err.Error(), "conv7") {
			return fmt.Errorf("%s copied to 4 of float32: the error is %v, which has to name the scope conv7", c.what, err)
		}
		got, err := download(q, x)
		if err != nil {
			return err
		}
		if sameBits(values, got) >= 0 {
			return fmt.Errorf("%s copied to 4 of float32: it was refused, and the tensor became %v", c.what, got)
		}
		if err := other.Buffer.Free(); err != nil {
			return err
		}
	}
	return nil
}

// doubling adds a tensor to itself so often that no result is there early.
const doublings = 20

var double = expr.MustNew(expr.Mul(expr.Const(2), expr.Input(0, expr.Whole)))

func enqueueDoubling(q device.Queue, x device.Tensor) {
	q.Fill(x, 1)
	for range doublings {
		q.Map(double, device.View{N: 1, C: 1, Inner: x.Len()}, []device.Tensor{x}, []device.Tensor{x}, []device.Mode{device.Overwrite}, device.Random{})
	}
}

func checkDoubled(values any) error {
	for i, v := range values.([]float32) {
		if v != 1<<doublings {
			return fmt.Errorf("element %d is %v after %d doublings of 1", i, v, doublings)
		}
	}
	return nil
}

func checkOrder(dev device.Device) error {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	x, err := upload(dev, q, device.Float32, count[float32](10_000))
	if err != nil {
		return err
	}
	defer x.Buffer.Free()
	enqueueDoubling(q, x)
	got, err := download(q, x)
	if err != nil {
		return err
	}
	return checkDoubled(got)
}

func checkEvents(dev device.Device) error {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	var e [3]device.Event
	for i := range e {
		if e[i], err = dev.NewEvent(); err != nil {
			return err
		}
		defer e[i].Free()
	}
	if err := e[2].Sync(); err != nil {
		return fmt.Errorf("an event that was never recorded has passed, yet: %w", err)
	}
	q.Wait(e[2])
	x, err := upload(dev, q, device.Float32, count[float32](10_000))
	if err != nil {
		return err
	}
	defer x.Buffer.Free()
	for range 2 { // an event may be recorded again
		q.Record(e[0])
		enqueueDoubling(q, x)
		q.Record(e[1])
		if err := e[1].Sync(); err != nil {
			return err
		}
		d, err := e[1].Since(e[0])
		if err != nil {
			return err
		}
		if d < 0 {
			return fmt.Errorf("%v passed between an event and a later one", d)
		}
		if passed, err := e[1].Passed(); !passed || err != nil {
			return fmt.Errorf("an event that was waited for has not passed: %w", err)
		}
	}
	if _, err := e[1].Since(e[2]); err == nil {
		return errors.New("no error about the time since an event that was never recorded")
	}
	return q.Sync()
}

// checkWait lets one queue read what another makes.
func checkWait(dev device.Device) error {
	maker, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer maker.Close()
	reader, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer reader.Close()
	e, err := dev.NewEvent()
	if err != nil {
		return err
	}
	defer e.Free()
	x, err := upload(dev, maker, device.Float32, count[float32](10_000))
	if err != nil {
		return err
	}
	defer x.Buffer.Free()
	for range 5 {
		enqueueDoubling(maker, x)
		maker.Record(e)
		reader.Wait(e)
		got, err := download(reader, x)
		if err != nil {
			return err
		}
		if err := checkDoubled(got); err != nil {
			return err
		}
		if err := maker.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// checkErrorsGoWithEvents lets a queue wait for one that has failed, and again
// once that has recovered.
func checkErrorsGoWithEvents(dev device.Device) error {
	failing, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer failing.Close()
	waiting, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer waiting.Close()
	e, err := dev.NewEvent()
	if err != nil {
		return err
	}
	defer e.Free()
	failing.Scope("elsewhere")
	failing.Fail("kernel", errors.New("out of order"))
	failing.Record(e)
	waiting.Wait(e)
	if err := waiting.Sync(); err == nil || !strings.Contains(err.Error(), "elsewhere: kernel: out of order") {
		return fmt.Errorf("a queue that waits for one that has failed has the error %v, not that one's", err)
	}
	if err := failing.Sync(); err == nil {
		return errors.New("an event took away the error of the queue that recorded it")
	}
	failing.Record(e)
	waiting.Wait(e)
	if err := waiting.Sync(); err != nil {
		return fmt.Errorf("an event that is recorded again still has the error %w", err)
	}
	return nil
}

// checkTwoQueues runs two goroutines, each with a queue of its own.
func checkTwoQueues(dev device.Device) error {
	run := func() error {
		q, err := dev.NewQueue()
		if err != nil {
			return err
		}
		defer q.Close()
		x, err := upload(dev, q, device.Float32, count[float32](10_000))
		if err != nil {
			return err
		}
		defer x.Buffer.Free()
		for range 10 {
			enqueueDoubling(q, x)
			got, err := download(q, x)
			if err != nil {
				return err
			}
			if err := checkDoubled(got); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make(chan error)
	for range 2 {
		go func() { errs <- run() }()
	}
	return errors.Join(<-errs, <-errs)
}

// checkSumRepeats wants the same bits every time: the sum's order may depend on the
// length alone.
func checkSumRepeats(dev device.Device) error {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	c := squaresCase(300_007)
	b, err := c.bind(dev, q, c.values(1))
	if err != nil {
		return err
	}
	defer b.Close()
	var first float32
	for i := range 10 {
		b.Launch(q)
		got, err := download(q, b.t[0])
		if err != nil {
			return err
		}
		sum := got.([]float32)[0]
		if i == 0 {
			first = sum
		}
		if math.Float32bits(sum) != math.Float32bits(first) {
			return fmt.Errorf("the same sum is %v and then %v", first, sum)
		}
	}
	return nil
}
