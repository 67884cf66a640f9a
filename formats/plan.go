package formats

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// NoDevice are the traits of no device: readers plan layers for their shapes.
type NoDevice struct{}

// String is what messages call it.
func (NoDevice) String() string { return "no device" }

// Alignment is 1.
func (NoDevice) Alignment() int64 { return 1 }

// Staged is false.
func (NoDevice) Staged() bool { return false }

// Epilogue is false: there is none.
func (NoDevice) Epilogue(device.Unary) bool { return false }

// Needs is nothing.
func (NoDevice) Needs(device.Operation) device.Needs { return device.Needs{} }

// Precision is that of every operation.
func (NoDevice) Precision(device.Operation) device.Precision { return device.Precision{} }

// Shape is the shape of a sample of what a layer makes first, of samples of these shapes.
func Shape(l layers.Layer, samples ...[]int) ([]int, error) {
	in := make([]layers.Input, len(samples))
	for i, s := range samples {
		in[i] = layers.Input{Shape: append(tensor.Shape{1}, s...), DType: device.Float32}
	}
	spec, err := l.Plan(NoDevice{}, in, layers.Options{})
	if err != nil {
		return nil, fmt.Errorf("as a layer of the type %s: %w", l.Type(), err)
	}
	return spec.Out[0].Shape[1:], nil
}
