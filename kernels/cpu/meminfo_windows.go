package cpu

import (
	"fmt"
	"unsafe"

	sys "golang.org/x/sys/windows" // windows are what a convolution looks through
)

// memoryStatus is MEMORYSTATUSEX.
type memoryStatus struct {
	length, load                 uint32
	totalPhys, availPhys         uint64
	totalPageFile, availPageFile uint64
	totalVirtual, availVirtual   uint64
	availExtendedVirtual         uint64
}

var globalMemoryStatus = sys.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")

// MemInfo is the physical memory that Windows calls available.
func (d *Device) MemInfo() (free, total int64, err error) {
	m := memoryStatus{}
	m.length = uint32(unsafe.Sizeof(m))
	if ok, _, err := globalMemoryStatus.Call(uintptr(unsafe.Pointer(&m))); ok == 0 {
		return 0, 0, fmt.Errorf("cpu: GlobalMemoryStatusEx: %w", err)
	}
	return int64(m.availPhys), int64(m.totalPhys), nil
}
