// Package cuda has the CUDA kernels and their launchers. The kernels are
// committed as PTX, which `make ptx` compiles from the .cu files, and run
// through driver.Driver on a GPU or on the simulator ptxsim.
package cuda

import (
	"embed"
	"fmt"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

//go:embed ptx/*.ptx
var ptx embed.FS

// load compiles ptx/name.ptx on a device.
func load(d driver.Driver, name string) (driver.Module, error) {
	text, err := ptx.ReadFile("ptx/" + name + ".ptx")
	if err != nil {
		return nil, err
	}
	m, err := d.Load(name+".ptx", string(text))
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	return m, nil
}
