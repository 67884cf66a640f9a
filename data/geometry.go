package data

import (
	"image"
	"math"

	"github.com/hubel-go/hubel/device"
)

// affine maps a sample's coordinates to a picture's:
//
//	x' = a*x + b*y + c,  y' = d*x + e*y + f
//
// Pixel i covers the coordinates i to i+1.
type affine struct{ a, b, c, d, e, f float64 }

// after is the map that does first, then m.
func (m affine) after(first affine) affine {
	return affine{
		m.a*first.a + m.b*first.d, m.a*first.b + m.b*first.e, m.a*first.c + m.b*first.f + m.c,
		m.d*first.a + m.e*first.d, m.d*first.b + m.e*first.e, m.d*first.c + m.e*first.f + m.f,
	}
}

func (m affine) apply(x, y float64) (float64, float64) {
	return m.a*x + m.b*y + m.c, m.d*x + m.e*y + m.f
}

// inverse is the map from the picture's coordinates to the sample's.
func (m affine) inverse() affine {
	det := m.a*m.e - m.b*m.d
	n := affine{a: m.e / det, b: -m.b / det, d: -m.d / det, e: m.a / det}
	n.c, n.f = n.apply(-m.c, -m.f)
	return n
}

// upright reports whether rows stay rows.
func (m affine) upright() bool { return m.b == 0 && m.d == 0 }

// bounds is the part of the picture that a sample of h by w pixels lies in.
func (m affine) bounds(h, w int) (x0, y0, x1, y1 float64) {
	x0, y0 = math.Inf(1), math.Inf(1)
	x1, y1 = math.Inf(-1), math.Inf(-1)
	for _, corner := range [4][2]float64{{0, 0}, {float64(w), 0}, {0, float64(h)}, {float64(w), float64(h)}} {
		x, y := m.apply(corner[0], corner[1])
		x0, x1 = min(x0, x), max(x1, x)
		y0, y1 = min(y0, y), max(y1, y)
	}
	return x0, y0, x1, y1
}

// view is which of the possible samples of a picture is wanted.
type view struct {
	random bool
	draws  device.Random // of a random one
	crop   int           // of a test: 0 for the centre, or one of tenCrops
	whole  bool          // decode all of the picture, to see whether it can be
}

// tenCrops is how many views a test may take of a picture: the corners and
// the centre, and the same mirrored (Krizhevsky et al. 2012, section 4.1).
const tenCrops = 10

// blocksOf is the number of blocks of random words that a step may use.
const blocksOf = 32

// words are random words of step k: its block j.
func (v view) words(k, j int) [4]uint32 { return v.draws.Block(0, k*blocksOf+j) }

// taken decides whether step k is taken. Steps that cannot be left out are.
func (v view) taken(s *Step, k int) bool {
	if !formOf(s.Op).chance {
		return true
	}
	return v.random && float64(v.words(k, 0)[0]) < s.P*(1<<32)
}

// unit is a random number from 0 up to 1.
func unit(word uint32) float64 { return float64(word) / (1 << 32) }

// amount is a random number of a step's range.
func (s *Step) amount(word uint32) float64 { return s.Lo + (s.Hi-s.Lo)*unit(word) }

// geometry is the map of a view of a picture of h by w pixels, and the size
// of the sample.
func (a Augment) geometry(v view, h, w int) (m affine, outH, outW int) {
	m = affine{a: 1, e: 1}
	lastCrop := -1
	for k := range a {
		if a[k].Op == Crop || a[k].Op == RandomCrop {
			lastCrop = k
		}
	}
	centred := func(inner affine) affine {
		cx, cy := float64(w)/2, float64(h)/2
		return affine{a: 1, c: cx, e: 1, f: cy}.after(inner).after(affine{a: 1, c: -cx, e: 1, f: -cy})
	}
	a.each(v, func(s Step, k int) {
		var step affine
		words := v.words(k, 0)
		switch s.Op {
		case Resize:
			nh, nw := s.H, s.W
			if s.W == 0 {
				nh, nw = shorter(h, w, s.H)
			}
			step = affine{a: float64(w) / float64(nw), e: float64(h) / float64(nh)}
			h, w = nh, nw
		case Pad:
			step = affine{a: 1, c: -float64(s.H), e: 1, f: -float64(s.H)}
			h, w = h+2*s.H, w+2*s.H
		case Crop:
			nh, nw := s.size()
			step = affine{a: 1, c: v.place(w-nw, 0, words[1], k == lastCrop), e: 1, f: v.place(h-nh, 1, words[2], k == lastCrop)}
			h, w = nh, nw
		case RandomCrop:
			nh, nw := s.size()
			x, y, pw, ph := v.part(&s, k, h, w)
			if !v.random && k == lastCrop {
				x = v.place(w-int(pw), 0, 0, true)
				y = v.place(h-int(ph), 1, 0, true)
			}
			step = affine{a: pw / float64(nw), c: x, e: ph / float64(nh), f: y}
			h, w = nh, nw
		case Flip:
			step = affine{a: -1, c: float64(w), e: 1}
		case Rotate:
			sin, cos := math.Sincos(s.amount(words[1]) * math.Pi / 180)
			step = centred(affine{a: cos, b: sin, d: -sin, e: cos})
		case Translate:
			// The picture moves right and down, so a sample looks left and up.
			step = affine{a: 1, c: -s.amount(words[1]) * float64(w), e: 1, f: -s.amount(words[2]) * float64(h)}
		case TranslateX:
			step = affine{a: 1, c: -s.amount(words[1]) * float64(w), e: 1}
		case TranslateY:
			step = affine{a: 1, e: 1, f: -s.amount(words[1]) * float64(h)}
		case ShearX:
			step = centred(affine{a: 1, b: -s.amount(words[1]), e: 1})
		case ShearY:
			step = centred(affine{a: 1, d: -s.amount(words[1]), e: 1})
		case Zoom:
			z := s.amount(words[1])
			step = centred(affine{a: 1 / z, e: 1 / z})
		default:
			return
		}
		m = m.after(step)
	})
	if !v.random && v.crop >= tenCrops/2 {
		m = m.after(affine{a: -1, c: float64(w), e: 1})
	}
	return m, h, w
}

// shorter is the size of a picture whose shorter side becomes side.
func shorter(h, w, side int) (nh, nw int) {
	longer := func(long, short int) int {
		return max(1, min(largestSide, (long*side+short/2)/short))
	}
	if h <= w {
		return side, longer(w, h)
	}
	return longer(h, w), side
}

// place is where a crop begins, which leaves free pixels, along an axis: 0 for
// the columns, 1 for the rows. A crop that is larger than the picture has it
// in its middle.
func (v view) place(free, axis int, word uint32, last bool) float64 {
	switch {
	case free <= 0:
		return math.Floor(float64(free) / 2)
	case v.random:
		return math.Floor(unit(word) * float64(free+1))
	case !last || v.crop%5 == 0:
		return math.Floor(float64(free) / 2)
	}
	// Crops 1 to 4 of five are the corners, as 0 is the centre.
	if corner := v.crop%5 - 1; corner>>axis&1 == 1 {
		return float64(free)
	}
	return 0
}

// part is what RandomCrop cuts out.
func (v view) part(s *Step, k, h, w int) (x, y, pw, ph float64) {
	nh, nw := s.size()
	area := float64(h) * float64(w)
	for try := range 10 {
		if !v.random {
			break
		}
		words := v.words(k, 1+try)
		part := s.amount(words[0]) * area
		ratio := float64(nw) / float64(nh) * math.Exp((2*unit(words[1])-1)*math.Log(4./3))
		pw, ph = math.Round(math.Sqrt(part*ratio)), math.Round(math.Sqrt(part/ratio))
		if pw >= 1 && ph >= 1 && pw <= float64(w) && ph <= float64(h) {
			return math.Floor(unit(words[2]) * (float64(w) - pw + 1)), math.Floor(unit(words[3]) * (float64(h) - ph + 1)), pw, ph
		}
	}
	scale := min(float64(w)/float64(nw), float64(h)/float64(nh))
	if !v.random {
		scale *= 7. / 8
	}
	pw, ph = max(1, math.Round(scale*float64(nw))), max(1, math.Round(scale*float64(nh)))
	return math.Floor((float64(w) - pw) / 2), math.Floor((float64(h) - ph) / 2), pw, ph
}

// source is the part of a picture of h by w pixels that a sample needs, and
// how many times it may be halved before.
func (m affine) source(outH, outW, h, w int) (region image.Rectangle, halvings int) {
	sx, sy := math.Hypot(m.a, m.d), math.Hypot(m.b, m.e)
	for halvings < 3 && min(sx, sy) >= float64(int(2)<<halvings) {
		halvings++
	}
	x0, y0, x1, y1 := m.bounds(outH, outW)
	// What filters reach: a pixel of the sample and one of the picture, which
	// halving makes larger.
	margin := 2*max(sx, sy) + float64(int(2)<<halvings)
	region = image.Rect(
		clampInt(math.Floor(x0-margin), w), clampInt(math.Floor(y0-margin), h),
		clampInt(math.Ceil(x1+margin), w), clampInt(math.Ceil(y1+margin), h))
	// A sample that looks past the picture sees its edge.
	if region.Min.X == region.Max.X {
		region.Min.X, region.Max.X = clampEdge(region.Min.X, w)
	}
	if region.Min.Y == region.Max.Y {
		region.Min.Y, region.Max.Y = clampEdge(region.Min.Y, h)
	}
	return region, halvings
}

func clampInt(x float64, n int) int { return int(min(max(x, 0), float64(n))) }

func clampEdge(i, n int) (from, to int) {
	if i == 0 {
		return 0, 1
	}
	return n - 1, n
}
