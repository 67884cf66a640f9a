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
		Traits: func(device.Options) (device.Traits, error) {
			sim := ptxsim.New(ptxsim.Config{})
			return cuda.TraitsOf(sim.Properties()), sim.Close()
		},
	})
}

func open(name string, o device.Options) (device.Device, error) {
	if _, number, ok := strings.Cut(name, ":"); ok {
		if n, err := strconv.Atoi(number); err != nil || n < 0 {
			return nil, fmt.Errorf("device %q: simulated devices are named ptxsim, or ptxsim:0, ptxsim:1 and so on", name)
		}
	}
	if o.Threads < 0 || o.Threads > maxWorkers {
		return nil, fmt.Errorf("ptxsim: %d threads; there can be 1 to %d, or 0 for as many as the process may use", o.Threads, maxWorkers)
	}
	d, err := cuda.New(name, ptxsim.New(ptxsim.Config{Workers: o.Threads}))
	if err != nil {
		return nil, err
	}
	return d, nil
}
