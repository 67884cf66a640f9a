package data

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"gonum.org/v1/gonum/mat"
)

// Statistics are those of a training set's samples, as a test sees them.
type Statistics struct {
	Mean      Floats `json:"mean"`                 // [C]
	Deviation Floats `json:"deviation"`            // [C]
	MeanImage Floats `json:"mean_image,omitempty"` // [C,H,W]

	// The principal components of colours, where there are three channels: the
	// variance along each, of pixels from 0 to 1, the largest first, and a unit
	// vector for each.
	Variances  []float64 `json:"variances,omitempty"`  // [3]
	Components []float64 `json:"components,omitempty"` // [3,3]

	Covariance []float64     `json:"covariance,omitempty"` // of channels, [C,C]
	whole      *mat.SymDense // of whole samples
}

// ofColours is the part that the steps of an Augment need.
func (s *Statistics) ofColours() *Statistics {
	return &Statistics{Mean: s.Mean, Deviation: s.Deviation, Variances: s.Variances, Components: s.Components}
}

// MeasureOptions say what Measure finds out.
type MeasureOptions struct {
	Workers int  // 0 means one for each core
	Whole   bool // the covariance of whole samples too

	Progress func(done, all int) // called now and then, from one goroutine at a time; may be nil
}

// Bad is a sample that cannot be read.
type Bad struct {
	Sample int
	Err    error
}

// largestWhole bounds the values of a sample whose covariance is found: 32x32
// pixels in colour.
const largestWhole = 3 * 32 * 32

// chunkSize is the number of samples whose sums are formed apart. It fixes the
// order of every sum, so that the number of workers does not matter.
const chunkSize = 64

// Measure reads every sample once, all of its file if it has one, and returns
// the statistics of those that can be read, and the others, in order.
func Measure(ctx context.Context, d Dataset, o MeasureOptions) (*Statistics, []Bad, error) {
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	size := d.Shape().TotalSize()
	if o.Whole && size > largestWhole {
		return nil, nil, fmt.Errorf("whitening of whole samples needs at most %d values in each, not %d; colours alone can be whitened at any size", largestWhole, size)
	}
	m := &measurement{set: withContext(ctx, d), o: o, channels: d.Shape()[0], total: newSums(d, o)}
	m.turn.L = &m.mutex
	var workers sync.WaitGroup
	for range o.Workers {
		workers.Go(func() { m.run(ctx) })
	}
	workers.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	case m.total.n == 0:
		err := errors.New("no sample can be read")
		if len(m.bad) > 0 {
			err = fmt.Errorf("%w: %w, for one", err, m.bad[0].Err)
		}
		return nil, nil, err
	}
	s, err := m.total.statistics()
	return s, m.bad, err
}

// measurement is what the workers of Measure share.
type measurement struct {
	set      Dataset
	o        MeasureOptions
	channels int

	mutex   sync.Mutex
	turn    sync.Cond
	next    int // chunk to be read
	merging int // chunk whose sums are next to be added
	total   *sums
	bad     []Bad
}

func (m *measurement) run(ctx context.Context) {
	s := newSums(m.set, m.o)
	x := make([]float32, m.set.Shape().TotalSize())
	for {
		m.mutex.Lock()
		chunk := m.next
		m.next++
		m.mutex.Unlock()
		from := chunk * chunkSize
		to := min(from+chunkSize, m.set.Len())
		if from >= to || ctx.Err() != nil {
			break
		}
		s.clear()
		var bad []Bad
		for i := from; i < to; i++ {
			if err := check(m.set, x, i); err != nil {
				bad = append(bad, Bad{i, err})
				continue
			}
			s.add(x)
		}
		m.mutex.Lock()
		for m.merging != chunk && ctx.Err() == nil {
			m.turn.Wait()
		}
		m.total.merge(s)
		m.bad = append(m.bad, bad...)
		m.merging++
		if m.o.Progress != nil {
			m.o.Progress(to, m.set.Len())
		}
		m.turn.Broadcast()
		m.mutex.Unlock()
	}
	m.mutex.Lock() // so that nobody is between a look at ctx and Wait
	m.turn.Broadcast()
	m.mutex.Unlock()
}

// check reads a sample, and all of the file it is in.
func check(d Dataset, x []float32, i int) (err error) {
	defer func() {
		if r := recover(); r != nil { // a goroutine of Measure's would end the process
			err = panicked(r)
		}
	}()
	if p, ok := d.(*Photos); ok {
		_, err = p.read(x, i, view{whole: true})
		return err
	}
	_, err = d.Read(x, i)
	return err
}

// sums are over samples.
type sums struct {
	n        int
	channels int
	values   []float64 // [C,H,W]
	products []float64 // [C,C], over all pixels
	rows     *mat.Dense
	whole    *mat.SymDense // of products of all values; nil if not wanted
}

func newSums(d Dataset, o MeasureOptions) *sums {
	n, c := d.Shape().TotalSize(), d.Shape()[0]
	s := &sums{channels: c, values: make([]float64, n), products: make([]float64, c*c)}
	if o.Whole {
		s.rows, s.whole = mat.NewDense(chunkSize, n, nil), mat.NewSymDense(n, nil)
	}
	return s
}

func (s *sums) clear() {
	s.n = 0
	clear(s.values)
	clear(s.products)
	if s.rows != nil {
		s.rows.Zero()
	}
}

// add adds a sample.
func (s *sums) add(x []float32) {
	for i, v := range x {
		s.values[i] += float64(v)
	}
	plane := len(x) / s.channels
	for a := range s.channels {
		for b := range a + 1 {
			p, q := x[a*plane:(a+1)*plane], x[b*plane:(b+1)*plane]
			sum := 0.
			for i, v := range p {
				sum += float64(v) * float64(q[i])
			}
			s.products[a*s.channels+b] += sum
		}
	}
	if s.rows != nil {
		row := s.rows.RawRowView(s.n)
		for i, v := range x {
			row[i] = float64(v)
		}
	}
	s.n++
}

// merge adds the sums of a chunk.
func (s *sums) merge(chunk *sums) {
	s.n += chunk.n
	for i, v := range chunk.values {
		s.values[i] += v
	}
	for i, v := range chunk.products {
		s.products[i] += v
	}
	if s.whole != nil {
		s.whole.SymRankK(s.whole, 1, chunk.rows.T())
	}
}

// statistics makes means and variances of the sums.
func (s *sums) statistics() (*Statistics, error) {
	c := s.channels
	plane := len(s.values) / c
	n := float64(s.n)
	st := &Statistics{Mean: make(Floats, c), Deviation: make(Floats, c), MeanImage: make(Floats, len(s.values))}
	means := make([]float64, c)
	for i, v := range s.values {
		st.MeanImage[i] = float32(v / n)
		means[i/plane] += v / n / float64(plane)
	}
	st.Covariance = make([]float64, c*c)
	for a := range c {
		for b := range a + 1 {
			v := s.products[a*c+b]/n/float64(plane) - means[a]*means[b]
			st.Covariance[a*c+b], st.Covariance[b*c+a] = v, v
		}
		st.Mean[a] = float32(means[a])
		st.Deviation[a] = float32(math.Sqrt(max(0, st.Covariance[a*c+a])))
	}
	if s.whole != nil {
		st.whole = mat.NewSymDense(len(s.values), nil)
		for a, va := range s.values {
			for b, vb := range s.values[:a+1] {
				st.whole.SetSym(a, b, s.whole.At(a, b)/n-va/n*vb/n)
			}
		}
	}
	if c == 3 {
		var eigen mat.EigenSym
		if !eigen.Factorize(mat.NewSymDense(c, st.Covariance), true) {
			return nil, errors.New("the principal components of the colours cannot be found")
		}
		var vectors mat.Dense
		eigen.VectorsTo(&vectors)
		st.Variances, st.Components = make([]float64, 3), make([]float64, 9)
		for k, v := range eigen.Values(nil) { // the smallest first
			st.Variances[2-k] = max(0, v) / (255 * 255)
			sign := 1.
			if vectors.At(0, k)+vectors.At(1, k)+vectors.At(2, k) < 0 {
				sign = -1 // of the two, the one that brightens
			}
			for j := range 3 {
				st.Components[3*(2-k)+j] = sign * vectors.At(j, k)
			}
		}
	}
	return st, nil
}

// whiten returns the matrix that makes the covariance of what it multiplies
// the unit matrix: principal components, each divided by its deviation, and
// turned back to where they were (Bell and Sejnowski 1997). To every variance
// a share of the mean one is added, so that what hardly varies is not blown
// up.
func whiten(covariance *mat.SymDense, share float64) (Floats, error) {
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		return nil, errors.New("whitening: the principal components cannot be found")
	}
	var vectors, scaled, w mat.Dense
	eigen.VectorsTo(&vectors)
	values := eigen.Values(nil)
	n := covariance.SymmetricDim()
	floor := share * mat.Trace(covariance) / float64(n)
	if !(floor > 0) {
		return nil, errors.New("whitening: the samples do not vary")
	}
	scaled.Apply(func(_, k int, v float64) float64 {
		return v / math.Sqrt(max(0, values[k])+floor)
	}, &vectors)
	w.Mul(&scaled, vectors.T())
	f := make(Floats, n*n)
	for i := range f {
		f[i] = float32(w.At(i/n, i%n))
	}
	return f, nil
}
