package bench

import (
	"fmt"
	"math"
)

// agreement is how far checksums of the same product may be apart, as a share
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
