// Package cuda has the CUDA kernels and their launchers. The kernels are
// committed as PTX, which `make ptx` compiles from the .cu files, and run
// through driver.Driver on a GPU or on the simulator ptxsim.
package cuda

import (
	"embed"
	"fmt"
	"strings"
	"sync"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// Every source is compiled for each of these capabilities, highest first. The
// kernels have the same names and parameters in all of them.
var capabilities = []int{80, 70}

//go:embed ptx/sm*/*.ptx
var ptx embed.FS

// file is a file of kernels, which is compiled when one of them is first launched: a
// network needs few of them.
type file struct {
	driver  driver.Driver
	name    string // name.ptx
	kernels map[string]driver.Function
	once    sync.Once
	err     error
}

// load compiles the file, for the highest capability that the device has, and finds its
// kernels.
func (f *file) load() error {
	f.once.Do(func() {
		text, err := ptx.ReadFile(ptxFile(capabilityFor(f.driver.Properties().Capability()), f.name))
		if err != nil {
			f.err = fmt.Errorf("cuda: %w: make ptx compiles it", err)
			return
		}
		m, err := f.driver.Load(f.name+".ptx", string(text))
		for kernel := range f.kernels {
			if err == nil {
				f.kernels[kernel], err = m.Function(kernel)
			}
		}
		if err != nil {
			f.err = fmt.Errorf("cuda: %w", err)
		}
	})
	return f.err
}

// function is a kernel of a file, by its name.
type function struct {
	*file
	kernel string
}

// loaded is the kernel as the driver has it.
func (f *function) loaded() (driver.Function, error) {
	if err := f.load(); err != nil {
		return nil, err
	}
	return f.kernels[f.kernel], nil
}

// Name is the kernel's.
func (f *function) Name() string { return f.kernel }

// Attributes loads the kernel's file.
func (f *function) Attributes() (driver.Attributes, error) {
	k, err := f.loaded()
	if err != nil {
		return driver.Attributes{}, err
	}
	return k.Attributes()
}

// SetMaxDynamicShared loads the kernel's file.
func (f *function) SetMaxDynamicShared(bytes int) error {
	k, err := f.loaded()
	if err != nil {
		return err
	}
	return k.SetMaxDynamicShared(bytes)
}

// checkCapability says whether there are kernels for a device.
func checkCapability(p driver.Properties) error {
	if capabilityFor(p.Capability()) == 0 {
		return fmt.Errorf("cuda: %s is sm_%d; the kernels need sm_%d or later", p.Name, p.Capability(), capabilities[len(capabilities)-1])
	}
	return nil
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

// declare makes the kernels of name.ptx, by name.
func declare(d driver.Driver, name string, kernels map[string]*driver.Function) {
	f := &file{driver: d, name: name, kernels: map[string]driver.Function{}}
	for kernel, to := range kernels {
		f.kernels[kernel] = nil
		*to = &function{f, kernel}
	}
}
