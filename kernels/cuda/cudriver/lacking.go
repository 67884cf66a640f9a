//go:build cuda && linux && amd64

package cudriver

// What package cu lacks: launches that allocate nothing, page-locked memory,
// function attributes, the compiler's log and the names of errors.

/*
#include <stdint.h>
#include <stdlib.h>
#include <cuda.h>

// Every argument is 8 bytes, of which the kernel's parameter takes as many as
// it has.
static CUresult hubel_launch(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                             unsigned shared, CUstream s, uint64_t *args, int n) {
	void *params[64];
	for (int i = 0; i < n; i++)
		params[i] = &args[i];
	return cuLaunchKernel(f, gx, gy, gz, bx, by, bz, shared, s, params, NULL);
}

static CUresult hubel_load(CUmodule *m, const char *ptx, char *log, unsigned bytes) {
	CUjit_option options[2] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
	void *values[2] = {log, (void *)(uintptr_t)bytes};
	return cuModuleLoadDataEx(m, ptx, 2, options, values);
}
*/
import "C"

import (
	"fmt"
	"reflect"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// Attributes that cu does not list.
const (
	sharedOptin      cu.DeviceAttribute   = C.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
	maxDynamicShared cu.FunctionAttribute = C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
)

// result is a CUresult that is not success.
type result C.CUresult

// Error is "CUDA_ERROR_OUT_OF_MEMORY (2): out of memory".
func (r result) Error() string {
	var name, text *C.char
	C.cuGetErrorName(C.CUresult(r), &name)
	C.cuGetErrorString(C.CUresult(r), &text)
	if name == nil || text == nil {
		return fmt.Sprintf("CUDA error %d", int(r))
	}
	return fmt.Sprintf("%s (%d): %s", C.GoString(name), int(r), C.GoString(text))
}

// Late reports whether it is a code of what kernels and copies can do wrong, which
// any later call may return.
func (r result) Late() bool {
	switch r {
	case C.CUDA_ERROR_ECC_UNCORRECTABLE, C.CUDA_ERROR_NVLINK_UNCORRECTABLE, C.CUDA_ERROR_ILLEGAL_ADDRESS, C.CUDA_ERROR_LAUNCH_TIMEOUT,
		C.CUDA_ERROR_ASSERT, C.CUDA_ERROR_HARDWARE_STACK_ERROR, C.CUDA_ERROR_ILLEGAL_INSTRUCTION, C.CUDA_ERROR_MISALIGNED_ADDRESS,
		C.CUDA_ERROR_INVALID_ADDRESS_SPACE, C.CUDA_ERROR_INVALID_PC, C.CUDA_ERROR_LAUNCH_FAILED, C.CUDA_ERROR_UNKNOWN:
		return true
	}
	return false
}

// Results of compiling PTX that have a remedy.
const (
	jitNotFound = result(C.CUDA_ERROR_JIT_COMPILER_NOT_FOUND)
	jitDisabled = result(C.CUDA_ERROR_JIT_COMPILATION_DISABLED)
)

func check(r C.CUresult) error {
	if r != C.CUDA_SUCCESS {
		return result(r)
	}
	return nil
}

// named is an error of a call of the driver. Those of cu are CUresults of a
// type of its own, whose text is not CUDA's.
func named(call string, err error) error {
	if v := reflect.ValueOf(err); v.Kind() == reflect.Int {
		err = result(v.Int())
	}
	return fmt.Errorf("%s: %w", call, err)
}

// The handles of cu are structs of one field.
func handle(f cu.Function) C.CUfunction { return *(*C.CUfunction)(unsafe.Pointer(&f)) }

func launch(f cu.Function, c driver.Config, s cu.Stream, args []uint64) error {
	g, b := c.Grid.Full(), c.Block.Full()
	return check(C.hubel_launch(handle(f), C.uint(g.X), C.uint(g.Y), C.uint(g.Z), C.uint(b.X), C.uint(b.Y), C.uint(b.Z),
		C.uint(c.Shared), *(*C.CUstream)(unsafe.Pointer(&s)), (*C.uint64_t)(unsafe.SliceData(args)), C.int(len(args))))
}

func setAttribute(f cu.Function, a cu.FunctionAttribute, value int) error {
	return check(C.cuFuncSetAttribute(handle(f), C.CUfunction_attribute(a), C.int(value)))
}

// load compiles PTX. Where that fails it returns what the compiler says.
func load(ptx string) (m cu.Module, said string, err error) {
	text := C.CString(ptx)
	defer C.free(unsafe.Pointer(text))
	log := C.calloc(1, logBytes)
	defer C.free(log)
	err = check(C.hubel_load((*C.CUmodule)(unsafe.Pointer(&m)), text, (*C.char)(log), logBytes))
	if err != nil {
		said = trimmed(unsafe.Slice((*byte)(log), logBytes))
	}
	return m, said, err
}

// HostAlloc returns page-locked memory, from which copies are asynchronous.
func (d *cuda) HostAlloc(bytes int64) ([]byte, error) {
	var p unsafe.Pointer
	err := d.do("cuMemHostAlloc", func() error {
		return check(C.cuMemHostAlloc(&p, C.size_t(max(bytes, 1)), C.CU_MEMHOSTALLOC_PORTABLE))
	})
	if err != nil {
		return nil, fmt.Errorf("%d bytes of page-locked memory: %w", bytes, err)
	}
	mem := unsafe.Slice((*byte)(p), bytes)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.locked = append(d.locked, mem)
	return mem, nil
}

// isLocked reports whether memory is a part of what HostAlloc returned.
func (d *cuda) isLocked(mem []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := uintptr(unsafe.Pointer(unsafe.SliceData(mem)))
	return slices.ContainsFunc(d.locked, func(l []byte) bool {
		return at-uintptr(unsafe.Pointer(unsafe.SliceData(l))) < uintptr(len(l))
	})
}

// HostFree gives back what HostAlloc returned.
func (d *cuda) HostFree(b []byte) error {
	d.mu.Lock()
	d.locked = slices.DeleteFunc(d.locked, func(l []byte) bool { return unsafe.SliceData(l) == unsafe.SliceData(b) })
	d.mu.Unlock()
	return d.release("cuMemFreeHost", func() error { return cu.MemFreeHost(unsafe.Pointer(unsafe.SliceData(b))) })
}
