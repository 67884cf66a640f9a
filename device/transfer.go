package device

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/tensor"
)

// CheckHost returns an error if data cannot be copied between host memory and
// t. The host's elements must be of t's type, or of one of also.
func CheckHost(h *tensor.Dense, t Tensor, also ...tensor.Dtype) error {
	switch {
	case h.Dtype() != t.DType.Host() && !slices.Contains(also, h.Dtype()):
		return fmt.Errorf("host data of type %v does not fit a tensor of type %v", h.Dtype(), t.DType)
	case h.DataOrder().IsColMajor():
		return errors.New("host data is column-major; it must be row-major")
	case h.RequiresIterator() || !h.DataOrder().IsContiguous():
		return errors.New("host data is not contiguous; clone or materialise the view first")
	case Elements(h.Shape()) != t.Len():
		return fmt.Errorf("host data of shape %v has %d elements, the tensor of shape %v has %d",
			h.Shape(), Elements(h.Shape()), t.Shape, t.Len())
	}
	return nil
}

// CheckCopy returns an error if src cannot be copied to dst.
func CheckCopy(dst, src Tensor) error {
	if dst.DType != src.DType || dst.Len() != src.Len() {
		return fmt.Errorf("%d elements of %v do not fit %d of %v", src.Len(), src.DType, dst.Len(), dst.DType)
	}
	return nil
}
