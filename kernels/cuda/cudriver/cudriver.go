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
	"runtime"

	"gorgonia.org/cu"

	"github.com/hubel-go/hubel/kernels/cuda/cudriver/libcuda"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// What the kernels that ship need: PTX 7.8, which drivers for CUDA 11.8 and
// later compile, and compute capability 7.0 (Volta).
const (
	minDriver     = 11080
	minCapability = 70
)

// Check says what keeps this machine from using CUDA, and what would mend it;
// nil where a device can be opened.
func Check() error {
	if p := libcuda.Problem(); p != "" {
		return fmt.Errorf("no CUDA driver: %s; install NVIDIA's driver, version 520 or later", p)
	}
	if v := cu.Version(); v < minDriver {
		return fmt.Errorf("the CUDA driver is for CUDA %s; the kernels need one for CUDA 11.8 or later (version 520)", version(v))
	}
	n, err := cu.NumDevices()
	switch {
	case err != nil:
		return named("cuDeviceGetCount", err)
	case n == 0:
		return errors.New("the CUDA driver finds no device")
	}
	return nil
}

// version is CUDA's way to write a version: 11080 is 11.8.
func version(v int) string { return fmt.Sprintf("%d.%d", v/1000, v%1000/10) }

// Device is a CUDA device of this machine.
type Device struct {
	driver.Properties
	Problem string // why it cannot be used; empty where it can
}

// Devices lists the machine's CUDA devices, also those that cannot be used.
func Devices() ([]Device, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, named("cuDeviceGetCount", err)
	}
	devices := make([]Device, n)
	for i := range devices {
		if devices[i], err = describe(cu.Device(i)); err != nil {
			return nil, fmt.Errorf("cuda:%d: %w", i, err)
		}
	}
	return devices, nil
}

// describe asks for a device's properties.
func describe(d cu.Device) (Device, error) {
	var p Device
	var err error
	if p.Name, err = d.Name(); err != nil {
		return Device{}, named("cuDeviceGetName", err)
	}
	if p.TotalMem, err = d.TotalMem(); err != nil {
		return Device{}, named("cuDeviceTotalMem", err)
	}
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
	} {
		if *a.to, err = d.Attribute(a.what); err != nil {
			return Device{}, named("cuDeviceGetAttribute", err)
		}
	}
	if p.Capability() < minCapability {
		p.Problem = fmt.Sprintf("%s has compute capability %d.%d; the kernels need 7.0 or later", p.Name, p.Major, p.Minor)
	}
	return p, nil
}

var _ driver.Driver = (*cuda)(nil)

// cuda is one device, opened: the primary context of it.
type cuda struct {
	device     cu.Device
	context    cu.CUContext
	properties driver.Properties
}

// Open opens the device of an index.
func Open(index int) (driver.Driver, error) {
	devices, err := Devices()
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= len(devices) {
		return nil, fmt.Errorf("there is no CUDA device %d; this machine has 0 to %d", index, len(devices)-1)
	}
	if p := devices[index].Problem; p != "" {
		return nil, errors.New(p)
	}
	d := &cuda{device: cu.Device(index), properties: devices[index].Properties}
	if d.context, err = d.device.RetainPrimaryCtx(); err != nil {
		return nil, named("cuDevicePrimaryCtxRetain", err)
	}
	return d, nil
}

// do makes a call on a thread whose context is the device's.
func (d *cuda) do(call string, f func() error) error {
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
	return d.do("cuMemFree", func() error { return cu.MemFree(cu.DevicePtr(p)) })
}

// Close gives the context back. What was allocated and not freed goes with it
// once nobody else holds it.
func (d *cuda) Close() error {
	if err := d.device.ReleasePrimaryCtx(); err != nil {
		return named("cuDevicePrimaryCtxRelease", err)
	}
	return nil
}
