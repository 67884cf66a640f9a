package devicetest

import (
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
)

// tolerance says how far an element of a result may be from the reference's.
//
// A sum of n float32 products, in any order, errs by at most n u M with
// certainty, where M is the sum of their absolute values and u the unit
// roundoff, and by at most k sqrt(n) u M but for a probability of
// 2 exp(-k²/2) (Higham and Mary 2019, "A new approach to probabilistic
// rounding error analysis", theorem 3.1). With long sums the former would let
// a missing term pass. The bound here is the latter with k = 4, 7 in 10,000 at
// the very worst, plus some roundings before and after the sum:
//
//	|got - want| <= u (4 sqrt(terms) + ulps) M
//
// TF32 has a unit roundoff v of 2^-11. Both numbers of a product are rounded to
// it, so each product errs by at most 2v + v² of itself, and their sum by as much
// of M, which is added.
type tolerance struct {
	exact bool    // the one float32 nearest to the reference's result
	tf32  bool    // where the device has it, a sum of products of rounded numbers
	terms int     // of the sum in one element
	ulps  float64 // roundings apart from those of the sum
	floor float64 // without a magnitude call, M is the result plus this
}

const (
	unitRoundoff = 1.0 / (1 << 24)
	tf32Roundoff = 1.0 / (1 << 11)
	// A device may flush numbers below the smallest normal one to zero.
	smallestNormal = 0x1p-126
)

// exactly is for results that are copied, chosen or rounded once.
var exactly = tolerance{exact: true}

// products is for sums of products.
func products(terms int) tolerance { return tolerance{terms: terms, ulps: 8} }

// matrixProduct is for sums of products that a device with TF32 rounds for.
func matrixProduct(terms int) tolerance {
	t := products(terms)
	t.tf32 = true
	return t
}

// ulps is for a few roundings, relative to the result plus floor.
func ulps(n, floor float64) tolerance { return tolerance{ulps: n, floor: floor} }

// allows reports whether a device may give got where the reference gives
// want.
func (t tolerance) allows(got, want, magnitude float64) bool {
	switch {
	case math.IsNaN(want) || math.IsNaN(got):
		return math.IsNaN(want) && math.IsNaN(got)
	case t.exact || math.IsInf(want, 0):
		return float64(float32(want)) == got
	}
	return math.Abs(got-want) <= t.bound(magnitude)
}

func (t tolerance) bound(magnitude float64) float64 {
	relative := unitRoundoff * (4*math.Sqrt(float64(t.terms)) + t.ulps)
	if t.tf32 {
		relative += 2*tf32Roundoff + tf32Roundoff*tf32Roundoff
	}
	return relative*magnitude + smallestNormal
}

// Check runs the case on a device and on the reference, with random inputs
// that follow from o.Seed, and says what is wrong.
func (c Case) Check(dev device.Device, o Options) error {
	q, err := dev.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	values := c.values(o.Seed)
	b, err := c.bind(dev, q, values)
	if err != nil {
		return err
	}
	defer b.Close()
	q.Scope(c.Name)
	b.Launch(q)
	if err := q.Sync(); err != nil {
		return err
	}
	got, err := b.results(q)
	if err != nil {
		return err
	}
	precision := dev.Traits().Precision(c.operation)
	if !precision.TF32 {
		c = c.inFloat32()
	}
	if err := c.compare(got, values, precision.Blockwise); err != nil {
		return err
	}
	if o.NoAllocs {
		return checkAllocs(q, func() { b.Launch(q) })
	}
	return nil
}

// inFloat32 is the case for a device without TF32.
func (c Case) inFloat32() Case {
	c.args = slices.Clone(c.args)
	for i := range c.args {
		c.args[i].tol.tf32 = false
	}
	return c
}

// results reads all arguments back and checks what the kernel may not have
// touched.
func (b *Bound) results(q device.Queue) ([]any, error) {
	got := make([]any, len(b.blocks))
	for i, k := range b.blocks {
		if k == nil {
			continue
		}
		var err error
		if got[i], err = k.check(q, b.c.args[i].role); err != nil {
			return nil, err
		}
	}
	for _, k := range b.hidden {
		if _, err := k.check(q, inout); err != nil {
			return nil, err
		}
	}
	return got, nil
}

// compare holds the results of a case against the reference's. Those of a blockwise
// convolution may err by what the element of the largest magnitude may.
func (c Case) compare(got, values []any, blockwise bool) error {
	want, err := c.onReference(c.call, values)
	if err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	magnitudes := make([][]float64, len(want))
	if c.magnitude != nil {
		if magnitudes, err = c.onReference(c.magnitude, absolute(values)); err != nil {
			return fmt.Errorf("magnitudes: %w", err)
		}
	}
	if c.errors != nil {
		if magnitudes, err = c.onReference(func(_ device.Queue, b *Bound) { c.errors(b) }, values); err != nil {
			return fmt.Errorf("errors: %w", err)
		}
	}
	if blockwise && !c.args[0].absent() { // y, dx or dw
		m := magnitudes[0]
		largest := slices.Max(m)
		for i := range m {
			m[i] = largest
		}
	}
	for i, a := range c.args {
		if a.absent() || a.role == in {
			continue
		}
		if err := a.compare(toFloat64(got[i]), want[i], magnitudes[i], c.errors != nil); err != nil {
			return err
		}
	}
	return nil
}

// onReference runs a call on the reference device and returns the results.
func (c Case) onReference(call func(device.Queue, *Bound), values []any) ([][]float64, error) {
	ref := reference.New()
	q, err := ref.NewQueue()
	if err != nil {
		return nil, err
	}
	b, err := c.bind(ref, q, values)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	call(q, b)
	results := make([][]float64, len(c.args))
	for i, a := range c.args {
		if a.absent() || a.role == in {
			continue
		}
		if results[i], err = b.blocks[i].exact(q); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// compare reports the element that is furthest off. With anyResult an infinite
// magnitude says that there is no wrong result.
func (a arg) compare(got, want, magnitudes []float64, anyResult bool) error {
	bad, worst, excess := 0, 0, 0.0
	for i := range got {
		m := math.Abs(want[i]) + a.tol.floor
		if magnitudes != nil {
			m = magnitudes[i]
		}
		if anyResult && math.IsInf(m, 1) || a.tol.allows(got[i], want[i], m) {
			continue
		}
		e := math.Abs(got[i]-want[i]) / a.tol.bound(m)
		if math.IsNaN(e) {
			e = math.Inf(1)
		}
		if bad == 0 || e > excess {
			worst, excess = i, e
		}
		bad++
	}
	if bad == 0 {
		return nil
	}
	rule := "exactly"
	if !a.tol.exact {
		m := math.Abs(want[worst]) + a.tol.floor
		if magnitudes != nil {
			m = magnitudes[worst]
		}
		rule = fmt.Sprintf("within %.3g", a.tol.bound(m))
	}
	return fmt.Errorf("%s%v is %v, want %v %s; %d of %d elements are off",
		a.name, coordinates(worst, a.shape), got[worst], want[worst], rule, bad, len(got))
}

// coordinates of element i.
func coordinates(i int, s tensor.Shape) []int {
	at := make([]int, len(s))
	for d := len(s) - 1; d >= 0; d-- {
		at[d] = i % s[d]
		i /= s[d]
	}
	return at
}
