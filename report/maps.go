package report

import (
	"image"
	"image/color"
)

// Grey is a map of h x w values as a grey image: low and below is black, high and above
// is white.
func Grey(values []float32, h, w int, low, high float32, lines ...string) Captioned {
	s := Captioned{Pixels: make([]float32, len(values)), C: 1, H: h, W: w, Lines: lines}
	for i, v := range values {
		if high > low {
			s.Pixels[i] = 255 * (v - low) / (high - low)
		}
	}
	return s
}

// Signed is an image [C,H,W] of values of both signs, with one channel or three: zero is
// mid-grey, and the largest magnitude is white or black.
func Signed(values []float32, c, h, w int, lines ...string) Captioned {
	largest := float32(0)
	for _, v := range values {
		largest = max(largest, v, -v)
	}
	s := Captioned{Pixels: make([]float32, len(values)), C: c, H: h, W: w, Lines: lines}
	for i, v := range values {
		s.Pixels[i] = 127.5
		if largest > 0 {
			s.Pixels[i] += 127.5 * v / largest
		}
	}
	return s
}

// Heat is an image with a map over it, h x w values that are cut off to 0 to 1: the image
// in faint grey where the map is 0, then red, and yellow where it is 1.
func Heat(s Captioned, heat []float32, lines ...string) Captioned {
	hot := Captioned{Pixels: make([]float32, 3*s.H*s.W), C: 3, H: s.H, W: s.W, Lines: lines}
	for y := range s.H {
		for x := range s.W {
			i := y*s.W + x
			grey := 0.4 * float32(color.GrayModel.Convert(s.at(x, y)).(color.Gray).Y)
			v := min(max(heat[i], 0), 1)
			for c, full := range [3]float32{min(2*v, 1), max(2*v-1, 0), 0} {
				hot.Pixels[c*s.H*s.W+i] = grey*(1-v) + 255*full*(0.25+0.75*v)
			}
		}
	}
	return hot
}

// Part is the part of an image in a rectangle; what lies outside of the image is mid-grey.
func (s Captioned) Part(r image.Rectangle, lines ...string) Captioned {
	p := Captioned{Pixels: make([]float32, s.C*r.Dx()*r.Dy()), C: s.C, H: r.Dy(), W: r.Dx(), Lines: lines}
	for c := range s.C {
		for y := range p.H {
			for x := range p.W {
				v := float32(127.5)
				if at := r.Min.Add(image.Pt(x, y)); at.In(image.Rect(0, 0, s.W, s.H)) {
					v = s.Pixels[(c*s.H+at.Y)*s.W+at.X]
				}
				p.Pixels[(c*p.H+y)*p.W+x] = v
			}
		}
	}
	return p
}

// framed is how many pixels wide an image with a frame is at least.
const framed = 160

// Framed is an image, magnified if it is small, with a frame around a rectangle of it.
// Where the rectangle leaves the image, the frame does not close.
func (s Captioned) Framed(r image.Rectangle, lines ...string) Captioned {
	zoom := max(1, (framed+max(s.H, s.W)-1)/max(s.H, s.W))
	p := Captioned{C: 3, H: s.H * zoom, W: s.W * zoom, Lines: lines}
	p.Pixels = make([]float32, 3*p.H*p.W)
	outer := image.Rect(r.Min.X*zoom, r.Min.Y*zoom, r.Max.X*zoom, r.Max.Y*zoom)
	inner := outer.Inset(2)
	for y := range p.H {
		for x := range p.W {
			colour := s.at(x/zoom, y/zoom)
			if at := image.Pt(x, y); at.In(outer) && !at.In(inner) {
				colour = testColour
			}
			for c, v := range [3]uint8{colour.R, colour.G, colour.B} {
				p.Pixels[(c*p.H+y)*p.W+x] = float32(v)
			}
		}
	}
	return p
}
