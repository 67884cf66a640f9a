//go:build cuda && linux && amd64

package cudadevice

import (
	"fmt"
	"strconv"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda"
	"github.com/hubel-go/hubel/kernels/cuda/cudriver"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

func openDriver(index int) (driver.Driver, error) { return cudriver.Open(index) }

func properties(index int) (driver.Properties, error) { return cudriver.Properties(index) }

func list() []device.Info {
	devices, err := cudriver.Devices()
	if err != nil {
		return []device.Info{{Name: "cuda", Problem: err.Error()}}
	}
	infos := make([]device.Info, len(devices))
	for i, d := range devices {
		infos[i] = device.Info{Name: "cuda:" + strconv.Itoa(i), Problem: d.Problem}
		if d.Problem == "" {
			infos[i].Facts = []device.Fact{
				{Name: "card", Value: fmt.Sprintf("%s, %d multiprocessors", d.Name, d.SMs)},
				{Name: "compute capability", Value: fmt.Sprintf("%d.%d", d.Major, d.Minor)},
				device.Memory(0, d.TotalMem),
				{Name: "driver", Value: cudriver.Version()},
				{Name: "PTX", Value: cuda.PTX(d.Properties)},
			}
		}
	}
	return infos
}
