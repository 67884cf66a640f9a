package keras

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// poolOf is the operation of a class of layers that pool.
func poolOf(class string) device.PoolOp {
	for _, average := range []string{"AveragePooling1D", "AveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D"} {
		if class == average {
			return device.AveragePool
		}
	}
	return device.MaxPool
}

// pool reads max and average pooling. Averages do not count the padding.
func pool(im *importer, c *call, in []*value) (*value, error) {
	w, err := im.windowsOf(c, in[0], "pool_size", "strides")
	if err != nil {
		return nil, err
	}
	if err := w.pad(c, in[0]); err != nil {
		return nil, err
	}
	return im.emit(c.base, "", &layers.Pool{Op: poolOf(c.class), Window: size(w.kernel), Stride: option(w.stride), Pad: w.padding()}, in[0])
}

// globalPool reads global pooling. Without keepdims what it makes is flat.
func globalPool(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	if want := spatial(c.class); x.flat || len(x.sample)-1 != want {
		return nil, fmt.Errorf("its input is %v, and it takes %d axes of pixels and one of channels", x, want)
	}
	y, err := im.emit(c.base, "", &layers.Pool{Op: poolOf(c.class), Global: true}, x)
	if err != nil {
		return nil, err
	}
	y.flat = !c.yes("keepdims", false)
	return y, nil
}

// adaptivePool reads pooling to images of a size.
func adaptivePool(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	if want := spatial(c.class); x.flat || len(x.sample)-1 != want {
		return nil, fmt.Errorf("its input is %v, and it takes %d axes of pixels and one of channels", x, want)
	}
	n := c.sizes("output_size", len(x.sample)-1, 0, 1)
	if c.err != nil {
		return nil, c.err
	}
	return im.emit(c.base, "", &layers.AdaptivePool{Op: poolOf(c.class), Size: size(n)}, x)
}
