//go:build !amd64 || purego

package jpeg

import "testing"

// useGeneric does nothing: there is no other path.
func useGeneric(*testing.T) {}
