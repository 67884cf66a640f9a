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
// each other place the first one is, and as the fastest of them: the least of all
// things that both did, the median, and by the sum of their times. Of layers only
// products count: other programs split the rest in other ways. Last come the layers
// that are faster elsewhere.
func (r *Report) WriteRatios(out io.Writer) error {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line(w, []string{"times as fast", "as", "least", "in", "median", "in sum", "of"})
	for _, t := range r.grouped() {
		for place := 1; place < len(t.places); place++ {
			t.writeRatio(w, t.places[place], place)
		}
		if peers := t.peers(); len(peers) > 1 {
			t.writeRatio(w, "the fastest of the other programs", peers...)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return r.writeSlower(out)
}

// peers are the places that are other devices than the first one, with as many threads.
func (t *table) peers() []int {
	var of []int
	own := t.at(0)
	for place := 1; place < len(t.places); place++ {
		if x := t.at(place); x.Device != own.Device && x.Threads == own.Threads {
			of = append(of, place)
		}
	}
	return of
}

// at is a result of a place; each has one.
func (t *table) at(place int) *Result {
	for _, row := range t.rows {
		if row[place] != nil {
			return row[place]
		}
	}
	return nil
}

// writeRatio writes how many times as fast as the fastest of other places the first is.
func (t *table) writeRatio(w io.Writer, name string, others ...int) {
	c := t.against(others...)
	if len(c.ratios) == 0 {
		return
	}
	line(w, []string{
		t.places[0] + ": " + t.title(), name,
		fmt.Sprintf("%.2f", slices.Min(c.ratios)), c.least, fmt.Sprintf("%.2f", c.median()),
		fmt.Sprintf("%.2f", c.other/c.own), fmt.Sprint(len(c.ratios))})
}

// writeSlower writes the layers that another program does faster than the first place: all
// of their passes together, and forward alone.
func (r *Report) writeSlower(out io.Writer) error {
	for _, t := range r.grouped() {
		all, once := t.byLayer(), t.byLayer(forward)
		if t.kind != KindLayers || len(all) == 0 {
			continue
		}
		fmt.Fprintf(out, "\n%s: %s; layers beside the fastest of the other programs: all passes: %s; forward: %s\n",
			t.places[0], t.title(), summary(all), summary(once))
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		line(w, []string{"slower", "ms", "all passes", "forward"})
		for _, c := range all {
			cell, slower := nothing, c.ratio() < 1
			if f := slices.IndexFunc(once, func(x layerContest) bool { return x.name == c.name }); f >= 0 {
				cell, slower = fmt.Sprintf("%.2f", once[f].ratio()), slower || once[f].ratio() < 1
			}
			if slower {
				line(w, []string{c.name, fmt.Sprintf("%.3f", 1e3*c.own), fmt.Sprintf("%.2f", c.ratio()), cell})
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// layerContest is the first place of a table against the fastest other program, in one layer.
type layerContest struct {
	name       string
	own, other float64 // seconds
}

func (c *layerContest) ratio() float64 { return c.other / c.own }

// byLayer adds the passes of each layer that the first place and another program have done,
// or only those that are named.
func (t *table) byLayer(passes ...string) []layerContest {
	type times struct {
		own float64
		by  []float64 // of each of the peers; of the passes that both did
	}
	peers := t.peers()
	var names []string
	of := map[string]*times{}
	for _, row := range t.rows {
		x := first(row)
		if row[0] == nil || len(passes) > 0 && !slices.Contains(passes, x.Pass) ||
			!slices.ContainsFunc(peers, func(p int) bool { return row[p] != nil }) {
			continue
		}
		l, ok := of[x.Name]
		if !ok {
			l = &times{by: make([]float64, len(peers))}
			of[x.Name], names = l, append(names, x.Name)
		}
		l.own += row[0].Seconds
		for i, p := range peers {
			if row[p] == nil {
				l.by[i] = math.Inf(1) // it did not do all of them
			} else {
				l.by[i] += row[p].Seconds
			}
		}
	}
	var all []layerContest
	for _, name := range names {
		l := of[name]
		if other := slices.Min(l.by); !math.IsInf(other, 1) {
			all = append(all, layerContest{name, l.own, other})
		}
	}
	return all
}

// summary says in how many layers the first place is slower, and the ratios of all.
func summary(all []layerContest) string {
	if len(all) == 0 {
		return "nothing"
	}
	slower := 0
	var ratios []float64
	for _, c := range all {
		ratios = append(ratios, c.ratio())
		if c.ratio() < 1 {
			slower++
		}
	}
	return fmt.Sprintf("%d of %d slower, least %.2f, median %.2f", slower, len(all), slices.Min(ratios), quantile(slices.Sorted(slices.Values(ratios)), 0.5))
}

// contest is the first place of a table against the fastest of others, in what all did.
type contest struct {
	ratios     []float64
	least      string
	own, other float64 // seconds
}

func (c *contest) median() float64 { return quantile(slices.Sorted(slices.Values(c.ratios)), 0.5) }

// against is the first place against the fastest of some others.
func (t *table) against(others ...int) *contest {
	c := &contest{}
	for _, row := range t.rows {
		a, b := row[0], math.Inf(1)
		for _, place := range others {
			if row[place] != nil {
				b = min(b, row[place].Seconds)
			}
		}
		if a == nil || math.IsInf(b, 1) || t.kind == KindLayers && !a.Product {
			continue
		}
		ratio := b / a.Seconds
		if len(c.ratios) == 0 || ratio < slices.Min(c.ratios) {
			c.least = a.Name + " " + a.Pass
		}
		c.ratios = append(c.ratios, ratio)
		c.own += a.Seconds
		c.other += b
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
