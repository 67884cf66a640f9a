//go:build cuda && linux && amd64

// Package libnccl opens NCCL's library libnccl.so.2 when devices are first joined, so that one
// program runs on machines with and without it. Nothing of NCCL is needed to build.
package libnccl

/*
#cgo LDFLAGS: -ldl
#include "libnccl.h"
*/
import "C"

import (
	"fmt"
	"sync"
	"unsafe"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// Open opens the library, once. Its error says how to come by one.
var Open = sync.OnceValue(func() error {
	problem := C.GoString(C.hubel_nccl_open())
	if problem == "" {
		return nil
	}
	return fmt.Errorf("no NCCL: %s; install NVIDIA's package libnccl2, or `pip install nvidia-nccl-cu12` (of CUDA 13: nvidia-nccl-cu13) and put its folder nvidia/nccl/lib into LD_LIBRARY_PATH", problem)
})

// result is an error of NCCL.
type result struct{ code int }

func (r result) Error() string {
	return fmt.Sprintf("%s (%d); NCCL_DEBUG=WARN says more", C.GoString(C.hubel_nccl_says(C.int(r.code))), r.code)
}

// inProgress is the state of a Comm that does not know yet.
const inProgress = 7

func check(call string, code C.int) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", call, result{int(code)})
}

// NewID is ncclGetUniqueId.
func NewID() (id driver.ID, err error) {
	err = check("ncclGetUniqueId", C.hubel_nccl_id(unsafe.Pointer(&id)))
	return id, err
}

// Comm is an ncclComm_t.
type Comm struct{ comm unsafe.Pointer }

// Join is ncclCommInitRank, on the thread's device.
func Join(id driver.ID, rank, size int) (Comm, error) {
	var c Comm
	err := check("ncclCommInitRank", C.hubel_nccl_join(&c.comm, C.int(size), unsafe.Pointer(&id), C.int(rank)))
	return c, err
}

// Do enqueues calls on a CUstream as one group.
func (c Comm) Do(stream unsafe.Pointer, calls []driver.Call) error {
	if len(calls) == 0 {
		return nil
	}
	of := make([]C.hubel_nccl_call, len(calls))
	for i, call := range calls {
		of[i] = C.hubel_nccl_call{dst: C.uint64_t(call.Dst), src: C.uint64_t(call.Src), count: C.uint64_t(call.Count), op: C.int(call.Op), peer: C.int(call.Peer)}
	}
	name := calls[0].Op.String()
	if len(calls) > 1 {
		name = fmt.Sprintf("a group of %d calls from %s on", len(calls), name)
	}
	return check(name, C.hubel_nccl_do(c.comm, stream, unsafe.SliceData(of), C.int(len(of))))
}

// Failed is what ncclCommGetAsyncError knows.
func (c Comm) Failed() error {
	var code C.int
	if err := check("ncclCommGetAsyncError", C.hubel_nccl_failed(c.comm, &code)); err != nil {
		return err
	}
	if code == 0 || code == inProgress {
		return nil
	}
	return result{int(code)}
}

// Abort is ncclCommAbort.
func (c Comm) Abort() error { return check("ncclCommAbort", C.hubel_nccl_abort(c.comm)) }

// Destroy is ncclCommDestroy.
func (c Comm) Destroy() error { return check("ncclCommDestroy", C.hubel_nccl_destroy(c.comm)) }
