package keras

import (
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats/nhwc"
	"github.com/hubel-go/hubel/layers"
)

// poolOf is the operation of a class of layers that pool.
func poolOf(class string) device.PoolOp {
	if strings.Contains(class, "Average") {
		return device.AveragePool
	}
	return device.MaxPool
}

// pool reads max and average pooling. Averages do not count the padding.
func pool(im *importer, c *call, in []*value) (*value, error) {
	w, err := im.windowsOf(c, in[0], "pool_size", "strides")
	if err != nil {
		return nil, err
	}
	if err := c.pad(w, in[0]); err != nil {
		return nil, err
	}
	l := w.Pool()
	l.Op = poolOf(c.class)
	return im.Emit(c.base, "", &l, in[0])
}

// globalPool reads global pooling. Without keepdims what it makes is flat.
func globalPool(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	if err := c.image(x); err != nil {
		return nil, err
	}
	y, err := im.Emit(c.base, "", &layers.Pool{Op: poolOf(c.class), Global: true}, x)
	if err != nil {
		return nil, err
	}
	y.Flat = !c.yes("keepdims", false)
	return y, nil
}

// adaptivePool reads pooling to images of a size.
func adaptivePool(im *importer, c *call, in []*value) (*value, error) {
	x := in[0]
	if err := c.image(x); err != nil {
		return nil, err
	}
	n := c.sizes("output_size", len(x.Sample)-1, 0, 1)
	if c.err != nil {
		return nil, c.err
	}
	return im.Emit(c.base, "", &layers.AdaptivePool{Op: poolOf(c.class), Size: nhwc.Size(n)}, x)
}
