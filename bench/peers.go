package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// agreement is how far checksums of the same product may be apart, as a fraction
// of the sum of its absolute terms: float32 sums in another order.
const agreement = 1e-5

// AddPeer puts the results of another program beside those of the report.
// Products that both have worked out must have the same values; compared says
// how many did.
func (r *Report) AddPeer(peer *Report) (compared int, err error) {
	own := map[string]Result{}
	for _, x := range r.Results {
		if x.Checksum != nil {
			own[x.Key()] = x
		}
	}
	for _, x := range peer.Results {
		o, ok := own[x.Key()]
		if !ok || x.Checksum == nil {
			continue
		}
		compared++
		a, b := o.Checksum, x.Checksum
		if !(math.Abs(a.Sum-b.Sum) <= agreement*a.Absolute) {
			return compared, fmt.Errorf("%s: the values of %s and %s differ: sums %g and %g of absolute terms %g",
				x.Key(), o.Where(), x.Where(), a.Sum, b.Sum, a.Absolute)
		}
	}
	r.Results = append(r.Results, peer.Results...)
	return compared, nil
}

// WriteRatios writes, for each kind and network, how many times as fast as
// each other place the first one is: the least of all things that both did,
// the median, and by the sum of their times. Of layers only products count:
// other programs split the rest in other ways.
func (r *Report) WriteRatios(out io.Writer) error {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line(w, []string{"times as fast", "as", "least", "in", "median", "in sum", "of"})
	for _, t := range r.grouped() {
		for place := 1; place < len(t.places); place++ {
			c := t.against(place)
			if len(c.ratios) == 0 {
				continue
			}
			line(w, []string{
				t.places[0] + ": " + t.title(), t.places[place],
				fmt.Sprintf("%.2f", slices.Min(c.ratios)), c.least, fmt.Sprintf("%.2f", c.median()),
				fmt.Sprintf("%.2f", c.other/c.own), fmt.Sprint(len(c.ratios))})
		}
	}
	return w.Flush()
}

// contest is one place of a table against another, in what both did.
type contest struct {
	ratios     []float64
	least      string
	own, other float64 // seconds
}

func (c *contest) median() float64 { return quantile(slices.Sorted(slices.Values(c.ratios)), 0.5) }

// against is the first place against another.
func (t *table) against(place int) *contest {
	c := &contest{}
	for _, row := range t.rows {
		a, b := row[0], row[place]
		if a == nil || b == nil || t.kind == KindLayers && !a.Product {
			continue
		}
		ratio := b.Seconds / a.Seconds
		if len(c.ratios) == 0 || ratio < slices.Min(c.ratios) {
			c.least = a.Name + " " + a.Pass
		}
		c.ratios = append(c.ratios, ratio)
		c.own += a.Seconds
		c.other += b.Seconds
	}
	return c
}

// Checksum stands for the values of a product: the sum of element i times
// 1 + i mod 7, and the same of absolute values.
type Checksum struct {
	Sum      float64 `json:"sum"`
	Absolute float64 `json:"absolute"`
}

func checksum(x []float32) *Checksum {
	c := &Checksum{}
	for i, v := range x {
		term := float64(v) * float64(1+i%7)
		c.Sum += term
		c.Absolute += math.Abs(term)
	}
	return c
}
