package devicetest

import (
	"errors"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// checkClose closes a device that has queues, events and memory, and asks for more:
// every answer is an error that wraps device.ErrClosed, and what is closed or freed
// afterwards is so already. It runs one case of each operation.
func checkClose(dev device.Device) error {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	e, err := dev.NewEvent()
	if err != nil {
		return err
	}
	x, err := upload(dev, q, device.Float32, count[float32](4))
	if err != nil {
		return err
	}
	h, err := dev.HostAlloc(64)
	if err != nil {
		return err
	}
	launches := map[string]func(){
		"an upload":  func() { q.Upload(x, host(count[float32](4))) },
		"a download": func() { q.Download(host(count[float32](4)), x) },
		"a copy":     func() { q.Copy(x, device.Tensor{Buffer: x.Buffer.Slice(0, 16), Shape: tensor.Shape{4}}) },
		"a record":   func() { q.Record(e) },
		"a wait":     func() { q.Wait(e) },
		"nothing":    func() {},
	}
	for _, c := range Cases(Options{Short: true, Random: 1, Seed: 1}) {
		if launches[c.Op] != nil || !c.Supported(dev.Traits()) {
			continue
		}
		b, err := c.Bind(dev)
		if err != nil {
			return err
		}
		launches[c.Op] = func() { b.Launch(q) }
	}
	for range 2 {
		if err := dev.Close(); err != nil {
			return err
		}
	}
	asked := map[string]error{}
	for name, launch := range launches {
		launch()
		asked[name] = q.Sync()
	}
	_, asked["memory"] = dev.Alloc(4)
	_, asked["no memory"] = dev.Alloc(0)
	_, asked["host memory"] = dev.HostAlloc(4)
	_, asked["a queue"] = dev.NewQueue()
	_, asked["an event"] = dev.NewEvent()
	asked["an event's end"] = e.Sync()
	_, asked["an event's state"] = e.Passed()
	_, asked["a time"] = e.Since(e)
	for name, err := range asked {
		if !errors.Is(err, device.ErrClosed) {
			return fmt.Errorf("%s of a closed device: the error is %v, not that it is closed", name, err)
		}
	}
	return errors.Join(x.Buffer.Free(), h.Free(), e.Free(), q.Close(), dev.Close())
}
