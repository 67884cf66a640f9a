package data

import (
	"math"

	"github.com/hubel-go/hubel/device"
)

// finish does the steps that are of neither geometry nor colour.
func (p *Photos) finish(s *scratch, dst []float32, v view) {
	channels, h, w := p.shape[0], p.shape[1], p.shape[2]
	p.augment.each(v, func(step Step, k int) {
		words := v.words(k, 0)
		switch step.Op {
		case Noise:
			addNoise(dst, step.amount(words[1]), v.draws)
			return
		case Cutout:
			p.cut(dst, &step, words)
			return
		case Erase:
			p.erase(dst, &step, v, k)
			return
		}
		for c := range channels {
			plane := dst[c*h*w : (c+1)*h*w]
			switch step.Op {
			case Autocontrast:
				autocontrast(plane)
			case Equalize:
				equalize(plane)
			case Solarize:
				solarize(plane, float32(step.amount(words[1])))
			case Posterize:
				posterize(plane, int(math.Round(step.amount(words[1]))))
			case Sharpness:
				s.middle = grown(s.middle, h*w)
				sharpen(plane, s.middle, h, w, float32(step.amount(words[1])))
			}
		}
	})
}

// cut sets a rectangle to the mean.
func (p *Photos) cut(dst []float32, step *Step, words [4]uint32) {
	channels, h, w := p.shape[0], p.shape[1], p.shape[2]
	ch, cw := step.size()
	y0 := int(unit(words[1])*float64(h)) - ch/2
	x0 := int(unit(words[2])*float64(w)) - cw/2
	for c := range channels {
		mean := float32(128)
		if p.stats != nil {
			mean = p.stats.Mean[c]
		}
		for y := max(y0, 0); y < min(y0+ch, h); y++ {
			row := dst[(c*h+y)*w:][:w]
			for x := max(x0, 0); x < min(x0+cw, w); x++ {
				row[x] = mean
			}
		}
	}
}

// eraseTries is how often erase draws a rectangle until one fits.
const eraseTries = 10

// erase sets a rectangle to random values, a byte of a random word each.
func (p *Photos) erase(dst []float32, step *Step, v view, k int) {
	channels, h, w := p.shape[0], p.shape[1], p.shape[2]
	draws := v.draws
	draws.Stream = eraseStream
	for try := range eraseTries {
		words := v.words(k, 1+try)
		area := step.amount(words[0]) * float64(h) * float64(w)
		ratio := math.Pow(0.3, 2*unit(words[1])-1)
		eh, ew := int(math.Round(math.Sqrt(area*ratio))), int(math.Round(math.Sqrt(area/ratio)))
		if eh > h || ew > w {
			continue
		}
		y0, x0 := int(unit(words[2])*float64(h-eh+1)), int(unit(words[3])*float64(w-ew+1))
		for c := range channels {
			for y := y0; y < y0+eh; y++ {
				from := (c*h+y)*w + x0
				eraseRow(dst, from, from+ew, draws)
			}
		}
		return
	}
}

// eraseRow sets dst[from:to] to the bytes of random words of the same places.
func eraseRow(dst []float32, from, to int, draws device.Random) {
	for i := from; i < to; {
		block := draws.Block(0, i/16)
		for end := min(to, (i/16+1)*16); i < end; i++ {
			dst[i] = float32(block[i%16/4] >> (i % 4 * 8) & 255)
		}
	}
}
