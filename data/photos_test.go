package data

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// drawn is a picture with a slow pattern, which JPEG keeps well.
func drawn(h, w, seed int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			wave := func(fx, fy float64) uint8 {
				return uint8(128 + 100*math.Sin(fx*float64(x)+fy*float64(y)+float64(seed)))
			}
			m.SetNRGBA(x, y, color.NRGBA{wave(0.05, 0.02), wave(0.02, 0.06), wave(0.03, -0.04), 255})
		}
	}
	return m
}

func asJPEG(t testing.TB, m image.Image) []byte {
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}))
	return b.Bytes()
}

func asPNG(t testing.TB, m image.Image) []byte {
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, m))
	return b.Bytes()
}

func greyOf(m image.Image) *image.Gray {
	g := image.NewGray(m.Bounds())
	for y := range m.Bounds().Dy() {
		for x := range m.Bounds().Dx() {
			g.Set(x, y, m.At(x, y))
		}
	}
	return g
}

const cmykBase64 = `
/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwADAgIDAgIDAwMDBAMDBAUIBQUEBAUKBwcGCAwKDAwLCgsLDQ4SEA0OEQ4LCxAWEBETFBUV
FQwPFxgWFBgSFBUU/8AAFAgACAAIBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIB
AwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZH
SElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV
1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwD9U6/Kqvyqr9U6/9k=
`

// cmykJPEG is a red picture of 8x8 in Adobe's inverted CMYK. Go cannot write
// one.
func cmykJPEG(t testing.TB) []byte {
	b, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(cmykBase64, "\n", ""))
	require.NoError(t, err)
	return b
}

// photosOf makes samples of files in one class.
func photosOf(t testing.TB, augment string, files ...[]byte) *Photos {
	dir := t.TempDir()
	for i, b := range files {
		writeTree(t, dir, map[string][]byte{fmt.Sprintf("c/%d.jpg", i): b})
	}
	f, err := OpenFiles(dir)
	require.NoError(t, err)
	a, err := ParseAugment(augment)
	require.NoError(t, err)
	p, err := NewPhotos(f, a, &Statistics{Mean: Floats{1, 2, 3}, Variances: []float64{0.2, 0.02, 0.004}, Components: []float64{1, 0, 0, 0, 1, 0, 0, 0, 1}})
	require.NoError(t, err)
	return p
}

func read(t testing.TB, p *Photos, i int) []float32 {
	x := make([]float32, p.Shape().TotalSize())
	_, err := p.Read(x, i)
	require.NoError(t, err)
	return x
}

// channels are the red, green and blue of a picture, as a sample has them.
func channels(m image.Image) []float32 {
	b := m.Bounds()
	n := b.Dx() * b.Dy()
	x := make([]float32, 3*n)
	for i := range n {
		c := color.NRGBAModel.Convert(m.At(b.Min.X+i%b.Dx(), b.Min.Y+i/b.Dx())).(color.NRGBA)
		x[i], x[n+i], x[2*n+i] = float32(c.R), float32(c.G), float32(c.B)
	}
	return x
}

func TestPhotosReadEveryKindOfFile(t *testing.T) {
	m := drawn(24, 40, 3)
	deep := image.NewNRGBA64(m.Bounds())
	for i := range 24 * 40 {
		deep.Set(i%40, i/40, m.At(i%40, i/40))
	}
	clear := image.NewNRGBA(m.Bounds())
	copy(clear.Pix, m.Pix)
	for i := range 24 * 40 {
		clear.Pix[4*i+3] = 128
	}
	palette := image.NewPaletted(m.Bounds(), color.Palette{color.White, color.Black, color.NRGBA{10, 20, 30, 255}})
	for i := range palette.Pix {
		palette.Pix[i] = uint8(i % 3)
	}
	grey16 := image.NewGray16(m.Bounds())
	for i := range 24 * 40 {
		grey16.Set(i%40, i/40, m.At(i%40, i/40))
	}
	for _, c := range []struct {
		name  string
		file  []byte
		want  image.Image
		error float64
	}{
		{"JPEG", asJPEG(t, m), m, 14},
		{"grey JPEG", asJPEG(t, greyOf(m)), greyOf(m), 14},
		{"PNG by the name of a JPEG", asPNG(t, m), m, 0},
		{"16 bits", asPNG(t, deep), m, 0},
		{"grey of 16 bits", asPNG(t, grey16), grey16, 0.5},
		{"transparent", asPNG(t, clear), m, 0.5},
		{"palette", asPNG(t, palette), palette, 0},
		{"grey PNG", asPNG(t, greyOf(m)), greyOf(m), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := read(t, photosOf(t, "crop=24x40", c.file), 0)
			require.InDeltaSlice(t, channels(c.want), got, c.error)
		})
	}
	got := read(t, photosOf(t, "crop=8", cmykJPEG(t)), 0)
	require.InDelta(t, 0, got[64]-got[128], 3, "green and blue are the same")
	require.Greater(t, got[0]-got[64], float32(100), "all is red")
}

// withExif puts an orientation into a JPEG, in either byte order.
func withExif(b []byte, orientation byte, big bool) []byte {
	tiff := []byte{'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0}
	if big {
		tiff = []byte{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0}
	}
	segment := append([]byte{0xff, 0xe1, 0, byte(8 + len(tiff))}, "Exif\x00\x00"...)
	return slices.Concat(b[:2], segment, tiff, b[2:])
}

// A picture that is stored in any of eight ways is seen alike.
func TestOrientation(t *testing.T) {
	const h, w = 20, 32
	seen := drawn(h, w, 5)
	for o, stored := range map[byte]func(x, y int) (sx, sy int){
		1: func(x, y int) (int, int) { return x, y },
		2: func(x, y int) (int, int) { return w - 1 - x, y },
		3: func(x, y int) (int, int) { return w - 1 - x, h - 1 - y },
		4: func(x, y int) (int, int) { return x, h - 1 - y },
		5: func(x, y int) (int, int) { return y, x },
		6: func(x, y int) (int, int) { return y, w - 1 - x },
		7: func(x, y int) (int, int) { return h - 1 - y, w - 1 - x },
		8: func(x, y int) (int, int) { return h - 1 - y, x },
	} {
		m := image.NewNRGBA(image.Rect(0, 0, w, h))
		if o > 4 {
			m = image.NewNRGBA(image.Rect(0, 0, h, w))
		}
		for y := range h {
			for x := range w {
				sx, sy := stored(x, y)
				m.Set(sx, sy, seen.At(x, y))
			}
		}
		file := withExif(asJPEG(t, m), o, o%2 == 0)
		require.Equal(t, int(o), orientation(file, jpegFormat))
		got := read(t, photosOf(t, "crop=20x32", file), 0)
		require.InDeltaSlice(t, channels(seen), got, 16, "orientation %d", o)
	}
	j := asJPEG(t, seen)
	require.Equal(t, 1, orientation(j, jpegFormat))
	require.Equal(t, 1, orientation(withExif(j, 9, true), jpegFormat))
	for n := range 60 {
		orientation(withExif(j, 6, false)[:n], jpegFormat)
	}
}

func TestListFiles(t *testing.T) {
	j := asJPEG(t, drawn(24, 40, 3))
	path := writeFile(t, "1.jpg", j)
	empty := writeFile(t, "2.jpg", nil)
	a := Augment{{Op: Resize, H: 20, P: 1}, {Op: Crop, H: 16, P: 1}}
	p, err := NewPhotos(ListFiles([]string{path, empty, "nowhere.jpg", filepath.Dir(path)}), a, nil)
	require.NoError(t, err)
	x, y := make([]float32, 3*16*16), make([]float32, 3*16*16)
	label, err := p.Read(x, 0)
	require.NoError(t, err)
	require.Zero(t, label)
	require.Equal(t, filepath.ToSlash(path), p.Name(0))
	require.NoError(t, p.ReadFile(t.Context(), y, j))
	require.Equal(t, x, y)
	_, err = p.Read(x, 1)
	require.ErrorContains(t, err, "2.jpg: it is empty")
	_, err = p.Read(x, 2)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = p.Read(x, 3)
	require.ErrorContains(t, err, "it is not a regular file")
	require.EqualError(t, p.ReadFile(t.Context(), y, j[:200]), "truncated")
}

func TestPhotosRefuse(t *testing.T) {
	j := asJPEG(t, drawn(24, 40, 3))
	huge := bytes.Clone(j)
	i := bytes.Index(huge, []byte{0xff, 0xc0})
	copy(huge[i+5:], []byte{60000 >> 8, 60000 & 255, 60000 >> 8, 60000 & 255})
	hollow := bytes.Clone(j)
	copy(hollow[i+5:], []byte{11000 >> 8, 11000 & 255, 11000 >> 8, 11000 & 255})
	none := bytes.Clone(j)
	copy(none[i+5:], []byte{0, 0, 0, 40})
	twelve := bytes.Clone(j)
	twelve[i+4] = 12
	p := asPNG(t, drawn(24, 40, 3))
	hugePNG := bytes.Clone(p)
	copy(hugePNG[16:], []byte{0, 0, 60000 >> 8, 60000 & 255, 0, 0, 60000 >> 8, 60000 & 255})
	for want, file := range map[string][]byte{
		"c/0.jpg: it is not a JPEG, PNG, GIF, BMP, TIFF or WebP but text": []byte("<html>not found</html>"),
		"it is not a JPEG, PNG, GIF, BMP, TIFF or WebP but a HEIF":        []byte("\x00\x00\x00\x18ftypheic"),
		"it is not a JPEG, PNG, GIF, BMP, TIFF or WebP":                   []byte("woof"),
		"truncated": j[:len(j)/2],
		"a picture of 60000x60000 is larger than the 134217728 pixels allowed": huge,
		"bytes cannot hold a picture of 11000x11000":                           hollow,
		"samples of 12 bits is not supported":                                  twelve,
		"png":                                                                  hugePNG, // its checksum is wrong, too
		"c/0.jpg: ":                                                            none,
		"c/0.jpg: png: invalid format: not enough pixel data":                  p[:len(p)-40],
	} {
		s := photosOf(t, "crop=8", file)
		_, _, err := Measure(t.Context(), s, MeasureOptions{})
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "no sample can be read")
	}

	f := &Files{classes: []string{"a"}}
	_, err := NewPhotos(f, nil, nil)
	require.Equal(t, ErrNoSize, err)
	_, err = NewPhotos(f, Augment{{Op: Crop, H: 1, P: 7}}, nil)
	require.ErrorContains(t, err, "a probability is a number from 0 to 1")
	_, err = NewPhotos(f, Augment{{Op: Crop, H: 9000, P: 1}}, nil)
	require.EqualError(t, err, "the augmentation makes samples of 9000x9000, larger than the 16777216 pixels allowed")
	_, err = NewPhotos(f, Augment{{Op: Crop, H: 9000, W: 5000, P: 1}}, nil)
	require.EqualError(t, err, "the augmentation makes samples of 5000x9000, larger than the 16777216 pixels allowed", "width first")
}

// A picture that is not resampled is taken as it is, at the right place.
func TestCropsAreExact(t *testing.T) {
	m := drawn(31, 47, 2)
	p := photosOf(t, "crop=20x30", asPNG(t, m))
	part := func(y, x int, mirrored bool) []float32 {
		sub := image.NewNRGBA(image.Rect(0, 0, 30, 20))
		for i := range 600 {
			dx := i % 30
			if mirrored {
				dx = 29 - dx
			}
			sub.Set(i%30, i/30, m.At(x+dx, y+i/30))
		}
		return channels(sub)
	}
	require.Equal(t, part(5, 8, false), read(t, p, 0))

	ten := p.TenCrops()
	require.Equal(t, 10, ten.Len())
	require.Equal(t, 10, ten.Views())
	x := make([]float32, 3*600)
	for i, at := range [][2]int{{5, 8}, {0, 0}, {0, 17}, {11, 0}, {11, 17}} {
		for k, mirrored := range []bool{false, true} {
			_, err := ten.Read(x, i+5*k)
			require.NoError(t, err)
			require.Equal(t, part(at[0], at[1], mirrored), x, "view %d", i+5*k)
		}
	}

	// Chance takes every place, and mirrors half of them.
	p = photosOf(t, "crop=29x46,flip", asPNG(t, m))
	seen := map[string]int{}
	v := p.Varied()
	x = make([]float32, p.Shape().TotalSize())
	for epoch := range 400 {
		_, err := v.ReadVaried(x, 0, 9, epoch)
		require.NoError(t, err)
		seen[fmt.Sprint(x[:8])]++
	}
	require.Len(t, seen, 3*2*2)
	for _, n := range seen {
		require.Greater(t, n, 12, "of about 33")
	}
	// A crop that is larger than the picture shows it in the middle.
	big := read(t, photosOf(t, "crop=33x49", asPNG(t, m)), 0)
	require.Equal(t, big[0], big[50], "the edge goes on")
	require.Equal(t, channels(m)[0], big[50])
}

func TestPhotosDependOnSeedEpochAndSampleAlone(t *testing.T) {
	files := make([][]byte, 6)
	for i := range files {
		files[i] = asJPEG(t, drawn(60+i, 80, i))
	}
	p := photosOf(t, "resize=40,zoom=0.2,rotate=10@0.5,translate=0.1,crop=32,flip,brightness=0.3,contrast=0.3,saturation=0.3,pca=0.1,noise=0..4,cutout=8@0.5", files...)
	o := LoaderOptions{Batch: 4, Shuffle: true, Seed: 3, Workers: 1}
	batches := func(o LoaderOptions) (all [][]float32) {
		l, err := NewLoader(t.Context(), p.Varied(), o)
		require.NoError(t, err)
		defer l.Close()
		for range 6 {
			b, err := l.Next()
			require.NoError(t, err)
			all = append(all, slices.Clone(b.X.Float32s()))
			b.Release()
		}
		return all
	}
	want := batches(o)
	o.Workers = 7
	require.Equal(t, want, batches(o))
	o.Start = 3
	require.Equal(t, want[3:], batches(o)[:3])
	o.Start, o.Seed = 0, 4
	require.NotEqual(t, want, batches(o))

	// What a warm read allocates is the open file.
	x := make([]float32, p.Shape().TotalSize())
	v := p.Varied()
	allocations := testing.AllocsPerRun(20, func() {
		for i := range 6 {
			if _, err := v.ReadVaried(x, i, 1, 0); err != nil {
				panic(err)
			}
		}
	})
	require.LessOrEqual(t, allocations, 6*8.)
}

// A clock's hand turns clockwise, moves right and down, and leaves the picture.
func TestRotationGoesTheRightWay(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 65, 65))
	for i := range m.Pix {
		m.Pix[i] = 255
	}
	for y := range 20 {
		m.Set(32, 5+y, color.Black) // a hand at twelve o'clock
	}
	a, err := ParseAugment("rotate=90..90,crop=65")
	require.NoError(t, err)
	p := photosOf(t, "crop=65", asPNG(t, m))
	p.augment = a
	x := make([]float32, p.Shape().TotalSize())
	_, err = p.Varied().ReadVaried(x, 0, 1, 1)
	require.NoError(t, err)
	require.Less(t, x[32*65+50], float32(60), "now at three")
	require.Greater(t, x[32*65+10], float32(200))
	require.Greater(t, x[15*65+32], float32(200))

	a, err = ParseAugment("translate=0.2..0.2,crop=65")
	require.NoError(t, err)
	p.augment = a
	_, err = p.Varied().ReadVaried(x, 0, 1, 1)
	require.NoError(t, err)
	require.Less(t, x[(10+13)*65+32+13], float32(60), "right and down by a fifth")
	a, err = ParseAugment("zoom=2..2,crop=65")
	require.NoError(t, err)
	p.augment = a
	_, err = p.Varied().ReadVaried(x, 0, 1, 1)
	require.NoError(t, err)
	require.Less(t, x[5*65+32], float32(100), "the hand leaves the picture")
}

func TestAugmentedDataset(t *testing.T) {
	train, _, err := NewSynthetic(SyntheticOptions{Train: 20, Test: 5})
	require.NoError(t, err)
	a, err := ParseAugment("pad=2,crop=28")
	require.NoError(t, err)
	p, varied, err := Augmented(train, a, nil)
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{1, 28, 28}, p.Shape())
	x, y := make([]float32, 784), make([]float32, 784)
	_, err = train.Read(x, 7)
	require.NoError(t, err)
	label, err := p.Read(y, 7)
	require.NoError(t, err)
	require.Equal(t, int32(7), label)
	require.Equal(t, x, y)
	moved := 0
	for epoch := range 20 {
		_, err := varied.ReadVaried(y, 7, 1, epoch)
		require.NoError(t, err)
		if !slices.Equal(x, y) {
			moved++
		}
	}
	require.Greater(t, moved, 15)
	require.Zero(t, testing.AllocsPerRun(20, func() { varied.ReadVaried(y, 3, 1, 2) }))

	_, _, err = Augmented(train, Augment{{Op: PCA, Hi: 1, P: 1}}, nil)
	require.EqualError(t, err, "augmentation pca needs pictures in colour")
	faces, _, err := NewSynthetic(SyntheticOptions{Targets: 4})
	require.NoError(t, err)
	_, _, err = Augmented(faces, a, nil)
	require.ErrorContains(t, err, "would not move what is to be predicted")
	odd, _, err := NewSynthetic(SyntheticOptions{Shape: tensor.Shape{2, 4, 4}})
	require.NoError(t, err)
	_, _, err = Augmented(odd, Augment{{Op: Grey, P: 1}}, nil)
	require.EqualError(t, err, "augmentation grey is for pictures in colour or grey, not for stacks of 2 channels")
}

func FuzzPicture(f *testing.F) {
	m := drawn(20, 30, 1)
	f.Add(asJPEG(f, m))
	f.Add(asPNG(f, m))
	f.Add(asJPEG(f, greyOf(m)))
	f.Add(cmykJPEG(f))
	f.Add(withExif(asJPEG(f, m), 6, true))
	for _, k := range pngKinds() {
		if k.exif != "" && k.interlaced == k.transparent {
			file, _ := k.encode(9, 5)
			f.Add(file)
		}
	}
	f.Add(asGIF(f, image.NewPaletted(image.Rect(1, 1, 7, 5), color.Palette{color.Black, color.White}), image.Pt(9, 9), 1))
	for _, m := range []image.Image{m, greyOf(m)} {
		f.Add(asBMP(f, m))
		f.Add(asTIFF(f, m))
	}
	for name := range webps {
		f.Add(storedWebP(f, name))
	}
	var d decoder
	f.Fuzz(func(t *testing.T, b []byte) {
		h, w, err := d.open(b)
		o := orientation(b, d.format)
		require.True(t, o >= 1 && o <= 8)
		if err != nil || h*w > 1<<20 {
			return
		}
		region := image.Rect(0, 0, w, h)
		require.LessOrEqual(t, d.memory(region, 0), int64(largestDecoded))
		var p picture
		if err := d.decode(t.Context(), &p, region, 0); err != nil {
			return
		}
		for _, q := range p.used() {
			require.Positive(t, q.w)
			require.GreaterOrEqual(t, len(q.pix), (q.h-1)*q.stride+q.w)
			require.GreaterOrEqual(t, q.x0+float64(q.w)*q.sx, float64(w))
			require.GreaterOrEqual(t, q.y0+float64(q.h)*q.sy, float64(h))
		}
	})
}
