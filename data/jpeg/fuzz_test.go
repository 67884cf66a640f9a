package jpeg

import (
	"bytes"
	"image"
	stdjpeg "image/jpeg"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// standard reports whether image/jpeg decodes what was decoded as T.81 has it.
// Its transform is in 32 bits, 17 of them after the point, and overflows where a
// block's magnitudes, times 1.39 and times 1.42, add up to 2^14; only damaged
// blocks do that. In a scan of one component of several it counts restarts as if
// the scan were of all, and has blocks that are not there where a component is
// neither of the smallest nor of the largest sampling.
func standard(d *Decoder, scans int) bool {
	if d.bits.sum > 1<<13 {
		return false
	}
	if scans == 1 || d.n == 1 {
		return true
	}
	for _, p := range d.components[:d.n] {
		if p.h != 1 && p.h != d.hmax || p.v != 1 && p.v != d.vmax {
			return false
		}
	}
	return d.restart == 0
}

// FuzzDecode holds the decoder against image/jpeg on whatever both decode.
func FuzzDecode(f *testing.F) {
	for _, b := range files(f) {
		f.Add(b, uint8(0))
		f.Add(b[:len(b)/2], uint8(1))
	}
	names, err := filepath.Glob("testdata/pillow/*.jpg")
	require.NoError(f, err)
	for _, name := range names {
		f.Add(readFile(f, name[len("testdata/"):]), uint8(0))
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, b []byte, halvings uint8) { fuzzDecode(t, &d, b, int(halvings%4)) })
}

func fuzzDecode(t *testing.T, d *Decoder, b []byte, halvings int) {
	c, err := d.Open(b)
	if err != nil || c.Width*c.Height > 1<<18 {
		return
	}
	whole := image.Rect(0, 0, c.Width, c.Height)
	if _, err := d.Decode(t.Context(), whole, halvings); err != nil {
		return
	}
	planes, err := d.decode(t.Context(), whole, 0)
	require.NoError(t, err, "at one size and not at another")
	want, err := stdjpeg.Decode(bytes.NewReader(b))
	if err != nil || !standard(d, bytes.Count(b, []byte{0xff, sos})) {
		return // it looks at what follows the image, too
	}
	if ycck := d.n == 4 && d.adobe > 0; ycck {
		return // it keeps no Y, Cb and Cr
	}
	requireAsStd(t, "", want, planes, 2)
}
