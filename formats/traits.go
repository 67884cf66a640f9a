package formats

import "github.com/hubel-go/hubel/device"

// Traits are those of no device: with them layers check their options, and a network finds the
// shapes of its values.
type Traits struct{}

// String implements device.Traits.
func (Traits) String() string { return "none" }

// Alignment implements device.Traits.
func (Traits) Alignment() int64 { return 64 }

// Staged implements device.Traits.
func (Traits) Staged() bool { return false }

// Epilogue implements device.Traits.
func (Traits) Epilogue(device.Unary) bool { return false }

// Needs implements device.Traits.
func (Traits) Needs(device.Operation) device.Needs { return device.Needs{} }

// Precision implements device.Traits.
func (Traits) Precision(device.Operation) device.Precision { return device.Precision{} }
