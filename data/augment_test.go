package data

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
)

func TestParseAugment(t *testing.T) {
	for text, want := range map[string]Augment{
		"":                             nil,
		"resize=256,crop=227,flip":     {{Op: Resize, H: 256, P: 1}, {Op: Crop, H: 227, P: 1}, {Op: Flip, P: 0.5}},
		"resize=10x20, flip@1":         {{Op: Resize, H: 10, W: 20, P: 1}, {Op: Flip, P: 1}},
		"rotate=15@0.3":                {{Op: Rotate, Lo: -15, Hi: 15, P: 0.3}},
		"rotate=-5..90":                {{Op: Rotate, Lo: -5, Hi: 90, P: 1}},
		"zoom=0.25,zoom=0.9..1.5":      {{Op: Zoom, Lo: 0.75, Hi: 1.25, P: 1}, {Op: Zoom, Lo: 0.9, Hi: 1.5, P: 1}},
		"pca=0.1,noise=2..5":           {{Op: PCA, Lo: 0.1, Hi: 0.1, P: 1}, {Op: Noise, Lo: 2, Hi: 5, P: 1}},
		"rrcrop=224,cutout=3x4@0.5":    {{Op: RandomCrop, H: 224, Lo: 0.08, Hi: 1, P: 1}, {Op: Cutout, H: 3, W: 4, P: 0.5}},
		"rrcrop=10x12:0.5..1":          {{Op: RandomCrop, H: 10, W: 12, Lo: 0.5, Hi: 1, P: 1}},
		"brightness=0.5,contrast=0.5":  {{Op: Brightness, Lo: 0.5, Hi: 1.5, P: 1}, {Op: Contrast, Lo: 0.5, Hi: 1.5, P: 1}},
		"grey,pad=4,saturation=0..2":   {{Op: Grey, P: 1}, {Op: Pad, H: 4, P: 1}, {Op: Saturation, Lo: 0, Hi: 2, P: 1}},
		"erase,randaugment=2":          {{Op: Erase, Lo: 0.02, Hi: 0.4, P: 0.5}, {Op: RandAugment, H: 2, Lo: 9, Hi: 9, P: 1}},
		"erase=0.1..0.2@0.3":           {{Op: Erase, Lo: 0.1, Hi: 0.2, P: 0.3}},
		"randaugment=3:2..7@0.5":       {{Op: RandAugment, H: 3, Lo: 2, Hi: 7, P: 0.5}},
		"shear-x=0.3,translate-y=0..1": {{Op: ShearX, Lo: -0.3, Hi: 0.3, P: 1}, {Op: TranslateY, Lo: 0, Hi: 1, P: 1}},
		"hue=20,solarize=128":          {{Op: Hue, Lo: -20, Hi: 20, P: 1}, {Op: Solarize, Lo: 128, Hi: 128, P: 1}},
		"posterize=4..8,sharpness=0.5": {{Op: Posterize, Lo: 4, Hi: 8, P: 1}, {Op: Sharpness, Lo: 0.5, Hi: 1.5, P: 1}},
		"autocontrast,equalize@0.2":    {{Op: Autocontrast, P: 1}, {Op: Equalize, P: 0.2}},
	} {
		a, err := ParseAugment(text)
		require.NoError(t, err, text)
		require.Equal(t, want, a, text)
		again, err := ParseAugment(a.String())
		require.NoError(t, err, a.String())
		require.Equal(t, a, again)
	}
	for text, want := range map[string]string{
		"crp=227":              `augmentation "crp" is unknown; there are resize, crop, rrcrop, pad, flip, rotate, translate, translate-x, translate-y, shear-x, shear-y, zoom, grey, brightness, contrast, saturation, hue, pca, autocontrast, equalize, solarize, posterize, sharpness, randaugment, noise, cutout, erase, mixup, cutmix`,
		"crop":                 `augmentation "crop": it takes a number of pixels, or HEIGHTxWIDTH, such as crop=227`,
		"crop=x3":              "it takes a number of pixels",
		"crop=3x":              "it takes a number of pixels",
		"crop=-3":              "it takes a number of pixels",
		"crop=20000":           "a side has at least 1 and at most 16384 pixels",
		"crop=5@0.5":           "it cannot be left to chance",
		"pad=3x4":              "it takes a number of pixels, such as pad=4",
		"flip=3":               `augmentation "flip=3": it takes no value, such as flip`,
		"flip@2":               "a probability is a number from 0 to 1",
		"flip@x":               "a probability after @ is a number from 0 to 1",
		"rotate":               "it takes a number or a range LO..HI, such as rotate=15",
		"rotate=a":             "it takes a number or a range",
		"rotate=5..":           "it takes a number or a range",
		"rotate=9..5":          `augmentation "rotate=9..5": the range 9..5 is empty`,
		"zoom=1":               "the range 0..2 is empty or outside 0.01..1000",
		"noise=-1":             "the range -1..-1 is empty or outside",
		"noise=NaN":            "the range NaN..NaN is empty",
		"rrcrop=5:":            "the range after the colon is missing",
		"mixup=2":              "the range 2..2 is empty or outside 0.05..1",
		"cutmix":               "it takes a number or a range LO..HI, such as cutmix=1@0.5",
		"erase=":               "it takes a number or a range LO..HI, such as erase",
		"erase=0":              "a share of the area is above 0 and at most 1",
		"erase=0.1..1.5":       "a share of the area is above 0 and at most 1",
		"erase=0.4..0.1":       "the range 0.4..0.1 is empty",
		"randaugment":          "it takes a number of steps, such as randaugment=2:9",
		"randaugment=9":        "it takes 1 to 8 steps",
		"randaugment=2:11":     "the range 11..11 is empty or outside 0..10",
		"randaugment=2:":       "the range after the colon is missing",
		"posterize=0":          "the range 0..0 is empty or outside 1..8",
		"solarize=300":         "outside 0..256",
		"shear-x=2":            "outside -1..1",
		"hue=400":              "outside -360..360",
		"rrcrop=5:0..2":        "a share of the area is above 0",
		"resize=100,crop=227":  "a crop of 227x227 does not fit in a shorter side of 100",
		"resize=256,,crop=3":   `augmentation "" is unknown`,
		"rrcrop=100,crop=99,x": `augmentation "x" is unknown`,
	} {
		_, err := ParseAugment(text)
		require.ErrorContains(t, err, want, text)
	}
}

// Every word with every value that it may have, 0 among them, is read again as what
// it was.
func TestEveryStepIsReadAgain(t *testing.T) {
	for _, f := range forms {
		for _, w := range []int{0, 1, 7} {
			for _, lo := range []float64{0, -1, -0.5, 1, 0.25, f.lo, 1e-7} {
				for _, hi := range []float64{0, 1, 0.25, f.hi, 1000} {
					for _, p := range []float64{0, 1, 0.5, 0.25} {
						s := Step{Op: f.op, P: p}
						if f.sizes > 0 {
							s.H = 5
						}
						if f.sizes > 1 {
							s.W = w
						}
						if f.amount {
							s.Lo, s.Hi = lo, hi
						}
						a := Augment{s}
						if a.Check() != nil {
							continue
						}
						again, err := ParseAugment(a.String())
						require.NoError(t, err, a.String())
						require.Equal(t, a, again, a.String())
					}
				}
			}
		}
	}
	for text, want := range map[string]string{
		"flip@0":             "flip@0",
		"noise=0":            "noise=0",
		"noise=0..0":         "noise=0",
		"noise=0..5":         "noise=0..5",
		"rotate=0":           "rotate=0..0",
		"rotate=0..0@0":      "rotate=0..0@0",
		"rotate=-15..0":      "rotate=-15..0",
		"translate=0..0.1":   "translate=0..0.1",
		"brightness=0..0":    "brightness=0..0",
		"zoom=0":             "zoom=1..1",
		"saturation=0..1@0":  "saturation=0..1@0",
		"pca=0,cutout=3x4@0": "pca=0,cutout=3x4@0",
	} {
		a, err := ParseAugment(text)
		require.NoError(t, err, text)
		require.Equal(t, want, a.String())
	}
}

func FuzzAugment(f *testing.F) {
	f.Add("resize=256,crop=227x200,flip@0.3,rotate=15,zoom=0.9..1.2,pca=0.1,rrcrop=5:0.1..1,cutout=3")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAugment(text)
		if err != nil {
			return
		}
		again, err := ParseAugment(a.String())
		require.NoError(t, err, a.String())
		require.Equal(t, a.String(), again.String())
		if h, w, ok := a.Size(); ok && len(a) < 10 {
			for _, v := range []view{{}, {random: true, draws: device.Random{Seed: 1}}} {
				m, gotH, gotW := a.geometry(v, 50, 70)
				require.Equal(t, []int{h, w}, []int{gotH, gotW})
				region, _ := m.source(h, w, 50, 70)
				require.False(t, region.Empty())
			}
		}
	})
}

func TestAugmentJSON(t *testing.T) {
	a, err := ParseAugment("resize=256,crop=227,flip,rotate=15@0.25")
	require.NoError(t, err)
	text, err := json.Marshal(Preprocess{Augment: a})
	require.NoError(t, err)
	require.JSONEq(t, `{"augment":"resize=256,crop=227,flip,rotate=-15..15@0.25"}`, string(text))
	var p Preprocess
	require.NoError(t, json.Unmarshal(text, &p))
	require.Equal(t, a, p.Augment)
	require.Error(t, json.Unmarshal([]byte(`{"augment":"resize"}`), &p))
	require.Equal(t, "resize=256,crop=227", a.Test().String())
}

func TestGeometry(t *testing.T) {
	geometry := func(text string, v view, h, w int) (affine, int, int) {
		a, err := ParseAugment(text)
		require.NoError(t, err)
		return a.geometry(v, h, w)
	}
	// The shorter side becomes 256, and the crop is in the middle.
	m, h, w := geometry("resize=256,crop=227", view{}, 375, 500)
	require.Equal(t, []int{227, 227}, []int{h, w})
	x0, y0, x1, y1 := m.bounds(h, w)
	require.InDeltaSlice(t, []float64{83.6, 20.5, 416.4, 353}, []float64{x0, y0, x1, y1}, 1)
	region, halvings := m.source(h, w, 375, 500)
	require.Zero(t, halvings)
	require.True(t, float64(region.Min.X) < x0 && float64(region.Max.X) > x1 && region.Max.Y <= 375)

	// A large picture is halved, but never below the size that is wanted.
	m, h, w = geometry("resize=256,crop=227", view{}, 3000, 4000)
	_, halvings = m.source(h, w, 3000, 4000)
	require.Equal(t, 3, halvings)
	m, h, w = geometry("resize=256,crop=227", view{}, 513, 600)
	_, halvings = m.source(h, w, 513, 600)
	require.Equal(t, 1, halvings)
	m, h, w = geometry("resize=256,crop=227", view{}, 511, 600)
	_, halvings = m.source(h, w, 511, 600)
	require.Zero(t, halvings)

	// rrcrop stays inside, has its area and its ratio, and in a test is the
	// middle.
	for epoch := range 300 {
		v := view{random: true, draws: device.Random{Seed: 1, Iteration: uint32(epoch)}}
		m, h, w := geometry("rrcrop=20x20:0.2..0.6", v, 100, 200)
		x0, y0, x1, y1 := m.bounds(h, w)
		require.True(t, x0 >= 0 && y0 >= 0 && x1 <= 200.001 && y1 <= 100.001)
		share := (x1 - x0) * (y1 - y0) / 20000
		require.True(t, share > 0.19 && share < 0.61, share)
		require.InDelta(t, 0, math.Log((x1-x0)/(y1-y0)), math.Log(4./3)+0.03)
	}
	m, _, _ = geometry("rrcrop=20", view{}, 80, 200)
	require.Equal(t, affine{a: 3.5, c: 65, e: 3.5, f: 5}, m)
}

// normal is the quantile function, so its moments are those of the normal
// distribution, and what lies beyond a deviation is as much as there should be.
func TestNormal(t *testing.T) {
	var sum, squares float64
	const n = 1 << 16
	beyond := 0
	for i := range n {
		z := normal(uint32(i)<<16 | 1<<15)
		sum += z
		squares += z * z
		if math.Abs(z) > 1.959964 {
			beyond++
		}
	}
	require.InDelta(t, 0, sum/n, 1e-3)
	require.InDelta(t, 1, squares/n, 3e-3)
	require.InDelta(t, 0.05, float64(beyond)/n, 1e-3)
	require.InDelta(t, 3.67, normal(math.MaxUint32), 0.02)
}

// Colour steps against their definitions, on one pixel of a picture with a
// known mean.
func TestColour(t *testing.T) {
	draws := view{random: true}
	stats := &Statistics{Variances: []float64{0.2, 0.1, 0.05}, Components: []float64{0, 1, 0, 1, 0, 0, 0, 0, 1}}
	pixel, means := [3]float64{100, 50, 200}, [3]float64{80, 90, 120}
	grey := func(p [3]float64) float64 { return 0.299*p[0] + 0.587*p[1] + 0.114*p[2] }
	apply := func(text string) (got [3]float64) {
		a, err := ParseAugment(text)
		require.NoError(t, err)
		m := a.colour(draws, rgb, 3, means, stats)
		for c := range got {
			got[c] = m[c][0]*pixel[0] + m[c][1]*pixel[1] + m[c][2]*pixel[2] + m[c][3]
		}
		return got
	}
	require.Equal(t, pixel, apply("flip"))
	require.InDeltaSlice(t, []float64{150, 75, 300}, sliceOf(apply("brightness=1.5..1.5")), 1e-9)
	mean, luma := grey(means), grey(pixel)
	require.InDeltaSlice(t, []float64{2*100 - mean, 2*50 - mean, 2*200 - mean}, sliceOf(apply("contrast=2..2")), 1e-9)
	require.InDeltaSlice(t, []float64{(100 + luma) / 2, (50 + luma) / 2, (200 + luma) / 2}, sliceOf(apply("saturation=0.5..0.5")), 1e-9)
	require.InDeltaSlice(t, []float64{luma, luma, luma}, sliceOf(apply("grey")), 1e-9)
	// In order: the mean that contrast takes is that of brightened pixels.
	require.InDeltaSlice(t, []float64{2*200 - 2*mean, 2*100 - 2*mean, 2*400 - 2*mean}, sliceOf(apply("brightness=2..2,contrast=2..2")), 1e-9)

	got := apply("pca=0.1")
	words := draws.words(0, 1)
	for c, e := range []int{1, 0, 2} {
		require.InDelta(t, pixel[c]+255*stats.Variances[e]*0.1*normal(words[e]), got[c], 1e-9)
	}
}

func sliceOf(x [3]float64) []float64 { return x[:] }
