//go:build !linux && !darwin && !windows

package cpu

import (
	"fmt"
	"runtime"
)

// MemInfo is not known on this system.
func (d *Device) MemInfo() (free, total int64, err error) {
	return 0, 0, fmt.Errorf("cpu: how much memory there is, is not known on %s", runtime.GOOS)
}
