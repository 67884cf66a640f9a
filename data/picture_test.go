package data

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// seen is a picture file as a sample, at its own size: red, green and blue.
func seen(t testing.TB, file []byte, h, w int) ([]float32, error) {
	t.Helper()
	p, err := NewPhotos(ListFiles(nil), Augment{{Op: Crop, H: h, W: w, P: 1}}, nil)
	require.NoError(t, err)
	x := make([]float32, 3*h*w)
	return x, p.ReadFile(t.Context(), x, file)
}

// asGIF draws a picture on a larger canvas, with one transparent colour.
func asGIF(t testing.TB, m *image.Paletted, canvas image.Point, transparent uint8) []byte {
	m.Palette[transparent] = color.RGBA{}
	var b bytes.Buffer
	require.NoError(t, gif.EncodeAll(&b, &gif.GIF{
		Image: []*image.Paletted{m, m}, Delay: []int{1, 1},
		Config: image.Config{ColorModel: m.Palette, Width: canvas.X, Height: canvas.Y},
	}))
	return b.Bytes()
}

func asBMP(t testing.TB, m image.Image) []byte {
	var b bytes.Buffer
	require.NoError(t, bmp.Encode(&b, m))
	return b.Bytes()
}

func asTIFF(t testing.TB, m image.Image) []byte {
	var b bytes.Buffer
	require.NoError(t, tiff.Encode(&b, m, &tiff.Options{Compression: tiff.Deflate}))
	return b.Bytes()
}

func TestGIFKeepsItsCanvasAndItsTransparentColour(t *testing.T) {
	m := image.NewPaletted(image.Rect(3, 2, 13, 9), color.Palette{color.RGBA{9, 9, 9, 255}, color.RGBA{200, 10, 30, 255}, color.RGBA{}, color.RGBA{1, 2, 3, 255}})
	for i := range m.Pix {
		m.Pix[i] = uint8(1 + i%2)
	}
	file := asGIF(t, m, image.Pt(20, 15), 2)
	// Go writes the transparent colour as black; others keep a colour there.
	at := bytes.Index(file, []byte{200, 10, 30})
	require.Positive(t, at)
	copy(file[at+3:], []byte{40, 50, 60})
	got, err := seen(t, file, 15, 20)
	require.NoError(t, err)
	for y := range 15 {
		for x := range 20 {
			want := []float32{40, 50, 60}
			if image.Pt(x, y).In(m.Rect) && m.ColorIndexAt(x, y) == 1 {
				want = []float32{200, 10, 30}
			}
			i := y*20 + x
			require.Equal(t, want, []float32{got[i], got[300+i], got[600+i]}, "%d %d", x, y)
		}
	}
}

func TestTIFFAndBMP(t *testing.T) {
	m := drawn(24, 40, 3)
	grey16 := image.NewGray16(m.Bounds())
	deep := image.NewRGBA64(m.Bounds())
	for i := range 24 * 40 {
		grey16.Set(i%40, i/40, m.At(i%40, i/40))
		deep.Set(i%40, i/40, m.At(i%40, i/40))
	}
	for name, c := range map[string]struct {
		file []byte
		want image.Image
	}{
		"BMP":               {asBMP(t, m), m},
		"grey BMP":          {asBMP(t, greyOf(m)), greyOf(m)},
		"TIFF":              {asTIFF(t, m), m},
		"grey TIFF":         {asTIFF(t, greyOf(m)), greyOf(m)},
		"TIFF of 16 bits":   {asTIFF(t, deep), m},
		"grey, of 16 bits":  {asTIFF(t, grey16), greyOf(m)},
		"big-endian, cut":   {asTIFF(t, m)[:60], nil},
		"BMP, cut":          {asBMP(t, m)[:len(asBMP(t, m))-1], nil},
		"BMP, only a head":  {asBMP(t, m)[:54], nil},
		"GIF, cut":          {[]byte("GIF89a\x05\x00\x05\x00\x00\x00\x00,"), nil},
		"a TIFF of nothing": {[]byte("II*\x00\x08\x00\x00\x00\x00\x00"), nil},
	} {
		got, err := seen(t, c.file, 24, 40)
		if c.want == nil {
			require.Error(t, err, name)
			require.NotContains(t, err.Error(), "decoder fails", name)
			continue
		}
		require.NoError(t, err, name)
		require.InDeltaSlice(t, channels(c.want), got, 1, name)
	}
}

// WebP files of 24x16 pixels, blue above and yellow below. Go cannot write them.
var webps = map[string]string{
	"lossless":                  "UklGRioAAABXRUJQVlA4TB0AAAAvF8ADAA9wEvhD6J+Cdv5jCWLBJH/p3iFE9D/nGAA=",
	"lossless, transparent":     "UklGRioAAABXRUJQVlA4TB0AAAAvF8ADEA9wEvhD6J+CdshiCWLBJH/p3iFE9D/nGAA=",
	"lossy":                     "UklGRkQAAABXRUJQVlA4IDgAAADwAQCdASoYABAAAMASJaACxGoB+AAFHyQA/ng///56u//99VPvqp+aDf/N+H/ylUXcHzK3rgAAAA==",
	"lossy, fairly transparent": "UklGRmgAAABXRUJQVlA4WAoAAAAQAAAAFwAADwAAQUxQSAoAAAABB1CyiAhERP8DVlA4IDgAAADwAQCdASoYABAAAMASJaACxGoB+AAFHyQA/ng///56u//99VPvqp+aDf/N+H/ylUXcHzK3rgAAAA==",
}

func storedWebP(t testing.TB, name string) []byte {
	b, err := base64.StdEncoding.DecodeString(webps[name])
	require.NoError(t, err)
	return b
}

func TestWebP(t *testing.T) {
	for name := range webps {
		file := storedWebP(t, name)
		got, err := seen(t, file, 16, 24)
		require.NoError(t, err, name)
		for y := range 16 {
			for x := range 24 {
				want := []float32{10, 20, 200}
				if y >= 8 {
					want = []float32{250, 240, 20}
				}
				if i := 24*y + x; y < 6 || y > 9 {
					require.InDeltaSlice(t, want, []float32{got[i], got[384+i], got[768+i]}, 3, "%s: %d %d", name, x, y)
				}
			}
		}
		_, err = seen(t, file[:len(file)-12], 16, 24)
		require.Error(t, err, name)
	}
	_, err := seen(t, []byte("RIFF\x9c\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x17\x00\x00\x0f\x00\x00ANIM"), 16, 24)
	require.EqualError(t, err, "it is an animated WebP, which is not read")
}

// tags makes a TIFF header of one directory. A value is a LONG of one count,
// unless the tag's number says otherwise: the type is its upper half.
func tags(order binary.AppendByteOrder, pairs ...uint32) []byte {
	b := []byte("II*\x00\x08\x00\x00\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*\x00\x00\x00\x08")
	}
	b = order.AppendUint16(b, uint16(len(pairs)/2))
	for i := 0; i < len(pairs); i += 2 {
		kind := uint16(pairs[i] >> 16)
		if kind == 0 {
			kind = 4
		}
		b = order.AppendUint16(b, uint16(pairs[i]))
		b = order.AppendUint16(b, kind)
		b = order.AppendUint32(b, 1)
		switch kind {
		case 1:
			b = append(b, byte(pairs[i+1]), 0, 0, 0)
		case 3:
			b = append(order.AppendUint16(b, uint16(pairs[i+1])), 0, 0)
		default:
			b = order.AppendUint32(b, pairs[i+1])
		}
	}
	return append(b, 0, 0, 0, 0)
}

func TestOrientationWhereverItStands(t *testing.T) {
	segment := func(marker byte, body string) string {
		return string([]byte{0xff, marker, byte((len(body) + 2) >> 8), byte(len(body) + 2)}) + body
	}
	riff := func(chunks ...string) string {
		all := "WEBP"
		for i := 0; i < len(chunks); i += 2 {
			all += chunks[i] + string(binary.LittleEndian.AppendUint32(nil, uint32(len(chunks[i+1])))) + chunks[i+1]
			if len(chunks[i+1])%2 == 1 {
				all += "\x00"
			}
		}
		return "RIFF" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(all)))) + all
	}
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, kind := range []uint32{1, 3, 4} {
			exif := string(tags(order, 0x010f, 7, kind<<16|0x0112, 6, 0x0213, 1))
			many := bytes.Clone([]byte(exif))
			many[8+2+12+4], many[8+2+12+7] = 2, 2 // two values, or 2^25 and two
			for name, c := range map[string]struct {
				file   string
				format format
				want   int
			}{
				"first":          {"\xff\xd8" + segment(0xe1, exifMark+exif), jpegFormat, 6},
				"after XMP":      {"\xff\xd8" + segment(0xe0, "JFIF\x00") + segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00<x>") + segment(0xe1, exifMark+exif), jpegFormat, 6},
				"after filling":  {"\xff\xd8\xff\xff" + segment(0xfe, "hello") + "\x00\x00\xff\x01" + segment(0xe1, exifMark+exif), jpegFormat, 6},
				"after the scan": {"\xff\xd8" + segment(0xda, "x") + segment(0xe1, exifMark+exif), jpegFormat, 1},
				"two values":     {"\xff\xd8" + segment(0xe1, exifMark+string(many)), jpegFormat, 1},
				"TIFF":           {exif, tiffFormat, 6},
				"WebP":           {riff("VP8X", "0123456789", "ICCP", "odd", "EXIF", exif), webpFormat, 6},
				"WebP, marked":   {riff("VP8L", "0", "EXIF", exifMark+exif), webpFormat, 6},
				"WebP, without":  {riff("VP8L", "0"), webpFormat, 1},
				"GIF":            {exif, gifFormat, 1},
			} {
				require.Equal(t, c.want, orientation([]byte(c.file), c.format), "%s, %v, type %d", name, order, kind)
				for n := range c.file {
					orientation([]byte(c.file[:n]), c.format) // does not panic
				}
			}
		}
	}
}

// What decoders of others do not look at, or what would take them hours and all
// memory, is refused by name.
func TestTIFFRefused(t *testing.T) {
	const w, h, depth, compression, photometric, offsets, rows, counts = 256, 257, 258, 259, 262, 273, 278, 279
	le := binary.LittleEndian
	for want, file := range map[string][]byte{
		"its colours stand in planes":  tags(le, w, 8, h, 8, depth, 8, compression, 1, photometric, 1, tagPlanar, 2),
		"order of its bits is revers":  tags(le, w, 8, h, 8, depth, 1, compression, 1, photometric, 1, tagFillOrder, 2),
		"tiles of 2147483648x16":       tags(le, w, 8, h, 8, depth, 8, compression, 8, photometric, 1, tagTileWidth, 1<<31, tagTileLength, 16),
		"tiles of 16x0":                tags(le, w, 8, h, 8, depth, 8, compression, 8, photometric, 1, tagTileWidth, 16, tagTileLength, 0),
		"tiles of 1024x1048576":        tags(le, w, 1, h, 1<<20, depth, 8, compression, 8, photometric, 1, tagTileWidth, 1024, tagTileLength, 1<<20),
		"its 2097152 parts are more":   tags(le, w, 1, h, 1<<21, depth, 8, compression, 8, photometric, 1, rows, 1),
		"takes up to 1728 MiB":         tags(le, w, 8192, h, 8192, depth, 8, compression, 8, photometric, 1),
		"larger than the 134217728 pi": tags(le, w, 1<<20, h, 1<<20, depth, 8, compression, 8, photometric, 1),
		"unsupported feature: color":   tags(le, w, 8, h, 8, depth, 8, compression, 1, photometric, 5),
	} {
		_, err := seen(t, file, 8, 8)
		require.ErrorContains(t, err, want)
	}
	two := tags(le, w, 8, h, 8, depth, 8, compression, 1, photometric, 1, tagTileWidth, 16)
	two[8+2+5*12+4] = 2
	_, err := seen(t, two, 8, 8)
	require.ErrorContains(t, err, "there are 2 values of the tag 322")

	// 60,000 strips, all of them the same long nothing: LZW's clear codes, then a
	// pixel and the end.
	const strips = 60000
	codes := bytes.Repeat([]byte{0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01, 0x00}, 20000)
	codes = append(codes, 0x00, 0x40, 0x40)
	head := tags(le, w, 1, h, strips, depth, 8, compression, 5, photometric, 1, offsets, 0, rows, 1, counts, 0)
	bomb := bytes.Clone(head)
	for _, value := range []uint32{uint32(len(head) + 8*strips), uint32(len(codes))} {
		entry := 8 + 2 + 5*12
		if value == uint32(len(codes)) {
			entry += 2 * 12
		}
		le.PutUint32(bomb[entry+4:], strips)
		le.PutUint32(bomb[entry+8:], uint32(len(bomb)))
		for range strips {
			bomb = le.AppendUint32(bomb, value)
		}
	}
	_, err = seen(t, append(bomb, codes...), 1, 1)
	require.ErrorIs(t, err, errReadOften)
}

// A decoder that panics is a bad file, not the end of training.
func TestForeignPanicIsAnError(t *testing.T) {
	_, err := foreign(func(io.Reader) (int, error) { panic("index out of range") }, &source{ctx: t.Context()})
	require.EqualError(t, err, "its decoder fails: index out of range")
}

// countdown is a context that is cancelled once it has been asked so often.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// noisy is a picture that hardly gets smaller, so that it is read in many parts.
func noisy() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, 120, 90))
	state := uint32(1)
	for i := range m.Pix {
		state = state*1664525 + 1013904223
		m.Pix[i] = uint8(state >> 24)
		if i%4 == 3 {
			m.Pix[i] = 255
		}
	}
	return m
}

// Decoding ends where its context does, with the error of the context, whatever
// the decoder makes of it.
func TestDecodingIsCancelled(t *testing.T) {
	m := noisy()
	table := color.Palette{}
	for i := range 256 {
		table = append(table, color.RGBA{uint8(i), uint8(i), uint8(i), 255})
	}
	table[7] = color.RGBA{}
	paletted := image.NewPaletted(m.Rect, table)
	for i := range paletted.Pix {
		paletted.Pix[i] = m.Pix[4*i]
	}
	for name, file := range map[string][]byte{
		"JPEG": asJPEG(t, m), "PNG": asPNG(t, m), "GIF": asGIF(t, paletted, image.Pt(120, 90), 7), "BMP": asBMP(t, m), "TIFF": asTIFF(t, m),
		"WebP": storedWebP(t, "lossless"), "lossy WebP": storedWebP(t, "lossy, fairly transparent"),
	} {
		var d decoder
		h, w, err := d.open(file)
		require.NoError(t, err, name)
		var p picture
		for left := range 3 {
			ctx := &countdown{t.Context(), left}
			require.ErrorIs(t, d.decode(ctx, &p, image.Rect(0, 0, w, h), 0), context.Canceled, name)
			require.Less(t, ctx.left, 0, name)
		}
		require.NoError(t, d.decode(t.Context(), &p, image.Rect(0, 0, w, h), 0), name)
	}
}

// A JPEG that is opened must fit as it is, not halved.
func TestAPictureMustFitInItsWholeSize(t *testing.T) {
	var d decoder
	h, w, err := d.open(asJPEG(t, drawn(90, 70, 1)))
	require.NoError(t, err)
	whole := image.Rect(0, 0, w, h)
	require.Equal(t, d.jpeg.Memory(whole, 0), d.bytes)
	require.Greater(t, d.bytes, d.jpeg.Memory(whole, 1))
}

// A picture waits until there is memory for it, and as long as its context wants.
func TestPicturesTakeTurns(t *testing.T) {
	p := photosOf(t, "crop=8", asPNG(t, drawn(20, 20, 1)))
	require.NoError(t, decodedTurns.Acquire(t.Context(), decodedInAll))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	x := make([]float32, 3*8*8)
	go func() {
		_, err := p.WithContext(ctx).Read(x, 0)
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatal("it did not wait:", err)
	default:
	}
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	for _, view := range []Dataset{p.Varied().(Cancellable).WithContext(ctx), p.TenCrops().(Cancellable).WithContext(ctx)} {
		_, err := view.Read(x, 0)
		require.ErrorIs(t, err, context.Canceled)
	}
	go func() {
		_, err := p.Read(x, 0)
		done <- err
	}()
	decodedTurns.Release(decodedInAll)
	require.NoError(t, <-done)
	// What was taken is back.
	require.True(t, decodedTurns.TryAcquire(decodedInAll))
	decodedTurns.Release(decodedInAll)
}

// endless is a data set whose samples take until they are cancelled.
type endless struct {
	numbered
	ctx   context.Context
	began chan struct{}
}

func (e endless) WithContext(ctx context.Context) Dataset {
	e.ctx = ctx
	return e
}

func (e endless) Read([]float32, int) (int32, error) {
	e.began <- struct{}{}
	<-e.ctx.Done()
	return 0, e.ctx.Err()
}

// A loader that is closed, and a measurement that is cancelled, wait for no sample.
func TestReadingEndsWithItsContext(t *testing.T) {
	d := endless{numbered{n: 9}, t.Context(), make(chan struct{}, 99)}
	l := newLoader(t, d, LoaderOptions{Batch: 2})
	<-d.began
	l.Close()
	_, err := l.Next()
	require.ErrorIs(t, err, errClosed)

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-d.began
		cancel()
	}()
	_, _, err = Measure(ctx, d, MeasureOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

// What every other format gives is what Pillow sees, on a grid of files that it
// makes, and so is what every kind of PNG gives.
func TestPicturesAsPillowSeesThem(t *testing.T) {
	if os.Getenv("HUBEL_LONG") == "" {
		t.Skip("set HUBEL_LONG=1 to compare pictures with Pillow")
	}
	python := pillow()
	if python == "" {
		t.Skip("there is no Python with Pillow: apt-get install python3-pil")
	}
	dir := t.TempDir()
	for i, k := range pngKinds() {
		file, _ := k.encode(47, 61)
		name := fmt.Sprintf("%03d-%d-%d-%v-%v-%s.png", i, k.colours, k.depth, k.transparent, k.interlaced, k.exif)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), file, 0o666))
	}
	said, err := exec.CommandContext(t.Context(), python, "testdata/pillow.py", dir).CombinedOutput()
	require.NoError(t, err, "%s", said)
	files, err := filepath.Glob(filepath.Join(dir, "*.ppm"))
	require.NoError(t, err)
	require.Greater(t, len(files), 200)
	for _, ppm := range files {
		pixels, err := os.ReadFile(ppm)
		require.NoError(t, err)
		var w, h int
		_, err = fmt.Sscanf(string(pixels[:30]), "P6\n%d %d\n255\n", &w, &h)
		require.NoError(t, err)
		pixels = pixels[len(pixels)-3*w*h:]
		name := strings.TrimSuffix(ppm, ".ppm")
		file, err := os.ReadFile(name)
		require.NoError(t, err)
		got, err := seen(t, file, h, w)
		require.NoError(t, err, filepath.Base(name))
		sum := 0.
		for i := range w * h {
			for c := range 3 {
				sum += math.Abs(min(max(float64(got[c*w*h+i]), 0), 255) - float64(pixels[3*i+c]))
			}
		}
		mean := sum / float64(3*w*h)
		limit := 0.5 // of the smaller bits of 16
		if strings.Contains(name, "lossy") || strings.HasSuffix(name, ".jpg") {
			limit = 2
		}
		require.Less(t, mean, limit, filepath.Base(name))
		t.Logf("%s: %.3f", filepath.Base(name), mean)
	}
}

// pillow is a Python that has Pillow, or nothing.
func pillow() string {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import PIL").Run() == nil {
			return python
		}
	}
	return ""
}
