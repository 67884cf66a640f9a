package device

import "runtime/debug"

// Room reports whether a device has the given number of bytes free, and its
// free and total bytes. If the device does not tell, ok is true; Alloc then
// fails if there is too little memory.
func Room(d Device, bytes int64) (free, total int64, ok bool) {
	free, total, err := d.MemInfo()
	if err == nil && bytes > free {
		debug.FreeOSMemory() // the memory may be Go's, freed and not collected yet
		free, total, err = d.MemInfo()
	}
	return free, total, err != nil || bytes <= free
}
