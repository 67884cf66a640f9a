//go:build cuda && linux && amd64

// Package libcuda stands between a program and the CUDA driver, so that one
// binary runs on machines with and without a driver. Package cu links
// libcuda.so hard and ends the process where cuInit fails. This package
// defines the symbols that it refers to; each is a jump into libcuda.so.1,
// which is opened when the program starts. Where there is none there are no
// devices, and Problem says why.
package libcuda

/*
#cgo LDFLAGS: -ldl
const char *hubel_cuda_problem(void);
*/
import "C"

// Problem says what is wrong with the CUDA driver of this machine; it is empty
// where the driver works.
func Problem() string { return C.GoString(C.hubel_cuda_problem()) }
