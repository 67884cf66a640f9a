package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"sync"

	"github.com/hubel-go/hubel/predict"
)

// Model says which weights file is served under which name.
type Model struct {
	Name string // of the network, if it is empty
	File string
}

// ValidName says whether a model may have a name: letters, digits, '.', '_' and '-', at most
// 100. Such a name is itself in an address and in a metric.
func ValidName(name string) bool { return validName.MatchString(name) }

var validName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$`)

// model is a model under its name. Its weights may be exchanged while it is used.
type model struct {
	name, file string
	o          *Options
	meter      *modelMeter

	loading sync.Mutex // held by reload
	ended   bool

	mu  sync.Mutex
	now *generation
}

// generation is a model with certain weights. It is closed after its last user.
type generation struct {
	net     *predict.Predictor
	batches *batcher

	mu      sync.Mutex
	users   int
	retired bool
	idle    chan struct{} // closed when it is retired and has no users
}

// loadPredictor reads the weights, and lets them answer for a fixed sample.
func loadPredictor(ctx context.Context, file string, o *Options) (*predict.Predictor, error) {
	p, err := predict.Open(o.Device, file, predict.Options{
		Batch: o.Batch, Parallel: 1, Features: o.Features, TenCrops: o.TenCrops, Pixels: o.Pixels,
	})
	if err != nil {
		return nil, err
	}
	if err := answers(ctx, p); err != nil {
		return nil, cmp.Or(fmt.Errorf("%s: %w", file, err), p.Close())
	}
	return p, nil
}

// answers says why a network does not answer for a fixed sample of all grey levels, if
// it does not.
func answers(ctx context.Context, p *predict.Predictor) error {
	shape := p.Shape()
	x := make([]float32, shape[0]*shape[1]*shape[2])
	for i := range x {
		x[i] = float32(i * 37 % 256)
	}
	all, err := p.Predict(ctx, x)
	if err != nil {
		return err
	}
	return finite(all[0].Output)
}

// errInfinite is the error of an output that JSON cannot say.
var errInfinite = errors.New("the network's output is infinite")

// finite is predict.ErrNaN or errInfinite for values that are no answer.
func finite(values []float32) error {
	for _, v := range values {
		switch {
		case v != v:
			return predict.ErrNaN
		case math.IsInf(float64(v), 0):
			return errInfinite
		}
	}
	return nil
}

// open reads the weights for the first time. Its name must not be one that find knows.
func (m *model) open(ctx context.Context, meter *meter, find func(string) *model) error {
	p, err := loadPredictor(ctx, m.file, m.o)
	if err != nil {
		return err
	}
	if m.name == "" {
		if m.name = p.Network(); !ValidName(m.name) {
			m.name = "model"
		}
	}
	if other := find(m.name); other != nil {
		return cmp.Or(fmt.Errorf("%s and %s would both be served as %s: name one, as NAME=FILE", other.file, m.file, m.name), p.Close())
	}
	m.meter = meter.model(m.name, func() int {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.now.batches.length()
	})
	m.meter.loaded.Inc()
	m.now = m.generation(p)
	return nil
}

func (m *model) generation(p *predict.Predictor) *generation {
	return &generation{net: p, batches: newBatcher(p, m.o, m.meter), idle: make(chan struct{})}
}

// reload reads the weights again. If they answer, and take and give the same as the old
// ones, they take their place; requests that have begun end with the old ones, which are
// closed then. Otherwise the old ones stay, and it says why.
func (m *model) reload(ctx context.Context) (refused, closing error) {
	m.loading.Lock()
	defer m.loading.Unlock()
	if m.ended {
		return errClosed, nil
	}
	p, err := loadPredictor(ctx, m.file, m.o)
	if err == nil {
		if err = sameTerms(m.now.net, p); err != nil {
			err = cmp.Or(fmt.Errorf("%s: %w", m.file, err), p.Close())
		}
	}
	if err != nil {
		m.meter.refused.Inc()
		return err, nil
	}
	next := m.generation(p)
	m.mu.Lock()
	old := m.now
	m.now = next
	m.mu.Unlock()
	m.meter.loaded.Inc()
	return nil, old.close()
}

// sameTerms says what clients of the old network would miss in the new one, if anything.
func sameTerms(old, now *predict.Predictor) error {
	var what string
	switch {
	case old.Input() != now.Input() || !slices.Equal(old.Shape(), now.Shape()):
		what = fmt.Sprintf("takes %s %v, and what is served %s %v", now.Input(), now.Shape(), old.Input(), old.Shape())
	case old.Output() != now.Output() || !slices.Equal(old.OutputShape(), now.OutputShape()):
		what = fmt.Sprintf("gives %s %v, and what is served %s %v", now.Output(), now.OutputShape(), old.Output(), old.OutputShape())
	case !slices.Equal(old.Classes(), now.Classes()):
		what = "has other classes than what is served"
	default:
		return nil
	}
	return fmt.Errorf("the network %s: stop and start to serve another network", what)
}

// acquire is the present generation, which its user has to release. It is errClosed if
// the model was closed.
func (m *model) acquire() (*generation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.mu.Lock()
	defer m.now.mu.Unlock()
	if m.now.retired {
		return nil, errClosed
	}
	m.now.users++
	return m.now, nil
}

// close frees what the model takes.
func (m *model) close() error {
	m.loading.Lock() // until a reload has ended
	defer m.loading.Unlock()
	m.ended = true
	return m.now.close() // which only reload changes
}

func (g *generation) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.users--
	g.rest()
}

// rest closes idle when nobody uses a generation any more, and nobody will. It is called
// with mu held.
func (g *generation) rest() {
	if g.retired && g.users == 0 {
		close(g.idle)
	}
}

// close waits for the users and frees the device's memory. It is called once.
func (g *generation) close() error {
	g.mu.Lock()
	g.retired = true
	g.rest()
	g.mu.Unlock()
	<-g.idle
	g.batches.close()
	return g.net.Close()
}
