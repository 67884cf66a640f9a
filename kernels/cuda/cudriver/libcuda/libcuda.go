//go:build cuda && linux && amd64

// Package libcuda stands between a program and the CUDA driver, so that one
// binary runs on machines with and without a driver. Package cu links
// libcuda.so hard and ends the process where cuInit fails. This package
// defines the symbols that it refers to; each is a jump into libcuda.so.1,
// which Open opens. Until then, and where there is none, every call of the
// driver answers CUDA_ERROR_NOT_FOUND.
package libcuda

/*
#cgo LDFLAGS: -ldl
const char *hubel_cuda_open(int *code);
*/
import "C"

import "sync"

// Open opens the CUDA driver, once: a program that asks for no CUDA device
// never waits for it. Problem is what is wrong with the library, and code what
// cuInit returned; "" and 0 where the driver works.
var Open = sync.OnceValues(func() (problem string, code int) {
	var c C.int
	problem = C.GoString(C.hubel_cuda_open(&c))
	return problem, int(c)
})
