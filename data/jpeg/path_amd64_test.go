//go:build !purego

package jpeg

import "testing"

// useGeneric turns the assembly off for a test.
func useGeneric(t *testing.T) {
	before := useAVX2
	useAVX2 = false
	t.Cleanup(func() { useAVX2 = before })
}
