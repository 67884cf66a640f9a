//go:build !linux

package cpu

// wantLargePages leaves the size of pages to the system.
func wantLargePages([]byte) {}
