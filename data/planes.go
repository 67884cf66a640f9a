package data

import (
	"fmt"
	"image"
	"image/color"
)

// planes makes planes of a decoded picture. Transparency says nothing of a
// pixel's colour, so colours are taken as they are stored.
func (d *decoder) planes(p *picture, m image.Image) error {
	switch m := m.(type) {
	case *image.Gray:
		p.space = grey
		p.planes[0] = whole(m.Pix, m.Stride, d.h, d.w)
	case *image.Gray16:
		p.space = grey
		p.planes[0] = whole(grown(d.pix, d.w*d.h), d.w, d.h, d.w)
		d.pix = p.planes[0].pix
		for y := range d.h {
			row := d.pix[y*d.w:][:d.w]
			for x := range row {
				row[x] = m.Pix[y*m.Stride+2*x]
			}
		}
	case *image.YCbCr:
		d.subsampled(p, m)
	case *image.NYCbCrA:
		d.subsampled(p, &m.YCbCr)
	case *image.Paletted:
		d.paletted(p, m)
	case *image.NRGBA:
		d.interleaved(p, m.Pix, m.Stride, 1, false)
	case *image.RGBA:
		d.interleaved(p, m.Pix, m.Stride, 1, true)
	case *image.NRGBA64:
		d.interleaved(p, m.Pix, m.Stride, 2, false)
	case *image.RGBA64:
		d.interleaved(p, m.Pix, m.Stride, 2, true)
	default:
		return fmt.Errorf("pictures of the kind %T are not read", m)
	}
	return nil
}

// whole is a plane with a sample for each pixel.
func whole(pix []uint8, stride, h, w int) plane {
	return plane{pix: pix, stride: stride, w: w, h: h, sx: 1, sy: 1}
}

// colours makes the picture one of red, green and blue, to be filled.
func (d *decoder) colours(p *picture) (r, g, b []uint8) {
	n := d.w * d.h
	d.pix = grown(d.pix, 3*n)
	p.space = rgb
	for c := range p.planes {
		p.planes[c] = whole(d.pix[c*n:(c+1)*n], d.w, d.h, d.w)
	}
	return p.planes[0].pix, p.planes[1].pix, p.planes[2].pix
}

// subsampled takes what WebP has: chroma of half the width and height.
func (d *decoder) subsampled(p *picture, m *image.YCbCr) {
	p.space = videoYCC
	p.planes[0] = whole(m.Y, m.YStride, d.h, d.w)
	for i, pix := range [][]uint8{m.Cb, m.Cr} {
		p.planes[1+i] = plane{pix: pix, stride: m.CStride, w: (d.w + 1) / 2, h: (d.h + 1) / 2, sx: 2, sy: 2}
	}
}

func (d *decoder) paletted(p *picture, m *image.Paletted) {
	var table [256][3]uint8 // black where the palette has no colour
	for i, c := range m.Palette {
		switch c := c.(type) {
		case color.RGBA:
			table[i] = [3]uint8{c.R, c.G, c.B}
		case color.NRGBA:
			table[i] = [3]uint8{c.R, c.G, c.B}
		case color.RGBA64: // of TIFF, opaque
			table[i] = [3]uint8{uint8(c.R >> 8), uint8(c.G >> 8), uint8(c.B >> 8)}
		}
	}
	r, g, b := d.colours(p)
	for y := range d.h {
		at := y * d.w
		for x, index := range m.Pix[y*m.Stride:][:d.w] {
			c := table[index]
			r[at+x], g[at+x], b[at+x] = c[0], c[1], c[2]
		}
	}
}

// interleaved takes red, green, blue and alpha that stand together, of one byte
// each or of two with the upper one first. Colours that were multiplied by alpha
// are divided again.
func (d *decoder) interleaved(p *picture, pix []uint8, stride, size int, multiplied bool) {
	r, g, b := d.colours(p)
	for y := range d.h {
		at := y * d.w
		row := pix[y*stride:][:4*size*d.w]
		for x := range d.w {
			v := row[4*size*x:][:4*size]
			v0, v1, v2, alpha := v[0], v[size], v[2*size], uint32(v[3*size])
			if multiplied && alpha != 255 && alpha != 0 {
				v0 = uint8(min(uint32(v0)*255/alpha, 255))
				v1 = uint8(min(uint32(v1)*255/alpha, 255))
				v2 = uint8(min(uint32(v2)*255/alpha, 255))
			}
			r[at+x], g[at+x], b[at+x] = v0, v1, v2
		}
	}
}
