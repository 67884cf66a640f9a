// Package jpeg decodes baseline JPEG photographs fast, for training: to planes
// of luma and chroma as they are stored, at the whole, half, quarter or eighth
// of their size, and only where they are wanted.
//
// It reads what cameras and photo collections hold: 8 bits, sequential,
// Huffman-coded, one or three components in one scan (ITU-T T.81, JFIF 1.02).
// The rest, such as progressive files or CMYK, is ErrUnsupported: image/jpeg
// is there for it. A file that both decode gives the same bytes but for the
// rounding of the transform, at most 1 of 255.
package jpeg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math"
)

// ErrUnsupported is the error of a file that may be a good JPEG, but of a kind
// that this package does not decode.
var ErrUnsupported = errors.New("jpeg: this kind of file is not decoded here")

var errTruncated = errors.New("truncated")

// Config is what the head of a file says.
type Config struct {
	Width, Height int
	Components    int  // 1, which is grey, or 3
	RGB           bool // the components are red, green and blue, not Y, Cb and Cr
}

// Plane is one component of a picture, or of a part of it: row y is
// Pix[y*Stride:][:W], and its sample x covers SX columns and SY rows of the
// picture's pixels from X0+x*SX and Y0+y*SY on.
type Plane struct {
	Pix            []uint8
	Stride         int
	W, H           int
	X0, Y0, SX, SY int
}

// component is one of the frame.
type component struct {
	id          byte
	h, v        int // blocks in an MCU, across and down
	quant       byte
	dc, ac      byte
	last        int32 // DC of the block before
	shift       int   // how often it is halved
	multipliers [64]float32
	pix         []uint8
}

// Decoder decodes pictures, one after the other, in memory that it keeps.
type Decoder struct {
	config     Config
	components [3]component
	hmax, vmax int
	quant      [4][64]uint16 // in zigzag order
	quantSet   [4]bool
	dc, ac     [4]huffman
	restart    int // MCUs between restart markers; 0 for none
	adobe      int // transform of an Adobe marker; -1 without one
	jfif       bool
	scan       []byte // of the file: entropy-coded data

	bits   bitReader
	ends   []int // of the parts between restart markers, in bits.data
	coeff  [64]int16
	planes [3]Plane
}

// Open reads the head of a file, which must stay as it is until Decode has
// returned.
func (d *Decoder) Open(file []byte) (Config, error) {
	d.config, d.scan = Config{}, nil
	d.restart, d.adobe, d.jfif = 0, -1, false
	d.quantSet = [4]bool{}
	for i := range 4 {
		d.dc[i].used, d.ac[i].used = false, false
	}
	if len(file) < 2 || file[0] != 0xff || file[1] != soi {
		return Config{}, errors.New("it is no JPEG")
	}
	rest := file[2:]
	for {
		// Fill bytes may stand before a marker.
		for len(rest) > 1 && rest[0] == 0xff && rest[1] == 0xff {
			rest = rest[1:]
		}
		if len(rest) < 4 {
			return Config{}, errTruncated
		}
		if rest[0] != 0xff {
			return Config{}, ErrUnsupported // image/jpeg looks for the next marker
		}
		marker := rest[1]
		if marker == eoi || marker >= rst0 && marker <= rst7 || marker == 0 || marker == tem {
			return Config{}, ErrUnsupported
		}
		n := int(binary.BigEndian.Uint16(rest[2:]))
		if n < 2 {
			return Config{}, fmt.Errorf("marker %#02x is too short", marker)
		}
		if len(rest) < 2+n {
			return Config{}, errTruncated
		}
		body := rest[4 : 2+n]
		rest = rest[2+n:]
		var err error
		switch {
		case marker == sof0 || marker == sof1:
			err = d.readFrame(body)
		case marker == dht:
			err = d.readHuffman(body)
		case marker == dqt:
			err = d.readQuant(body)
		case marker == dri:
			if len(body) != 2 {
				return Config{}, errors.New("the restart interval has a wrong length")
			}
			d.restart = int(binary.BigEndian.Uint16(body))
		case marker == app0:
			d.jfif = d.jfif || len(body) >= 5 && string(body[:5]) == "JFIF\x00"
		case marker == app14:
			if len(body) >= 12 && string(body[:5]) == "Adobe" {
				d.adobe = int(body[11])
			}
		case marker == sos:
			d.scan = rest
			return d.config, d.readScan(body)
		case marker >= sof2 && marker <= sof15: // DHT is handled above
			return Config{}, ErrUnsupported
		}
		if err != nil {
			return Config{}, err
		}
	}
}

// The markers that matter (T.81, table B.1).
const (
	sof0  = 0xc0
	sof1  = 0xc1
	sof2  = 0xc2
	dht   = 0xc4
	sof15 = 0xcf
	rst0  = 0xd0
	rst7  = 0xd7
	soi   = 0xd8
	eoi   = 0xd9
	sos   = 0xda
	dqt   = 0xdb
	dri   = 0xdd
	app0  = 0xe0
	app14 = 0xee
	tem   = 0x01
)

// readFrame reads the size and the components.
func (d *Decoder) readFrame(b []byte) error {
	if d.config.Components != 0 {
		return errors.New("there are two frames")
	}
	if len(b) < 6 || len(b) != 6+3*int(b[5]) {
		return errors.New("the frame has a wrong length")
	}
	c := Config{Height: int(binary.BigEndian.Uint16(b[1:])), Width: int(binary.BigEndian.Uint16(b[3:])), Components: int(b[5])}
	if b[0] != 8 || c.Components != 1 && c.Components != 3 || c.Width == 0 || c.Height == 0 {
		return ErrUnsupported
	}
	d.hmax, d.vmax = 1, 1
	blocks := 0
	for i := range c.Components {
		p := &d.components[i]
		p.id, p.h, p.v, p.quant = b[6+3*i], int(b[7+3*i]>>4), int(b[7+3*i]&15), b[8+3*i]
		if p.h < 1 || p.h > 4 || p.v < 1 || p.v > 4 || p.quant > 3 {
			return errors.New("a component's sampling or quantisation table is out of range")
		}
		if c.Components == 1 {
			p.h, p.v = 1, 1 // a scan of one component has one block in an MCU
		}
		d.hmax, d.vmax = max(d.hmax, p.h), max(d.vmax, p.v)
		blocks += p.h * p.v
	}
	for i := range c.Components {
		if p := &d.components[i]; d.hmax%p.h != 0 || d.vmax%p.v != 0 || blocks > 10 {
			return ErrUnsupported
		}
	}
	d.config = c
	return nil
}

func (d *Decoder) readQuant(b []byte) error {
	for len(b) > 0 {
		wide, id := b[0]>>4, b[0]&15
		n := 65 + 64*int(wide)
		if wide > 1 || id > 3 || len(b) < n {
			return errors.New("a quantisation table is damaged")
		}
		for k := range 64 {
			if wide == 1 {
				d.quant[id][k] = binary.BigEndian.Uint16(b[1+2*k:])
			} else {
				d.quant[id][k] = uint16(b[1+k])
			}
		}
		d.quantSet[id] = true
		b = b[n:]
	}
	return nil
}

func (d *Decoder) readHuffman(b []byte) error {
	for len(b) > 0 {
		if len(b) < 17 || b[0]>>4 > 1 || b[0]&15 > 3 {
			return errors.New("a Huffman table is damaged")
		}
		n := 0
		for _, c := range b[1:17] {
			n += int(c)
		}
		if n > 256 || len(b) < 17+n {
			return errors.New("a Huffman table is damaged")
		}
		table := &d.dc[b[0]&15]
		if b[0]>>4 == 1 {
			table = &d.ac[b[0]&15]
		}
		if err := table.set(b[1:17+n], b[0]>>4 == 1); err != nil {
			return err
		}
		b = b[17+n:]
	}
	return nil
}

// readScan reads which tables the components use.
func (d *Decoder) readScan(b []byte) error {
	n := d.config.Components
	switch {
	case n == 0:
		return errors.New("there is no frame before the scan")
	case len(b) < 1 || len(b) != 4+2*int(b[0]):
		return errors.New("the scan has a wrong length")
	case int(b[0]) != n:
		return ErrUnsupported // a scan for each component
	}
	for i := range n {
		p := &d.components[i]
		if b[1+2*i] != p.id {
			return ErrUnsupported
		}
		p.dc, p.ac = b[2+2*i]>>4, b[2+2*i]&15
		if p.dc > 3 || p.ac > 3 || !d.dc[p.dc].used || !d.ac[p.ac].used || !d.quantSet[p.quant] {
			return errors.New("a table that the scan uses is missing")
		}
	}
	if n == 3 {
		rgb := d.components[0].id == 'R' && d.components[1].id == 'G' && d.components[2].id == 'B'
		d.config.RGB = d.adobe == 0 || d.adobe < 0 && !d.jfif && rgb
	}
	return nil
}

// Decode decodes the file that was opened, at least a region of it, which must
// not be empty, halved in size up to three times. Chroma that is stored halved
// already is not halved again as long as luma is larger. The planes are the
// decoder's and stay as they are until the next Decode. What follows the
// region's last row is not looked at.
func (d *Decoder) Decode(region image.Rectangle, halvings int) ([]Plane, error) {
	region = region.Intersect(image.Rect(0, 0, d.config.Width, d.config.Height))
	if region.Empty() || halvings < 0 || halvings > 3 || d.scan == nil {
		return nil, fmt.Errorf("region %v or %d halvings are out of range", region, halvings)
	}
	mcuW, mcuH := 8*d.hmax, 8*d.vmax
	across := (d.config.Width + mcuW - 1) / mcuW
	part := image.Rect(region.Min.X/mcuW, region.Min.Y/mcuH, (region.Max.X+mcuW-1)/mcuW, (region.Max.Y+mcuH-1)/mcuH)
	for i := range d.config.Components {
		d.layOut(i, part, halvings)
	}
	if err := d.unstuff(); err != nil {
		return nil, err
	}
	return d.planes[:d.config.Components], d.decode(across, part)
}

// layOut sets a component's plane for a part of the MCUs.
func (d *Decoder) layOut(i int, part image.Rectangle, halvings int) {
	p := &d.components[i]
	p.shift = halvings
	sx, sy := d.hmax/p.h, d.vmax/p.v
	for s := 2; p.shift > 0 && sx >= s && sy >= s; s *= 2 {
		p.shift--
	}
	p.setMultipliers(&d.quant[p.quant])
	side := 8 >> p.shift
	stride, rows := part.Dx()*p.h*side, part.Dy()*p.v*side
	if cap(p.pix) < stride*rows {
		p.pix = make([]uint8, stride*rows)
	}
	p.pix = p.pix[:stride*rows]
	q := Plane{
		Pix: p.pix, Stride: stride, W: stride, H: rows,
		X0: part.Min.X * 8 * d.hmax, Y0: part.Min.Y * 8 * d.vmax,
		SX: sx << p.shift, SY: sy << p.shift,
	}
	// What fills the last blocks up is none of the picture.
	q.W = min(q.W, (d.config.Width-q.X0+q.SX-1)/q.SX)
	q.H = min(q.H, (d.config.Height-q.Y0+q.SY-1)/q.SY)
	d.planes[i] = q
}

// setMultipliers sets what coefficients are multiplied by before the
// transform, in its order.
func (p *component) setMultipliers(quant *[64]uint16) {
	scale := &scales[p.shift]
	for k, q := range quant {
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

// decode decodes the MCUs up to the last row of the part.
func (d *Decoder) decode(across int, part image.Rectangle) error {
	left, begin := 0, 0 // MCUs up to the next restart marker, and where those begin
	ends := d.ends
	for my := range part.Max.Y {
		for mx := range across {
			if left == 0 {
				if len(ends) == 0 {
					return errTruncated
				}
				d.bits.start(begin, ends[0])
				begin, ends = ends[0], ends[1:]
				for i := range d.components {
					d.components[i].last = 0
				}
				if left = d.restart; left == 0 {
					left = math.MaxInt
				}
			}
			left--
			if err := d.decodeMCU(mx, my, part); err != nil {
				return err
			}
		}
	}
	return nil
}

var errDamaged = errors.New("the compressed data is damaged")

func (d *Decoder) decodeMCU(mx, my int, part image.Rectangle) error {
	wanted := my >= part.Min.Y && mx >= part.Min.X && mx < part.Max.X
	for i := range d.config.Components {
		p := &d.components[i]
		dc, ac := &d.dc[p.dc], &d.ac[p.ac]
		for v := range p.v {
			for h := range p.h {
				if !wanted {
					if !d.bits.skipBlock(dc, ac, &p.last) {
						return errDamaged
					}
					continue
				}
				last := d.bits.block(&d.coeff, dc, ac, &p.last)
				if last < 0 {
					return errDamaged
				}
				side := 8 >> p.shift
				q := &d.planes[i]
				at := ((my-part.Min.Y)*p.v+v)*side*q.Stride + ((mx-part.Min.X)*p.h+h)*side
				p.transform(q.Pix[at:], q.Stride, &d.coeff, last)
			}
		}
	}
	if d.bits.overrun() {
		return errTruncated
	}
	return nil
}
