package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/dist"
	"github.com/hubel-go/hubel/dist/mpi"
	_ "github.com/hubel-go/hubel/kernels/cpu" // the device
)

// The operations that are measured.
const (
	allReduce     = "all-reduce"
	reduceScatter = "reduce-scatter"
	allGather     = "all-gather"
	training      = "training"
)

// Measured is a median of times.
type Measured struct {
	Link    string  `json:"link"` // its rate, as tc takes it, or "none"
	Ranks   int     `json:"ranks"`
	What    string  `json:"what"`              // an operation, or training
	Network string  `json:"network,omitempty"` // of training
	Batch   int     `json:"batch,omitempty"`   // of training, each rank's
	Sharded bool    `json:"sharded,omitempty"` // of training
	Cores   int     `json:"cores,omitempty"`   // of the machine, where nothing is exchanged
	Bytes   int     `json:"bytes,omitempty"`   // of an operation
	Seconds float64 `json:"seconds"`           // of an operation or of a step
}

// sizes are the bytes of the operations that are measured.
var sizes = []int{256, 64 << 10, 1 << 20, 4 << 20, 16 << 20}

// measuredFor is about how long each is repeated, at least 5 times.
const measuredFor = time.Second

// measure is one rank of a measurement. Rank 0 writes a line of JSON for each number.
func measure(ctx context.Context, link string, w io.Writer) (err error) {
	g, err := mpi.Open()
	if err != nil {
		return err
	}
	d, err := device.Open("cpu", device.Options{Threads: 1})
	if err != nil {
		return err
	}
	if err := measureOn(ctx, g, d, link, w); err != nil {
		g.Abort(err)
	}
	if err := d.Close(); err != nil {
		return err
	}
	return g.Close()
}

func measureOn(ctx context.Context, g dist.Group, d device.Device, link string, w io.Writer) error {
	x, err := g.Exchange(d)
	if err != nil {
		return err
	}
	defer x.Close()
	q, err := d.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	for _, bytes := range sizes {
		all, err := floats(d, bytes/4)
		if err != nil {
			return err
		}
		from, to := dist.Part(bytes/4, g.Rank(), g.Size())
		part, err := floats(d, max(to-from, 1))
		if err != nil {
			return err
		}
		part.Shape = tensor.Shape{to - from}
		q.Fill(all, 0)
		for _, op := range []struct {
			what  string
			start func()
		}{
			{allReduce, func() { x.AllReduce(q, all) }},
			{reduceScatter, func() { x.ReduceScatter(q, part, all) }},
			{allGather, func() { x.AllGather(q, all, part) }},
		} {
			seconds, err := repeat(ctx, g, func() error {
				op.start()
				return x.Wait(q)
			})
			if err != nil {
				return err
			}
			if g.Rank() == 0 {
				if err := json.NewEncoder(w).Encode(Measured{Link: link, Ranks: g.Size(), What: op.what, Bytes: bytes, Seconds: seconds}); err != nil {
					return err
				}
			}
		}
		if err := all.Buffer.Free(); err != nil {
			return err
		}
		if err := part.Buffer.Free(); err != nil {
			return err
		}
	}
	return nil
}

func floats(d device.Device, n int) (device.Tensor, error) {
	b, err := d.Alloc(int64(n) * 4)
	return device.Tensor{Buffer: b, DType: device.Float32, Shape: tensor.Shape{n}}, err
}

// repeat returns the median of the times of f, of which all ranks make as many. Each
// begins when all ranks are there.
func repeat(ctx context.Context, g dist.Group, f func() error) (float64, error) {
	var times []time.Duration
	for began := time.Now(); ; {
		more := []byte{0}
		if len(times) < 6 || time.Since(began) < measuredFor {
			more[0] = 1
		}
		all, err := g.Gather(ctx, more)
		if err != nil {
			return 0, err
		}
		if all[0][0] == 0 {
			break
		}
		start := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
	}
	times = times[1:] // the first makes connections
	slices.Sort(times)
	return times[len(times)/2].Seconds(), nil
}

// readMeasured reads lines of JSON.
func readMeasured(r io.Reader) (all []Measured, err error) {
	d := json.NewDecoder(r)
	for {
		var m Measured
		switch err := d.Decode(&m); {
		case err == io.EOF:
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("measurement %d: %w", len(all)+1, err)
		case m.Ranks < 1 || !(m.Seconds > 0) || m.Bytes < 0:
			return nil, fmt.Errorf("measurement %d: %+v cannot be", len(all)+1, m)
		}
		all = append(all, m)
	}
}
