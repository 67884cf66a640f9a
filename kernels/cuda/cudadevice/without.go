//go:build !(cuda && linux && amd64)

package cudadevice

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// missing says why this program has no CUDA devices.
func missing() error {
	if platform := runtime.GOOS + "/" + runtime.GOARCH; platform != "linux/amd64" {
		return fmt.Errorf("CUDA is supported on linux/amd64, and this program was built for %s", platform)
	}
	return errors.New("this program was built without CUDA; `make cuda` builds one that has it")
}

func openDriver(int) (driver.Driver, error) { return nil, missing() }

func properties(int) (driver.Properties, error) { return driver.Properties{}, missing() }

func list() []device.Info { return []device.Info{{Name: "cuda", Problem: missing().Error()}} }
