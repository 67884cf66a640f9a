package predict

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/modelfile"
)

// tenCrops is how many views of a picture Options.TenCrops takes.
const tenCrops = 10

// Photos makes samples of pictures as the network was tested on them in
// training. One that was trained on images of one size, without a resize, takes
// the whole picture at that size.
func Photos(m *modelfile.Model, f *data.Files) (*data.Photos, error) {
	images, err := m.Network.InputOf(graph.RoleImage)
	if err != nil {
		return nil, err
	}
	if len(images.Shape) != 3 {
		return nil, fmt.Errorf("%v takes images of the shape %v, not [channels, height, width]", m.Network, images.Shape)
	}
	a := m.Preprocess.Augment
	has := func(ops ...data.Op) bool {
		return slices.ContainsFunc(a, func(s data.Step) bool { return slices.Contains(ops, s.Op) })
	}
	if !has(data.Resize, data.RandomCrop) {
		a = append(data.Augment{{Op: data.Resize, H: images.Shape[1], W: images.Shape[2], P: 1}}, a...)
	}
	if images.Shape[0] == 1 && !has(data.Grey) {
		a = append(a[:len(a):len(a)], data.Step{Op: data.Grey, P: 1})
	}
	photos, err := data.NewPhotos(f, a, m.Preprocess.Statistics)
	if err != nil {
		return nil, err
	}
	if !slices.Equal([]int(photos.Shape()), images.Shape) {
		return nil, fmt.Errorf("%v takes images of the shape %v, but its preprocessing makes %v of a picture", m.Network, images.Shape, []int(photos.Shape()))
	}
	return photos, nil
}

// Picture predicts for one encoded picture: a JPEG, PNG, GIF, BMP, TIFF or
// WebP. With Options.TenCrops the prediction is the mean over ten views.
func (p *Predictor) Picture(ctx context.Context, encoded []byte) (Prediction, error) {
	views, err := p.Prepare(ctx, encoded)
	if err != nil {
		return Prediction{}, err
	}
	all, err := p.Run(ctx, views)
	if err != nil {
		return Prediction{}, err
	}
	y := Mean(all)
	return y, y.Answered()
}

// Prepare makes of an encoded picture what Run takes: one sample, or ten with
// Options.TenCrops. A picture of more than Options.Pixels is an ErrPixels.
func (p *Predictor) Prepare(ctx context.Context, encoded []byte) ([][]float32, error) {
	if p.noPictures != nil {
		return nil, p.noPictures
	}
	if most := p.options.Pixels; most > 0 {
		switch h, w, err := p.pictures.Size(encoded); {
		case err != nil:
			return nil, err
		case w > most/max(h, 1):
			return nil, fmt.Errorf("%w: %dx%d, more than %d", ErrPixels, w, h, most)
		}
	}
	samples := make([][]float32, p.Views())
	for i := range samples {
		samples[i] = make([]float32, p.sampleLen())
		if err := p.pictures.ReadFileCrop(ctx, samples[i], encoded, i); err != nil {
			return nil, err
		}
		p.model.Preprocess.Apply(samples[i])
	}
	return samples, nil
}

// ErrPixels is the error of Prepare for a picture that has too many pixels.
var ErrPixels = errors.New("the picture has too many pixels")

// Views is how many samples Prepare makes of a picture.
func (p *Predictor) Views() int {
	if p.options.TenCrops {
		return tenCrops
	}
	return 1
}

// Files predicts for picture files. It decodes some while others run through
// the network. It calls each for every file, in order, from one goroutine at a
// time. The err of each is that of a file that cannot be read, or ErrNaN. With
// Options.TenCrops the prediction is the mean over ten views. After Files has
// begun, its error is a FailedError.
func (p *Predictor) Files(ctx context.Context, names []string, each func(i int, y Prediction, err error)) error {
	photos, err := Photos(p.model, data.ListFiles(names))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var set data.Dataset = photos
	views := p.Views()
	if views > 1 {
		set = photos.TenCrops()
	}
	if c, ok := set.(data.Cancellable); ok {
		set = c.WithContext(ctx)
	}
	step := max(1, p.options.Batch/views)
	parts := make(chan *part, p.options.Parallel)
	go func() {
		defer close(parts)
		for first := 0; first < len(names); first += step {
			c := &part{first: first, n: min(step, len(names)-first), done: make(chan struct{})}
			select {
			case parts <- c:
				go c.make(ctx, p, set, views)
			case <-ctx.Done():
				return
			}
		}
	}()
	for c := range parts {
		<-c.done
		if c.err != nil {
			return FailedError{c.err}
		}
		for i := range c.n {
			each(c.first+i, c.made[i], c.bad[i])
		}
	}
	return ctx.Err()
}

// part is some files on their way.
type part struct {
	first, n int
	done     chan struct{} // closed once the others are set
	made     []Prediction
	bad      []error
	err      error
}

// make reads the files and sends them through the network.
func (c *part) make(ctx context.Context, p *Predictor, set data.Dataset, views int) {
	defer close(c.done)
	length := p.sampleLen()
	c.made, c.bad = make([]Prediction, c.n), make([]error, c.n)
	x := make([]float32, 0, c.n*views*length)
	for i := range c.n {
		start := len(x)
		for v := range views {
			x = x[:len(x)+length]
			if _, c.bad[i] = data.Read(set, x[len(x)-length:], (c.first+i)*views+v); c.bad[i] != nil {
				x = x[:start]
				break
			}
		}
		if c.err = ctx.Err(); c.err != nil {
			return
		}
	}
	all, err := p.Predict(ctx, x)
	if c.err = err; err != nil {
		return
	}
	for i := range c.n {
		if c.bad[i] == nil {
			c.made[i], all = Mean(all[:views]), all[views:]
			c.bad[i] = c.made[i].Answered()
		}
	}
}

// Mean is the mean of the predictions for the views of one picture, of at least one.
func Mean(views []Prediction) Prediction {
	if len(views) == 1 {
		return views[0]
	}
	rows := func(k int) [][]float32 {
		list := make([][]float32, len(views))
		for i, v := range views {
			list[i] = v.Output
			if k >= 0 {
				list[i] = v.Features[k]
			}
		}
		return list
	}
	y := Prediction{Output: meanOf(rows(-1))}
	for k := range views[0].Features {
		y.Features = append(y.Features, meanOf(rows(k)))
	}
	return y
}

func meanOf(rows [][]float32) []float32 {
	sum := make([]float64, len(rows[0]))
	for _, row := range rows {
		for i, v := range row {
			sum[i] += float64(v)
		}
	}
	y := make([]float32, len(sum))
	for i, v := range sum {
		y[i] = float32(v / float64(len(rows)))
	}
	return y
}
