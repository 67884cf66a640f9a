package jpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// The markers that matter (T.81, table B.1).
const (
	tem   = 0x01
	sof0  = 0xc0
	sof1  = 0xc1
	sof2  = 0xc2
	dht   = 0xc4
	dac   = 0xcc
	rst0  = 0xd0
	rst7  = 0xd7
	soi   = 0xd8
	eoi   = 0xd9
	sos   = 0xda
	dqt   = 0xdb
	dnl   = 0xdc
	dri   = 0xdd
	dhp   = 0xde
	exp   = 0xdf
	app0  = 0xe0
	app14 = 0xee
	app15 = 0xef
	sof55 = 0xf7
	com   = 0xfe
)

// unsupported are the kinds of files that their markers tell.
var unsupported = map[byte]string{
	0xc3: "lossless coding", 0xc5: "hierarchical coding", 0xc6: "hierarchical coding", 0xc7: "lossless coding",
	0xc9: "arithmetic coding", 0xca: "arithmetic coding", 0xcb: "arithmetic coding", 0xcd: "arithmetic coding",
	0xce: "arithmetic coding", 0xcf: "arithmetic coding", dac: "arithmetic coding",
	dhp: "hierarchical coding", exp: "hierarchical coding", sof55: "the coding of JPEG-LS",
}

func unsupportedError(what string) error {
	return fmt.Errorf("JPEG with %s is %w", what, ErrUnsupported)
}

// readToScan reads segments up to the head of the next scan, and reports
// whether there is one before the end of the image.
func (d *Decoder) readToScan(rest *[]byte) (bool, error) {
	for {
		marker, body, err := nextSegment(rest)
		switch {
		case err != nil:
			return false, err
		case marker == eoi:
			return false, nil
		case marker == sos:
			return true, d.readScan(body, *rest)
		}
		if err := d.readSegment(marker, body); err != nil {
			return false, err
		}
	}
}

// nextSegment reads a marker and what belongs to it. Bytes that belong to
// nothing, fill bytes, and markers that stand alone, are skipped.
func nextSegment(rest *[]byte) (marker byte, body []byte, err error) {
	for b := *rest; len(b) >= 2; {
		marker := b[1]
		switch {
		case b[0] != 0xff:
			i := bytes.IndexByte(b, 0xff)
			if i < 0 {
				return 0, nil, errTruncated
			}
			b = b[i:]
			continue
		case marker == 0xff:
			b = b[1:]
			continue
		case marker == 0 || marker == tem || marker >= rst0 && marker <= rst7:
			b = b[2:]
			continue
		case marker == eoi:
			*rest = b[2:]
			return marker, nil, nil
		case marker < sof0:
			return 0, nil, fmt.Errorf("marker %#02x is none of JPEG's", marker)
		case marker == soi:
			return 0, nil, errors.New("another picture begins before the end of the first")
		case len(b) < 4:
			return 0, nil, errTruncated
		}
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n < 2 {
			return 0, nil, fmt.Errorf("marker %#02x is too short", marker)
		}
		if len(b) < 2+n {
			return 0, nil, errTruncated
		}
		*rest = b[2+n:]
		return marker, b[4 : 2+n], nil
	}
	return 0, nil, errTruncated
}

// readSegment reads what is neither a scan nor the end.
func (d *Decoder) readSegment(marker byte, body []byte) error {
	switch marker {
	case sof0, sof1, sof2:
		d.progressive = marker == sof2
		return d.readFrame(body)
	case dht:
		return d.readHuffman(body)
	case dqt:
		return d.readQuant(body)
	case dri:
		if len(body) != 2 {
			return errors.New("the restart interval has a wrong length")
		}
		d.restart = int(binary.BigEndian.Uint16(body))
		return nil
	case app0:
		d.jfif = d.jfif || len(body) >= 14 && string(body[:5]) == "JFIF\x00"
		return nil
	case app14:
		if len(body) >= 12 && string(body[:5]) == "Adobe" {
			d.adobe = int(body[11])
		}
		return nil
	case com, dnl: // one that is needed has been found by readScan
		return nil
	}
	if what, ok := unsupported[marker]; ok {
		return unsupportedError(what)
	}
	if marker > app0 && marker <= app15 {
		return nil
	}
	return unsupportedError(fmt.Sprintf("segments of marker %#02x", marker))
}

// readFrame reads the size and the components.
func (d *Decoder) readFrame(b []byte) error {
	if d.n != 0 {
		return errors.New("there are two frames")
	}
	if len(b) < 6 || len(b) != 6+3*int(b[5]) {
		return errors.New("the frame has a wrong length")
	}
	n := int(b[5])
	if b[0] != 8 {
		return unsupportedError(fmt.Sprintf("samples of %d bits", b[0]))
	}
	if n != 1 && n != 3 && n != 4 {
		return unsupportedError(fmt.Sprintf("%d components", n))
	}
	d.config.Height, d.config.Width = int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:]))
	if d.config.Width == 0 {
		return fmt.Errorf("a picture of %dx%d has no pixels", d.config.Width, d.config.Height)
	}
	d.hmax, d.vmax = 1, 1
	for i := range n {
		p := &d.components[i]
		p.id, p.h, p.v, p.table = b[6+3*i], int(b[7+3*i]>>4), int(b[7+3*i]&15), b[8+3*i]
		p.begun, p.sent = false, [64]uint8{}
		if p.h < 1 || p.h > 4 || p.v < 1 || p.v > 4 || p.table > 3 {
			return errors.New("a component's sampling or quantisation table is out of range")
		}
		if n == 1 {
			p.h, p.v = 1, 1 // a scan of one component has one block in an MCU
		}
		d.hmax, d.vmax = max(d.hmax, p.h), max(d.vmax, p.v)
	}
	d.n = n
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
		for i := range d.n {
			if p := &d.components[i]; d.progressive && p.begun && p.table == id && p.quant != d.quant[id] {
				return errors.New("a quantisation table changes while it is in use")
			}
		}
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
		table.define(b[1 : 17+n])
		b = b[17+n:]
	}
	return nil
}

// scan is what the head of a scan says.
type scan struct {
	n            int // components
	components   [4]*component
	across, down int // MCUs; with one component they are its blocks

	// Of a progressive file: the first and the last coefficient in zigzag
	// order, and how many of their lowest bits were missing before this scan,
	// or 0 where it is their first, and are after it.
	from, to    int
	before, low uint8
}

// interleaved reports whether an MCU has blocks of several components.
func (s *scan) interleaved() bool { return s.n > 1 }

// readScan reads the head of a scan, of which data follows.
func (d *Decoder) readScan(b, data []byte) error {
	switch {
	case d.n == 0:
		return errors.New("there is no frame before the scan")
	case len(b) < 6 || len(b) != 4+2*int(b[0]) || int(b[0]) > d.n:
		return errors.New("the scan has a wrong length")
	}
	s := &d.scan
	*s = scan{n: int(b[0])}
	blocks := 0
	for i := range s.n {
		p := d.component(b[1+2*i])
		if p == nil {
			return errors.New("a scan is of a component that is not in the frame, or twice in the scan")
		}
		s.components[i] = p
		p.dc, p.ac = b[2+2*i]>>4, b[2+2*i]&15
		if p.dc > 3 || p.ac > 3 {
			return errors.New("a scan's Huffman table is out of range")
		}
		blocks += p.h * p.v
	}
	if s.interleaved() && blocks > 10 {
		return errors.New("an MCU has more than 10 blocks")
	}
	if first := !d.anyBegun(); first {
		if err := d.size(data); err != nil {
			return err
		}
	}
	if err := d.readProgression(b[len(b)-3:]); err != nil {
		return err
	}
	if err := d.latchQuant(); err != nil {
		return err
	}
	if s.interleaved() {
		s.across, s.down = ceilDiv(d.config.Width, 8*d.hmax), ceilDiv(d.config.Height, 8*d.vmax)
	} else {
		s.across, s.down = s.components[0].across, s.components[0].down
	}
	return d.buildTables()
}

// component finds a component that is not in the scan yet.
func (d *Decoder) component(id byte) *component {
next:
	for i := range d.n {
		p := &d.components[i]
		for _, q := range d.scan.components {
			if p == q {
				continue next
			}
		}
		if p.id == id {
			return p
		}
	}
	return nil
}

func (d *Decoder) anyBegun() bool {
	for i := range d.n {
		if d.components[i].begun {
			return true
		}
	}
	return false
}

// size finds the height, if the frame left it to a DNL marker behind the first
// scan, and how many blocks there are.
func (d *Decoder) size(data []byte) error {
	if d.config.Height == 0 {
		d.config.Height = lateHeight(data)
	}
	if d.config.Height == 0 {
		return errors.New("the height of the picture is missing")
	}
	d.blocks = 0
	for i := range d.n {
		p := &d.components[i]
		p.across = ceilDiv(d.config.Width*p.h, 8*d.hmax)
		p.down = ceilDiv(d.config.Height*p.v, 8*d.vmax)
		d.blocks += p.across * p.down
	}
	return nil
}

// lateHeight is that of the DNL marker which ends a scan, or 0.
func lateHeight(data []byte) int {
	for i := 0; i+6 <= len(data); i++ {
		if data[i] != 0xff || data[i+1] == 0 || data[i+1] == 0xff || data[i+1] >= rst0 && data[i+1] <= rst7 {
			continue
		}
		if data[i+1] == dnl && binary.BigEndian.Uint16(data[i+2:]) == 4 {
			return int(binary.BigEndian.Uint16(data[i+4:]))
		}
		break
	}
	return 0
}

// readProgression reads which coefficients, and which of their bits, the scan
// has. Sequential files have all, whatever they say.
func (d *Decoder) readProgression(b []byte) error {
	s := &d.scan
	if !d.progressive {
		for _, p := range s.components[:s.n] {
			if p.begun {
				return errTwoScans
			}
		}
		s.to = 63
		return nil
	}
	s.from, s.to, s.before, s.low = int(b[0]), int(b[1]), b[2]>>4, b[2]&15
	if s.from > s.to || s.to > 63 || s.from == 0 && s.to > 0 || s.from > 0 && s.interleaved() ||
		s.low > 13 || s.before > 0 && s.before != s.low+1 {
		return errors.New("a scan's part of the coefficients is out of range")
	}
	expected := uint8(0)
	if s.before > 0 {
		expected = s.before + 1
	}
	for _, p := range s.components[:s.n] {
		for k := s.from; k <= s.to; k++ {
			if p.sent[k] != expected {
				return errors.New("a scan does not follow on those before it")
			}
			p.sent[k] = s.low + 1
		}
	}
	return nil
}

// latchQuant gives components the quantisation tables of the time of their
// first scan; later ones have the same.
func (d *Decoder) latchQuant() error {
	for _, p := range d.scan.components[:d.scan.n] {
		if !d.quantSet[p.table] {
			return errors.New("a quantisation table is missing")
		}
		p.begun, p.quant = true, d.quant[p.table]
	}
	return nil
}

// buildTables makes the Huffman tables that the scan uses.
func (d *Decoder) buildTables() error {
	s := &d.scan
	for _, p := range s.components[:s.n] {
		if s.from == 0 && s.before == 0 {
			if err := d.dc[p.dc].build(false, d.standard(&standardDC, p.dc)); err != nil {
				return err
			}
		}
		if s.to > 0 {
			if err := d.ac[p.ac].build(true, d.standard(&standardAC, p.ac)); err != nil {
				return err
			}
		}
	}
	return nil
}

// standard is the table that a file may leave out, or nil: only sequential
// files do, as those of Motion JPEG.
func (d *Decoder) standard(tables *[2][]byte, id byte) []byte {
	if d.progressive || id > 1 {
		return nil
	}
	return tables[id]
}
