package device

import "runtime/debug"

// Room says whether a device has so many bytes free, and how many it has free
// and in all. Where the device does not tell, ok is true: Alloc will.
func Room(d Device, bytes int64) (free, total int64, ok bool) {
	free, total, err := d.MemInfo()
	if err == nil && bytes > free {
		debug.FreeOSMemory() // the memory may be Go's, freed and not collected yet
		free, total, err = d.MemInfo()
	}
	return free, total, err != nil || bytes <= free
}
