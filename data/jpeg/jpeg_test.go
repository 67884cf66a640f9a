package jpeg

import (
	"bytes"
	"errors"
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

// files are those of testdata, made by libjpeg, and some of Go's making. The
// progressive one is apart.
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

func supported(t testing.TB) map[string][]byte {
	all := files(t)
	delete(all, "progressive.jpg")
	return all
}

// decode is all of a file; planes are copies.
func decode(t testing.TB, b []byte, halvings int) (Config, []Plane) {
	var d Decoder
	c, err := d.Open(b)
	require.NoError(t, err)
	planes, err := d.Decode(image.Rect(0, 0, c.Width, c.Height), halvings)
	require.NoError(t, err)
	return c, planes
}

// std is what image/jpeg makes of a file, as planes.
func std(t testing.TB, b []byte) []Plane {
	m, err := stdjpeg.Decode(bytes.NewReader(b))
	require.NoError(t, err)
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	switch m := m.(type) {
	case *image.Gray:
		return []Plane{{Pix: m.Pix, Stride: m.Stride, W: w, H: h}}
	case *image.YCbCr:
		x := m.COffset(w-1, 0) - m.COffset(0, 0) + 1
		y := (m.COffset(0, h-1)-m.COffset(0, 0))/m.CStride + 1
		return []Plane{{Pix: m.Y, Stride: m.YStride, W: w, H: h},
			{Pix: m.Cb, Stride: m.CStride, W: x, H: y}, {Pix: m.Cr, Stride: m.CStride, W: x, H: y}}
	case *image.RGBA:
		planes := make([]Plane, 3)
		for c := range planes {
			planes[c] = Plane{Pix: make([]uint8, w*h), Stride: w, W: w, H: h}
			for i := range w * h {
				planes[c].Pix[i] = m.Pix[m.PixOffset(i%w, i/w)+c]
			}
		}
		return planes
	}
	t.Fatalf("image/jpeg made a %T", m)
	return nil
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
		for name, b := range supported(t) {
			c, got := decode(t, b, 0)
			want := std(t, b)
			require.Len(t, got, len(want), name)
			require.Equal(t, name == "rgb.jpg", c.RGB)
			off, all := 0, 0
			for i, p := range got {
				all += p.W * p.H
				require.Equal(t, []int{want[i].W, want[i].H}, []int{p.W, p.H}, name)
				for y := range p.H {
					for x := range p.W {
						a, b := int(p.Pix[y*p.Stride+x]), int(want[i].Pix[y*want[i].Stride+x])
						if a != b {
							off++
						}
						require.InDelta(t, b, a, 1, "%s, plane %d at %d,%d", name, i, x, y)
					}
				}
			}
			require.LessOrEqual(t, off, max(1, all/50), "%s: what rounds differently is rare", name)
		}
	})
}

// A halved picture is that of the lowest frequencies: nearly the mean of the
// pixels, and exactly the inverse transform written out.
func TestHalvings(t *testing.T) {
	for name, b := range supported(t) {
		_, full := decode(t, b, 0)
		for halvings := 1; halvings <= 3; halvings++ {
			c, got := decode(t, b, halvings)
			for i, p := range got {
				n := p.SX / full[i].SX
				require.Equal(t, n, p.SY/full[i].SY)
				require.Equal(t, (full[i].W+n-1)/n, p.W, name)
				require.GreaterOrEqual(t, p.W*p.SX, c.Width)
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
			p.setMultipliers(&quant)
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
		p.setMultipliers(&quant)
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
	for name, b := range supported(t) {
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
				got, err := d.Decode(region, halvings)
				require.NoError(t, err)
				for i, p := range got {
					require.True(t, p.X0 <= region.Min.X && p.Y0 <= region.Min.Y, name)
					require.True(t, p.X0+p.W*p.SX >= region.Max.X && p.Y0+p.H*p.SY >= region.Max.Y, name)
					dx, dy := p.X0/p.SX, p.Y0/p.SY
					for y := range p.H {
						require.Equal(t, whole[i].Pix[(dy+y)*whole[i].Stride+dx:][:p.W], p.Pix[y*p.Stride:][:p.W], name)
					}
				}
			}
			_, err := d.Decode(image.Rect(900, 900, 901, 901), halvings)
			require.Error(t, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	good := encoded(t, noisy(40, 30, 1), 80)
	at := func(marker byte) int { return bytes.Index(good, []byte{0xff, marker}) }
	with := func(i int, v byte) []byte {
		b := bytes.Clone(good)
		b[i] = v
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
		{"too many codes", "a Huffman table has too many codes", with(at(dht)+5, 3)},
		{"sampling", "sampling or quantisation table is out of range", with(at(sof0)+11, 0x50)},
		{"table of a frame", "sampling or quantisation table is out of range", with(at(sof0)+12, 4)},
		{"missing table", "a table that the scan uses is missing", with(at(sof0)+12, 3)},
		{"frame's length", "the frame has a wrong length", with(at(sof0)+9, 4)},
		{"scan's length", "the scan has a wrong length", with(at(sos)+4, 4)},
	} {
		var d Decoder
		_, err := d.Open(c.file)
		require.ErrorContains(t, err, c.want, c.name)
		require.NotErrorIs(t, err, ErrUnsupported)
	}
	progressive, err := os.ReadFile("testdata/progressive.jpg")
	require.NoError(t, err)
	for name, file := range map[string][]byte{
		"progressive": progressive,
		"12 bits":     with(at(sof0)+4, 12),
		"no height":   func() []byte { b := with(at(sof0)+5, 0); b[at(sof0)+6] = 0; return b }(),
		"sampling":    with(at(sof0)+14, 0x33),
		"one scan":    with(at(sos)+5, 9),
	} {
		var d Decoder
		_, err := d.Open(file)
		require.ErrorIs(t, err, ErrUnsupported, name)
	}
}

func TestDecodeFindsDamage(t *testing.T) {
	for name, b := range supported(t) {
		if name == "go, tiny" || name == "go, fine" || name == "coarse.jpg" { // of one row, or of hardly any data
			continue
		}
		var d Decoder
		c, err := d.Open(b[:len(b)*15/16])
		require.NoError(t, err)
		all := image.Rect(0, 0, c.Width, c.Height)
		_, err = d.Decode(all, 0)
		require.Error(t, err, name)
		// What comes before the damage is there.
		_, err = d.Open(b[:len(b)*15/16])
		require.NoError(t, err)
		_, err = d.Decode(image.Rect(0, 0, c.Width, 1), 0)
		require.NoError(t, err, name)
	}
	b, err := os.ReadFile("testdata/420-restart.jpg")
	require.NoError(t, err)
	i := bytes.Index(b, []byte{0xff, rst0 + 1})
	b[i+1] = rst0 + 2
	var d Decoder
	c, err := d.Open(b)
	require.NoError(t, err)
	_, err = d.Decode(image.Rect(0, 0, c.Width, c.Height), 0)
	require.EqualError(t, err, "the restart markers are out of order")
}

func TestWarmDecoderAllocatesNothing(t *testing.T) {
	b := encoded(t, noisy(200, 150, 1), 90)
	var d Decoder
	require.Zero(t, testing.AllocsPerRun(10, func() {
		c, err := d.Open(b)
		if err == nil {
			_, err = d.Decode(image.Rect(0, 0, c.Width, c.Height), 0)
		}
		if err != nil {
			panic(err)
		}
	}))
}

// FuzzDecode holds the decoder against image/jpeg on whatever both decode.
func FuzzDecode(f *testing.F) {
	for _, b := range files(f) {
		f.Add(b, uint8(0))
		f.Add(b[:len(b)/2], uint8(1))
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, b []byte, halvings uint8) {
		c, err := d.Open(b)
		if err != nil || c.Width*c.Height > 1<<18 {
			return
		}
		planes, err := d.Decode(image.Rect(0, 0, c.Width, c.Height), int(halvings%4))
		if err != nil || halvings%4 != 0 {
			return
		}
		_, err = stdjpeg.Decode(bytes.NewReader(b))
		var format stdjpeg.FormatError
		if err != nil && (errors.As(err, &format) || err.Error() != "") {
			return // it looks at what follows the image, too
		}
		want := std(t, b)
		require.Len(t, planes, len(want))
		for i, p := range planes {
			for y := range p.H {
				for x := range p.W {
					require.InDelta(t, want[i].Pix[y*want[i].Stride+x], p.Pix[y*p.Stride+x], 2)
				}
			}
		}
	})
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
				_, err = d.Decode(image.Rect(int(w*(1-c.part)/2), int(h*(1-c.part)/2), int(w*(1+c.part)/2), int(h*(1+c.part)/2)), c.halvings)
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
