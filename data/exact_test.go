package data

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// What makes red, green and blue of luma and chroma: white, grey and black have
// none, and the primaries are where ITU-R BT.601 and JFIF have them.
func TestColourSpaces(t *testing.T) {
	for _, c := range []struct {
		space space
		in    [3]float64
		want  [3]float64
	}{
		{ycc, [3]float64{255, 128, 128}, [3]float64{255, 255, 255}},
		{ycc, [3]float64{0, 128, 128}, [3]float64{0, 0, 0}},
		{ycc, [3]float64{76.245, 84.97232, 255.5}, [3]float64{255, 0, 0}},
		{ycc, [3]float64{149.685, 43.52768, 21.23456}, [3]float64{0, 255, 0}},
		{ycc, [3]float64{29.07, 255.5, 107.26544}, [3]float64{0, 0, 255}},
		{videoYCC, [3]float64{235, 128, 128}, [3]float64{255, 255, 255}},
		{videoYCC, [3]float64{16, 128, 128}, [3]float64{0, 0, 0}},
		{videoYCC, [3]float64{81.481, 90.203, 240}, [3]float64{255, 0, 0}},
		{videoYCC, [3]float64{144.553, 53.797, 34.214}, [3]float64{0, 255, 0}},
		{videoYCC, [3]float64{40.966, 240, 109.786}, [3]float64{0, 0, 255}},
		{rgb, [3]float64{1, 2, 3}, [3]float64{1, 2, 3}},
		{grey, [3]float64{7, 0, 0}, [3]float64{7, 7, 7}},
	} {
		m := coloursOf(c.space)
		for k := range m {
			require.InDelta(t, c.want[k], m[k][0]*c.in[0]+m[k][1]*c.in[1]+m[k][2]*c.in[2]+m[k][3], 2e-3, "%v %v", c.space, c.in)
		}
	}
}

// Channels of components: each way of as many, fewer and more.
func TestColoursAreApplied(t *testing.T) {
	m := colours{{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}}
	apply := func(components, channels int, m colours) [3][]float32 {
		parts := [3][]float32{{1, 2}, {10, 20}, {100, 200}}
		m.apply(parts, components, channels)
		return parts
	}
	require.Equal(t, [3][]float32{{325, 646}, {773, 1538}, {1221, 2430}}, apply(3, 3, m))
	require.Equal(t, [3][]float32{{325, 646}, {10, 20}, {100, 200}}, apply(3, 1, m))
	require.Equal(t, [3][]float32{{5, 6}, {13, 18}, {21, 30}}, apply(1, 3, m))
	require.Equal(t, [3][]float32{{5, 6}, {10, 20}, {100, 200}}, apply(1, 1, m))
	same := coloursOf(rgb)
	require.Equal(t, [3][]float32{{1, 2}, {10, 20}, {100, 200}}, apply(3, 3, same))
	require.Equal(t, [3][]float32{{1, 2}, {0, 0}, {0, 0}}, apply(1, 3, same))

	// Grey samples have no colours to vary, nor does a set of which they are not known.
	a := Augment{{Op: PCA, Lo: 1, Hi: 1, P: 1}}
	stats := &Statistics{Variances: []float64{1, 1, 1}, Components: []float64{1, 0, 0, 0, 1, 0, 0, 0, 1}}
	v := view{random: true}
	require.NotEqual(t, same, a.colour(v, rgb, 3, [3]float64{}, stats))
	require.Equal(t, same, a.colour(v, rgb, 1, [3]float64{}, stats))
	require.Equal(t, same, a.colour(v, rgb, 3, [3]float64{}, nil))
	require.Equal(t, same, a.colour(v, rgb, 3, [3]float64{}, &Statistics{}))
}

// A cutout is a rectangle of the mean around a random pixel, the same in each
// channel, and noise is what the random numbers say.
func TestDamage(t *testing.T) {
	const h, w = 9, 12
	for _, stats := range []*Statistics{nil, {Mean: Floats{1, 2, 3}}} {
		p, err := newPhotos(nil, Augment{{Op: Flip, P: 1}, {Op: Cutout, H: 4, W: 5, P: 1}}, stats, tensor.Shape{3, h, w})
		require.NoError(t, err)
		for seed := range uint64(40) {
			v := view{random: true, draws: device.Random{Seed: seed}}
			x := make([]float32, 3*h*w)
			for i := range x {
				x[i] = 7
			}
			p.finish(new(scratch), x, v)
			words := v.words(1, 0)
			cy, cx := int(unit(words[1])*h), int(unit(words[2])*w)
			for i, got := range x {
				c, y, col := i/(h*w), i/w%h, i%w
				want := float32(7)
				if y >= cy-2 && y < cy+2 && col >= cx-2 && col < cx+3 {
					want = 128
					if stats != nil {
						want = stats.Mean[c]
					}
				}
				require.Equal(t, want, got, "%d: %d,%d,%d", seed, c, y, col)
			}
		}
	}
	p, err := newPhotos(nil, Augment{{Op: Noise, Lo: 3, Hi: 3, P: 1}}, nil, tensor.Shape{1, 1, 7})
	require.NoError(t, err)
	v := view{random: true, draws: device.Random{Seed: 5, Sample: 2}}
	x := []float32{1, 2, 3, 4, 5, 6, 7}
	p.finish(new(scratch), x, v)
	r := v.draws
	r.Stream = pixelStream
	for i := range x {
		require.Equal(t, float32(i+1)+float32(3*normal(r.Block(0, i/4)[i%4])), x[i])
	}
	never := view{random: true}
	p.augment[0].P = 0
	y := slices.Clone(x)
	p.finish(new(scratch), x, never)
	require.Equal(t, y, x)
}

// What a normalisation makes of statistics, field by field.
func TestPreprocessOfStatistics(t *testing.T) {
	s := &Statistics{
		Mean: Floats{1, 2}, Deviation: Floats{3, 4}, MeanImage: Floats{5, 6, 7, 8}, Covariance: []float64{4, 0, 0, 9},
		Variances: []float64{1}, Components: []float64{2},
	}
	a := Augment{{Op: Crop, H: 1, P: 1}}
	of := func(n Normal, a Augment, s *Statistics) Preprocess {
		p, err := n.Preprocess(a, s)
		require.NoError(t, err)
		return p
	}
	require.Equal(t, Preprocess{}, of(Normal{Scale: 1}, nil, s))
	require.Equal(t, Preprocess{Scale: 0.5}, of(Normal{Scale: 0.5, Mean: true}, nil, nil))
	require.Equal(t, Preprocess{Mean: s.Mean}, of(Normal{Scale: 1, Mean: true}, nil, s))
	require.Equal(t, Preprocess{Mean: s.MeanImage, Deviation: s.Deviation}, of(Normal{Scale: 1, MeanImage: true, Deviation: true}, nil, s))
	p := of(Normal{Scale: 1, WhitenColours: true}, nil, s)
	require.Equal(t, s.Mean, p.Mean)
	// The diagonal: 1/sqrt(variance + a hundredth of the mean one).
	require.InDeltaSlice(t, []float64{1 / math.Sqrt(4.065), 0, 0, 1 / math.Sqrt(9.065)}, []float64{float64(p.Whiten[0]), float64(p.Whiten[1]), float64(p.Whiten[2]), float64(p.Whiten[3])}, 1e-6)
	p = of(Normal{Scale: 1}, a, s)
	require.Equal(t, a, p.Augment)
	require.Equal(t, &Statistics{Mean: s.Mean, Deviation: s.Deviation, Variances: s.Variances, Components: s.Components}, p.Statistics)
	_, err := Normal{Scale: 1, WhitenColours: true}.Preprocess(nil, &Statistics{Mean: Floats{1}, Covariance: []float64{0}})
	require.EqualError(t, err, "whitening: the samples do not vary")
	for _, n := range []Normal{{Mean: true}, {MeanImage: true}, {Deviation: true}, {WhitenColours: true}, {Whiten: true}} {
		require.True(t, n.NeedsStatistics())
	}
	require.False(t, Normal{Scale: 2}.NeedsStatistics())
}

// A list of files is read as they are when it is read.
func TestLoadOfAList(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("good"), []byte("0123456789"), 0o666))
	require.NoError(t, os.WriteFile(at("empty"), nil, 0o666))
	huge, err := os.Create(at("huge"))
	require.NoError(t, err)
	require.NoError(t, huge.Truncate(largestFile+1))
	require.NoError(t, huge.Close())
	f := ListFiles([]string{at("good"), at("empty"), dir, at("huge"), at("none")})
	require.Equal(t, []string{""}, f.Classes())
	require.Equal(t, 5, f.Len())
	b, err := f.Load(make([]byte, 3), 0)
	require.NoError(t, err)
	require.Equal(t, "0123456789", string(b))
	again, err := f.Load(b, 0)
	require.NoError(t, err)
	require.Same(t, &b[0], &again[0])
	for i, want := range []string{1: "it is empty", 2: "it is not a regular file", 3: "268435457 bytes are more than the 268435456 allowed"} {
		if i > 0 {
			got, err := f.Load(b, i)
			require.EqualError(t, err, want)
			require.Empty(t, got)
		}
	}
	_, err = f.Load(nil, 4)
	require.ErrorIs(t, err, os.ErrNotExist)

	// One that has changed since it was indexed.
	writeTree(t, dir, map[string][]byte{"set/a/1.jpg": asJPEG(t, drawn(8, 8, 0)), "set/b/1.jpg": asJPEG(t, drawn(8, 8, 0))})
	f, err = OpenFiles(at("set"))
	require.NoError(t, err)
	size := f.files[0].size
	require.NoError(t, os.Truncate(at("set/a/1.jpg"), 5))
	_, err = f.Load(nil, 0)
	require.EqualError(t, err, fmt.Sprintf("%s: it became shorter than the %d bytes it had", at("set/a/1.jpg"), size))
	require.Equal(t, "permission denied", reason(&os.PathError{Op: "open", Path: "x", Err: errors.New("permission denied")}))
	require.Equal(t, "plain", reason(errors.New("plain")))
}

// The labels of another set are these by name.
func TestRelabelByName(t *testing.T) {
	f := &Files{shards: []string{"set"}, classes: []string{"a", "b", "c"}, files: []file{{stored: "a/1", label: 0}, {stored: "b/1", label: 1}}}
	require.NoError(t, f.Relabel([]string{"x", "b", "a"}))
	require.Equal(t, []int32{2, 1}, []int32{f.Label(0), f.Label(1)})
	require.EqualError(t, f.Relabel([]string{"x", "a"}), `set: b/1 is of the class "b", which the training set does not have`)
}

// Where a crop is, for each of ten: its place in the picture, corner by corner.
func TestPlacesOfTenCrops(t *testing.T) {
	a := Augment{{Op: Crop, H: 4, W: 6, P: 1}}
	for crop, want := range [][2]float64{{2, 1}, {0, 0}, {5, 0}, {0, 3}, {5, 3}} {
		m, h, w := a.geometry(view{crop: crop}, 7, 11)
		require.Equal(t, []int{4, 6}, []int{h, w})
		require.Equal(t, affine{a: 1, c: want[0], e: 1, f: want[1]}, m)
		m, _, _ = a.geometry(view{crop: 5 + crop}, 7, 11)
		require.Equal(t, affine{a: -1, c: want[0] + 6, e: 1, f: want[1]}, m)
	}
	// A crop that is larger than the picture has it in its middle.
	m, _, _ := a.geometry(view{crop: 4}, 3, 1)
	require.Equal(t, affine{a: 1, c: -3, e: 1, f: -1}, m)
	// Only the last crop has corners.
	m, _, _ = Augment{{Op: Crop, H: 6, P: 1}, {Op: Crop, H: 4, P: 1}}.geometry(view{crop: 4}, 8, 8)
	require.Equal(t, affine{a: 1, c: 3, e: 1, f: 3}, m)
	m, _, _ = Augment{{Op: RandomCrop, H: 4, Lo: 0.1, Hi: 1, P: 1}}.geometry(view{crop: 4}, 8, 16)
	require.Equal(t, affine{a: 1.75, c: 9, e: 1.75, f: 1}, m)
	h, w := shorter(300, 400, 256)
	require.Equal(t, []int{256, 341}, []int{h, w})
	h, w = shorter(400, 300, 256)
	require.Equal(t, []int{341, 256}, []int{h, w})
	h, w = shorter(1, 1<<20, 256)
	require.Equal(t, []int{256, largestSide}, []int{h, w})
}

// What a sample needs of a picture, also where it looks past its edges.
func TestSourceOfASample(t *testing.T) {
	for _, c := range []struct {
		m        affine
		want     image.Rectangle
		halvings int
	}{
		{affine{a: 1, e: 1}, image.Rect(0, 0, 14, 14), 0},
		{affine{a: 1, c: 20, e: 1, f: 30}, image.Rect(16, 26, 34, 44), 0},
		{affine{a: 1, c: 500, e: 1, f: 600}, image.Rect(99, 79, 100, 80), 0},
		{affine{a: 1, c: -500, e: 1, f: -600}, image.Rect(0, 0, 1, 1), 0},
		{affine{a: 2, e: 2}, image.Rect(0, 0, 28, 28), 1},
		{affine{a: 2, e: 1.9}, image.Rect(0, 0, 26, 25), 0},
		{affine{a: 8, e: 8}, image.Rect(0, 0, 100, 80), 3},
		{affine{a: 32, e: 32}, image.Rect(0, 0, 100, 80), 3},
	} {
		region, halvings := c.m.source(10, 10, 80, 100)
		require.Equal(t, c.halvings, halvings, "%v", c.m)
		require.Equal(t, c.want, region, "%v", c.m)
	}
}

// The bounds of steps, just inside and just outside.
func TestBoundsOfSteps(t *testing.T) {
	for _, good := range []Augment{
		{{Op: Crop, H: 1, P: 1}}, {{Op: Crop, H: largestSide, W: largestSide, P: 1}}, {{Op: Flip, P: 0}}, {{Op: Flip, P: 1}},
		{{Op: Brightness, Lo: 0, Hi: 1000, P: 1}}, {{Op: RandomCrop, H: 1, Lo: 0.001, Hi: 1, P: 1}},
		{{Op: Resize, H: 10, P: 1}, {Op: Crop, H: 10, W: 20, P: 1}}, {{Op: Resize, H: 10, W: 8, P: 1}, {Op: Crop, H: 8, P: 1}},
		{{Op: Resize, H: 10, P: 1}, {Op: Pad, H: 2, P: 1}, {Op: Crop, H: 14, P: 1}},
	} {
		require.NoError(t, good.Check(), "%v", good)
	}
	const side = "a side has at least 1 and at most 16384 pixels"
	for _, c := range []struct {
		a    Augment
		want string
	}{
		{Augment{{Op: "twist", P: 1}}, `augmentation "twist" is unknown`},
		{Augment{{Op: Crop, H: 0, P: 1}}, `augmentation "crop=0": ` + side},
		{Augment{{Op: Crop, H: largestSide + 1, P: 1}}, `augmentation "crop=16385": ` + side},
		{Augment{{Op: Crop, H: 1, W: largestSide + 1, P: 1}}, `augmentation "crop=1x16385": ` + side},
		{Augment{{Op: Crop, H: 1, W: -1, P: 1}}, `augmentation "crop=1": ` + side},
		{Augment{{Op: Resize, H: 10, P: 1}, {Op: Crop, H: 11, P: 1}}, `augmentation "crop=11": a crop of 11x11 does not fit in a shorter side of 10`},
		{Augment{{Op: Resize, H: 10, W: 8, P: 1}, {Op: Crop, H: 9, W: 10, P: 1}}, `augmentation "crop=9x10": a crop of 9x10 does not fit in a shorter side of 8`},
		{Augment{{Op: Resize, H: 10, P: 1}, {Op: Pad, H: 2, P: 1}, {Op: Crop, H: 15, P: 1}}, `augmentation "crop=15": a crop of 15x15 does not fit in a shorter side of 14`},
		{Augment{{Op: Crop, H: 10, W: 12, P: 1}, {Op: Crop, H: 11, P: 1}}, `augmentation "crop=11": a crop of 11x11 does not fit in a shorter side of 10`},
	} {
		require.EqualError(t, c.a.Check(), c.want)
	}
	for _, bad := range []Augment{
		{{Op: Flip, P: -0.1}}, {{Op: Flip, P: 1.1}}, {{Op: Flip, P: math.NaN()}}, {{Op: Crop, H: 1, P: 0.5}},
		{{Op: Brightness, Lo: 2, Hi: 1, P: 1}}, {{Op: Brightness, Lo: 0, Hi: 1001, P: 1}}, {{Op: Brightness, Lo: -0.1, Hi: 1, P: 1}},
		{{Op: RandomCrop, H: 1, Lo: 0, Hi: 1, P: 1}}, {{Op: RandomCrop, H: 1, Lo: 0.5, Hi: 1.1, P: 1}},
	} {
		require.Error(t, bad.Check(), "%v", bad)
	}
	h, w, ok := Augment{{Op: Resize, H: 5, P: 1}}.Size()
	require.False(t, ok)
	require.Zero(t, w)
	require.Equal(t, 5, h)
	h, w, ok = Augment{{Op: Resize, H: 5, W: 7, P: 1}, {Op: Pad, H: 2, P: 1}}.Size()
	require.Equal(t, []any{9, 11, true}, []any{h, w, ok})
	h, w, ok = Augment{{Op: Resize, H: 5, P: 1}, {Op: Crop, H: 3, P: 1}}.Size()
	require.Equal(t, []any{3, 3, true}, []any{h, w, ok})
	require.Len(t, AugmentGrammar(), len(forms))
	for _, line := range AugmentGrammar() {
		_, err := ParseAugment(line)
		require.NoError(t, err, line)
	}
	require.Equal(t, 1, Augment{{Op: Grey}}.Channels(3))
	require.Equal(t, 3, Augment{{Op: Flip}}.Channels(3))
}

// Pixels of a palette, of colours multiplied by alpha, and of 16 bits.
func TestPlanesOfPictures(t *testing.T) {
	d := &decoder{h: 1, w: 3}
	var p picture
	read := func(m image.Image) [3][]uint8 {
		require.NoError(t, d.planes(&p, m))
		require.Equal(t, rgb, p.space)
		return [3][]uint8{slices.Clone(p.planes[0].pix), slices.Clone(p.planes[1].pix), slices.Clone(p.planes[2].pix)}
	}
	bounds := image.Rect(0, 0, 3, 1)
	palette := image.NewPaletted(bounds, color.Palette{color.RGBA{1, 2, 3, 255}, color.NRGBA{4, 5, 6, 7}, color.RGBA64{0x0801, 0x0902, 0x0a03, 0xffff}})
	copy(palette.Pix, []uint8{1, 2, 0})
	require.Equal(t, [3][]uint8{{4, 8, 1}, {5, 9, 2}, {6, 10, 3}}, read(palette))
	copy(palette.Pix, []uint8{9, 9, 9})
	require.Equal(t, [3][]uint8{{0, 0, 0}, {0, 0, 0}, {0, 0, 0}}, read(palette))
	alpha := image.NewRGBA(bounds)
	copy(alpha.Pix, []uint8{10, 20, 30, 255, 10, 20, 30, 51, 10, 20, 30, 0})
	require.Equal(t, [3][]uint8{{10, 50, 10}, {20, 100, 20}, {30, 150, 30}}, read(alpha))
	copy(alpha.Pix[4:], []uint8{200, 100, 51, 51})
	require.Equal(t, uint8(255), read(alpha)[0][1], "more than alpha is damage")
	plain := image.NewNRGBA(bounds)
	copy(plain.Pix, alpha.Pix)
	require.Equal(t, [3][]uint8{{10, 200, 10}, {20, 100, 20}, {30, 51, 30}}, read(plain))
	deep := image.NewNRGBA64(bounds)
	copy(deep.Pix, []uint8{1, 99, 2, 99, 3, 99, 4, 99})
	require.Equal(t, uint8(1), read(deep)[0][0])
	require.EqualError(t, d.planes(&p, image.NewAlpha(bounds)), "pictures of the kind *image.Alpha are not read")
}

// Names of samples, and panics with their place.
func TestNamesAndPanics(t *testing.T) {
	require.Equal(t, "sample 4", Name(numbered{n: 9}, 4))
	require.ErrorContains(t, panicked("x"), "the data set panicked: x", "also where nothing panicked")
}

// Throughput is counted, not guessed.
func TestThroughputInNumbers(t *testing.T) {
	a := Throughput{Samples: 100, Work: 4e9, Workers: 2, Wait: 7}
	require.Equal(t, 50., a.PerSecond())
	require.Zero(t, Throughput{Samples: 1, Workers: 1}.PerSecond())
	b := Throughput{Samples: 30, Work: 1e9, Workers: 3, Wait: 2}
	require.Equal(t, Throughput{Samples: 70, Work: 3e9, Workers: 2, Wait: 5}, a.Since(b))
	require.Equal(t, Throughput{Samples: 130, Work: 5e9, Workers: 3, Wait: 9}, a.Plus(b))
}

// Memory that is lent to a loader may be refused, at each of its three places.
func TestLoaderMemoryIsRefused(t *testing.T) {
	faces, _, err := NewSynthetic(SyntheticOptions{Targets: 4, Train: 3, Test: 1})
	require.NoError(t, err)
	for left := range 9 { // the images, the labels and the targets of three batches
		asked := left
		_, err := NewLoader(t.Context(), faces, LoaderOptions{Batch: 2, Memory: func(bytes int64) ([]byte, error) {
			if asked--; asked < 0 {
				return nil, errors.New("no memory")
			}
			return make([]byte, bytes), nil
		}})
		require.EqualError(t, err, "data loader: no memory")
	}
	l, err := NewLoader(t.Context(), faces, LoaderOptions{Batch: 2, Epochs: 1})
	require.NoError(t, err)
	defer l.Close()
	b, err := l.Next()
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{2, 4}, b.Targets.Shape())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l, err = NewLoader(ctx, faces, LoaderOptions{Batch: 2})
	require.NoError(t, err)
	_, err = l.Next()
	require.ErrorIs(t, err, context.Canceled)
	l.Close()
}

// What memory a scratch keeps, and that all that was taken is given back.
func TestScratchGivesBack(t *testing.T) {
	for _, c := range []struct {
		taken int64
		file  int
		keep  bool
	}{{0, 0, true}, {keptDecoded, keptDecoded, true}, {keptDecoded + 1, 0, false}, {1, keptDecoded + 1, false}, {decodedEach + 1, 0, false}} {
		s := &scratch{file: make([]byte, c.file), orientation: 3}
		require.NoError(t, s.take(t.Context(), c.taken))
		require.Equal(t, c.taken, s.taken)
		require.Equal(t, c.taken == 0, decodedTurns.TryAcquire(decodedInAll))
		if c.taken == 0 {
			decodedTurns.Release(decodedInAll)
		}
		require.Equal(t, c.keep, s.giveBack())
		require.Zero(t, s.taken)
		require.Equal(t, c.keep, s.orientation == 3)
		require.True(t, decodedTurns.TryAcquire(decodedInAll), "all is back")
		decodedTurns.Release(decodedInAll)
	}
	require.GreaterOrEqual(t, decodedInAll, int64(largestDecoded))
}

// The cache tells files apart by all that may change them.
func TestFingerprint(t *testing.T) {
	of := func(change func(f *Files)) string {
		f := &Files{shards: []string{"a", "b"}, files: []file{{stored: "x", shard: 0, offset: 1, size: 2, time: 3}, {stored: "y", shard: 1, offset: 4, size: 5, time: 6}}}
		change(f)
		return f.fingerprint(Augment{{Op: Crop, H: 1, P: 1}, {Op: Flip, P: 1}})
	}
	same := of(func(*Files) {})
	require.Len(t, same, 32)
	require.Equal(t, same, of(func(f *Files) { f.shards[0] = "./a" }))
	for i, change := range []func(f *Files){
		func(f *Files) { f.shards[1] = "c" }, func(f *Files) { f.files[1].stored = "z" }, func(f *Files) { f.files[1].shard = 0 },
		func(f *Files) { f.files[0].offset++ }, func(f *Files) { f.files[0].size++ }, func(f *Files) { f.files[0].time++ }, func(f *Files) { f.files = f.files[:1] },
	} {
		require.NotEqual(t, same, of(change), i)
	}
	f := &Files{shards: []string{"a"}}
	require.Equal(t, f.fingerprint(Augment{{Op: Crop, H: 1, P: 1}}), f.fingerprint(Augment{{Op: Crop, H: 1, P: 1}, {Op: Flip, P: 1}}), "chance is not measured")
	require.NotEqual(t, f.fingerprint(Augment{{Op: Crop, H: 1, P: 1}}), f.fingerprint(Augment{{Op: Crop, H: 2, P: 1}}))
}

// Turns, shifts and zooms go round the middle, whatever came before.
func TestGeometryOfChance(t *testing.T) {
	v := view{random: true}
	of := func(text string) []float64 {
		a, err := ParseAugment(text)
		require.NoError(t, err)
		m, h, w := a.geometry(v, 10, 20)
		require.Equal(t, []int{10, 20}, []int{h, w})
		return []float64{m.a, m.b, m.c, m.d, m.e, m.f}
	}
	require.InDeltaSlice(t, []float64{0, 1, 5, -1, 0, 15}, of("rotate=90..90"), 1e-9)
	require.InDeltaSlice(t, []float64{1, 0, -4, 0, 1, -2}, of("translate=0.2..0.2"), 1e-9)
	require.InDeltaSlice(t, []float64{0.5, 0, 5, 0, 0.5, 2.5}, of("zoom=2..2"), 1e-9)
	require.InDeltaSlice(t, []float64{-1, 0, 20, 0, 1, 0}, of("flip@1"), 1e-9)
	require.InDeltaSlice(t, []float64{-0.5, 0, 15, 0, 0.5, 2.5}, of("flip@1,zoom=2..2"), 1e-9)
	require.True(t, affine{a: 1, e: 2}.upright())
	require.False(t, affine{a: 1, b: 1, e: 2}.upright())
	require.False(t, affine{a: 1, d: 1, e: 2}.upright())
	for o := 1; o <= 8; o++ {
		m := turnedBack(o, 10, 20)
		x0, y0, x1, y1 := m.bounds(10, 20)
		if o > 4 {
			require.Equal(t, []float64{0, 0, 10, 20}, []float64{x0, y0, x1, y1}, o)
		} else {
			require.Equal(t, []float64{0, 0, 20, 10}, []float64{x0, y0, x1, y1}, o)
		}
	}
}

// What is drawn stays what it was: the bytes of every run depend on it.
func TestDrawsStay(t *testing.T) {
	var places [][6]float64
	for seed := range uint64(4) {
		v := view{random: true, draws: device.Random{Seed: seed, Sample: 9}}
		m, _, _ := Augment{{Op: Flip, P: 0.5}, {Op: RandomCrop, H: 10, W: 20, Lo: 0.1, Hi: 0.9, P: 1}, {Op: Crop, H: 5, P: 1}}.geometry(v, 100, 150)
		places = append(places, [6]float64{m.a, m.b, m.c, m.d, m.e, m.f})
	}
	require.Equal(t, [][6]float64{{4.3, 0, 78.5, 0, 3.8, 42}, {-6.3, 0, 46.5, 0, 7, 28}, {-3.05, 0, 82.65, 0, 2.8, 31.2}, {6.35, 0, 72.5, 0, 6.3, 61.5}}, places)
	order := make([]int32, 9)
	permute(order, 5, 2)
	require.Equal(t, []int32{0, 5, 7, 2, 4, 8, 1, 6, 3}, order)
	require.InDelta(t, 0.8628628856113937, draw(3, "a/1.jpg"), 1e-15)
}

// A part that lies outside of a range is a pixel at its end.
func TestClip(t *testing.T) {
	for _, c := range [][6]float64{
		{2, 5, 0, 9, 2, 5}, {-3, 5, 0, 9, 0, 5}, {2, 12, 0, 9, 2, 9}, {-3, 12, 0, 9, 0, 9},
		{-5, -3, 0, 9, 0, 1}, {11, 12, 0, 9, 8, 9}, {4, 4, 0, 9, 3, 5}, {4, 4, 4, 4, 4, 4},
	} {
		a, b := clip(c[0], c[1], c[2], c[3])
		require.Equal(t, [2]float64{c[4], c[5]}, [2]float64{a, b}, "%v", c)
	}
}
