// Package cuda has the CUDA kernels and their launchers. The kernels are
// committed as PTX, which `make ptx` compiles from the .cu files, and run
// through driver.Driver on a GPU or on the simulator ptxsim.
package cuda

import (
	"embed"
	"fmt"
	"strings"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// Every source is compiled for each of these capabilities, highest first. The
// kernels have the same names and parameters in all of them.
var capabilities = []int{80, 70}

//go:embed ptx/sm*/*.ptx
var ptx embed.FS

// load compiles name.ptx, for the highest capability that the device has.
func load(d driver.Driver, name string) (driver.Module, error) {
	device := d.Properties()
	capability := capabilityFor(device.Capability())
	if capability == 0 {
		return nil, fmt.Errorf("cuda: %s is sm_%d; the kernels need sm_%d or later",
			device.Name, device.Capability(), capabilities[len(capabilities)-1])
	}
	text, err := ptx.ReadFile(ptxFile(capability, name))
	if err != nil {
		return nil, err
	}
	m, err := d.Load(name+".ptx", string(text))
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	return m, nil
}

// capabilityFor is what a device runs, or 0.
func capabilityFor(device int) int {
	for _, c := range capabilities {
		if c <= device {
			return c
		}
	}
	return 0
}

// PTX is the version of what a device runs, and the architecture that it is made
// for: "7.8 for sm_80". The device has to run some of it.
func PTX(p driver.Properties) string {
	capability := capabilityFor(p.Capability())
	text, err := ptx.ReadFile(ptxFile(capability, "gemm"))
	if err != nil {
		panic(err)
	}
	_, after, _ := strings.Cut(string(text), "\n.version ")
	version, _, _ := strings.Cut(after, "\n")
	return fmt.Sprintf("%s for sm_%d", version, capability)
}

func ptxFile(capability int, name string) string {
	return fmt.Sprintf("ptx/sm%d/%s.ptx", capability, name)
}

// loadKernels loads name.ptx and finds its kernels by name.
func loadKernels(d driver.Driver, name string, kernels map[string]*driver.Function) error {
	m, err := load(d, name)
	if err != nil {
		return err
	}
	for kernel, f := range kernels {
		if *f, err = m.Function(kernel); err != nil {
			return fmt.Errorf("cuda: %w", err)
		}
	}
	return nil
}
