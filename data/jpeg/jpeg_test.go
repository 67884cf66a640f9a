package jpeg

import (
	"bytes"
	"context"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// noisy is a picture that uses every frequency.
func noisy(w, h int, seed uint64) image.Image {
	r := rand.New(rand.NewPCG(seed, 0))
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			wave := func(f, g float64) uint8 {
				return uint8(128 + 90*math.Sin(f*float64(x)+g*float64(y)) + 37*r.Float64())
			}
			m.SetRGBA(x, y, color.RGBA{wave(.2, .1), wave(.1, .25), wave(.15, -.2), 255})
		}
	}
	return m
}

func encoded(t testing.TB, m image.Image, quality int) []byte {
	var b bytes.Buffer
	require.NoError(t, stdjpeg.Encode(&b, m, &stdjpeg.Options{Quality: quality}))
	return b.Bytes()
}

// files are those of testdata, made by libjpeg, and some of Go's making.
func files(t testing.TB) map[string][]byte {
	all := map[string][]byte{
		"go":       encoded(t, noisy(61, 45, 1), 90),
		"go, tiny": encoded(t, noisy(1, 1, 1), 50),
		"go, fine": encoded(t, noisy(33, 17, 2), 100),
	}
	names, err := filepath.Glob("testdata/*.jpg")
	require.NoError(t, err)
	for _, name := range names {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		all[filepath.Base(name)] = b
	}
	require.Len(t, all, 13)
	return all
}

// decode is all of a file.
func decode(t testing.TB, b []byte, halvings int) (Config, []Plane) {
	var d Decoder
	c, err := d.Open(b)
	require.NoError(t, err)
	planes, err := d.Decode(t.Context(), image.Rect(0, 0, c.Width, c.Height), halvings)
	require.NoError(t, err)
	return c, planes
}

// decodeAll is the same where there may be an error.
func decodeAll(b []byte) ([]Plane, error) {
	var d Decoder
	c, err := d.Open(b)
	if err != nil {
		return nil, err
	}
	return d.Decode(context.Background(), image.Rect(0, 0, c.Width, c.Height), 0)
}

// stdSample is a sample of a component as it is stored, of the pixel that it
// is first in, as image/jpeg decodes it. It has no chroma of YCCK.
func stdSample(m image.Image, component, x, y int) (uint8, bool) {
	switch m := m.(type) {
	case *image.Gray:
		return m.GrayAt(x, y).Y, true
	case *image.YCbCr:
		return [3]uint8{m.Y[m.YOffset(x, y)], m.Cb[m.COffset(x, y)], m.Cr[m.COffset(x, y)]}[component], true
	case *image.RGBA:
		return m.Pix[m.PixOffset(x, y)+component], true
	case *image.CMYK:
		return 255 - m.Pix[m.PixOffset(x, y)+component], true
	}
	return 0, false
}

// requireAsStd holds planes, of components as they are stored, against what
// image/jpeg made of the file. It counts the samples, and those that are not
// the same.
func requireAsStd(t *testing.T, name string, want image.Image, planes []Plane, tolerance float64) (all, off int) {
	for i, p := range planes {
		for y := range p.H {
			for x := range p.W {
				b, ok := stdSample(want, i, x*int(p.SX), y*int(p.SY))
				require.True(t, ok, "image/jpeg made a %T", want)
				a := p.Pix[y*p.Stride+x]
				if a != b {
					off++
					require.InDelta(t, b, a, tolerance, "%s, plane %d at %d,%d", name, i, x, y)
				}
			}
		}
		all += p.W * p.H
	}
	return all, off
}

// paths runs a test with the assembly, if there is one, and without.
func paths(t *testing.T, f func(t *testing.T)) {
	t.Run("fast", f)
	t.Run("generic", func(t *testing.T) {
		useGeneric(t)
		f(t)
	})
}

func TestDecodesAsImageJpegDoes(t *testing.T) {
	paths(t, func(t *testing.T) {
		for name, b := range files(t) {
			want, err := stdjpeg.Decode(bytes.NewReader(b))
			require.NoError(t, err)
			c, got := decode(t, b, 0)
			require.Equal(t, want.Bounds(), image.Rect(0, 0, c.Width, c.Height))
			require.Equal(t, name == "rgb.jpg", c.Space == RGB)
			all, off := requireAsStd(t, name, want, got, 1)
			require.LessOrEqual(t, off, max(1, all/50), "%s: what rounds differently is rare", name)
		}
	})
}

// A halved picture is that of the lowest frequencies: nearly the mean of the
// pixels, and exactly the inverse transform written out.
func TestHalvings(t *testing.T) {
	for name, b := range files(t) {
		_, full := decode(t, b, 0)
		for halvings := 1; halvings <= 3; halvings++ {
			c, got := decode(t, b, halvings)
			for i, p := range got {
				n := int(p.SX / full[i].SX)
				require.Equal(t, float64(n), p.SY/full[i].SY)
				require.Equal(t, (full[i].W+n-1)/n, p.W, name)
				require.GreaterOrEqual(t, float64(p.W)*p.SX, float64(c.Width))
				if i > 0 && full[i].SX == 2 && full[i].SY == 2 {
					require.Equal(t, got[0].SX, p.SX, "chroma is as large as luma")
				}
				var sum, mean float64
				for y := range full[i].H / n * n {
					for x := range full[i].W / n * n {
						sum += float64(full[i].Pix[y*full[i].Stride+x])
						mean += float64(p.Pix[y/n*p.Stride+x/n])
					}
				}
				pixels := float64(full[i].H / n * n * (full[i].W / n * n))
				if name != "coarse.jpg" && pixels > 0 { // quality 1 is far out of range
					require.InDelta(t, sum/pixels, mean/pixels, 1, "%s, %d halvings, plane %d", name, halvings, i)
				}
			}
		}
	}

	r := rand.New(rand.NewPCG(1, 2))
	for shift := range 4 {
		side := 8 >> shift
		for range 200 {
			var p component
			var quant [64]uint16
			for k := range quant {
				quant[k] = uint16(1 + r.IntN(20))
			}
			p.shift = shift
			p.quant = quant
			p.setMultipliers()
			var c [64]int16
			last := r.IntN(64)
			var plain [8][8]float64 // [v][u]
			for k := range last + 1 {
				at := order[k]
				c[at] = int16(r.IntN(41) - 20)
				if k > 5 {
					c[at] /= 8
				}
				plain[at&7][at>>3] = float64(c[at]) * float64(quant[k])
			}
			got := make([]uint8, 64)
			p.transform(got, 8, &c, last)
			for y := range side {
				for x := range side {
					sum := 128.
					for v := range side {
						for u := range side {
							f := 0.25 * plain[v][u]
							if u == 0 {
								f *= math.Sqrt2 / 2
							}
							if v == 0 {
								f *= math.Sqrt2 / 2
							}
							sum += f * math.Cos(float64((2*x+1)*u)*math.Pi/float64(2*side)) * math.Cos(float64((2*y+1)*v)*math.Pi/float64(2*side))
						}
					}
					require.InDelta(t, min(max(sum, 0), 255), float64(got[8*y+x]), 0.501)
				}
			}
		}
	}
}

// The assembly and its twin agree on every bit, far out of range too.
func TestTransformPathsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		var p component
		var quant [64]uint16
		var c [64]int16
		for k := range quant {
			quant[k] = uint16(r.IntN(1 << r.IntN(17)))
			if r.IntN(3) == 0 {
				c[k] = int16(r.IntN(1 << r.IntN(16)))
				if r.IntN(2) == 0 {
					c[k] = -c[k]
				}
			}
		}
		p.quant = quant
		p.setMultipliers()
		a, b := make([]uint8, 7*11+8), make([]uint8, 7*11+8)
		inverse8(a, 11, &c, &p.multipliers)
		inverse8Go(b, 11, &c, &p.multipliers)
		require.Equal(t, b, a)
		inverse4(a, 11, &c, &p.multipliers)
		inverse4Go(b, 11, &c, &p.multipliers)
		require.Equal(t, b, a)
	}
}

// A region has the bytes that the whole has there.
func TestRegion(t *testing.T) {
	for name, b := range files(t) {
		for halvings := range 3 {
			c, whole := decode(t, b, halvings)
			for i := range whole {
				whole[i].Pix = slices.Clone(whole[i].Pix)
			}
			var d Decoder
			r := rand.New(rand.NewPCG(5, 6))
			for range 20 {
				x, y := r.IntN(c.Width), r.IntN(c.Height)
				region := image.Rect(x, y, x+1+r.IntN(c.Width-x), y+1+r.IntN(c.Height-y))
				_, err := d.Open(b)
				require.NoError(t, err)
				got, err := d.Decode(t.Context(), region, halvings)
				require.NoError(t, err)
				for i, p := range got {
					require.True(t, p.X0 <= region.Min.X && p.Y0 <= region.Min.Y, name)
					require.True(t, float64(p.X0)+float64(p.W)*p.SX >= float64(region.Max.X) && float64(p.Y0)+float64(p.H)*p.SY >= float64(region.Max.Y), name)
					dx, dy := int(float64(p.X0)/p.SX), int(float64(p.Y0)/p.SY)
					for y := range p.H {
						require.Equal(t, whole[i].Pix[(dy+y)*whole[i].Stride+dx:][:p.W], p.Pix[y*p.Stride:][:p.W], name)
					}
				}
			}
			_, err := d.Decode(t.Context(), image.Rect(900, 900, 901, 901), halvings)
			require.Error(t, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	good := encoded(t, noisy(40, 30, 1), 80)
	at := func(marker byte) int { return bytes.Index(good, []byte{0xff, marker}) }
	with := func(i int, v ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[i:], v)
		return b
	}
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"nothing", "it is no JPEG", nil},
		{"another file", "it is no JPEG", []byte("GIF89a")},
		{"two bytes", "truncated", good[:2]},
		{"half a head", "truncated", good[:at(sof0)+5]},
		{"short marker", "too short", with(at(dqt)+3, 1)},
		{"quantisation", "a quantisation table is damaged", with(at(dqt)+4, 0x25)},
		{"Huffman class", "a Huffman table is damaged", with(at(dht)+4, 0x20)},
		{"too many codes", "a Huffman table has too many codes", with(at(dht)+5, 3, 0, 3)},
		{"sampling", "sampling or quantisation table is out of range", with(at(sof0)+11, 0x50)},
		{"table of a frame", "sampling or quantisation table is out of range", with(at(sof0)+12, 4)},
		{"missing table", "a quantisation table is missing", with(at(sof0)+12, 3)},
		{"missing Huffman table", "a Huffman table is missing", with(at(sos)+6, 0x22)},
		{"no such Huffman table", "a scan's Huffman table is out of range", with(at(sos)+6, 0x40)},
		{"no height", "the height of the picture is missing", with(at(sof0)+5, 0, 0)},
		{"no width", "a picture of 0x30 has no pixels", with(at(sof0)+7, 0, 0)},
		{"the largest sampling", "an MCU has more than 10 blocks", with(at(sof0)+11, 0x44)},
		{"too large an MCU", "an MCU has more than 10 blocks", with(at(sof0)+14, 0x33)},
		{"another component", "a component that is not in the frame", with(at(sos)+5, 9)},
		{"the same twice", "or twice in the scan", with(at(sos)+7, 1)},
		{"no scan", "the file ends without a picture", with(at(sos)+1, eoi)},
		{"no frame", "there is no frame before the scan", with(at(sof0)+1, com)},
		{"two frames", "there are two frames", slices.Insert(bytes.Clone(good), at(sof0), good[at(sof0):at(dht)]...)},
		{"two pictures", "another picture begins", with(at(dqt)+1, soi)},
		{"no marker", "marker 0x02 is none of JPEG's", with(at(dqt)+1, 2)},
		{"frame's length", "the frame has a wrong length", with(at(sof0)+9, 4)},
		{"scan's length", "the scan has a wrong length", with(at(sos)+4, 4)},
	} {
		var d Decoder
		_, err := d.Open(c.file)
		require.ErrorContains(t, err, c.want, c.name)
		require.NotErrorIs(t, err, ErrUnsupported)
	}
	for want, file := range map[string][]byte{
		"JPEG with samples of 12 bits is not supported":      with(at(sof0)+4, 12),
		"JPEG with lossless coding is not supported":         with(at(sof0)+1, 0xc3),
		"JPEG with hierarchical coding is not supported":     with(at(sof0)+1, 0xc5),
		"JPEG with arithmetic coding is not supported":       with(at(sof0)+1, 0xc9),
		"JPEG with the coding of JPEG-LS is not supported":   with(at(sof0)+1, sof55),
		"JPEG with 2 components is not supported":            slices.Delete(with(at(sof0)+3, 14), at(sof0)+16, at(sof0)+19),
		"JPEG with segments of marker 0xc8 is not supported": with(at(dqt)+1, 0xc8),
	} {
		if want == "JPEG with 2 components is not supported" {
			file[at(sof0)+9] = 2
		}
		var d Decoder
		_, err := d.Open(file)
		require.ErrorIs(t, err, ErrUnsupported)
		require.EqualError(t, err, want)
	}
}

func TestDecodeFindsDamage(t *testing.T) {
	for name, b := range files(t) {
		if name == "go, tiny" || name == "go, fine" || name == "coarse.jpg" { // of one row, or of hardly any data
			continue
		}
		var d Decoder
		c, err := d.Open(b[:len(b)*15/16])
		require.NoError(t, err)
		all := image.Rect(0, 0, c.Width, c.Height)
		_, err = d.Decode(t.Context(), all, 0)
		require.Error(t, err, name)
		if d.progressive {
			continue
		}
		// What comes before the damage is there.
		_, err = d.Open(b[:len(b)*15/16])
		require.NoError(t, err)
		_, err = d.Decode(t.Context(), image.Rect(0, 0, c.Width, 1), 0)
		require.NoError(t, err, name)
	}
	b, err := os.ReadFile("testdata/420-restart.jpg")
	require.NoError(t, err)
	i := bytes.Index(b, []byte{0xff, rst0 + 1})
	b[i+1] = rst0 + 2
	var d Decoder
	c, err := d.Open(b)
	require.NoError(t, err)
	_, err = d.Decode(t.Context(), image.Rect(0, 0, c.Width, c.Height), 0)
	require.EqualError(t, err, "the restart markers are out of order")
}

func TestWarmDecoderAllocatesNothing(t *testing.T) {
	for name, b := range map[string][]byte{
		"sequential":  encoded(t, noisy(200, 150, 1), 90),
		"progressive": readFile(t, "progressive.jpg"),
		"CMYK":        readFile(t, "pillow/cmyk-subsampled.jpg"),
	} {
		var d Decoder
		require.Zero(t, testing.AllocsPerRun(10, func() {
			c, err := d.Open(b)
			if err == nil {
				_, err = d.Decode(t.Context(), image.Rect(0, 0, c.Width, c.Height), 0)
			}
			if err != nil {
				panic(err)
			}
		}), name)
	}
}

func benchmark(b *testing.B, file []byte, decode func() error) {
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if err := decode(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pictures/s")
}

// BenchmarkDecode compares with image/jpeg on HUBEL_JPEG, a file, or on a
// picture of noise on waves.
func BenchmarkDecode(b *testing.B) {
	file := encoded(b, noisy(500, 375, 1), 90)
	if name := os.Getenv("HUBEL_JPEG"); name != "" {
		var err error
		file, err = os.ReadFile(name)
		require.NoError(b, err)
	}
	var d Decoder
	for _, c := range []struct {
		name     string
		halvings int
		part     float64 // of the width and of the height, in the middle
	}{{"whole", 0, 1}, {"crop", 0, 0.887}, {"half", 1, 1}, {"quarter", 2, 1}, {"eighth", 3, 1}} {
		b.Run(c.name, func(b *testing.B) {
			benchmark(b, file, func() error {
				config, err := d.Open(file)
				if err != nil {
					return err
				}
				w, h := float64(config.Width), float64(config.Height)
				_, err = d.Decode(b.Context(), image.Rect(int(w*(1-c.part)/2), int(h*(1-c.part)/2), int(w*(1+c.part)/2), int(h*(1+c.part)/2)), c.halvings)
				return err
			})
		})
	}
	b.Run("image/jpeg", func(b *testing.B) {
		benchmark(b, file, func() error {
			_, err := stdjpeg.Decode(bytes.NewReader(file))
			return err
		})
	})
}

// The samples that an enlarged row lies between are those of the row: a ramp is enlarged
// to a ramp, but for its ends, which stay as they are.
func TestBetween(t *testing.T) {
	for n := 1; n < 6; n++ {
		for _, scale := range []float64{0.25, 0.5, 1. / 3, 0.75, 1} {
			for i := range int(float64(n) / scale) {
				first, second, far := between(i, n, scale)
				require.True(t, 0 <= first && first <= second && second < n && 0 <= far && far < 256,
					"pixel %d of %d samples at scale %g: %d, %d, %d", i, n, scale, first, second, far)
				want := min(max((float64(i)+0.5)*scale-0.5, 0), float64(n-1))
				require.InDelta(t, 256*want, first*(256-far)+second*far, 1, "pixel %d of %d samples at scale %g", i, n, scale)
			}
		}
	}
}
