package data

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"path"
	"slices"
	"strings"

	"golang.org/x/image/tiff"

	"github.com/hubel-go/hubel/internal/npy"
)

// mostChannels bounds the channels of a stack: statistics take their products.
const mostChannels = 64

// stack is what a decoder knows of a file whose channels are no colours: a .npy
// array [C,H,W] or [H,W], or a TIFF whose pages are grey.
type stack struct {
	want     int // channels of the set; 0 where it is one of pictures, anyStack where that is not known
	channels int // of the file

	array  npy.Array
	pages  []uint32 // where the directories of a TIFF are
	values []float32
}

const anyStack = -1

// isStackFile goes by the name: of a file that may be a stack.
func isStackFile(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".npy", ".tif", ".tiff":
		return true
	}
	return false
}

// isArray goes by the name.
func isArray(name string) bool { return strings.EqualFold(path.Ext(name), ".npy") }

// withoutArrays leaves out arrays beside pictures, which are then what the set is
// of.
func (f *Files) withoutArrays(found []labelled) []labelled {
	if !slices.ContainsFunc(found, func(l labelled) bool { return !isStackFile(l.name) }) {
		return found
	}
	return slices.DeleteFunc(found, func(l labelled) bool {
		if isArray(l.name) {
			f.skip(int(l.shard), l.name, "it is an array of numbers, and the others are pictures")
			return true
		}
		return false
	})
}

// stackChannels is the number of channels of a set of stacks, that of the first
// file that can be read, and 0 for a set of pictures. A TIFF of one page is a
// picture.
func (f *Files) stackChannels() int {
	if f.caffe != nil {
		return f.caffe.stack
	}
	s := new(scratch)
	s.decoder.stack.want = anyStack
	for i := range f.files {
		if !isStackFile(f.files[i].stored) {
			return 0
		}
		var err error
		if s.file, err = f.Load(s.file, i); err != nil {
			continue
		}
		_, _, err = s.decoder.open(s.file)
		switch d := &s.decoder; {
		case d.format == tiffFormat && (err != nil || d.stack.channels == 1):
			return 0
		case err == nil:
			return d.stack.channels
		}
	}
	return 0
}

// openStack reads the head of a stack.
func (d *decoder) openStack() (h, w int, err error) {
	s := &d.stack
	switch d.format {
	case npyFormat:
		err = d.openArray()
	case tiffFormat:
		err = d.openPages()
	case datumFormat:
		err = d.openDatum()
		s.channels = d.datum.channels
	default:
		err = errors.New("it is neither an array of .npy nor a TIFF, as the others are")
	}
	switch {
	case err != nil:
		return 0, 0, err
	case s.want > 0 && s.channels != s.want:
		return 0, 0, fmt.Errorf("it has %d channels, and the others %d", s.channels, s.want)
	case d.bytes > largestDecoded:
		return 0, 0, fmt.Errorf("to decode %d channels of %dx%d takes up to %d MiB, more than the %d MiB allowed", s.channels, d.w, d.h, d.bytes>>20, largestDecoded>>20)
	}
	return d.h, d.w, nil
}

// openArray opens an array.
func (d *decoder) openArray() (err error) {
	s := &d.stack
	if s.array, err = npy.Parse(d.file); err != nil {
		return err
	}
	shape := s.array.Shape[:s.array.Dims]
	switch s.array.Dims {
	case 2:
		s.channels = 1
	case 3:
		s.channels = shape[0]
		shape = shape[1:]
	default:
		return fmt.Errorf("an array of the shape %v is neither [channels, height, width] nor [height, width]", slices.Clone(shape))
	}
	if d.h, d.w = shape[0], shape[1]; s.channels < 1 || d.h < 1 || d.w < 1 {
		return errors.New("the array is empty")
	}
	if s.channels > mostChannels {
		return fmt.Errorf("its %d channels are more than the %d allowed; an array is [channels, height, width]", s.channels, mostChannels)
	}
	d.bytes = int64(len(s.array.Data))
	return nil
}

// openPages opens the pages of a TIFF. Those that the file calls small copies or
// masks of others do not count.
func (d *decoder) openPages() error {
	s := &d.stack
	s.pages = s.pages[:0]
	order, at := tiffOrder(d.file)
	var seen []uint32
	for at != 0 {
		if slices.Contains(seen, at) || uint64(at)+2 > uint64(len(d.file)) {
			return fmt.Errorf("tiff: the directory of page %d is not in the file, or is that of another page", len(seen)+1)
		}
		seen = append(seen, at)
		if kind, _ := tiffTagAt(d.file, at, tagSubfile); kind&(1|4) == 0 {
			s.pages = append(s.pages, at)
		}
		if len(s.pages) > mostChannels || len(seen) > 4*mostChannels {
			return fmt.Errorf("tiff: there are more than the %d pages allowed", mostChannels)
		}
		next := uint64(at) + 2 + 12*uint64(order.Uint16(d.file[at:]))
		if next+4 > uint64(len(d.file)) {
			return errors.New("truncated")
		}
		at = order.Uint32(d.file[next:])
	}
	largest := int64(0)
	for i, page := range s.pages {
		c, err := foreign(tiff.DecodeConfig, &source{ctx: context.Background(), file: d.file, page: page})
		if err != nil {
			return fmt.Errorf("page %d: %w", i+1, damaged(err))
		}
		if c.ColorModel != color.GrayModel && c.ColorModel != color.Gray16Model {
			return fmt.Errorf("page %d is in colour; the channels of a stack are grey pages", i+1)
		}
		if i == 0 {
			d.h, d.w = c.Height, c.Width
		}
		switch {
		case c.Width < 1 || c.Height < 1 || c.Width > largestPicture/c.Height:
			return fmt.Errorf("page %d of %dx%d is empty or larger than the %d pixels allowed", i+1, c.Width, c.Height, largestPicture)
		case c.Height != d.h || c.Width != d.w:
			return fmt.Errorf("page %d is of %dx%d, and the first of %dx%d", i+1, c.Width, c.Height, d.w, d.h)
		}
		blocks, err := tiffBlocks(d.file, page, d.h, d.w)
		if err != nil {
			return fmt.Errorf("page %d: %w", i+1, err)
		}
		largest = max(largest, 2*bytesPerPixel(c.ColorModel)*int64(d.h)*int64(d.w)+blocks)
	}
	if s.channels = len(s.pages); s.channels == 0 {
		return errors.New("tiff: there is no page")
	}
	d.bytes = largest + int64(s.channels)*int64(d.h)*int64(d.w)
	return nil
}

// decodeStack makes a plane of each channel.
func (d *decoder) decodeStack(ctx context.Context, p *picture) error {
	s := &d.stack
	n := d.h * d.w
	p.space, p.stack = stacked, grown(p.stack, s.channels)
	if d.format == tiffFormat {
		d.pix = grown(d.pix, s.channels*n)
		for c, page := range s.pages {
			if err := d.decodePage(ctx, d.pix[c*n:(c+1)*n], page); err != nil {
				return fmt.Errorf("page %d: %w", c+1, err)
			}
			p.stack[c] = whole(d.pix[c*n:(c+1)*n], d.w, d.h, d.w)
		}
		return nil
	}
	if d.format == datumFormat {
		return d.decodeNumbers(ctx, p)
	}
	if s.array.Float32 {
		s.values = grown(s.values, s.channels*n)
		for i := range s.values {
			v := math.Float32frombits(binary.LittleEndian.Uint32(s.array.Data[4*i:]))
			if v-v != 0 { // NaN or infinite
				return fmt.Errorf("the value %v in channel %d, row %d, column %d is not finite", v, i/n, i%n/d.w, i%d.w)
			}
			s.values[i] = v
		}
	}
	for c := range p.stack {
		if s.array.Float32 {
			p.stack[c] = plane{values: s.values[c*n : (c+1)*n], stride: d.w, w: d.w, h: d.h, sx: 1, sy: 1}
		} else {
			p.stack[c] = whole(s.array.Data[c*n:(c+1)*n], d.w, d.h, d.w)
		}
	}
	return ctx.Err()
}

// decodePage decodes a page of a TIFF.
func (d *decoder) decodePage(ctx context.Context, dst []uint8, page uint32) error {
	m, err := foreign(decodeTIFF, &source{ctx: ctx, file: d.file, page: page})
	if err != nil {
		return damaged(err)
	}
	if b := m.Bounds(); b.Dx() != d.w || b.Dy() != d.h {
		return fmt.Errorf("it is of %dx%d, not of %dx%d as its head says", b.Dx(), b.Dy(), d.w, d.h)
	}
	for y := range d.h {
		row := dst[y*d.w:][:d.w]
		switch m := m.(type) {
		case *image.Gray:
			copy(row, m.Pix[y*m.Stride:])
		case *image.Gray16:
			for x := range row {
				row[x] = m.Pix[y*m.Stride+2*x]
			}
		default:
			return fmt.Errorf("it is of the kind %T", m)
		}
	}
	return nil
}

// stackOps are the steps that make sense for channels that are no colours, and
// whose values may have any range.
var stackOps = []Op{Resize, Crop, RandomCrop, Pad, Flip, Rotate, Translate, TranslateX, TranslateY, ShearX, ShearY, Zoom, Sharpness, Noise, Cutout, Mixup, Cutmix}

// checkStack says which step a stack of channels does not take. To make one
// channel grey leaves it as it is.
func (a Augment) checkStack(channels int) error {
	for _, s := range a {
		if !slices.Contains(stackOps, s.Op) && !(s.Op == Grey && channels == 1) {
			return fmt.Errorf("augmentation %s is for pictures in colour or grey, not for stacks of %d channels", s.Op, channels)
		}
	}
	return nil
}
