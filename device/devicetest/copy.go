package devicetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// stridedCopy is a copy between tensors of so many elements.
type stridedCopy struct {
	name     string
	dst, src int
	device.Strided
}

// reversed is the copy back.
func (c stridedCopy) reversed() stridedCopy {
	return stridedCopy{c.name + " reversed", c.src, c.dst, c.Strided.Reversed()}
}

// axes is a copy along some axes, from the first elements on.
func axes(a ...device.Axis) device.Strided {
	var s device.Strided
	copy(s.Axes[:], a)
	return s
}

// joined places samples of len elements in ones of total.
func joined(n, len, total, offset int) stridedCopy {
	s := axes(device.Axis{Len: n, Dst: total, Src: len}, device.Axis{Len: len, Dst: 1, Src: 1})
	s.Dst = offset
	return stridedCopy{fmt.Sprintf("%d times %d of %d at %d", n, len, total, offset), n * total, n * len, s}
}

// permuted is the copy that makes axis k of dst of axis order[k] of src.
func permuted(shape tensor.Shape, order ...int) stridedCopy {
	var s device.Strided
	n := device.Elements(shape)
	step := n
	for k, i := range order {
		step /= shape[i]
		s.Axes[k] = device.Axis{Len: shape[i], Dst: step, Src: device.Elements(shape[i+1:])}
	}
	return stridedCopy{fmt.Sprintf("%v permuted %v", []int(shape), order), n, n, s}
}

// spread copies a tensor that has some axes of a shape along the others.
func spread(shape tensor.Shape, has ...int) stridedCopy {
	var s device.Strided
	n, step := device.Elements(shape), 1
	for i, of := len(shape)-1, 1; i >= 0; i-- {
		s.Axes[i] = device.Axis{Len: shape[i], Dst: of}
		of *= shape[i]
		if slices.Contains(has, i) {
			s.Axes[i].Src = step
			step *= shape[i]
		}
	}
	return stridedCopy{fmt.Sprintf("axes %v spread to %v", has, []int(shape)), n, step, s}
}

// repeated makes h by w pixels of each pixel of n images.
func repeated(n, height, width, h, w int) stridedCopy {
	return stridedCopy{fmt.Sprintf("%d images of %dx%d repeated %dx%d", n, height, width, h, w), n * height * width * h * w, n * height * width, axes(
		device.Axis{Len: n * height, Dst: h * width * w, Src: width},
		device.Axis{Len: h, Dst: width * w},
		device.Axis{Len: width, Dst: w, Src: 1},
		device.Axis{Len: w, Dst: 1},
	)}
}

// stridedCopies are copies that layers make, and odd ones.
func stridedCopies(o Options) []stridedCopy {
	window := stridedCopy{"window", 2 * 3 * 8 * 12, 2 * 3 * 4 * 7, device.Box(tensor.Shape{2, 3, 4, 7}, tensor.Shape{2, 3, 8, 12}, tensor.Shape{2, 3, 4, 7})}
	window.Dst = 2*12 + 3
	every := stridedCopy{"every third", 2 * 5 * 4, 2 * 15 * 4, axes(device.Axis{Len: 2, Dst: 20, Src: 60}, device.Axis{Len: 5, Dst: 4, Src: 12}, device.Axis{Len: 4, Dst: 1, Src: 1})}
	every.Src = 8
	all := []stridedCopy{
		{"one element", 1, 1, device.Strided{}},
		{"one element among others", 5, 7, device.Strided{Dst: 4, Src: 6}},
		{"repeated and added up", 6, 20, axes(device.Axis{Len: 5, Src: 4}, device.Axis{Len: 3, Dst: 2}, device.Axis{Len: 4, Src: 1}, device.Axis{Len: 2, Dst: 1})},
		{"sum of columns", 8, 8 * 12, axes(device.Axis{Len: 12, Src: 8}, device.Axis{Len: 8, Dst: 1, Src: 1})},
		{"sum of all", 1, 300, axes(device.Axis{Len: 300, Src: 1})},
		{"a window more than once", 12, 20, axes(device.Axis{Len: 3, Dst: 4, Src: 5}, device.Axis{Len: 4, Dst: 1, Src: 2})},
	}
	for _, c := range []stridedCopy{
		joined(1, 1, 1, 0), joined(3, 5, 12, 0), joined(3, 5, 12, 4), joined(3, 5, 12, 7), joined(2, 9, 9, 0), joined(7, 1, 100, 50),
		joined(5, 8, 24, 12), joined(3, 64*49, 256*49, 96*49), joined(4, 600, 1200, 600),
		window, every,
		permuted(tensor.Shape{3, 5, 4}, 0, 2, 1), permuted(tensor.Shape{2, 19, 33}, 0, 2, 1), permuted(tensor.Shape{2, 40, 1100}, 0, 2, 1),
		permuted(tensor.Shape{2, 3, 5, 7}, 3, 2, 1, 0), permuted(tensor.Shape{2, 17, 3, 20}, 0, 3, 2, 1), permuted(tensor.Shape{2, 3, 2, 3, 2, 3}, 5, 0, 3, 2, 4, 1),
		permuted(tensor.Shape{2, 3, 2, 3, 2, 4}, 2, 4, 1, 3, 0, 5), permuted(tensor.Shape{3, 2, 3, 2, 3, 8}, 4, 2, 0, 3, 1, 5),
		spread(tensor.Shape{2, 3, 2, 3, 2, 8}, 1, 3, 5), spread(tensor.Shape{3, 2, 3, 2, 3, 2}, 1, 3, 5), spread(tensor.Shape{2, 3, 2, 3, 2, 3}, 0, 2, 4),
		spread(tensor.Shape{2, 2, 3, 2, 3, 4}, 1, 5), spread(tensor.Shape{2, 3, 3, 4}, 1, 3),
		permuted(tensor.Shape{2, 4, 3, 25}, 0, 2, 1, 3), permuted(tensor.Shape{2, 4, 3, 16}, 0, 2, 1, 3),
		repeated(2, 3, 5, 2, 2), repeated(1, 4, 3, 1, 3), repeated(2, 3, 4, 3, 1), repeated(3, 2, 9, 2, 12),
	} {
		all = append(all, c, c.reversed())
	}
	r := rand.New(rand.NewPCG(o.Seed, 2))
	n := o.Random
	if n == 0 {
		n = 12
	}
	for i := range 2 * n {
		all = append(all, randomCopy(r, i))
	}
	return all
}

// randomCopy is a copy along up to six axes in any order, which may be repeated, added
// up, have gaps and begin anywhere.
func randomCopy(r *rand.Rand, i int) stridedCopy {
	rank := 1 + r.IntN(device.MaxAxes)
	lens := make([]int, rank)
	for k := range lens {
		lens[k] = 1 + r.IntN([]int{5000, 70, 17, 9, 5, 4}[rank-1])
	}
	grain := 1 + 3*r.IntN(2) // what steps are multiples of
	to, dst := lay(r, lens, grain, func(int) bool { return r.IntN(6) == 0 })
	from, src := lay(r, lens, grain, func(k int) bool { return to[k] != 0 && r.IntN(6) == 0 })
	s := device.Strided{Dst: grain * r.IntN(3), Src: grain * r.IntN(3)}
	for k := range lens {
		s.Axes[k] = device.Axis{Len: lens[k], Dst: to[k], Src: from[k]}
	}
	return stridedCopy{fmt.Sprintf("random %d %v from %d to %d", i, s.Axes[:rank], s.Src, s.Dst), dst + s.Dst + r.IntN(4), src + s.Src + r.IntN(4), s}
}

// lay makes steps of axes, some with gaps, such that no two elements meet, and returns
// how many elements these take with what lies between. A step where an axis stands
// still is 0.
func lay(r *rand.Rand, lens []int, grain int, still func(axis int) bool) (steps []int, end int) {
	steps, end = make([]int, len(lens)), 1
	for _, k := range r.Perm(len(lens)) {
		if still(k) {
			continue
		}
		step := end
		if step > 1 {
			step = (step + grain - 1) / grain * grain
		}
		step *= 1 + r.IntN(4)/3
		steps[k] = step
		end += (lens[k] - 1) * step
	}
	return steps, end
}

func copyCases(o Options) []Case {
	var all []Case
	for _, c := range stridedCopies(o) {
		for _, m := range modes {
			all = append(all, stridedCase(c, m))
		}
	}
	return all
}

func stridedCase(c stridedCopy, m device.Mode) Case {
	terms := 1
	for _, a := range c.Axes {
		if a.Dst == 0 {
			terms *= max(a.Len, 1)
		}
	}
	tol := exactly
	if terms > 1 {
		tol = tolerance{terms: terms, ulps: 4}
	}
	dst := destination("dst", tensor.Shape{c.dst}, m, tol)
	if written, _ := c.Moved(); m == device.Overwrite && written < c.dst { // what lies between is left
		dst = updated("dst", tensor.Shape{c.dst}, sprinkled(uniform, 2, float32(math.NaN())), tol)
	}
	call := func(q device.Queue, b *Bound) { q.CopyStrided(c.Strided, b.t[0], b.t[1], m) }
	k := Case{
		Op:   "strided copy",
		Name: fmt.Sprintf("%s %v", c.name, m),
		args: []arg{dst, input("src", tensor.Shape{c.src}, uniform)},
		call: call,
	}
	if terms > 1 {
		k.magnitude = call
	}
	return k
}

// checkRefusedStrides makes copies that reach beyond their tensors, bring two elements
// to one place, or are of another type.
func checkRefusedStrides(dev device.Device) error {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	x, err := upload(dev, q, device.Float32, count[float32](12))
	if err != nil {
		return err
	}
	defer x.Buffer.Free()
	part := func(first, n int) device.Tensor {
		return device.Tensor{Buffer: x.Buffer.Slice(4*int64(first), 4*int64(n)), Shape: tensor.Shape{n}}
	}
	dst, src := part(0, 6), part(6, 6)
	whole := src
	whole.DType = device.Int32
	for _, c := range []struct {
		what     string
		s        device.Strided
		dst, src device.Tensor
	}{
		{"reads beyond its source", axes(device.Axis{Len: 4, Dst: 1, Src: 2}), dst, src},
		{"writes beyond its destination", axes(device.Axis{Len: 4, Dst: 2, Src: 1}), dst, src},
		{"begins behind its source", device.Strided{Src: 6}, dst, src},
		{"begins before its destination", device.Strided{Dst: -1}, dst, src},
		{"goes backwards", axes(device.Axis{Len: 2, Dst: 1, Src: -1}), dst, src},
		{"has an axis without elements", axes(device.Axis{Len: 0, Dst: 1, Src: 1}), dst, src},
		{"brings two elements to one place", axes(device.Axis{Len: 2, Dst: 1, Src: 2}, device.Axis{Len: 2, Dst: 1, Src: 1}), dst, src},
		{"adds one element up", axes(device.Axis{Len: 2}), dst, src},
		{"reads integers", axes(device.Axis{Len: 2, Dst: 1, Src: 1}), dst, whole},
	} {
		q.CopyStrided(c.s, c.dst, c.src, device.Overwrite)
		if err := q.Sync(); err == nil {
			return fmt.Errorf("no error of a strided copy that %s", c.what)
		}
		if got, err := download(q, x); err != nil || sameBits(count[float32](12), got) >= 0 {
			return fmt.Errorf("a strided copy that %s made %v: %w", c.what, got, err)
		}
	}
	return nil
}
