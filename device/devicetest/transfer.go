package devicetest

import (
	"fmt"
	"regexp"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

var transferBehaviours = []behaviour{
	{"round trips", checkRoundTrips},
	{"refused host data", checkRefusals},
	{"host memory after an event", checkHostReuse},
}

func checkRoundTrips(dev device.Device) error {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	for _, t := range []device.DType{device.Float32, device.Int32, device.Uint8} {
		for _, n := range []int{1, 3, 100_001} {
			values := numbers(t, n)
			x, err := upload(dev, q, t, values)
			if err != nil {
				return err
			}
			got, err := download(q, x)
			if err != nil {
				return err
			}
			if i := sameBits(values, got); i >= 0 {
				return fmt.Errorf("%d elements of %v: element %d changed", n, t, i)
			}
			if err := x.Buffer.Free(); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkRefusals tries host data that must not cross, in both directions.
func checkRefusals(dev device.Device) error {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	square := func() *tensor.Dense {
		return tensor.New(tensor.WithShape(3, 3), tensor.WithBacking(count[float32](9)))
	}
	columns, err := square().Slice(nil, tensor.S(1, 3))
	if err != nil {
		return err
	}
	transposed := square()
	if err := transposed.T(); err != nil {
		return err
	}
	for _, c := range []struct {
		what string
		host *tensor.Dense
		n    int
		says string // regular expression
	}{
		{"a view of columns", columns.(*tensor.Dense), 6, "contiguous|row-major"},
		{"a transposed view", transposed, 9, "contiguous|row-major"},
		{"column-major data", tensor.New(tensor.WithShape(3, 3), tensor.AsFortran(count[float32](9))), 9, "contiguous|row-major"},
		{"too much data", square(), 8, "9.*8|8.*9"},
		{"too little data", square(), 10, "9.*10|10.*9"},
		{"data of another type", tensor.New(tensor.WithShape(9), tensor.WithBacking(count[int32](9))), 9, "int32.*float32|float32.*int32"},
	} {
		before := numbers(device.Float32, c.n)
		x, err := upload(dev, q, device.Float32, before)
		if err != nil {
			return err
		}
		for name, transfer := range map[string]func(){
			"upload":   func() { q.Upload(x, c.host) },
			"download": func() { q.Download(c.host, x) },
		} {
			q.Scope("conv7")
			transfer()
			err := q.Sync()
			if err == nil {
				return fmt.Errorf("%s: %s was not refused", name, c.what)
			}
			if s := err.Error(); !regexp.MustCompile(c.says).MatchString(s) || !strings.Contains(s, "conv7") || !strings.Contains(strings.ToLower(s), name) {
				return fmt.Errorf("%s of %s: the error %q does not name the scope conv7, the %s and what is wrong: %s", name, c.what, s, name, c.says)
			}
		}
		after, err := download(q, x)
		if err != nil {
			return fmt.Errorf("after a refusal and Sync: %w", err)
		}
		if i := sameBits(before, after); i >= 0 {
			return fmt.Errorf("%s was refused and element %d changed all the same", c.what, i)
		}
		if err := x.Buffer.Free(); err != nil {
			return err
		}
	}
	return nil
}

// checkHostReuse overwrites the source of an upload as soon as an event after
// it has passed, and reads the target of a download then.
func checkHostReuse(dev device.Device) error {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	e, err := dev.NewEvent()
	if err != nil {
		return err
	}
	defer e.Free()
	source, want := count[float32](100_000), count[float32](100_000)
	x, err := upload(dev, q, device.Float32, make([]float32, len(want)))
	if err != nil {
		return err
	}
	defer x.Buffer.Free()
	q.Upload(x, host(source))
	q.Record(e)
	if err := e.Sync(); err != nil {
		return err
	}
	clear(source)
	got := make([]float32, len(want))
	q.Download(host(got), x)
	q.Record(e)
	if err := e.Sync(); err != nil {
		return err
	}
	if i := sameBits(want, got); i >= 0 {
		return fmt.Errorf("element %d is %v, want %v", i, got[i], want[i])
	}
	return q.Sync()
}
