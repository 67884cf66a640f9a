package vec

import "math"

// Windows is a block of pooling windows that lie within their image, in each of
// some planes.
type Windows struct {
	Planes           int
	Plane, OutPlane  int // the distance of two planes, of pixels and of outputs
	Rows, Columns    int // windows
	R, S             int // rows and columns of one
	StrideH, StrideW int
	W                int // the image's width
	OutW             int // of the outputs' plane: the distance of two rows
	First            int // place of the first window's first pixel in its plane
}

// maxPool changes the running maximum and its place by conditional moves: a
// branch would be mispredicted half the time.
func maxPool(y []float32, index []int32, x []float32, w Windows) {
	for plane := range w.Planes {
		if index != nil {
			maxPoolPlane(y[plane*w.OutPlane:], index[plane*w.OutPlane:], x[plane*w.Plane:], &w)
		} else {
			maxPoolPlane(y[plane*w.OutPlane:], nil, x[plane*w.Plane:], &w)
		}
	}
}

func maxPoolPlane(y []float32, index []int32, x []float32, w *Windows) {
	for i := range w.Rows {
		for o := range w.Columns {
			first := w.First + i*w.StrideH*w.W + o*w.StrideW
			at := first
			best := math.Float32bits(x[at])
			nans := 0
			for r := range w.R {
				row := first + r*w.W
				for s, v := range x[row : row+w.S] {
					b := math.Float32bits(v)
					more := v > math.Float32frombits(best)
					if more {
						at = row + s
					}
					if more {
						best = b
					}
					if v != v {
						nans++
					}
				}
			}
			if nans > 0 {
				at = firstNaN(x, first, w)
			}
			y[i*w.OutW+o] = x[at]
			if index != nil {
				index[i*w.OutW+o] = int32(at)
			}
		}
	}
}

// firstNaN is the first NaN of the window at first, which has one.
func firstNaN(x []float32, first int, w *Windows) int {
	for r := range w.R {
		for k := first + r*w.W; k < first+r*w.W+w.S; k++ {
			if x[k] != x[k] {
				return k
			}
		}
	}
	panic("vec: no NaN in the window")
}
