package tflite

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/formats/nhwc"
	"github.com/hubel-go/hubel/layers"
)

// blocks is how TensorFlow writes a convolution with dilations: SPACE_TO_BATCH_ND pads an image
// and makes a sample of all pixels that lie a block apart, a convolution computes these, and
// BATCH_TO_SPACE_ND puts them together and cuts pixels off. A value in blocks is the image.
type blocks struct {
	block     []int
	pads      []int // at the top, bottom, left and right
	convolved bool
}

var errBlocks = errors.New("its input is in blocks, of SPACE_TO_BATCH_ND: a convolution of the padding VALID may read those, and BATCH_TO_SPACE_ND behind it")

// spaceToBatch reads SPACE_TO_BATCH_ND.
func spaceToBatch(im *importer, c *call) (*value, error) {
	x, err := im.image(c, 0, 2)
	if err != nil {
		return nil, err
	}
	b := &blocks{}
	if b.block, b.pads, err = c.blocks(); err != nil {
		return nil, err
	}
	for i, size := range x.Sample[1:] {
		if (size+b.pads[2*i]+b.pads[2*i+1])%b.block[i] != 0 {
			return nil, fmt.Errorf("its blocks %v do not divide %s with the pads %v", b.block, im.text(c.in[0]), b.pads)
		}
	}
	return &value{Value: x, blocks: b}, nil
}

// blocks are inputs 1 and 2: the size of a block, and numbers of pixels at each side.
func (c *call) blocks() (block, sides []int, err error) {
	if block, err = c.integers(1, "block"); err != nil {
		return
	}
	if sides, err = c.integers(2, "list of pads or crops"); err != nil {
		return
	}
	if len(block) != 2 || len(sides) != 4 || slices.Min(block) < 1 || slices.Max(block) > largestSize || slices.Min(sides) < 0 || slices.Max(sides) > largestSize {
		err = fmt.Errorf("its blocks %v and pads or crops %v are not those of the two axes of pixels, from 0 to %d", block, sides, largestSize)
	}
	return
}

// convolved is the image that a convolution reads, which may be in blocks.
func (im *importer) convolved(c *call) (*nhwc.Value, *blocks, error) {
	if len(c.in) == 0 || c.in[0] == nil || c.in[0].blocks == nil {
		x, err := im.image(c, 0, 2)
		return x, nil, err
	}
	if c.in[0].blocks.convolved {
		return nil, nil, errBlocks
	}
	return c.in[0].Value, c.in[0].blocks, nil
}

// pads sets the pads of a convolution and, of an image in blocks, the dilations.
func (c *call) pads(w *nhwc.Windows, x *nhwc.Value, b *blocks) error {
	if b == nil {
		return c.pad(w, x)
	}
	if c.options.byte(0) != 1 || !slices.Equal(w.Stride, []int{1, 1}) || !slices.Equal(w.Dilation, []int{1, 1}) {
		return errors.New("it reads an image in blocks, of SPACE_TO_BATCH_ND, and has another padding than VALID, strides or dilations")
	}
	w.Dilation = b.block
	w.Before, w.After = []int{b.pads[0], b.pads[2]}, []int{b.pads[1], b.pads[3]}
	return nil
}

// in is a value in blocks that were convolved, or the value if there are none.
func (b *blocks) in(v *value, err error) (*value, error) {
	if err != nil || b == nil {
		return v, err
	}
	return &value{Value: v.Value, blocks: &blocks{block: b.block, convolved: true}}, nil
}

// batchToSpace reads BATCH_TO_SPACE_ND.
func batchToSpace(im *importer, c *call) (*value, error) {
	block, crops, err := c.blocks()
	if err != nil {
		return nil, err
	}
	if len(c.in) == 0 || c.in[0] == nil || c.in[0].blocks == nil || !c.in[0].blocks.convolved || !slices.Equal(c.in[0].blocks.block, block) {
		return nil, errors.New("its input is no convolution of an image in the same blocks, of SPACE_TO_BATCH_ND")
	}
	y := c.in[0].Value
	for i, size := range y.Sample[1:] {
		from, to := crops[2*i], size-crops[2*i+1]
		if from >= to {
			return nil, fmt.Errorf("it cuts %v off an image of %d pixels", crops, size)
		}
		if from > 0 || to < size {
			if y, err = im.Emit(c.base, []string{"rows", "columns"}[i], &layers.Slice{Axis: 2 + i, Begin: from, End: to}, y); err != nil {
				return nil, err
			}
		}
	}
	return &value{Value: y}, nil
}
