package data

import "math"

// colours maps a picture's components to a sample's channels, both from 0 to
// 255: channel k is m[k][0]*p0 + m[k][1]*p1 + m[k][2]*p2 + m[k][3].
type colours [3][4]float64

// luma is what the components of red, green and blue weigh in grey (ITU-R
// BT.601).
var luma = [3]float64{0.299, 0.587, 0.114}

// coloursOf begins with what makes red, green and blue, or grey, of a
// picture's components.
func coloursOf(s space) colours {
	switch s {
	case ycc: // JFIF 1.02
		return colours{
			{1, 0, 1.402, -1.402 * 128},
			{1, -0.344136286, -0.714136286, (0.344136286 + 0.714136286) * 128},
			{1, 1.772, 0, -1.772 * 128},
		}
	case videoYCC: // ITU-R BT.601: 219 steps of Y from 16 on, 224 of Cb and Cr
		const y, c = 255. / 219, 255. / 224
		return colours{
			{y, 0, c * 1.402, -16*y - c*1.402*128},
			{y, -c * 0.344136286, -c * 0.714136286, -16*y + c*(0.344136286+0.714136286)*128},
			{y, c * 1.772, 0, -16*y - c*1.772*128},
		}
	case rgb:
		return colours{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}
	}
	return colours{{1, 0, 0, 0}, {1, 0, 0, 0}, {1, 0, 0, 0}}
}

// row is a channel that weighs three others.
func (m *colours) row(weights [3]float64) (row [4]float64) {
	for k, w := range weights {
		for j := range row {
			row[j] += w * m[k][j]
		}
	}
	return row
}

// colour is the map of colours of a view. The means are those of the
// picture's components in the sample.
func (a Augment) colour(v view, from space, channels int, means [3]float64, stats *Statistics) colours {
	m := coloursOf(from)
	grey := channels == 1
	a.each(v, func(s Step, k int) {
		words := v.words(k, 0)
		switch s.Op {
		case Grey:
			row := m.row(luma)
			m = colours{row, row, row}
		case Brightness:
			f := s.amount(words[1])
			for c := range m {
				for j := range m[c] {
					m[c][j] *= f
				}
			}
		case Contrast:
			f := s.amount(words[1])
			row := m.row(luma)
			mean := row[3]
			for j, x := range means {
				mean += row[j] * x
			}
			for c := range m {
				for j := range m[c] {
					m[c][j] *= f
				}
				m[c][3] += (1 - f) * mean
			}
		case Saturation:
			f := s.amount(words[1])
			row := m.row(luma)
			for c := range m {
				for j := range m[c] {
					m[c][j] = f*m[c][j] + (1-f)*row[j]
				}
			}
		case Hue:
			m.turn(s.amount(words[1]) * math.Pi / 180)
		case PCA:
			if grey || stats == nil || len(stats.Variances) != 3 {
				return
			}
			deviation := s.amount(words[1])
			draws := v.words(k, 1)
			for e := range 3 {
				shift := 255 * stats.Variances[e] * deviation * normal(draws[e])
				for c := range m {
					m[c][3] += shift * stats.Components[3*e+c]
				}
			}
		}
	})
	return m
}

// turn turns U = 0.492 (B - Y) and V = 0.877 (R - Y) by an angle, and keeps the
// luma Y.
func (m *colours) turn(angle float64) {
	const u, v = 0.492, 0.877
	sin, cos := math.Sincos(angle)
	y := m.row(luma)
	for j := range y {
		blue, red := u*(m[2][j]-y[j]), v*(m[0][j]-y[j])
		blue, red = cos*blue-sin*red, sin*blue+cos*red
		m[0][j], m[2][j] = y[j]+red/v, y[j]+blue/u
		m[1][j] = (y[j] - luma[0]*m[0][j] - luma[2]*m[2][j]) / luma[1]
	}
}

// apply makes channels of as many components, in place.
func (m *colours) apply(parts [3][]float32, components, channels int) {
	if *m == coloursOf(rgb) && components == channels {
		return
	}
	var f [3][4]float32
	for c := range m {
		for j, x := range m[c] {
			f[c][j] = float32(x)
		}
	}
	n := len(parts[0])
	a, b, c := parts[0], parts[1][:n], parts[2][:n]
	if components == 1 {
		for i, v := range a {
			for k := range channels {
				parts[k][i] = float32(f[k][0]*v) + f[k][3]
			}
		}
		return
	}
	if channels == 1 {
		for i, v := range a {
			a[i] = float32(f[0][0]*v) + float32(f[0][1]*b[i]) + float32(f[0][2]*c[i]) + f[0][3]
		}
		return
	}
	mixColours(a, b, c, &f)
}
