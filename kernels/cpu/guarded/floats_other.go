//go:build !unix

package guarded

import "testing"

// Floats is n elements; only Unix has guards around them.
func Floats(_ testing.TB, n int, _ bool) []float32 { return make([]float32, n) }
