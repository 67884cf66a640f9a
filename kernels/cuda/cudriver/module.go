//go:build cuda && linux && amd64

package cudriver

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/cu"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

type module struct {
	d    *cuda
	name string
	m    cu.Module
}

// logBytes is room for what the driver's compiler says of PTX that it refuses.
const logBytes = 4096

func (d *cuda) Load(name, ptx string) (driver.Module, error) {
	m := &module{d: d, name: name}
	var said string
	err := d.do("cuModuleLoadDataEx", func() (err error) {
		m.m, said, err = load(ptx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w%s%s", name, err, uncompiled(err), said)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.modules = append(d.modules, m)
	return m, nil
}

// uncompiled is what may help where the driver compiles no PTX at all.
func uncompiled(err error) string {
	code := result(0)
	errors.As(err, &code)
	switch code {
	case jitNotFound:
		return "; the driver's compiler is missing: install libnvidia-ptxjitcompiler.so.1 of the driver's version"
	case jitDisabled:
		return "; CUDA_DISABLE_PTX_JIT or CUDA_DISABLE_JIT is set: unset it"
	}
	return ""
}

func (m *module) Function(name string) (driver.Function, error) {
	f := &function{d: m.d, name: name}
	err := m.d.do("cuModuleGetFunction", func() (err error) {
		f.f, err = m.m.Function(name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: kernel %s: %w", m.name, name, err)
	}
	return f, nil
}

func (m *module) Unload() error {
	m.d.mu.Lock()
	m.d.modules = slices.DeleteFunc(m.d.modules, func(other *module) bool { return other == m })
	m.d.mu.Unlock()
	return m.d.release("cuModuleUnload", func() error { return m.m.Unload() })
}

type function struct {
	d    *cuda
	name string
	f    cu.Function
}

func (f *function) Name() string { return f.name }

func (f *function) Attributes() (a driver.Attributes, err error) {
	for _, x := range []struct {
		to   *int
		what cu.FunctionAttribute
	}{
		{&a.MaxThreads, cu.FnMaxThreadsPerBlock},
		{&a.Shared, cu.SharedSizeBytes},
		{&a.MaxDynamicShared, maxDynamicShared},
		{&a.Local, cu.LocalSizeBytes},
		{&a.Registers, cu.NumRegs},
	} {
		err := f.d.do("cuFuncGetAttribute", func() (err error) {
			*x.to, err = f.f.Attribute(x.what)
			return err
		})
		if err != nil {
			return driver.Attributes{}, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return a, nil
}

func (f *function) SetMaxDynamicShared(bytes int) error {
	err := f.d.do("cuFuncSetAttribute", func() error { return setAttribute(f.f, maxDynamicShared, bytes) })
	if err != nil {
		return fmt.Errorf("%s: %d bytes of shared memory: %w", f.name, bytes, err)
	}
	return nil
}

// trimmed is a C string in a buffer, on a line of its own.
func trimmed(log []byte) string {
	text := bytes.TrimSpace(log[:max(0, bytes.IndexByte(log, 0))])
	if len(text) == 0 {
		return ""
	}
	return "\n" + string(text)
}
