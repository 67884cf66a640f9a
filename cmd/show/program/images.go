package program

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/inspect"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/predict"
	"github.com/hubel-go/hubel/report"
)

// looking is a network on a device, with the picture of -image.
type looking struct {
	*inspect.Inspector
	ctx     context.Context
	o       *options
	device  device.Device
	sample  []float32
	picture report.Captioned
}

// look opens the network and reads the picture, does something with them, and closes.
func (o *options) look(ctx context.Context, do func(l *looking) error) (err error) {
	m, err := o.model()
	if err != nil {
		return err
	}
	l := &looking{ctx: ctx, o: o}
	if o.image != "" {
		if l.picture, err = o.picture(m); err != nil {
			return err
		}
		l.sample = l.picture.Pixels
	}
	if l.device, err = device.Open(o.device, o.deviceOptions()); err != nil {
		return err
	}
	defer command.Close(l.device, &err)
	if l.Inspector, err = inspect.New(l.device, m); err != nil {
		return fmt.Errorf("%s: %w", o.weights, err)
	}
	return do(l)
}

// picture reads -image as the network sees it, before means and scales.
func (o *options) picture(m *modelfile.Model) (report.Captioned, error) {
	pixels, err := inspect.Read(m, o.image)
	if err != nil {
		return report.Captioned{}, err
	}
	in, err := m.Network.InputOf(graph.RoleImage)
	return report.Captioned{Pixels: pixels, C: in.Shape[0], H: in.Shape[1], W: in.Shape[2], Lines: []string{o.image}}, err
}

// chosen is the class of -class, or the most probable one, and the network's output of it.
func (l *looking) chosen() (predict.Guess, error) {
	class := -1
	if l.o.given["class"] {
		var err error
		if class, err = l.Class(l.o.class); err != nil {
			return predict.Guess{}, err
		}
	}
	all, err := l.Predict(l.ctx, l.sample)
	if err != nil {
		return predict.Guess{}, err
	}
	i := 0
	if class >= 0 {
		i = slices.IndexFunc(all, func(g predict.Guess) bool { return g.Label == class })
	}
	if i < 0 || len(all) == 0 { // Predict leaves out what is NaN
		return predict.Guess{}, predict.FailedError{Err: predict.ErrNaN}
	}
	return all[i], nil
}

// described is a class with the network's output.
func described(g predict.Guess) string {
	return fmt.Sprintf("%s (%.4g)", printable.Name(g.Class), g.Probability)
}

// span is the smallest and the largest of some numbers. One that is not finite is an
// error.
func span(lists ...[]float32) (low, high float32, err error) {
	low, high = float32(math.Inf(1)), float32(math.Inf(-1))
	for _, list := range lists {
		for _, v := range list {
			if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
				return 0, 0, predict.FailedError{Err: predict.ErrNaN}
			}
			low, high = min(low, v), max(high, v)
		}
	}
	return low, high, nil
}

// numbers writes two ends of a scale.
func numbers(low, high float32) string { return fmt.Sprintf("%.3g to %.3g", low, high) }

// showActivations draws the maps of a layer.
func showActivations(ctx context.Context, o *options) error {
	return o.look(ctx, func(l *looking) error {
		maps, err := l.Activations(ctx, l.sample, o.layer)
		if err != nil {
			return err
		}
		var lists [][]float32
		for _, m := range maps {
			lists = append(lists, m.Values)
		}
		least, most, err := span(lists...)
		if err != nil {
			return err
		}
		var images []report.Captioned
		for i, m := range maps {
			low, high := least, most
			if o.scale == "each" {
				if low, high, err = span(m.Values); err != nil {
					return err
				}
			}
			images = append(images, report.Grey(m.Values, m.H, m.W, low, high, fmt.Sprintf("%d:", i), numbers(low, high)))
		}
		return o.draw(func(path string) error { return report.Sheet(path, images, 1) }, "%d maps of %s, %dx%d, %s",
			len(maps), printable.Name(o.layer), maps[0].H, maps[0].W, numbers(least, most))
	})
}

// drawHeat draws the picture, a map of its size from black to white, and the picture
// with the map over it. The caption is of the map; hot is what is hot over the picture.
func (l *looking) drawHeat(m inspect.Map, hot func(v, low, high float32) float32, what, caption string, format string, args ...any) error {
	low, high, err := span(m.Values)
	if err != nil {
		return err
	}
	heat := make([]float32, len(m.Values))
	for i, v := range m.Values {
		if high > low {
			heat[i] = hot(v, low, high)
		}
	}
	images := []report.Captioned{
		l.picture,
		report.Grey(m.Values, m.H, m.W, low, high, what, caption, numbers(low, high)),
		report.Heat(l.picture, heat),
	}
	return l.o.draw(func(path string) error { return report.Sheet(path, images, 3) }, format+", "+caption+" "+numbers(low, high), args...)
}

// rising is hot where numbers are large.
func rising(v, low, high float32) float32 { return (v - low) / (high - low) }

// showSaliency draws the gradient of a class's score.
func showSaliency(ctx context.Context, o *options) error {
	return o.look(ctx, func(l *looking) error {
		class, err := l.chosen()
		if err != nil {
			return err
		}
		m, err := l.Saliency(l.sample, class.Label)
		if err != nil {
			return err
		}
		return l.drawHeat(m, rising, described(class), "gradient", "saliency of %s", described(class))
	})
}

// showOcclusion draws the probability of a class under a square.
func showOcclusion(ctx context.Context, o *options) error {
	return o.look(ctx, func(l *looking) error {
		square := inspect.Occluder{Value: float32(o.grey)}
		square.Size = cmp.Or(o.size, max(1, min(l.picture.H, l.picture.W)/8))
		square.Step = cmp.Or(o.step, max(1, square.Size/4))
		class, err := l.chosen()
		if err != nil {
			return err
		}
		m, err := l.Occlusion(ctx, l.sample, class.Label, square)
		if err != nil {
			return err
		}
		falling := func(v, low, high float32) float32 { return (high - v) / (high - low) }
		return l.drawHeat(m, falling, described(class), "covered", "occlusion of %s by %dx%d every %d pixels", described(class), square.Size, square.Size, square.Step)
	})
}

// showGradCAM draws where a layer finds a class.
func showGradCAM(ctx context.Context, o *options) error {
	return o.look(ctx, func(l *looking) error {
		layer, err := l.layer()
		if err != nil {
			return err
		}
		class, err := l.chosen()
		if err != nil {
			return err
		}
		m, err := l.GradCAM(l.sample, class.Label, layer)
		if err != nil {
			return err
		}
		name := printable.Name(layer)
		return l.drawHeat(m.Enlarge(l.picture.H, l.picture.W), rising, described(class), name, "Grad-CAM of %s", described(class))
	})
}

// layer is -layer, or the last convolution.
func (l *looking) layer() (string, error) {
	if l.o.layer != "" {
		return l.o.layer, nil
	}
	return l.LastConvolution()
}

// strongest is how many pictures of a folder deconv shows.
const strongest = 9

// showDeconv draws what a unit responds to.
func showDeconv(ctx context.Context, o *options) error {
	return o.look(ctx, func(l *looking) error {
		layer, err := l.layer()
		if err != nil {
			return err
		}
		p := inspect.Projection{Layer: layer, Unit: -1, Most: strongest, Rule: inspect.Rule(o.rule)}
		if o.given["unit"] {
			p.Unit = o.unit
		}
		if err := l.Check(p); err != nil { // before the folder is read
			return err
		}
		files := []string{o.image}
		bad := 0
		if o.given["images"] {
			var skipped []data.Skip
			if files, skipped, err = data.Pictures(o.images); err != nil {
				return err
			}
			for _, s := range skipped {
				bad++
				fmt.Fprintf(o.stderr, "show: %s: %s\n", printable.Name(s.Name), printable.Line(s.Reason))
			}
			if len(files) == 0 {
				return fmt.Errorf("%s: there are no pictures in it", o.images)
			}
		}
		unit, list, err := l.Project(ctx, files, p, func(name string, err error) {
			bad++
			fmt.Fprintf(o.stderr, "show: %s\n", printable.Line(err.Error()))
		})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return command.BrokenError{Err: fmt.Errorf("none of %d pictures could be read, or all gave NaN", len(files))}
		}
		var images []report.Captioned
		for _, r := range list {
			if _, _, err := span(r.Pixels); err != nil {
				return err
			}
			shape := l.Shape()
			sample := report.Captioned{Pixels: r.Sample, C: shape[0], H: shape[1], W: shape[2]}
			at := fmt.Sprintf("%.3g at %d,%d", r.Activation, r.Row, r.Column)
			images = append(images, sample.Part(r.Field, r.Name, at),
				report.Signed(r.Pixels, shape[0], shape[1], shape[2]).Part(r.Field, o.rule))
		}
		err = o.draw(func(path string) error { return report.Sheet(path, images, 2) }, "unit %d of %s, %.3g at the strongest, in %d of %d pictures",
			unit, printable.Name(layer), list[0].Activation, len(list), len(files))
		if err == nil && bad > 0 {
			err = command.BrokenError{Err: fmt.Errorf("%d pictures could not be read, or gave NaN", bad)}
		}
		return err
	})
}
