package jpeg

import (
	"context"
	"image/color"
)

// rgbPlanes are what becomes of four components.
type rgbPlanes struct {
	pix  [3][]uint8
	rows [4][]uint8 // one of each component, at the size of the picture
}

// convertCMYK makes red, green and blue of the four components: CMYK, or Y, Cb,
// Cr and K, stored as Adobe does, where 255 is no ink. That is what programs
// take it for, with a marker of Adobe's or without. Each sample covers size by
// size pixels.
func (d *Decoder) convertCMYK(ctx context.Context, size int) ([]Plane, error) {
	p := Plane{X0: d.planes[0].X0, Y0: d.planes[0].Y0, SX: float64(size), SY: float64(size)}
	for _, q := range d.planes {
		p.W, p.H = max(p.W, int(float64(q.W)*q.SX)/size), max(p.H, int(float64(q.H)*q.SY)/size)
	}
	p.W, p.H = min(p.W, ceilDiv(d.config.Width-p.X0, size)), min(p.H, ceilDiv(d.config.Height-p.Y0, size))
	p.Stride = p.W
	var rgb [3]Plane
	for i := range rgb {
		d.rgb.pix[i] = grown(d.rgb.pix[i], p.W*p.H)
		rgb[i] = p
		rgb[i].Pix = d.rgb.pix[i]
	}
	for i := range d.rgb.rows {
		d.rgb.rows[i] = grown(d.rgb.rows[i], p.W)
	}
	c, m, y, k := d.rgb.rows[0], d.rgb.rows[1], d.rgb.rows[2], d.rgb.rows[3]
	ycck := d.adobe > 0
	for row := range p.H {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i := range d.planes {
			d.planes[i].enlargedRow(d.rgb.rows[i], row, size)
		}
		at := row * p.W
		r, g, b := rgb[0].Pix[at:at+p.W], rgb[1].Pix[at:at+p.W], rgb[2].Pix[at:at+p.W]
		for x := range r {
			ink := [3]uint8{c[x], m[x], y[x]}
			if ycck {
				ink[0], ink[1], ink[2] = color.YCbCrToRGB(c[x], m[x], y[x])
				ink = [3]uint8{255 - ink[0], 255 - ink[1], 255 - ink[2]}
			}
			r[x], g[x], b[x] = light(ink[0], k[x]), light(ink[1], k[x]), light(ink[2], k[x])
		}
	}
	copy(d.planes[:3], rgb[:])
	return d.planes[:3], nil
}

// light is what one ink and black leave of the light.
func light(ink, black uint8) uint8 { return uint8((uint32(ink)*uint32(black) + 127) / 255) }

// enlargedRow writes a row of the plane as it is where each sample covers size
// by size pixels, by linear interpolation.
func (p *Plane) enlargedRow(dst []uint8, row, size int) {
	top, bottom, down := between(row, p.H, float64(size)/p.SY)
	a, b := p.Pix[top*p.Stride:][:p.W], p.Pix[bottom*p.Stride:][:p.W]
	scale := float64(size) / p.SX
	for x := range dst {
		left, right, across := between(x, p.W, scale)
		upper := int(a[left])*(256-across) + int(a[right])*across
		lower := int(b[left])*(256-across) + int(b[right])*across
		dst[x] = uint8((upper*(256-down) + lower*down + 1<<15) >> 16)
	}
}

// between finds the two of n samples that sample i of an enlarged row lies
// between, and how far it is from the first to the second, of 256.
func between(i, n int, scale float64) (first, second, far int) {
	at := max((float64(i)+0.5)*scale-0.5, 0)
	first = min(int(at), n-1)
	return first, min(first+1, n-1), int((at - float64(first)) * 256)
}
