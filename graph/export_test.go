package graph

import (
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// Before calls f before each step, while tests look at memory.
func (e *Executor) Before(f func(step int)) { e.before = f }

// ArenaSpan is a piece of the arena as float32.
func (e *Executor) ArenaSpan(offset, bytes int64) device.Tensor {
	return device.Tensor{Buffer: e.arena.Slice(offset, bytes), DType: device.Float32, Shape: tensor.Shape{int(bytes / 4)}}
}
