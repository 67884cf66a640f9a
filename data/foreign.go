package data

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"strings"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// foreignFormats are those that packages of others decode.
var foreignFormats = map[format]struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}{
	pngFormat:  {png.DecodeConfig, png.Decode},
	gifFormat:  {gif.DecodeConfig, decodeGIF},
	bmpFormat:  {bmp.DecodeConfig, bmp.Decode},
	tiffFormat: {tiff.DecodeConfig, decodeTIFF},
	webpFormat: {webp.DecodeConfig, webp.Decode},
}

// foreign calls a decoder that others have written. If it panics on a file, that
// is an error of this file: training goes on without it.
func foreign[T any](decode func(io.Reader) (T, error), in *source) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its decoder fails: %v", p)
		}
	}()
	if v, err = decode(in); err != nil && in.err != nil {
		err = in.err // some decoders say something of their own instead
	}
	return v, err
}

// source is a file for one call of a decoder. Every read asks first whether the
// picture is still wanted.
type source struct {
	ctx  context.Context
	file []byte
	page uint32 // where the directory of a TIFF is that takes the place of the first; 0 for the first
	at   int    // of Read
	read int64  // bytes, by ReadAt
	err  error  // that a read has returned, but for the end of the file
}

func (s *source) Read(b []byte) (int, error) {
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	n := copy(b, s.file[s.at:])
	s.at += n
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// directory is where that of the TIFF's page is.
func (s *source) directory() uint32 {
	if s.page > 0 {
		return s.page
	}
	_, first := tiffOrder(s.file)
	return first
}

// errReadOften is the error of a TIFF file whose parts lie over each other, as no
// program writes them, so that a small file would take hours.
var errReadOften = errors.New("parts of the file would be read again and again")

// ReadAt is what TIFF's decoder uses, instead of a copy of the file.
func (s *source) ReadAt(b []byte, at int64) (int, error) {
	s.read += int64(len(b))
	switch {
	case s.ctx.Err() != nil:
		s.err = s.ctx.Err()
	case s.read > 4*int64(len(s.file))+1<<20:
		s.err = errReadOften
	case at < 0 || at > int64(len(s.file)):
		return 0, io.EOF
	}
	if s.err != nil {
		return 0, s.err
	}
	n := copy(b, s.file[at:])
	if s.page > 0 && at < 8 { // the first directory's offset is bytes 4 to 7
		order, _ := tiffOrder(s.file)
		var offset [4]byte
		order.PutUint32(offset[:], s.page)
		for i := range offset {
			if k := int64(4+i) - at; k >= 0 && k < int64(n) {
				b[k] = offset[i]
			}
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// damaged says in words that a file ends too early.
func damaged(err error) error {
	if errors.Is(err, io.EOF) || strings.HasSuffix(err.Error(), io.ErrUnexpectedEOF.Error()) {
		return errors.New("truncated")
	}
	return err
}

// decodedBytes is how much memory it takes at most to decode the picture that
// was opened, a few rows left out: what its decoder makes, and our planes of it.
func (d *decoder) decodedBytes(c image.Config) (int64, error) {
	pixels := int64(d.h) * int64(d.w)
	each := bytesPerPixel(c.ColorModel)
	planes := int64(3)
	if each <= 2 && !isPalette(c.ColorModel) { // grey, of which the PNG may still have a transparent one
		planes = 1
	}
	switch d.format {
	case jpegFormat:
		return d.jpeg.Memory(image.Rect(0, 0, d.w, d.h), 0), nil
	case pngFormat:
		if planes == 1 { // 1 byte becomes 4 where one grey is transparent
			each, planes = 4*each, 3
		}
		if len(d.file) > 28 && d.file[28] != 0 { // interlaced: seven small pictures besides
			each *= 2
		}
	case gifFormat: // in order, on its canvas
		each *= 3
	case tiffFormat:
		_, first := tiffOrder(d.file)
		blocks, err := tiffBlocks(d.file, first, d.h, d.w)
		// Every part has a reader of its own: twice, before what they leave is
		// collected.
		return (2*each+planes)*pixels + blocks, err
	case webpFormat:
		if isAnimated(d.file) {
			return 0, errors.New("it is an animated WebP, which is not read")
		}
		// Two pictures of 4 bytes a pixel, and a quarter for each transform;
		// Huffman trees, of which each takes some bytes of the file.
		each = 9
		trees := min(300*int64(len(d.file)), 2600*50_000)
		return (each+planes)*pixels + trees, nil
	}
	return (each + planes) * pixels, nil
}

func isPalette(m color.Model) bool {
	_, ok := m.(color.Palette)
	return ok
}

// bytesPerPixel is what Go's images of this kind take.
func bytesPerPixel(m color.Model) int64 {
	if isPalette(m) {
		return 1
	}
	switch m {
	case color.GrayModel:
		return 1
	case color.Gray16Model:
		return 2
	case color.RGBA64Model, color.NRGBA64Model:
		return 8
	}
	return 4
}

// isAnimated reads a bit of WebP's extended header.
func isAnimated(file []byte) bool {
	return len(file) > 20 && string(file[12:16]) == "VP8X" && file[20]&2 != 0
}

// decodeGIF decodes the first picture of a GIF, on its canvas. To Go's package
// the transparent colour is black, and the others do not lie there; here its
// colour is the one that is stored, and it is what fills the canvas.
func decodeGIF(in io.Reader) (image.Image, error) {
	s := in.(*source)
	file, colour := s.file, uint8(0)
	if at := gifTransparency(file); at > 0 {
		colour = file[at+3]
		opaque := []byte{file[at] &^ 1}
		in = io.MultiReader(
			&source{ctx: s.ctx, file: file[:at]},
			&source{ctx: s.ctx, file: opaque},
			&source{ctx: s.ctx, file: file[at+1:]})
	}
	m, err := gif.Decode(in)
	if err != nil {
		return nil, cmp.Or(s.ctx.Err(), err)
	}
	frame := m.(*image.Paletted)
	w, h := int(file[6])|int(file[7])<<8, int(file[8])|int(file[9])<<8
	canvas := image.NewPaletted(image.Rect(0, 0, w, h), frame.Palette)
	if canvas.Rect == frame.Rect {
		return frame, nil
	}
	for i := range canvas.Pix {
		canvas.Pix[i] = colour
	}
	for y := frame.Rect.Min.Y; y < frame.Rect.Max.Y; y++ {
		copy(canvas.Pix[canvas.PixOffset(frame.Rect.Min.X, y):], frame.Pix[(y-frame.Rect.Min.Y)*frame.Stride:][:frame.Rect.Dx()])
	}
	return canvas, nil
}

// gifTransparency is where the first picture of a GIF says that it has a
// transparent colour, the number of which stands 3 bytes on; 0 where it has none.
func gifTransparency(file []byte) (at int) {
	if len(file) < 13 {
		return 0
	}
	next := 13
	if file[10]&0x80 != 0 {
		next += 3 << (1 + file[10]&7)
	}
	for next+7 < len(file) && file[next] == 0x21 { // an extension
		if file[next+1] == 0xf9 && file[next+2] == 4 && file[next+3]&1 != 0 {
			at = next + 3
		}
		next += 2
		for next < len(file) && file[next] != 0 { // its parts
			next += 1 + int(file[next])
		}
		next++
	}
	return at
}
