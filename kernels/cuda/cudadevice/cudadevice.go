// Package cudadevice registers the device "cuda": the CUDA kernels on the GPUs of
// this machine, which are opened by number, "cuda:0", "cuda:1"; "cuda" is the
// first. Programs built with the tag cuda have them; in others the device says
// that it is not there.
package cudadevice

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda"
)

func init() {
	device.Register("cuda", device.Driver{
		Open: open,
		Traits: func(name string, o device.Options) (device.Traits, error) {
			i, err := index(name)
			if err != nil {
				return nil, err
			}
			p, err := properties(i)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			traits, err := cuda.TraitsOf(p, o)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			return traits, nil
		},
		TF32: true,
		List: func(device.Options) []device.Info { return list() },
	})
}

func open(name string, o device.Options) (device.Device, error) {
	i, err := index(name)
	if err != nil {
		return nil, err
	}
	d, err := openDriver(i)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	dev, err := cuda.New(name, d, o)
	if err != nil {
		return nil, err
	}
	return dev, nil
}

// index is the number in a device's name.
func index(name string) (int, error) {
	_, number, ok := strings.Cut(name, ":")
	if !ok {
		return 0, nil
	}
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || strconv.Itoa(i) != number {
		return 0, fmt.Errorf("device %q: CUDA devices are named cuda:0, cuda:1 and so on", name)
	}
	return i, nil
}
