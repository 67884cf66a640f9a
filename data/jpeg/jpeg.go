// Package jpeg decodes JPEG photographs fast, for training: to planes of luma
// and chroma as they are stored, at the whole, half, quarter or eighth of their
// size, and only where they are wanted.
//
// It reads what there is of 8 bits and Huffman codes (ITU-T T.81, JFIF 1.02):
// baseline, extended and progressive files; 1, 3 or 4 components of any
// sampling, in one scan or in several; restarts; a height that comes late (DNL);
// and the sequential files of Motion JPEG, which leave out the tables of annex K.
// Arithmetic coding, lossless and hierarchical files and samples of 12 bits are
// ErrUnsupported, with a sentence.
//
// # Damage
//
// What is damaged is refused where it is found: codes that no table has, runs
// past the end of a block or of a scan, data that ends early, restart markers
// out of order, refinements of what has not been sent, and blocks that no
// picture has. Bytes that belong to nothing, between segments or before a restart
// marker, are skipped, as every decoder does. What a scan holds after the last
// row that is wanted is not looked at. A file that image/jpeg decodes too gives
// the same bytes but for the rounding of the transform, at most 2 of 255, where
// image/jpeg keeps to the standard.
//
// # Bounds
//
// Time and memory are bounded by the pixels of a picture and the bytes of its
// file, whatever it says. A picture that has more blocks than its file has bits
// is refused before memory is taken for it. Each sample takes a byte, each
// coefficient of a progressive file two: for 1, 3 or 4 components less than 4, 10
// or 16 bytes a pixel of the picture filled up to whole MCUs. The compressed data
// takes up to five times its length (a restart marker takes 8 bytes). Memory says
// how much a picture takes. A sequential file has each component in one scan, and
// in a progressive one each scan must add a bit to what was there, so that no
// coefficient is visited more than 14 times.
package jpeg

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
)

// ErrUnsupported is in the error of a file that may be a good JPEG, but of a
// kind that this package does not decode.
var ErrUnsupported = errors.New("not supported")

var (
	errTruncated = errors.New("truncated")
	errDamaged   = errors.New("the compressed data is damaged")
	errTwoScans  = errors.New("a component is in two scans")
)

// Space is what the planes of a picture are.
type Space uint8

const (
	Grey  Space = iota // one plane
	YCbCr              // JFIF's Y, Cb and Cr
	RGB                // CMYK becomes this
)

// Config is what the head of a file says.
type Config struct {
	Width, Height int
	Space         Space
}

// Plane is one component of a picture, or of a part of it: row y is
// Pix[y*Stride:][:W], and its sample x covers SX columns and SY rows of the
// picture's pixels from X0+x*SX and Y0+y*SY on.
type Plane struct {
	Pix    []uint8
	Stride int
	W, H   int
	X0, Y0 int
	SX, SY float64 // whole numbers but for factors such as 3 of 2
}

// component is one of the frame.
type component struct {
	id     byte
	h, v   int // blocks in an MCU of all components, across and down
	table  byte
	across int // blocks, without those that fill up MCUs
	down   int

	quant  [64]uint16  // in zigzag order; that of the time of its first scan
	begun  bool        // its first scan has been read
	sent   [64]uint8   // of a progressive file: 0, or 1 more than the bits of a coefficient that are missing
	dc, ac byte        // tables of the scan
	last   int32       // DC of the block before
	blocks [][64]int16 // of a progressive file, in rows of stride
	stride int
	set    []uint64 // of each block, a bit for each AC coefficient in zigzag order that is not 0

	shift       int // how often it is halved
	multipliers [64]float32
	pix         []uint8
	plane       *Plane
}

// Decoder decodes pictures, one after the other, in memory that it keeps.
type Decoder struct {
	file        []byte
	rest        []byte // what has not been read
	config      Config
	progressive bool
	n           int // components
	components  [4]component
	hmax, vmax  int
	blocks      int           // of all components
	quant       [4][64]uint16 // in zigzag order
	quantSet    [4]bool
	dc, ac      [4]huffman
	restart     int // MCUs between restart markers; 0 for none
	adobe       int // transform of an Adobe marker; -1 without one
	jfif        bool
	scan        scan
	decoded     bool // the scans have been read: the tables are not those of the head

	bits   bitReader
	ends   []int  // of the parts between restart markers, in bits.data
	endRun uint32 // how many blocks more end where they begin (EOBRUN of annex G)
	coeff  [64]int16
	planes [4]Plane
	rgb    rgbPlanes
}

// Open reads the head of a file, which must stay as it is until Decode has
// returned.
func (d *Decoder) Open(file []byte) (Config, error) {
	d.forget()
	d.file, d.rest = file, nil
	d.config, d.n, d.decoded = Config{}, 0, false
	d.restart, d.adobe, d.jfif = 0, -1, false
	d.quantSet = [4]bool{}
	for i := range 4 {
		d.dc[i].defined, d.ac[i].defined = false, false
	}
	if len(file) < 2 || file[0] != 0xff || file[1] != soi {
		return Config{}, errors.New("it is no JPEG")
	}
	rest := file[2:]
	more, err := d.readToScan(&rest)
	if err != nil {
		return Config{}, err
	}
	if !more {
		return Config{}, errors.New("the file ends without a picture")
	}
	d.rest = rest
	d.config.Space = d.space()
	return d.config, nil
}

// space decides what the components are as libjpeg does, which is what other
// programs show.
func (d *Decoder) space() Space {
	ids := [3]byte{d.components[0].id, d.components[1].id, d.components[2].id}
	switch {
	case d.n == 1:
		return Grey
	case d.n == 4:
		return RGB
	case d.jfif:
		return YCbCr
	case d.adobe == 0, d.adobe < 0 && ids == [3]byte{'R', 'G', 'B'}:
		return RGB
	}
	return YCbCr
}

// Decode decodes the file that was opened, at least a region of it, which must
// not be empty, halved in size up to three times. Chroma that is stored halved
// already is not halved again as long as luma is larger. The planes are the
// decoder's and stay as they are until the next Decode. A context that is done
// ends it with the context's error.
func (d *Decoder) Decode(ctx context.Context, region image.Rectangle, halvings int) ([]Plane, error) {
	planes, err := d.decode(ctx, region, halvings)
	if err == nil && d.n == 4 {
		return d.convertCMYK(ctx, 1<<halvings)
	}
	return planes, err
}

// decode decodes to planes of the components as they are stored.
func (d *Decoder) decode(ctx context.Context, region image.Rectangle, halvings int) ([]Plane, error) {
	region = region.Intersect(image.Rect(0, 0, d.config.Width, d.config.Height))
	if region.Empty() || halvings < 0 || halvings > 3 || d.rest == nil {
		return nil, fmt.Errorf("region %v or %d halvings are out of range", region, halvings)
	}
	if d.blocks > 8*len(d.rest) { // each takes a bit at least
		return nil, fmt.Errorf("truncated: %d bytes cannot hold a picture of %dx%d", len(d.file), d.config.Width, d.config.Height)
	}
	if d.decoded {
		if _, err := d.Open(d.file); err != nil {
			return nil, err
		}
	}
	d.decoded, d.bits.sum = true, 0
	part := d.part(region)
	for i := range d.n {
		d.layOut(i, part, halvings)
	}
	if !d.progressive {
		return d.planes[:d.n], d.decodeScans(ctx, part)
	}
	for i := range d.n {
		d.components[i].clearBlocks(ceilDiv(d.config.Width, 8*d.hmax), part.Max.Y)
	}
	if err := d.decodeScans(ctx, part); err != nil {
		return nil, err
	}
	return d.planes[:d.n], d.transformBlocks(ctx, part)
}

// Memory is how many bytes Decode takes at most, beside the file, for a region of
// the picture that was opened.
func (d *Decoder) Memory(region image.Rectangle, halvings int) int64 {
	part := d.part(region)
	n := 5*int64(len(d.file)) + padding
	for i := range d.n {
		p := &d.components[i]
		blocks := int64(p.h) * int64(p.v) * int64(part.Dx()) * int64(part.Dy())
		n += blocks * 64 >> (2 * d.shift(p, halvings))
		if d.progressive {
			n += (128 + 8) * int64(p.h) * int64(p.v) * int64(ceilDiv(d.config.Width, 8*d.hmax)) * int64(part.Max.Y)
		}
	}
	if d.n == 4 {
		n += 3 * 64 * int64(d.hmax) * int64(d.vmax) * int64(part.Dx()) * int64(part.Dy()) >> (2 * halvings)
		n += 4 * 8 * int64(d.hmax) * int64(part.Dx())
	}
	return n
}

// part is a region in MCUs.
func (d *Decoder) part(region image.Rectangle) image.Rectangle {
	w, h := 8*d.hmax, 8*d.vmax
	return image.Rect(region.Min.X/w, region.Min.Y/h, ceilDiv(region.Max.X, w), ceilDiv(region.Max.Y, h))
}

// shift is how often a component is halved.
func (d *Decoder) shift(p *component, halvings int) int {
	for s := 2; halvings > 0 && d.hmax >= s*p.h && d.vmax >= s*p.v; s *= 2 {
		halvings--
	}
	return halvings
}

// layOut sets a component's plane for a part of the MCUs.
func (d *Decoder) layOut(i int, part image.Rectangle, halvings int) {
	p := &d.components[i]
	p.shift = d.shift(p, halvings)
	side := 8 >> p.shift
	stride, rows := part.Dx()*p.h*side, part.Dy()*p.v*side
	p.pix = grown(p.pix, stride*rows)
	q := Plane{
		Pix: p.pix, Stride: stride, W: stride, H: rows,
		X0: part.Min.X * 8 * d.hmax, Y0: part.Min.Y * 8 * d.vmax,
		SX: float64(d.hmax<<p.shift) / float64(p.h), SY: float64(d.vmax<<p.shift) / float64(p.v),
	}
	// What fills the last blocks up is none of the picture.
	q.W = min(q.W, ceilDiv((d.config.Width-q.X0)*p.h, d.hmax<<p.shift))
	q.H = min(q.H, ceilDiv((d.config.Height-q.Y0)*p.v, d.vmax<<p.shift))
	d.planes[i] = q
	p.plane = &d.planes[i]
}

// setMultipliers sets what coefficients are multiplied by before the
// transform, in its order.
func (p *component) setMultipliers() {
	scale := &scales[p.shift]
	for k, q := range &p.quant {
		at := order[k]
		p.multipliers[at] = float32(float64(q) * scale[at>>3] * scale[at&7])
	}
}

// scales are the factors of each frequency that the transforms to 8, 4, 2 and
// 1 samples leave to the multipliers.
var scales = func() (s [4][8]float64) {
	for k := range 8 {
		s[0][k] = math.Sqrt2 * math.Cos(float64(k)*math.Pi/16) / math.Sqrt(8)
		s[1][k], s[2][k], s[3][k] = 0.5, 0.5, 0.5
	}
	for i := range s {
		s[i][0] = 1 / math.Sqrt(8)
	}
	return s
}()

// maxRetained is how many bytes a decoder keeps of each part of its memory for the next
// picture: enough for the coefficients of 20 million pixels.
const maxRetained = 64 << 20

// forget lets go of what is too large to be kept.
func (d *Decoder) forget() {
	for i := range d.components {
		p := &d.components[i]
		if cap(p.blocks) > maxRetained/128 {
			p.blocks, p.set = nil, nil
		}
		if cap(p.pix) > maxRetained {
			p.pix, d.planes[i] = nil, Plane{}
		}
	}
	for i, pix := range d.rgb.pix {
		if cap(pix) > maxRetained {
			d.rgb.pix[i], d.planes[i] = nil, Plane{}
		}
	}
	if cap(d.bits.data) > maxRetained {
		d.bits.data = nil
	}
	if cap(d.ends) > maxRetained/8 {
		d.ends = nil
	}
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// grown is s with n elements, which may be anything.
func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
