package cpu

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// MemInfo counts all memory as free that this process does not hold: macOS
// fills memory with what it can drop or compress, so its count of free pages
// says little.
func (d *Device) MemInfo() (free, total int64, err error) {
	size, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0, 0, fmt.Errorf("cpu: sysctl hw.memsize: %w", err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	held := int64(m.Sys - m.HeapReleased)
	return max(int64(size)-held, 0), int64(size), nil
}
