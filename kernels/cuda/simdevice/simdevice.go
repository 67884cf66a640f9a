// Package simdevice registers the device "ptxsim": the CUDA kernels, executed
// by the simulator. Each device that is opened is one of its own;
// "ptxsim:1" is as good a name as "ptxsim", to tell several apart.
package simdevice

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// maxWorkers bounds the goroutines that run blocks.
const maxWorkers = 4096

func init() {
	device.Register("ptxsim", device.Driver{
		Open: open,
		Traits: func(_ string, o device.Options) (device.Traits, error) {
			sim := ptxsim.New(ptxsim.Config{})
			defer sim.Close()
			return cuda.TraitsOf(sim.Properties(), o)
		},
		TF32: true,
		List: func(o device.Options) []device.Info { return []device.Info{describe(o)} },
	})
}

// describe says what a device opened with these options is.
func describe(o device.Options) device.Info {
	info := device.Info{Name: "ptxsim"}
	if err := checkThreads(o); err != nil {
		info.Problem = strings.TrimPrefix(err.Error(), "ptxsim: ")
		return info
	}
	sim := ptxsim.New(ptxsim.Config{Workers: o.Threads})
	defer sim.Close()
	p := sim.Properties()
	info.Facts = []device.Fact{
		{Name: "simulates", Value: fmt.Sprintf("compute capability %d.%d, %d multiprocessors", p.Major, p.Minor, p.SMs)},
		{Name: "PTX", Value: cuda.PTX(p)},
		{Name: "workers", Value: strconv.Itoa(sim.Workers())},
	}
	return info
}

func checkThreads(o device.Options) error {
	if o.Threads < 0 || o.Threads > maxWorkers {
		return fmt.Errorf("ptxsim: %d threads; there can be 1 to %d, or 0 for as many as the process may use", o.Threads, maxWorkers)
	}
	return nil
}

func open(name string, o device.Options) (device.Device, error) {
	if _, number, ok := strings.Cut(name, ":"); ok {
		if n, err := strconv.Atoi(number); err != nil || n < 0 {
			return nil, fmt.Errorf("device %q: simulated devices are named ptxsim, or ptxsim:0, ptxsim:1 and so on", name)
		}
	}
	if err := checkThreads(o); err != nil {
		return nil, err
	}
	d, err := cuda.New(name, ptxsim.New(ptxsim.Config{Workers: o.Threads}), o)
	if err != nil {
		return nil, err
	}
	return d, nil
}
