package data

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// pngKind is a kind of PNG.
type pngKind struct {
	colours, depth          uint8 // as its head says
	transparent, interlaced bool
	exif                    string // "before" or "after" the picture: it is turned to the left
}

func (k pngKind) String() string {
	return fmt.Sprintf("colours %d of %d bits, transparent %v, interlaced %v, exif %q", k.colours, k.depth, k.transparent, k.interlaced, k.exif)
}

func pngKinds() (all []pngKind) {
	for colours, depths := range map[uint8][]uint8{0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}} {
		for _, depth := range depths {
			for _, transparent := range []bool{false, true} {
				for _, interlaced := range []bool{false, true} {
					for _, exif := range []string{"", "before", "after"} {
						if colours < 4 || !transparent { // the others have alpha of their own
							all = append(all, pngKind{colours, depth, transparent, interlaced, exif})
						}
					}
				}
			}
		}
	}
	return all
}

// encode makes a PNG of this kind, which Go's own encoder cannot, and what is to
// be seen in it.
func (k pngKind) encode(h, w int) (file []byte, want []float32) {
	const red, green, blue, alpha = 0, 1, 2, 3
	sample := func(x, y, c int) int { // of the depth's bits
		if c == alpha { // none of some, all of others
			return min(max(0, 3000*(x+y)-9000), math.MaxUint16) >> (16 - k.depth)
		}
		v := math.Sin(float64(x)*0.11 + float64(y)*0.07 + float64(c) + 0.5*float64(c*y)*0.1)
		return int(32767.5*(1+v)) >> (16 - k.depth)
	}
	entries := 1 << min(k.depth, 8)
	palette := func(i, c int) uint8 { return uint8(37*i + 80*c) }
	var body bytes.Buffer
	head := binary.BigEndian.AppendUint32(nil, uint32(w))
	head = binary.BigEndian.AppendUint32(head, uint32(h))
	head = append(head, k.depth, k.colours, 0, 0, 0)
	if k.interlaced {
		head[12] = 1
	}
	body.WriteString(pngMagic)
	write := func(name string, content []byte) {
		b := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
		b = append(append(b, name...), content...)
		body.Write(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:])))
	}
	exif := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00")
	write("IHDR", head)
	write("gAMA", []byte{0, 1, 0x86, 0xa0}) // 1.0, which nobody is to apply
	if k.exif == "before" {
		write("eXIf", exif)
	}
	channels := map[uint8]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[k.colours]
	if k.colours == 3 {
		var b []byte
		for i := range entries {
			b = append(b, palette(i, red), palette(i, green), palette(i, blue))
		}
		write("PLTE", b)
	}
	if k.transparent {
		var b []byte
		switch k.colours {
		case 3:
			for i := range entries {
				b = append(b, uint8(255*i/entries))
			}
		default: // the colour of a pixel in the middle
			for c := range channels {
				b = binary.BigEndian.AppendUint16(b, uint16(sample(w/2, h/2, c)))
			}
		}
		write("tRNS", b)
	}
	var raw bytes.Buffer
	z := zlib.NewWriter(&raw)
	row := func(y, x0, dx int) {
		if x0 >= w {
			return
		}
		bits, n := uint(0), 0
		line := []byte{0} // no filter
		for x := x0; x < w; x += dx {
			for c := range channels {
				if channels == 2 && c == 1 {
					c = alpha
				}
				bits, n = bits<<k.depth|uint(sample(x, y, c)), n+int(k.depth)
				for ; n >= 8; n -= 8 {
					line = append(line, byte(bits>>(n-8)))
				}
			}
		}
		if n > 0 {
			line = append(line, byte(bits<<(8-n)))
		}
		_, _ = z.Write(line)
	}
	passes := [][4]int{{0, 1, 0, 1}} // first and next row, first and next column
	if k.interlaced {
		passes = [][4]int{{0, 8, 0, 8}, {0, 8, 4, 8}, {4, 8, 0, 4}, {0, 4, 2, 4}, {2, 4, 0, 2}, {0, 2, 1, 2}, {1, 2, 0, 1}}
	}
	for _, p := range passes {
		for y := p[0]; y < h; y += p[1] {
			row(y, p[2], p[3])
		}
	}
	_ = z.Close()
	half := raw.Len() / 2
	write("IDAT", raw.Bytes()[:half])
	write("IDAT", raw.Bytes()[half:])
	if k.exif == "after" {
		write("eXIf", exif)
	}
	write("IEND", nil)

	want = make([]float32, 3*h*w)
	for y := range h {
		for x := range w {
			for c := range 3 {
				v := 0
				switch {
				case k.colours == 3:
					v = int(palette(sample(x, y, 0), c))
				case channels < 3:
					v = sample(x, y, 0)
				default:
					v = sample(x, y, c)
				}
				if k.colours != 3 && k.depth < 8 {
					v = v * 255 / (1<<k.depth - 1)
				} else if k.depth == 16 {
					v >>= 8
				}
				at := c*h*w + y*w + x
				if k.exif != "" { // what was the left column is on top
					at = c*h*w + x*h + h - 1 - y
				}
				want[at] = float32(v)
			}
		}
	}
	return body.Bytes(), want
}

// Every kind of PNG gives the colours that are stored, whatever is transparent,
// turned as Exif says.
func TestPNGKinds(t *testing.T) {
	const h, w = 21, 29
	for _, k := range pngKinds() {
		file, want := k.encode(h, w)
		seenH, seenW := h, w
		if k.exif != "" {
			seenH, seenW = w, h
		}
		got, err := seen(t, file, seenH, seenW)
		require.NoError(t, err, k)
		require.Equal(t, want, got, k)
	}
}

// A PNG of a megabyte that would take gigabytes is refused before any of them.
func TestBombsAreRefused(t *testing.T) {
	file, _ := pngKind{colours: 6, depth: 16}.encode(5, 5)
	for want, size := range map[string][2]uint32{
		"to decode a picture of 11585x11585 like this takes up to 1407 MiB, more than the 1024 MiB allowed": {11585, 11585},
		"truncated: ": {8000, 8000},
	} {
		bomb := bytes.Clone(file)
		binary.BigEndian.PutUint32(bomb[16:], size[0])
		binary.BigEndian.PutUint32(bomb[20:], size[1])
		binary.BigEndian.PutUint32(bomb[29:], crc32.ChecksumIEEE(bomb[12:29]))
		if size[0] > 8000 {
			bomb = append(bomb, make([]byte, 1<<15)...)
		}
		_, err := seen(t, bomb, 8, 8)
		require.ErrorContains(t, err, want)
	}
}

// An interlaced picture takes its small pictures' memory besides.
func TestInterlacedTakesMore(t *testing.T) {
	bytes := func(k pngKind) int64 {
		file, _ := k.encode(24, 20)
		var d decoder
		_, _, err := d.open(file)
		require.NoError(t, err)
		return d.bytes
	}
	for _, colours := range []uint8{0, 2, 6} {
		plain := pngKind{colours: colours, depth: 8}
		interlaced := plain
		interlaced.interlaced = true
		require.Greater(t, bytes(interlaced), bytes(plain), "%v", plain)
	}
}
