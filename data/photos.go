package data

import (
	"context"
	"fmt"
	"image"
	"runtime"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// Photos makes samples of pictures by an Augment. Read gives the view that a
// test takes; Varied is the same set with chance.
type Photos struct {
	ctx     context.Context // of WithContext
	from    pictures
	augment Augment
	stats   *Statistics // nil before they are known
	shape   tensor.Shape
	stack   int // channels of a set of stacks; 0 of pictures
	free    chan *scratch
}

// pictures are pictures of any size.
type pictures interface {
	Len() int
	Classes() []string
	Name(i int) string
	// label is that of picture i, and whether it is known before the picture is
	// read.
	label(i int) (int32, bool)
	// open finds the size of picture i.
	open(s *scratch, i int) (h, w int, label int32, err error)
	// decode decodes at least a region of the picture that was opened, and may
	// halve it so many times.
	decode(ctx context.Context, s *scratch, region image.Rectangle, halvings int) error
}

// scratch is the memory that making one sample takes.
type scratch struct {
	file    []byte
	decoder decoder
	picture picture
	taken   int64 // bytes, of what all decoding may take

	orientation int // of the picture that was opened, as Exif has it

	raw   []float32
	bytes []uint8
	resampler
	spare [3][]float32 // components that have no place in the sample
}

// NewPhotos makes samples of picture files: [3,H,W], or [1,H,W] with a Grey
// step; of .npy arrays and TIFFs of several pages [C,H,W], as the first has it. The statistics are those of the training set, which some steps need;
// nil leaves out their effect.
func NewPhotos(f *Files, a Augment, stats *Statistics) (*Photos, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	h, w, ok := a.Size()
	if !ok && f.caffe != nil && f.caffe.h > 0 {
		_, h, w = a.geometry(view{}, f.caffe.h, f.caffe.w)
		ok = true
	}
	if !ok {
		return nil, ErrNoSize
	}
	stack := f.stackChannels()
	if f.Len() == 0 && stats != nil && len(stats.Mean) != 1 && len(stats.Mean) != 3 { // for ReadFile
		stack = len(stats.Mean)
	}
	if f.caffe != nil && f.caffe.grey {
		if err := a.checkGrey(); err != nil {
			return nil, err
		}
		return newPhotos(f, a, stats, tensor.Shape{1, h, w})
	}
	if stack == 0 {
		return newPhotos(f, a, stats, tensor.Shape{a.Channels(3), h, w})
	}
	if err := a.checkStack(stack); err != nil {
		return nil, err
	}
	p, err := newPhotos(f, a, stats, tensor.Shape{stack, h, w})
	if err == nil {
		p.stack = stack
	}
	return p, err
}

// Augmented makes samples of another data set's. Its values must be pixels from 0
// to 255 in one channel or three, for which there are all steps; in another number
// of channels they may be of any range. It returns those that a test takes, *Photos or, of
// a Regression, which must be Points, Points; and the same set with chance, which
// moves points by the same map as pixels.
func Augmented(d Dataset, a Augment, stats *Statistics) (test Dataset, varied Varied, err error) {
	if err := a.Check(); err != nil {
		return nil, nil, err
	}
	shape := d.Shape()
	switch c := shape[0]; c {
	default:
		if err := a.checkStack(c); err != nil {
			return nil, nil, err
		}
	case 3:
	case 1:
		if err := a.checkGrey(); err != nil {
			return nil, nil, err
		}
	}
	_, h, w := a.geometry(view{}, shape[1], shape[2])
	photos, err := newPhotos(&samples{d}, a, stats, tensor.Shape{a.Channels(shape[0]), h, w})
	if err != nil {
		return nil, nil, err
	}
	if r, ok := d.(Regression); ok {
		points, err := newMovedPoints(photos, r)
		if err != nil {
			return nil, nil, err
		}
		return points, points.Varied(), nil
	}
	return photos, photos.Varied(), nil
}

// checkGrey says which step pictures of one channel do not take.
func (a Augment) checkGrey() error {
	for _, op := range []Op{Saturation, Hue, PCA} {
		if a.has(op) {
			return fmt.Errorf("augmentation %s needs pictures in colour", op)
		}
	}
	return nil
}

// largestSample bounds the pixels of a sample: workers hold some each.
const largestSample = 1 << 24

func newPhotos(from pictures, a Augment, stats *Statistics, shape tensor.Shape) (*Photos, error) {
	if err := checkShape(shape); err != nil {
		return nil, err
	}
	if h, w := shape[1], shape[2]; w > largestSample/h {
		return nil, fmt.Errorf("the augmentation makes samples of %dx%d, larger than the %d pixels allowed", w, h, largestSample)
	}
	return &Photos{
		ctx: context.Background(), from: from, augment: a, stats: stats, shape: shape,
		free: make(chan *scratch, 4*runtime.GOMAXPROCS(0)),
	}, nil
}

// WithContext implements Cancellable.
func (p *Photos) WithContext(ctx context.Context) Dataset { return p.withContext(ctx) }

func (p *Photos) withContext(ctx context.Context) *Photos {
	bound := *p
	bound.ctx = ctx
	return &bound
}

// Len is the number of pictures.
func (p *Photos) Len() int { return p.from.Len() }

// Shape is that of a sample, [C,H,W].
func (p *Photos) Shape() tensor.Shape { return p.shape }

// Classes names the classes.
func (p *Photos) Classes() []string { return p.from.Classes() }

// Name is the name of picture i.
func (p *Photos) Name(i int) string { return p.from.Name(i) }

func (p *Photos) label(i int) (int32, bool) { return p.from.label(i) }

// Label is that of picture i, where its set knows it.
func (p *Photos) Label(i int) (int32, bool) {
	if s, ok := p.from.(*samples); ok { // whose label is not part of a Digest
		if set, ok := s.d.(Labelled); ok {
			return set.Label(i)
		}
	}
	return p.from.label(i)
}

// Part is what Files.Part says of picture files, and empty for other sets.
func (p *Photos) Part() string {
	if f, ok := p.from.(*Files); ok {
		return f.part
	}
	return ""
}

// Assumed is what Files.Assumed says of picture files, and empty for other sets.
func (p *Photos) Assumed() string {
	if f, ok := p.from.(*Files); ok {
		return f.Assumed()
	}
	return ""
}

// Read writes the view of picture i that a test takes.
func (p *Photos) Read(dst []float32, i int) (label int32, err error) {
	return p.read(dst, i, view{})
}

// Size is the size of an encoded picture as it is stored, which its head says. A
// picture of more pixels than decoding allows is an error.
func (p *Photos) Size(file []byte) (h, w int, err error) {
	s := p.scratch()
	defer p.release(s)
	s.decoder.stack.want = p.stack
	return s.openFile(file)
}

// ReadFile writes the view that a test takes of an encoded picture, which need
// not be in the set. It ends soon after ctx is cancelled.
func (p *Photos) ReadFile(ctx context.Context, dst []float32, file []byte) error {
	return p.ReadFileCrop(ctx, dst, file, 0)
}

// ReadFileCrop is ReadFile of one view of TenCrops, from 0 to 9; that of 0 is the one
// that a test takes.
func (p *Photos) ReadFileCrop(ctx context.Context, dst []float32, file []byte, crop int) error {
	s := p.scratch()
	defer p.release(s)
	s.decoder.stack.want = p.stack
	h, w, err := s.openFile(file)
	if err != nil {
		return err
	}
	v := view{crop: crop}
	m, region, halvings := p.plan(s, v, h, w)
	if err := s.decodeFile(ctx, region, halvings); err != nil {
		return err
	}
	p.fill(s, dst, v, m)
	return nil
}

// Varied is the same set with chance: what training takes.
func (p *Photos) Varied() Varied { return varied{p} }

// varied are Photos with chance.
type varied struct{ *Photos }

func (v varied) WithContext(ctx context.Context) Dataset { return varied{v.withContext(ctx)} }

func (v varied) ReadVaried(dst []float32, i int, seed uint64, epoch int) (label int32, err error) {
	return v.read(dst, i, randomView(i, seed, epoch))
}

// randomView is the view of picture i in an epoch.
func randomView(i int, seed uint64, epoch int) view {
	return view{random: true, draws: device.Random{
		Seed: seed, Stream: augmentStream, Iteration: uint32(epoch), Sample: uint32(i),
	}}
}

// TenCrops is the same set with ten views of each picture: the centre and the
// four corners that the last crop can take, and the same mirrored (Krizhevsky
// et al. 2012, section 4.1). Sample 10*i is what Read(i) gives.
func (p *Photos) TenCrops() Multiview { return crops{p} }

// crops are ten views of each picture of Photos.
type crops struct{ p *Photos }

func (c crops) Len() int            { return tenCrops * c.p.Len() }
func (c crops) Shape() tensor.Shape { return c.p.Shape() }
func (c crops) Classes() []string   { return c.p.Classes() }
func (c crops) Name(i int) string   { return c.p.Name(i / tenCrops) }
func (c crops) Views() int          { return tenCrops }

func (c crops) WithContext(ctx context.Context) Dataset { return crops{c.p.withContext(ctx)} }

func (c crops) label(i int) (int32, bool) { return c.p.label(i / tenCrops) }

func (c crops) Read(dst []float32, i int) (int32, error) {
	return c.p.read(dst, i/tenCrops, view{crop: i % tenCrops})
}

// read makes a sample. Its errors name the picture.
func (p *Photos) read(dst []float32, i int, v view) (label int32, err error) {
	s := p.scratch()
	defer p.release(s)
	s.decoder.stack.want = p.stack
	h, w, label, err := p.from.open(s, i)
	if err == nil {
		m, region, halvings := p.plan(s, v, h, w)
		if err = p.from.decode(p.ctx, s, region, halvings); err == nil {
			p.fill(s, dst, v, m)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", p.from.Name(i), err)
	}
	return label, nil
}

// plan is the map of a view of the picture that was opened, of h by w pixels
// as it is stored, and what has to be decoded for it.
func (p *Photos) plan(s *scratch, v view, h, w int) (m affine, region image.Rectangle, halvings int) {
	seenH, seenW := h, w
	if s.orientation > 4 {
		seenH, seenW = w, h
	}
	m, outH, outW := p.augment.geometry(v, seenH, seenW)
	if s.orientation > 1 {
		m = turnedBack(s.orientation, seenH, seenW).after(m)
	}
	region, halvings = m.source(outH, outW, h, w)
	if v.whole {
		region = image.Rect(0, 0, w, h)
	}
	return m, region, halvings
}

func (p *Photos) scratch() *scratch {
	select {
	case s := <-p.free:
		return s
	default:
		return new(scratch)
	}
}

func (p *Photos) release(s *scratch) {
	if !s.giveBack() {
		return
	}
	select {
	case p.free <- s:
	default:
	}
}

// fill makes a sample of the picture that was decoded.
func (p *Photos) fill(s *scratch, dst []float32, v view, m affine) {
	channels, h, w := p.shape[0], p.shape[1], p.shape[2]
	n := h * w
	if s.picture.space == stacked {
		for c := range channels {
			s.plane(dst[c*n:(c+1)*n], h, w, &s.picture.stack[c], m)
		}
		if v.random {
			p.finish(s, dst, v)
		}
		return
	}
	var parts [3][]float32 // components of the picture, then channels of the sample
	for c := range parts {
		if c < channels {
			parts[c] = dst[c*n : (c+1)*n]
			continue
		}
		s.spare[c] = grown(s.spare[c], n)
		parts[c] = s.spare[c]
	}
	used := s.picture.used()
	for c := range used {
		s.plane(parts[c], h, w, &used[c], m)
	}
	var means [3]float64
	if v.random && (p.augment.has(Contrast) || p.augment.has(RandAugment)) {
		for c := range used {
			means[c] = meanOf(parts[c])
		}
	}
	colours := p.augment.colour(v, s.picture.space, channels, means, p.stats)
	colours.apply(parts, len(used), channels)
	if v.random {
		p.finish(s, dst, v)
	}
}

func meanOf(x []float32) float64 {
	sum := 0.
	for _, v := range x {
		sum += float64(v)
	}
	return sum / float64(len(x))
}

func (f *Files) label(i int) (int32, bool) { return f.files[i].label, true }

// open reads and opens a file.
func (f *Files) open(s *scratch, i int) (h, w int, label int32, err error) {
	if s.file, err = f.Load(s.file, i); err != nil {
		return 0, 0, 0, err
	}
	s.decoder.caffe = f.caffe
	h, w, err = s.openFile(s.file)
	if err == nil && f.caffe != nil && f.caffe.h > 0 && (h != f.caffe.h || w != f.caffe.w) {
		err = errChanged
	}
	return h, w, f.files[i].label, err
}

// openFile opens an encoded picture. Its size is that of what is stored.
func (s *scratch) openFile(file []byte) (h, w int, err error) {
	h, w, err = s.decoder.open(file)
	s.orientation = orientation(file, s.decoder.format)
	return h, w, err
}

func (f *Files) decode(ctx context.Context, s *scratch, region image.Rectangle, halvings int) error {
	return s.decodeFile(ctx, region, halvings)
}

// decodeFile decodes the picture that was opened, once there is memory for it.
func (s *scratch) decodeFile(ctx context.Context, region image.Rectangle, halvings int) error {
	if err := s.take(ctx, s.decoder.memory(region, halvings)); err != nil {
		return err
	}
	return s.decoder.decode(ctx, &s.picture, region, halvings)
}

// samples are the samples of a data set as pictures.
type samples struct{ d Dataset }

func (d *samples) Len() int          { return d.d.Len() }
func (d *samples) Classes() []string { return d.d.Classes() }
func (d *samples) Name(i int) string { return Name(d.d, i) }

func (d *samples) label(int) (int32, bool) { return 0, false }

func (d *samples) open(s *scratch, i int) (h, w int, label int32, err error) {
	shape := d.d.Shape()
	s.orientation = 1
	s.raw = grown(s.raw, shape.TotalSize())
	label, err = d.d.Read(s.raw, i)
	return shape[1], shape[2], label, err
}

func (d *samples) decode(_ context.Context, s *scratch, _ image.Rectangle, _ int) error {
	shape := d.d.Shape()
	h, w := shape[1], shape[2]
	if shape[0] != 1 && shape[0] != 3 {
		s.picture.space, s.picture.stack = stacked, grown(s.picture.stack, shape[0])
		for c := range s.picture.stack {
			s.picture.stack[c] = plane{values: s.raw[c*h*w : (c+1)*h*w], stride: w, w: w, h: h, sx: 1, sy: 1}
		}
		return nil
	}
	s.bytes = grown(s.bytes, len(s.raw))
	for i, x := range s.raw {
		s.bytes[i] = uint8(min(max(x+0.5, 0), 255))
	}
	s.picture.space = grey
	if shape[0] == 3 {
		s.picture.space = rgb
	}
	for c := range shape[0] {
		s.picture.planes[c] = plane{pix: s.bytes[c*h*w : (c+1)*h*w], stride: w, w: w, h: h, sx: 1, sy: 1}
	}
	return nil
}
