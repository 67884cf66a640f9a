package data

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"image/png"
	"io"

	"github.com/hubel-go/hubel/data/jpeg"
)

// largestPicture bounds the pixels of a picture: one that claims more is
// refused before memory is taken for it.
const largestPicture = 1 << 27

// plane is one component of a picture, or of a part of it.
type plane struct {
	pix    []uint8
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
	ycc // JFIF's Y, Cb and Cr
)

// picture is a picture, or a part of one, as planes of bytes. Chroma may be
// smaller than luma.
type picture struct {
	planes [3]plane
	space  space
}

func (p *picture) used() []plane {
	if p.space == grey {
		return p.planes[:1]
	}
	return p.planes[:]
}

// decoder decodes pictures in memory that it keeps: baseline JPEG by itself,
// the rest by Go's packages.
type decoder struct {
	file   []byte
	format format
	jpeg   jpeg.Decoder
	rgb    bool // of a baseline JPEG
	r      bytes.Reader
	pix    []uint8 // of pictures that are not planes yet
}

// format is how a picture is encoded.
type format uint8

const (
	baseline format = iota // a JPEG that data/jpeg decodes
	otherJPEG
	pngFormat
)

// open reads the head of an encoded picture, which must stay as it is until
// decode has returned. Files are known by what is in them, not by their name.
func (d *decoder) open(file []byte) (h, w int, err error) {
	d.file = file
	var c image.Config
	switch {
	case bytes.HasPrefix(file, []byte("\x89PNG\r\n\x1a\n")):
		d.format = pngFormat
		c, err = png.DecodeConfig(d.reader())
	case bytes.HasPrefix(file, []byte{0xff, 0xd8}):
		var head jpeg.Config
		d.format = baseline
		head, err = d.jpeg.Open(file)
		c.Width, c.Height, d.rgb = head.Width, head.Height, head.RGB
		if errors.Is(err, jpeg.ErrUnsupported) {
			d.format = otherJPEG
			c, err = stdjpeg.DecodeConfig(d.reader())
		}
	default:
		err = errors.New(unknownFormat(file))
	}
	switch {
	case err != nil:
		return 0, 0, damaged(err)
	case c.Width < 1 || c.Height < 1:
		return 0, 0, fmt.Errorf("a picture of %dx%d has no pixels", c.Width, c.Height)
	case c.Width > largestPicture/c.Height:
		return 0, 0, fmt.Errorf("a picture of %dx%d is larger than the %d pixels allowed", c.Width, c.Height, largestPicture)
	case d.format != pngFormat && c.Width*c.Height/64 > 8*len(file): // a block of 8x8 takes at least one bit
		return 0, 0, fmt.Errorf("truncated: %d bytes cannot hold a picture of %dx%d", len(file), c.Width, c.Height)
	}
	return c.Height, c.Width, nil
}

// damaged says in words that a file ends too early.
func damaged(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("truncated")
	}
	return err
}

// unknownFormat says what a file is that is no picture we read.
func unknownFormat(file []byte) string {
	for _, f := range []struct{ magic, name string }{
		{"GIF8", "a GIF"}, {"BM", "a BMP"}, {"RIFF", "a WebP"}, {"II*\x00", "a TIFF"}, {"MM\x00*", "a TIFF"}, {"<", "text"},
	} {
		if bytes.HasPrefix(file, []byte(f.magic)) {
			return "it is not a JPEG or PNG but " + f.name
		}
	}
	return "it is neither a JPEG nor a PNG"
}

func (d *decoder) reader() io.Reader {
	d.r.Reset(d.file)
	return &d.r
}

// decode decodes at least the region of the picture that was opened, which
// may be halved in size so many times.
func (d *decoder) decode(p *picture, region image.Rectangle, halvings int) error {
	var m image.Image
	var err error
	switch d.format {
	case baseline:
		return d.decodeBaseline(p, region, halvings)
	case pngFormat:
		m, err = png.Decode(d.reader())
	default:
		m, err = stdjpeg.Decode(d.reader())
	}
	if err != nil {
		return damaged(err)
	}
	d.planes(p, m)
	return nil
}

func (d *decoder) decodeBaseline(p *picture, region image.Rectangle, halvings int) error {
	planes, err := d.jpeg.Decode(region, halvings)
	if err != nil {
		return err
	}
	p.space = ycc
	switch {
	case len(planes) == 1:
		p.space = grey
	case d.rgb:
		p.space = rgb
	}
	for i, q := range planes {
		p.planes[i] = plane{
			pix: q.Pix, stride: q.Stride, w: q.W, h: q.H,
			x0: float64(q.X0), y0: float64(q.Y0), sx: float64(q.SX), sy: float64(q.SY),
		}
	}
	return nil
}

// planes makes planes of a decoded picture.
func (d *decoder) planes(p *picture, m image.Image) {
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	whole := func(pix []uint8, stride int) plane {
		return plane{pix: pix, stride: stride, w: w, h: h, sx: 1, sy: 1}
	}
	switch m := m.(type) {
	case *image.Gray:
		p.space = grey
		p.planes[0] = whole(m.Pix, m.Stride)
		return
	case *image.YCbCr:
		p.space = ycc
		p.planes[0] = whole(m.Y, m.YStride)
		rx, ry := 1, 1
		switch m.SubsampleRatio {
		case image.YCbCrSubsampleRatio422:
			rx = 2
		case image.YCbCrSubsampleRatio420:
			rx, ry = 2, 2
		case image.YCbCrSubsampleRatio440:
			ry = 2
		case image.YCbCrSubsampleRatio411:
			rx = 4
		case image.YCbCrSubsampleRatio410:
			rx, ry = 4, 2
		}
		for i, pix := range [][]uint8{m.Cb, m.Cr} {
			p.planes[1+i] = plane{pix: pix, stride: m.CStride, w: (w + rx - 1) / rx, h: (h + ry - 1) / ry, sx: float64(rx), sy: float64(ry)}
		}
		return
	}
	if cap(d.pix) < 3*w*h {
		d.pix = make([]uint8, 3*w*h)
	}
	p.space = rgb
	for c := range p.planes {
		p.planes[c] = whole(d.pix[c*w*h:(c+1)*w*h], w)
	}
	r, g, blue := p.planes[0].pix, p.planes[1].pix, p.planes[2].pix
	for i := range w * h {
		// Transparency says nothing of a pixel's colour.
		c := color.NRGBAModel.Convert(m.At(b.Min.X+i%w, b.Min.Y+i/w)).(color.NRGBA)
		r[i], g[i], blue[i] = c.R, c.G, c.B
	}
}
