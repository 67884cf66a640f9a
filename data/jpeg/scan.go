package jpeg

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"math"
)

// padding follows the data, so that an MCU, at most 10 blocks of 64
// coefficients of 31 bits, and what is read ahead of it, can be read past the
// end before that is noticed.
const padding = 10*64*31/8 + 64

// bitReader reads bits of data from which the stuffing has been taken out.
type bitReader struct {
	data []byte
	acc  uint64 // the next bits, from the highest on
	n    uint   // how many of them are there, at least
	pos  int    // of the byte that comes next
	end  int    // of what may be read

	sum int64 // the largest of any block's magnitudes, added up
}

// start begins to read at a byte.
func (r *bitReader) start(pos, end int) { r.acc, r.n, r.pos, r.end = 0, 0, pos, end }

// overrun reports whether more was read than there is.
func (r *bitReader) overrun() bool { return r.pos*8-int(r.n) > r.end*8 }

// fill makes 56 bits or more ready: enough for the longest code and the longest
// value.
func (r *bitReader) fill() {
	r.acc |= binary.BigEndian.Uint64(r.data[r.pos:]) >> (r.n & 63)
	r.pos += int(63-r.n) >> 3
	r.n |= 56
}

// skip takes bits that are ready.
func (r *bitReader) skip(n uint) {
	r.acc <<= n & 63
	r.n -= n
}

// decodeScans decodes the scan whose head has been read, and those that
// follow.
func (d *Decoder) decodeScans(ctx context.Context, part image.Rectangle) error {
	rest := d.rest
	for {
		var err error
		if rest, err = d.unstuff(rest); err != nil {
			return err
		}
		if err := d.decodeScan(ctx, part); err != nil {
			return err
		}
		if !d.progressive && d.scan.n == d.n {
			return noScan(rest)
		}
		more, err := d.readToScan(&rest)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	for i := range d.n {
		if p := &d.components[i]; !p.begun || d.progressive && p.sent[0] == 0 {
			return errors.New("a component is in no scan")
		}
	}
	return nil
}

// noScan finds out whether there is another scan after one that had all, which
// other decoders would put in its place.
func noScan(rest []byte) error {
	for {
		switch marker, _, err := nextSegment(&rest); {
		case err != nil || marker == eoi:
			return nil // as good as the end
		case marker == sos:
			return errTwoScans
		}
	}
}

// unstuff copies the scan without the zeros that follow 0xff, finds its restart
// markers, and returns what follows it.
func (d *Decoder) unstuff(rest []byte) ([]byte, error) {
	data := grown(d.bits.data, len(rest)+padding)[:0]
	intervals := 1
	if d.restart > 0 { // a marker takes two bytes
		intervals = min(ceilDiv(d.scan.across*d.scan.down, d.restart), len(rest)/2+1)
	}
	d.ends = grown(d.ends, intervals)[:0]
	for {
		i := bytes.IndexByte(rest, 0xff)
		if i < 0 {
			i = len(rest) // the end of the image is missing. What there is may be enough.
		}
		data = append(data, rest[:i]...)
		rest = rest[i:]
		fill := 1
		for fill < len(rest) && rest[fill] == 0xff {
			fill++
		}
		if fill >= len(rest) {
			rest = nil
			break
		}
		marker := rest[fill]
		if marker == 0 {
			data = append(data, 0xff)
		} else if marker >= rst0 && marker <= rst7 && len(d.ends)+1 < intervals {
			if int(marker-rst0) != len(d.ends)%8 {
				return nil, errors.New("the restart markers are out of order")
			}
			d.ends = append(d.ends, len(data))
		} else {
			break
		}
		rest = rest[fill+1:]
	}
	d.ends = append(d.ends, len(data))
	var zeros [padding]byte
	d.bits.data = append(data, zeros[:]...)
	return rest, nil
}

// decodeScan decodes a scan up to the last row of a part of the picture, which
// is in MCUs of all components.
func (d *Decoder) decodeScan(ctx context.Context, part image.Rectangle) error {
	s := &d.scan
	decode := d.sequentialMCU
	switch {
	case !d.progressive:
		for _, p := range s.components[:s.n] {
			p.setMultipliers()
		}
	case s.from == 0 && s.before == 0:
		decode = d.firstDC
	case s.from == 0:
		decode = d.refineDC
	case s.before == 0:
		decode = d.firstAC
	default:
		decode = d.refineAC
	}
	if p := s.components[0]; !s.interleaved() {
		part.Min.X, part.Min.Y, part.Max.X, part.Max.Y = part.Min.X*p.h, part.Min.Y*p.v, part.Max.X*p.h, part.Max.Y*p.v
	}
	d.endRun = 0
	left, begin := 0, 0 // MCUs up to the next restart marker, and where those begin
	ends := d.ends
	for my := range min(part.Max.Y, s.down) {
		if err := ctx.Err(); err != nil {
			return err
		}
		for mx := 0; mx < s.across; {
			if left == 0 {
				if len(ends) == 0 {
					return errTruncated
				}
				if d.endRun > 0 {
					return errDamaged
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
			if d.endRun > 0 {
				n := d.skipRun(mx, my, min(s.across-mx, left))
				mx += n
				left -= n
				if n > 0 {
					continue
				}
			}
			if err := decode(mx, my, part); err != nil {
				return err
			}
			if d.bits.overrun() {
				return errTruncated
			}
			if d.bits.sum > largestSum {
				return errDamaged
			}
			mx++
			left--
		}
	}
	if part.Max.Y >= s.down && d.endRun > 0 {
		return errDamaged
	}
	return nil
}

// order is where the coefficients go, which come in zigzag order: column by
// column. Whatever lies past the last one is damage, and goes anywhere.
var order = func() (o [64 + 16]uint8) {
	x, y := 0, 0
	for k := range 64 {
		o[k] = uint8(8*x + y)
		switch up := (x+y)%2 == 0; {
		case up && x == 7, !up && y == 7:
			if up {
				y++
			} else {
				x++
			}
		case up && y == 0:
			x++
		case !up && x == 0:
			y++
		case up:
			x++
			y--
		default:
			x--
			y++
		}
	}
	return o
}()
