//go:build cuda && linux && amd64

// Package cudriver is driver.Driver over gorgonia.org/cu: the real CUDA driver.
//
// A CUDA context belongs to the operating system's thread that made it current.
// Goroutines move between threads, so each call locks its thread and makes the
// device's context current first; that costs some hundred nanoseconds.
package cudriver

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"gorgonia.org/cu"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/cudriver/libcuda"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// What the kernels that ship need: PTX 7.8, which drivers for CUDA 11.8 and
// later compile, and compute capability 7.0 (Volta).
const (
	minDriver     = 11080
	minCapability = 70
)

// count is how many devices the machine has, at least one. Its error says what
// keeps the machine from using CUDA, and what would mend it.
func count() (int, error) {
	problem, code := libcuda.Open()
	if problem != "" {
		return 0, fmt.Errorf("no CUDA driver: %s; install NVIDIA's driver, version 520.61 or later, or give the container the cards: docker run --gpus all", problem)
	}
	if code != 0 {
		return 0, fmt.Errorf("the CUDA driver does not start: cuInit: %w; %s", result(code), remedy(code))
	}
	if v := cu.Version(); v < minDriver {
		return 0, fmt.Errorf("the CUDA driver is for CUDA %s; the kernels need one for CUDA 11.8 or later: install version 520.61 or later", version(v))
	}
	n, err := cu.NumDevices()
	switch {
	case err != nil:
		return 0, named("cuDeviceGetCount", err)
	case n == 0:
		return 0, errors.New("the CUDA driver finds no device; " + remedy(noDevice))
	}
	return n, nil
}

// Results of cuInit that have a remedy of their own.
const (
	noDevice           = 100
	systemNotReady     = 802
	driverMismatch     = 803
	compatNotSupported = 804
)

// remedy is what may help where cuInit returns a code.
func remedy(code int) string {
	visible, ok := os.LookupEnv("CUDA_VISIBLE_DEVICES")
	switch {
	case code == noDevice && ok:
		return fmt.Sprintf("CUDA_VISIBLE_DEVICES is %q: unset it", visible)
	case code == systemNotReady:
		return "cards that are joined by NVSwitch need the service nvidia-fabricmanager, of the driver's version: start it"
	case code == driverMismatch:
		return "the driver's library and its kernel module are of different versions: restart the machine"
	case code == compatNotSupported:
		return "this card runs with its own driver only: take the libraries of cuda-compat out of LD_LIBRARY_PATH"
	}
	return "nvidia-smi has to list the card: see that it is seated and has power, and that the kernel module nvidia is loaded"
}

// version is CUDA's way to write a version: 11080 is 11.8.
func version(v int) string { return fmt.Sprintf("%d.%d", v/1000, v%1000/10) }

// kernelModule is where Linux says which version of NVIDIA's kernel module runs.
const kernelModule = "/sys/module/nvidia/version"

// Version is that of the driver, such as "535.104.05, for CUDA 12.2"; its own
// number is left out where the system does not tell it.
func Version() string {
	text := "for CUDA " + version(cu.Version())
	if b, err := os.ReadFile(kernelModule); err == nil {
		text = strings.TrimSpace(string(b)) + ", " + text
	}
	return text
}

// Device is a CUDA device of this machine.
type Device struct {
	driver.Properties
	Problem string // why it cannot be used, and what would mend it; empty where it can
}

// Devices lists the machine's CUDA devices, also those that cannot be used.
func Devices() ([]Device, error) {
	n, err := count()
	if err != nil {
		return nil, err
	}
	devices := make([]Device, n)
	for i := range devices {
		if _, err := devices[i].describe(i); err != nil {
			devices[i].Problem = err.Error()
		}
	}
	return devices, nil
}

// Properties are those of the device of an index, which has to be one that can
// be used.
func Properties(index int) (driver.Properties, error) {
	_, p, err := find(index)
	return p, err
}

// find is the handle and the properties of a device that can be used.
func find(index int) (cu.Device, driver.Properties, error) {
	n, err := count()
	if err != nil {
		return 0, driver.Properties{}, err
	}
	if index < 0 || index >= n {
		return 0, driver.Properties{}, fmt.Errorf("there is no CUDA device %d; this machine has %d, counted from 0", index, n)
	}
	var p Device
	d, err := p.describe(index)
	return d, p.Properties, err
}

// prohibited is the compute mode in which a device takes no work.
const prohibited = 2

// describe asks for the properties of the device of an index.
func (p *Device) describe(index int) (d cu.Device, err error) {
	if d, err = cu.GetDevice(index); err != nil {
		return 0, named("cuDeviceGet", err)
	}
	if p.Name, err = d.Name(); err != nil {
		return 0, named("cuDeviceGetName", err)
	}
	if p.TotalMem, err = d.TotalMem(); err != nil {
		return 0, named("cuDeviceTotalMem", err)
	}
	mode := 0
	for _, a := range []struct {
		to   *int
		what cu.DeviceAttribute
	}{
		{&p.Major, cu.ComputeCapabilityMajor},
		{&p.Minor, cu.ComputeCapabilityMinor},
		{&p.SMs, cu.MultiprocessorCount},
		{&p.SharedPerBlock, cu.MaxSharedMemoryPerBlock},
		{&p.SharedOptin, sharedOptin},
		{&p.MaxThreads, cu.MaxThreadsPerBlock},
		{&mode, cu.ComputeMode},
	} {
		if *a.to, err = d.Attribute(a.what); err != nil {
			return 0, named("cuDeviceGetAttribute", err)
		}
	}
	switch {
	case p.Capability() < minCapability:
		return 0, fmt.Errorf("%s has compute capability %d.%d; the kernels need a card of 7.0 or later", p.Name, p.Major, p.Minor)
	case mode == prohibited:
		return 0, fmt.Errorf("%s is set to take no work: nvidia-smi -c DEFAULT allows it", p.Name)
	}
	return d, nil
}

var _ driver.Driver = (*cuda)(nil)

// cuda is one device, opened: the primary context of it.
type cuda struct {
	device     cu.Device
	context    cu.CUContext
	properties driver.Properties

	mu      sync.Mutex
	modules []*module // loaded
	locked  [][]byte  // page-locked memory that is allocated

	closing sync.Once
	closed  atomic.Bool // the context may be gone
}

// Open opens the device of an index.
func Open(index int) (driver.Driver, error) {
	h, p, err := find(index)
	if err != nil {
		return nil, err
	}
	d := &cuda{device: h, properties: p}
	if d.context, err = d.device.RetainPrimaryCtx(); err != nil {
		return nil, named("cuDevicePrimaryCtxRetain", err)
	}
	return d, nil
}

// do makes a call on a thread whose context is the device's.
func (d *cuda) do(call string, f func() error) error {
	if d.closed.Load() {
		return fmt.Errorf("%s: %w", call, device.ErrClosed)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cu.SetCurrentContext(d.context); err != nil {
		return named("cuCtxSetCurrent", err)
	}
	if err := f(); err != nil {
		return named(call, err)
	}
	return nil
}

// release is do for what frees something, which a closed device has done.
func (d *cuda) release(call string, f func() error) error {
	if d.closed.Load() {
		return nil
	}
	return d.do(call, f)
}

func (d *cuda) Properties() driver.Properties { return d.properties }

func (d *cuda) MemInfo() (free, total int64, err error) {
	err = d.do("cuMemGetInfo", func() (err error) {
		free, total, err = cu.MemInfo()
		return err
	})
	return free, total, err
}

func (d *cuda) Alloc(name string, bytes int64) (p driver.Ptr, err error) {
	err = d.do("cuMemAlloc", func() error {
		m, err := cu.MemAlloc(max(bytes, 1))
		p = driver.Ptr(m)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("%s: %d bytes: %w", name, bytes, err)
	}
	return p, nil
}

func (d *cuda) Free(p driver.Ptr) error {
	return d.release("cuMemFree", func() error { return cu.MemFree(cu.DevicePtr(p)) })
}

// Close unloads what is loaded and gives the context back. What was allocated
// and not freed goes with it once nobody else holds it.
func (d *cuda) Close() (err error) {
	d.closing.Do(func() { err = d.close() })
	return err
}

func (d *cuda) close() (err error) {
	d.mu.Lock()
	modules := slices.Clone(d.modules)
	d.mu.Unlock()
	for _, m := range modules {
		if unloading := m.Unload(); err == nil {
			err = unloading
		}
	}
	d.closed.Store(true)
	if releasing := d.device.ReleasePrimaryCtx(); releasing != nil && err == nil {
		err = named("cuDevicePrimaryCtxRelease", releasing)
	}
	return err
}
