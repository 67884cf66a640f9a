package bench

import (
	"fmt"
	"time"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda"
	"github.com/hubel-go/hubel/kernels/cuda/costmodel"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// simulator is the device whose counters predictions are made of.
const simulator = "ptxsim"

// sampledBlocks is how many blocks of a launch are simulated for a prediction.
// The blocks of one grid do nearly the same.
const sampledBlocks = 4

// predicted is the time of a card that is not there: the launches of a call on
// the simulator, each predicted.
type predicted struct {
	card     costmodel.Card
	tf32     bool
	launches []ptxsim.Report // since the call began
	limit    string          // of the longest kernel, of what was predicted last
	err      error
}

// newPredicted opens a simulator like the card, which runs some blocks of each
// launch only: its results mean nothing.
func newPredicted(card costmodel.Card, o device.Options) (*timedDevice, error) {
	p := &predicted{card: card, tf32: o.TF32}
	sim := ptxsim.New(ptxsim.Config{
		Capability: card.Capability, SMs: card.SMs, Sample: sampledBlocks,
		OnLaunch: func(r ptxsim.Report) { p.launches = append(p.launches, r) },
	})
	d, err := cuda.New(p.place(), sim, o)
	if err != nil {
		return nil, err
	}
	return &timedDevice{Device: d, predicted: p}, nil
}

// place is the name of the card in reports.
func (p *predicted) place() string { return placeOf(p.card, p.tf32) }

func placeOf(card costmodel.Card, tf32 bool) string { return inTF32(card.Name, tf32) + " (predicted)" }

// inTF32 is the name of a device in reports, where its tensor cores multiply too.
func inTF32(device string, tf32 bool) string {
	if tf32 {
		return device + " TF32"
	}
	return device
}

// call predicts the launches since the last call, which together move bytes of
// memory: each as much of it as it has of their requests.
func (p *predicted) call(bytes int64) (elapsed time.Duration, limit string) {
	var sectors, longest float64
	moved := func(r ptxsim.Report) float64 {
		return float64(r.LoadSectors+r.StoreSectors) * float64(r.Config.Grid.Size()) / float64(max(r.Blocks, 1))
	}
	for _, r := range p.launches {
		sectors += moved(r)
	}
	seconds := 0.0
	for _, r := range p.launches {
		l := costmodel.Launch{Report: r}
		if sectors > 0 {
			l.Bytes = int64(float64(bytes) * moved(r) / sectors)
		}
		t, err := p.card.Of(l)
		if err != nil {
			p.err = fmt.Errorf("%s: %w", p.place(), err)
			break
		}
		seconds += t.Seconds
		if t.Seconds > longest {
			longest, limit = t.Seconds, t.Limit.String()
		}
	}
	p.launches = p.launches[:0]
	return time.Duration(seconds * float64(time.Second)), limit
}

// roofOf is what the card's maker says it does at most, with tensor cores or
// without.
func roofOf(card costmodel.Card, tf32 bool) Roof {
	r := Roof{Device: placeOf(card, tf32), FLOPS: card.Peak(), Bandwidth: card.Bandwidth}
	if tf32 {
		r.FLOPS = max(r.FLOPS, card.TF32)
	}
	return r
}

// predict is the time of everything that f does.
func (d *timedDevice) predict(f func() error) ([]float64, error) {
	d.record()
	if err := f(); err != nil {
		d.recording = false
		return nil, err
	}
	spans, err := d.stop()
	if err != nil {
		return nil, err
	}
	seconds, longest := 0.0, time.Duration(0)
	for _, x := range spans {
		seconds += x.Length.Seconds()
		if x.Length > longest {
			longest, d.predicted.limit = x.Length, x.Limit
		}
	}
	return []float64{max(seconds, 1e-9)}, nil
}

// limit is what limits the longest kernel of the last prediction.
func (d *timedDevice) limit() string {
	if d.predicted == nil {
		return ""
	}
	return d.predicted.limit
}
