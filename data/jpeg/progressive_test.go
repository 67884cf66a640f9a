package jpeg

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// stopped is a context that is done after it was asked so many times.
type stopped struct {
	context.Context
	left int
}

func (s *stopped) Err() error {
	if s.left--; s.left < 0 {
		return context.Canceled
	}
	return nil
}

// Decoding ends with its context, wherever it is.
func TestDecodeIsCancelled(t *testing.T) {
	for _, name := range []string{"422.jpg", "progressive.jpg", "pillow/mixed-sampling-scans.jpg", "pillow/cmyk-subsampled.jpg"} {
		file := readFile(t, name)
		var d Decoder
		c, err := d.Open(file)
		require.NoError(t, err)
		asked := 0
		for ; ; asked++ {
			require.Less(t, asked, 1000)
			_, err := d.Decode(&stopped{t.Context(), asked}, image.Rect(0, 0, c.Width, c.Height), 0)
			if err == nil {
				break
			}
			require.ErrorIs(t, err, context.Canceled, name)
		}
		require.GreaterOrEqual(t, asked, c.Height/16, "%s: once for each row of MCUs", name)
	}
}

// A decoder decodes what it opened as often as it is asked, although the tables
// of later scans took the place of those of the first.
func TestDecodeTwice(t *testing.T) {
	for _, name := range []string{"422.jpg", "progressive.jpg", "pillow/progressive-420-restart.jpg", "pillow/mixed-sampling-scans.jpg"} {
		var d Decoder
		c, err := d.Open(readFile(t, name))
		require.NoError(t, err)
		var first []Plane
		for range 2 {
			planes, err := d.Decode(t.Context(), image.Rect(0, 0, c.Width, c.Height), 0)
			require.NoError(t, err)
			for i, p := range planes {
				if first != nil {
					require.True(t, bytes.Equal(first[i].Pix, p.Pix), name)
				}
			}
			if first == nil {
				for _, p := range planes {
					p.Pix = bytes.Clone(p.Pix)
					first = append(first, p)
				}
			}
		}
	}
}

// Files that claim to be large are refused before memory is taken for them, and
// scans that add nothing before they take time.
func TestBounds(t *testing.T) {
	for _, name := range []string{"422.jpg", "progressive.jpg", "pillow/ycck-progressive.jpg"} {
		file := readFile(t, name)
		at := max(bytes.Index(file, []byte{0xff, sof0}), bytes.Index(file, []byte{0xff, sof2})) + 5
		binary.BigEndian.PutUint16(file[at:], 65535)
		binary.BigEndian.PutUint16(file[at+2:], 65535)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := decodeAll(file)
		runtime.ReadMemStats(&after)
		require.ErrorContains(t, err, "bytes cannot hold a picture of 65535x65535")
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	}

	// All the scans there can be: one for each bit of each coefficient.
	var scans [][]byte
	for k := range byte(64) {
		for low := 13; low >= 0; low-- {
			s := []byte{k, k, byte(low)}
			if low < 13 {
				s[2] |= byte(low+1) << 4
			}
			scans = append(scans, append(s, 0x7f))
		}
	}
	file := tiny(sof2, 0, 0, scans...)
	_, err := decodeAll(file)
	require.NoError(t, err)
	last := file[len(file)-2-len(scans[0])-7 : len(file)-2]
	_, err = decodeAll(slices.Insert(bytes.Clone(file), len(file)-2, last...))
	require.EqualError(t, err, "a scan does not follow on those before it")

	// What is too large is not kept.
	d := Decoder{n: 1}
	d.components[0].h, d.components[0].v = 1, 1
	d.components[0].clearBlocks(maxRetained/128, 1)
	d.forget()
	require.NotNil(t, d.components[0].blocks)
	d.components[0].clearBlocks(maxRetained/128+1, 1)
	d.forget()
	require.Nil(t, d.components[0].blocks)
}

// No picture takes more than Memory says.
func TestMemory(t *testing.T) {
	all := files(t)
	names, err := filepath.Glob("testdata/pillow/*.jpg")
	require.NoError(t, err)
	for _, name := range names {
		all[name] = readFile(t, strings.TrimPrefix(name, "testdata/"))
	}
	for name, file := range all {
		for halvings := range 4 {
			d := new(Decoder)
			c, err := d.Open(file)
			require.NoError(t, err)
			region := image.Rect(c.Width/2, 0, c.Width, (c.Height+1)/2)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = d.Decode(t.Context(), region, halvings)
			runtime.ReadMemStats(&after)
			require.NoError(t, err)
			took, most := int64(after.TotalAlloc-before.TotalAlloc), d.Memory(region, halvings)
			require.LessOrEqual(t, took, most*9/8+4096, name) // allocations are rounded up
			require.LessOrEqual(t, most, 5*int64(len(file))+padding+16*int64(c.Width+32)*int64(c.Height+32), name)
		}
	}
}

// What Memory says, written out: planes, coefficients of whole rows down to the
// region's last, RGB with a row of each component, and what files are copied to.
func TestMemoryOfEach(t *testing.T) {
	for _, c := range []struct {
		name     string
		region   image.Rectangle
		halvings int
		want     int64
	}{
		{"pillow/cmyk-subsampled.jpg", image.Rect(0, 0, 64, 48), 0, 12*(4+1+1+1)*64 + 12*256*3 + 4*64},
		{"pillow/cmyk-subsampled.jpg", image.Rect(17, 20, 18, 21), 1, (64 + 3*64) + 64*3 + 4*16},
		{"pillow/mixed-sampling-scans.jpg", image.Rect(0, 0, 64, 48), 0, 12 * (4 + 1 + 2) * 64},
		{"pillow/progressive-luma-halved.jpg", image.Rect(33, 0, 40, 20), 0, 2*(1+4+1)*64 + 2*5*(1+4+1)*(128+8)},
	} {
		file := readFile(t, c.name)
		var d Decoder
		_, err := d.Open(file)
		require.NoError(t, err)
		require.Equal(t, c.want+5*int64(len(file))+padding, d.Memory(c.region, c.halvings), c.name)
	}
}
