package jpeg

import (
	"context"
	"image"
	"math/bits"
)

// clearBlocks makes room for the coefficients of some rows of MCUs, which are
// all 0.
func (p *component) clearBlocks(across, down int) {
	n := across * p.h * down * p.v
	p.stride = across * p.h
	p.blocks, p.set = grown(p.blocks, n), grown(p.set, n)
	clear(p.blocks)
	clear(p.set)
}

// transformBlocks makes samples of the coefficients of a part of the MCUs.
func (d *Decoder) transformBlocks(ctx context.Context, part image.Rectangle) error {
	for i := range d.n {
		p := &d.components[i]
		p.setMultipliers()
		side := 8 >> p.shift
		for y := part.Min.Y * p.v; y < min(part.Max.Y*p.v, p.down); y++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			for x := part.Min.X * p.h; x < min(part.Max.X*p.h, p.across); x++ {
				c, set := &p.blocks[y*p.stride+x], p.set[y*p.stride+x]
				sum := int64(magnitude(int32(c[0]))) * int64(p.quant[0])
				for m := set; m != 0; m &= m - 1 {
					k := bits.TrailingZeros64(m) & 63
					sum += int64(magnitude(int32(c[order[k]&63]))) * int64(p.quant[k])
				}
				if d.bits.sum = max(d.bits.sum, sum); sum > largestSum {
					return errDamaged
				}
				last := max(bits.Len64(set)-1, 0)
				at := (y-part.Min.Y*p.v)*side*p.plane.Stride + (x-part.Min.X*p.h)*side
				p.transform(p.plane.Pix[at:], p.plane.Stride, c, last)
			}
		}
	}
	return nil
}

// eachDC calls f for the blocks of an MCU of a scan of DC coefficients.
func (d *Decoder) eachDC(mx, my int, f func(p *component, c *[64]int16) error) error {
	if p := d.scan.components[0]; !d.scan.interleaved() {
		return f(p, &p.blocks[my*p.stride+mx])
	}
	for _, p := range d.scan.components[:d.scan.n] {
		for v := range p.v {
			for h := range p.h {
				if err := f(p, &p.blocks[(my*p.v+v)*p.stride+mx*p.h+h]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// firstDC decodes the upper bits of DC coefficients (T.81, G.1.2.1).
func (d *Decoder) firstDC(mx, my int, _ image.Rectangle) error {
	return d.eachDC(mx, my, func(p *component, c *[64]int16) error {
		r := &d.bits
		r.fill()
		s, ok := r.decode(&d.dc[p.dc])
		if !ok {
			return errDamaged
		}
		if size := uint(s); size > 0 {
			p.last += extend(r.acc, size)
			r.skip(size)
		}
		v := int64(p.last) << d.scan.low
		if v != int64(int16(v)) {
			return errDamaged
		}
		c[0] = int16(v)
		return nil
	})
}

// refineDC decodes one more bit of them.
func (d *Decoder) refineDC(mx, my int, _ image.Rectangle) error {
	return d.eachDC(mx, my, func(p *component, c *[64]int16) error {
		r := &d.bits
		r.fill()
		c[0] |= int16(r.acc>>63) << d.scan.low
		r.skip(1)
		return nil
	})
}

// decode decodes a code; 32 bits are ready.
func (r *bitReader) decode(t *huffman) (s byte, ok bool) {
	e := t.fast[r.acc>>(64-fastBits)]
	s = byte(e >> 8)
	length := uint(e & 63)
	switch {
	case e == longCode:
		s, length = t.long(uint32(r.acc >> 48))
	case e&(3<<6) == coefficient:
		length -= uint(s & 15)
	}
	r.skip(length)
	return s, length > 0
}

// readEndRun reads how many blocks, this one and some that follow, end here.
func (r *bitReader) readEndRun(size uint) uint32 {
	n := uint32(1)<<size | uint32(r.acc>>1>>(63-size))
	r.skip(size)
	return n
}

// skipRun skips blocks of a run that end where the scan begins, from one on, and
// returns how many: as many as there are, but none that has bits to refine. So a
// scan takes hardly more time than its data is long.
func (d *Decoder) skipRun(mx, my, limit int) int {
	p, s := d.scan.components[0], &d.scan
	n := min(limit, int(d.endRun))
	if s.before > 0 {
		for i, set := range p.set[my*p.stride+mx:][:n] {
			if set&s.band() != 0 {
				n = i
				break
			}
		}
	}
	d.endRun -= uint32(n)
	return n
}

// band has a bit for each coefficient of the scan.
func (s *scan) band() uint64 { return 2<<s.to - 1<<s.from }

// firstAC decodes the upper bits of a block's AC coefficients (T.81, G.1.2.2).
func (d *Decoder) firstAC(mx, my int, _ image.Rectangle) error {
	p, s := d.scan.components[0], &d.scan
	at := my*p.stride + mx
	c, ac, r := &p.blocks[at], &d.ac[p.ac], &d.bits
	k, low, set := s.from, s.low, p.set[at]
	for k <= s.to {
		if r.n < 32 {
			r.fill()
		}
		e := ac.fast[r.acc>>(64-fastBits)]
		if e&(3<<6) == coefficient {
			k += int(e >> 12 & 15)
			v := int32(e) >> 16 << low
			if magnitude(v) >= 1<<14 {
				return errDamaged
			}
			c[order[k]&63] = int16(v)
			set |= 1 << k
			k++
			r.skip(uint(e & 63))
			continue
		}
		symbol, ok := r.decode(ac)
		if !ok {
			return errDamaged
		}
		run, size := int(symbol>>4), uint(symbol&15)
		if size == 0 {
			if run < 15 {
				d.endRun = r.readEndRun(uint(run)) - 1
				break
			}
			k += 16
			continue
		}
		k += run
		v := extend(r.acc, size) << low
		if magnitude(v) >= 1<<14 {
			return errDamaged
		}
		c[order[k]&63] = int16(v)
		set |= 1 << k
		k++
		r.skip(size)
	}
	if k > s.to+1 {
		return errDamaged
	}
	p.set[at] = set
	return nil
}

// refineAC decodes one more bit of them (T.81, G.1.2.3): those that are not 0
// have one each, and the runs count only the others.
func (d *Decoder) refineAC(mx, my int, _ image.Rectangle) error {
	p, s := d.scan.components[0], &d.scan
	at := my*p.stride + mx
	c, ac, r := &p.blocks[at], &d.ac[p.ac], &d.bits
	k, set := s.from, p.set[at]&s.band()
	for d.endRun == 0 && k <= s.to {
		r.fill()
		symbol, ok := r.decode(ac)
		if !ok {
			return errDamaged
		}
		run, value := int(symbol>>4), int16(0)
		switch symbol & 15 {
		case 0:
			if run < 15 {
				d.endRun = r.readEndRun(uint(run))
			}
		case 1:
			value = -1 << s.low
			if r.acc>>63 == 1 {
				value = 1 << s.low
			}
			r.skip(1)
		default:
			return errDamaged
		}
		if d.endRun > 0 {
			break
		}
		// The zero that follows so many others.
		zeros := ^set >> k << k & s.band()
		for ; run > 0 && zeros != 0; run-- {
			zeros &= zeros - 1
		}
		if zeros == 0 {
			return errDamaged
		}
		k = bits.TrailingZeros64(zeros)
		passed := set & (1<<k - 1)
		r.refine(c, passed, s.low)
		set &^= passed
		if value != 0 {
			c[order[k&63]] = value
			p.set[at] |= 1 << k
		}
		k++
	}
	if d.endRun > 0 {
		d.endRun--
	}
	r.refine(c, set, s.low)
	return nil
}

// refine reads a bit for each coefficient of a set, all of which are not 0.
func (r *bitReader) refine(c *[64]int16, set uint64, low uint8) {
	acc, n := r.acc, r.n
	for ; set != 0; set &= set - 1 {
		if n == 0 {
			r.acc, r.n = acc, n
			r.fill()
			acc, n = r.acc, r.n
		}
		v := &c[order[bits.TrailingZeros64(set)&63]&63]
		sign := *v >> 15
		*v += (int16(acc>>63)<<low ^ sign) - sign // away from 0
		acc <<= 1
		n--
	}
	r.acc, r.n = acc, n
}
