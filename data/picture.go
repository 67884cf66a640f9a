package data

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"

	"github.com/hubel-go/hubel/data/jpeg"
)

// largestPicture bounds the pixels of a picture: one that claims more is
// refused before memory is taken for it.
const largestPicture = 1 << 27

// plane is one component of a picture, or of a part of it.
type plane struct {
	pix    []uint8
	values []float32 // in the place of pix, of a stack
	stride int
	w, h   int
	// Sample i covers x0+i*sx to x0+(i+1)*sx of the picture's coordinates.
	x0, y0, sx, sy float64
}

// space is what the planes of a picture are.
type space uint8

const (
	grey space = iota // one plane
	rgb
	ycc      // JFIF's Y, Cb and Cr
	videoYCC // WebP's, which leave room above and below: Y is 16 to 235
	stacked  // channels of any number, which are no colours
)

// picture is a picture, or a part of one, as planes of bytes. Chroma may be
// smaller than luma.
type picture struct {
	planes [3]plane
	stack  []plane // in their place
	space  space
}

func (p *picture) used() []plane {
	switch p.space {
	case grey:
		return p.planes[:1]
	case stacked:
		return p.stack
	}
	return p.planes[:]
}

// decoder decodes pictures in memory that it keeps: JPEG by data/jpeg, the rest
// by packages of others.
type decoder struct {
	file   []byte
	format format
	h, w   int
	bytes  int64 // that decoding the whole picture takes, at most
	jpeg   jpeg.Decoder
	space  jpeg.Space // of a JPEG
	pix    []uint8    // of pictures that are not planes yet

	stack stack

	caffe *caffeSet // of records of Caffe's
	datum datum
}

// format is how a picture is encoded.
type format uint8

const (
	unknown format = iota
	jpegFormat
	pngFormat
	gifFormat
	bmpFormat
	tiffFormat
	webpFormat
	npyFormat   // of a stack only
	datumFormat // of a record of Caffe's
)

// open reads the head of an encoded picture, which must stay as it is until
// decode has returned. Files are known by what is in them, not by their name.
func (d *decoder) open(file []byte) (h, w int, err error) {
	d.file, d.format = file, formatOf(file)
	if d.format == unknown && d.caffe != nil {
		d.format = datumFormat
	}
	if d.stack.want != 0 {
		return d.openStack()
	}
	var c image.Config
	switch d.format {
	case unknown:
		return 0, 0, errors.New(unknownFormat(file))
	case npyFormat:
		return 0, 0, errors.New("it is an array of numbers, and the others are pictures")
	case datumFormat:
		if err := d.openDatum(); err != nil {
			return 0, 0, err
		}
		return d.h, d.w, nil
	case jpegFormat:
		var head jpeg.Config
		head, err = d.jpeg.Open(file)
		c.Width, c.Height, d.space = head.Width, head.Height, head.Space
	default:
		c, err = foreign(foreignFormats[d.format].config, &source{ctx: context.Background(), file: file})
	}
	switch {
	case err != nil:
		return 0, 0, damaged(err)
	case c.Width < 1 || c.Height < 1:
		return 0, 0, fmt.Errorf("a picture of %dx%d has no pixels", c.Width, c.Height)
	case c.Width > largestPicture/c.Height:
		return 0, 0, fmt.Errorf("a picture of %dx%d is larger than the %d pixels allowed", c.Width, c.Height, largestPicture)
	case c.Width*c.Height/d.format.pixelsPerByte() > len(file):
		return 0, 0, fmt.Errorf("truncated: %d bytes cannot hold a picture of %dx%d", len(file), c.Width, c.Height)
	}
	d.h, d.w = c.Height, c.Width
	if d.bytes, err = d.decodedBytes(c); err != nil {
		return 0, 0, err
	}
	if d.bytes > largestDecoded {
		return 0, 0, fmt.Errorf("to decode a picture of %dx%d like this takes up to %d MiB, more than the %d MiB allowed", c.Width, c.Height, d.bytes>>20, largestDecoded>>20)
	}
	return c.Height, c.Width, nil
}

// pixelsPerByte is more than a file can hold, where that is known: one that
// claims to hold more is cut off.
func (f format) pixelsPerByte() int {
	switch f {
	case jpegFormat:
		return 64 * 8 // a block of 8x8 takes at least one bit
	case pngFormat:
		return 8 * 1032 // of one bit each; Deflate makes 1032 bytes of one at most
	case bmpFormat:
		return 8
	}
	return largestPicture
}

// formatOf goes by the first bytes.
func formatOf(file []byte) format {
	is := func(magic string) bool { return bytes.HasPrefix(file, []byte(magic)) }
	switch {
	case is(pngMagic):
		return pngFormat
	case is("\xff\xd8"):
		return jpegFormat
	case is("GIF87a"), is("GIF89a"):
		return gifFormat
	case is("BM"):
		return bmpFormat
	case is("II*\x00"), is("MM\x00*"):
		return tiffFormat
	case is("RIFF") && len(file) >= 12 && string(file[8:12]) == "WEBP":
		return webpFormat
	case is("\x93NUMPY"):
		return npyFormat
	}
	return unknown
}

const pngMagic = "\x89PNG\r\n\x1a\n"

// unknownFormat says what a file is that is no picture we read.
func unknownFormat(file []byte) string {
	const none = "it is not a JPEG, PNG, GIF, BMP, TIFF or WebP"
	switch {
	case bytes.HasPrefix(file, []byte("<")):
		return none + " but text"
	case len(file) >= 8 && string(file[4:8]) == "ftyp":
		return none + " but a HEIF, AVIF or film"
	}
	return none
}

// decode decodes at least the region of the picture that was opened, which
// may be halved in size so many times. It ends soon after ctx is cancelled.
func (d *decoder) decode(ctx context.Context, p *picture, region image.Rectangle, halvings int) error {
	switch {
	case d.stack.want != 0:
		return d.decodeStack(ctx, p)
	case d.format == datumFormat:
		return d.decodeDatum(ctx, p)
	case d.format == jpegFormat:
		return d.decodeJPEG(ctx, p, region, halvings)
	}
	m, err := foreign(foreignFormats[d.format].decode, &source{ctx: ctx, file: d.file})
	if err != nil {
		return damaged(err)
	}
	if b := m.Bounds(); b.Dx() != d.w || b.Dy() != d.h {
		return fmt.Errorf("the picture is of %dx%d, not of %dx%d as the head of the file says", b.Dx(), b.Dy(), d.w, d.h)
	}
	return cmp.Or(d.planes(p, m), ctx.Err())
}

// memory is how many bytes decode takes at most, beside the file.
func (d *decoder) memory(region image.Rectangle, halvings int) int64 {
	if d.format == jpegFormat && d.stack.want == 0 {
		return d.jpeg.Memory(region, halvings)
	}
	return d.bytes
}

func (d *decoder) decodeJPEG(ctx context.Context, p *picture, region image.Rectangle, halvings int) error {
	planes, err := d.jpeg.Decode(ctx, region, halvings)
	if err != nil {
		return err
	}
	p.space = [...]space{jpeg.Grey: grey, jpeg.YCbCr: ycc, jpeg.RGB: rgb}[d.space]
	for i, q := range planes {
		p.planes[i] = plane{
			pix: q.Pix, stride: q.Stride, w: q.W, h: q.H,
			x0: float64(q.X0), y0: float64(q.Y0), sx: q.SX, sy: q.SY,
		}
	}
	return nil
}
