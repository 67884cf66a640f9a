package caffe

import (
	"fmt"
	"path"
	"strings"

	"github.com/hubel-go/hubel/data"
)

// preprocess is what data layers do to pictures before the network sees them.
type preprocess struct {
	first *layer     // the data layer, the first that transforms pictures
	mean  *meanImage // that was given, nil if there is none

	scale         float32
	values        []float32 // of the mean, one for each channel, or one for all
	file          string    // of a mean image
	crop          int
	mirror        bool
	height, width int // that pictures are made first; 0 if they stay
	grey          bool
}

// read takes the transformation of a data layer that may be the one of the images.
func (p *preprocess) read(b *builder, l *layer) error {
	t := l.param("transform_param")
	if p.first != nil || len(l.top) == 0 || t == nil && l.typ != "ImageData" {
		return nil
	}
	p.first = l
	p.scale = t.float("scale", 1)
	for _, f := range t.all("mean_value") {
		p.values = append(p.values, float32(f.real))
	}
	p.file = t.text("mean_file", "")
	if p.file != "" && p.values != nil {
		return l.fail("transform_param has a mean_file and a mean_value: it takes one of them")
	}
	var err error
	if p.crop, err = l.number("crop_size", t.int("crop_size", 0)); err != nil {
		return err
	}
	p.mirror = t.bool("mirror", false)
	p.grey = t.bool("force_gray", false)
	if l.typ == "ImageData" {
		i := l.param("image_data_param")
		if p.height, err = l.number("new_height", i.int("new_height", 0)); err != nil {
			return err
		}
		if p.width, err = l.number("new_width", i.int("new_width", 0)); err != nil {
			return err
		}
		p.grey = p.grey || !i.bool("is_color", true)
	}
	return nil
}

// shape is [C,H,W] of a sample, as far as the transformation says; nil if it does not.
func (p *preprocess) shape(l *layer) []int64 {
	if p.first != l {
		return nil
	}
	channels := int64(3)
	switch {
	case p.mean != nil:
		channels = int64(p.mean.shape[0])
	case p.grey:
		channels = 1
	}
	switch {
	case p.crop > 0:
		return []int64{channels, int64(p.crop), int64(p.crop)}
	case p.height > 0 && p.width > 0:
		return []int64{channels, int64(p.height), int64(p.width)}
	case p.mean != nil:
		return []int64{channels, int64(p.mean.shape[1]), int64(p.mean.shape[2])}
	}
	return nil
}

// hubel is the preprocessing for images [C,H,W]. lost and facts are lines about it.
//
// Caffe reads pictures with the channels B, G, R, and hubel with R, G, B. The network keeps its
// own order: what it is fed with is in the file's order, so that recorded inputs stay right, and
// its first layers have the weights of the file. The preprocessing turns pictures round: W of
// data.Preprocess is the permutation, which moves numbers and rounds none. The mean is taken
// off before that, in the order of the picture. A mean image, such as Caffe's tools write, is
// in the network's order, as mean_value is.
func (p *preprocess) hubel(shape []int, bgr bool) (out data.Preprocess, facts, lost []string, err error) {
	mean := p.mean
	channels := shape[0]
	if p.scale != 0 && p.scale != 1 {
		out.Scale = p.scale
	}
	switch {
	case mean != nil:
		if mean.shape[0] != channels {
			return out, nil, nil, fmt.Errorf("%s: the mean image has %d channels, and those of the network have %d", mean.path, mean.shape[0], channels)
		}
		var whole bool
		if out.Mean, whole, err = mean.centre(shape); err != nil {
			return out, nil, nil, err
		}
		if !whole && p.crop > 0 {
			lost = append(lost, fmt.Sprintf("the mean image of %dx%d pixels: its centre of %dx%d is taken off every crop, where Caffe takes off the part under the crop", mean.shape[1], mean.shape[2], shape[1], shape[2]))
		}
	case len(p.values) == 1:
		for range channels {
			out.Mean = append(out.Mean, p.values[0])
		}
	case len(p.values) == channels:
		out.Mean = append(out.Mean, p.values...)
	case len(p.values) > 0:
		return out, nil, nil, p.first.fail("there are %d mean_value for %d channels", len(p.values), channels)
	case p.file != "":
		lost = append(lost, fmt.Sprintf("%v takes the mean image %q off: give that file too, the .binaryproto", p.first, path.Base(strings.ReplaceAll(p.file, `\`, "/"))))
	}
	p.geometry(&out, shape)
	if bgr && channels == 3 {
		plane := len(out.Mean) / 3
		if plane > 0 {
			swapped := append(data.Floats{}, out.Mean[2*plane:]...)
			swapped = append(append(swapped, out.Mean[plane:2*plane]...), out.Mean[:plane]...)
			out.Mean = swapped
		}
		out.Whiten = data.Floats{0, 0, 1, 0, 1, 0, 1, 0, 0}
		facts = append(facts, "channels: B, G, R, as Caffe reads pictures; -order rgb if the network was trained on R, G, B")
	}
	if p.first == nil && mean == nil {
		facts = append(facts, "preprocessing: the file does not say which mean and scale the network was trained with")
	}
	return out, facts, lost, nil
}

// geometry is how pictures of any size become samples.
func (p *preprocess) geometry(out *data.Preprocess, shape []int) {
	resize := data.Step{Op: data.Resize, H: p.height, W: p.width, P: 1}
	switch {
	case p.height > 0 && p.width > 0:
	case p.mean != nil && p.mean.shape != [3]int{shape[0], shape[1], shape[2]}:
		resize.H, resize.W = p.mean.shape[1], p.mean.shape[2] // the size that the data set was stored in
	case p.crop == 0 && shape[0] == 3:
		resize.H, resize.W = shape[1], shape[2]
	}
	if resize.H > 0 && resize.W > 0 {
		out.Augment = append(out.Augment, resize)
	}
	if p.crop > 0 || resize.H > shape[1] || resize.W > shape[2] {
		out.Augment = append(out.Augment, data.Step{Op: data.Crop, H: shape[1], W: shape[2], P: 1})
	}
	if p.mirror {
		out.Augment = append(out.Augment, data.Step{Op: data.Flip, P: 0.5})
	}
	if p.grey {
		out.Augment = append(out.Augment, data.Step{Op: data.Grey, P: 1})
	}
}
