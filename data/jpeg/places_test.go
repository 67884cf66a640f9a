package jpeg

import (
	"bytes"
	"fmt"
	"image"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The height that comes late is that of the marker that ends the first scan.
func TestLateHeightAfterAnything(t *testing.T) {
	const dnlSegment = "\xff\xdc\x00\x04\x01\x02"
	for data, want := range map[string]int{
		dnlSegment:                              0x102,
		"abc" + dnlSegment:                      0x102,
		"\xff\x00\xff\xd0\xff\xd7" + dnlSegment: 0x102,
		"\xf0\xff\xd0" + dnlSegment:             0x102,
		"\xff\xff" + dnlSegment:                 0x102,
		"\xff\xcf\x00\x02" + dnlSegment:         0,
		"\xff\xd8" + dnlSegment:                 0,
		"\xff\xda" + dnlSegment:                 0,
		"\xff\xdc\x00\x05\x01\x02":              0,
		dnlSegment[:5]:                          0,
		"":                                      0,
	} {
		require.Equal(t, want, lateHeight([]byte(data)), "%q", data)
	}
}

// A table that says more codes than there are symbols, or than there can be.
func TestHuffmanTableThatIsCutOff(t *testing.T) {
	good := append([]byte{0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 5, 6, 7)
	require.NoError(t, new(Decoder).readHuffman(good))
	require.NoError(t, new(Decoder).readHuffman(append(bytes.Clone(good), good...)))
	for n := 1; n < len(good); n++ {
		require.EqualError(t, new(Decoder).readHuffman(good[:n]), "a Huffman table is damaged")
	}
	many := make([]byte, 17+300)
	many[8], many[9] = 255, 1
	require.NoError(t, new(Decoder).readHuffman(many[:17+256]))
	many[9] = 2
	require.EqualError(t, new(Decoder).readHuffman(many[:17+257]), "a Huffman table is damaged")
}

// A run before a coefficient that is too long to be looked up with its code.
func TestRunBeforeALongCoefficient(t *testing.T) {
	dc := []byte{0, 0, 0, 0x7f}
	value := packed("0" + "1000000001")
	for run := range byte(15) {
		far := tiny(sof2, 0, run<<4|0x0a, dc, append([]byte{1, 1 + run, 0}, value...))
		near := tiny(sof2, 0, 0x0a, dc, append([]byte{1 + run, 1 + run, 0}, value...))
		requireSame(t, near, far)
	}
}

// A part of a picture in CMYK ends where the picture does.
func TestPartOfCMYK(t *testing.T) {
	file := readFile(t, "pillow/cmyk-subsampled.jpg")
	var d Decoder
	c, err := d.Open(file)
	require.NoError(t, err)
	w, h := c.Width-3, c.Height-5
	file = sized(file, byte(w), byte(h))
	for halvings := range 4 {
		_, err = d.Open(file)
		require.NoError(t, err)
		planes, err := d.Decode(t.Context(), image.Rect(w-4, h-4, w, h), halvings)
		require.NoError(t, err)
		size := 1 << halvings
		for _, p := range planes {
			require.Positive(t, p.X0)
			require.Positive(t, p.Y0)
			require.Equal(t, (w-p.X0+size-1)/size, p.W)
			require.Equal(t, (h-p.Y0+size-1)/size, p.H)
			require.Equal(t, p.W, p.Stride)
			require.Len(t, p.Pix, p.W*p.H)
		}
	}
}

// A run of sixteen zeros to the end of a band, and one past it.
func TestRunOfZerosInABand(t *testing.T) {
	dc := []byte{0, 0, 0, 0x7f}
	_, err := decodeAll(tiny(sof2, 0, 0xf0, dc, []byte{1, 16, 0, 0x7f}))
	require.NoError(t, err)
	_, err = decodeAll(tiny(sof2, 0, 0xf0, dc, []byte{1, 15, 0, 0x7f}))
	require.Equal(t, errDamaged, err)
}

// Segments for applications are skipped, whichever they are; others are not.
func TestSegmentsOfApplications(t *testing.T) {
	for marker := byte(app0); marker <= app15; marker++ {
		require.NoError(t, new(Decoder).readSegment(marker, nil), marker)
	}
	require.ErrorIs(t, new(Decoder).readSegment(app0-1, nil), ErrUnsupported)
	require.EqualError(t, new(Decoder).readSegment(app15+1, nil), "JPEG with segments of marker 0xf0 is not supported")
	require.EqualError(t, new(Decoder).readSegment(dri, make([]byte, 3)), "the restart interval has a wrong length")
}

func TestRegionsThatAreNone(t *testing.T) {
	file := readFile(t, "grey.jpg")
	var d Decoder
	c, err := d.Open(file)
	require.NoError(t, err)
	all := image.Rect(0, 0, c.Width, c.Height)
	for _, x := range []struct {
		region   image.Rectangle
		halvings int
		want     string
	}{
		{image.Rect(5, 5, 5, 9), 0, "region (0,0)-(0,0) or 0 halvings are out of range"},
		{image.Rect(1, 2, 3, 4), 4, "region (1,2)-(3,4) or 4 halvings are out of range"},
		{image.Rect(1, 2, 3, 4), -1, "region (1,2)-(3,4) or -1 halvings are out of range"},
	} {
		_, err := d.Decode(t.Context(), x.region, x.halvings)
		require.EqualError(t, err, x.want)
	}
	for halvings := range 4 {
		_, err := d.Decode(t.Context(), all, halvings)
		require.NoError(t, err)
	}
	_, err = new(Decoder).Decode(t.Context(), all, 0)
	require.Error(t, err, "nothing was opened")
}

// Codes and values that are as long as can be, one after the other.
func TestLongCodesOfLongValues(t *testing.T) {
	file := func(length int, code string) []byte {
		counts := make([]byte, 16)
		counts[0], counts[length-1] = 1, 1
		bits := "0"
		for _, v := range []string{"1000000001", "0111111110", "1100110011", "1010101010", "0000000001"} {
			bits += strings.Repeat(code+v, 3)
		}
		b := tiny(sof0, 0, 0, append([]byte{0, 63, 0}, packed(bits+"0")...))
		b = bytes.Replace(b, bytes.Repeat([]byte{16}, 64), bytes.Repeat([]byte{1}, 64), 1)
		ac := append([]byte{0xff, dht, 0, 21, 0x10}, append(counts, 0, 0x0a)...)
		return inserted(b, sos, ac...)
	}
	requireSame(t, file(2, "10"), file(16, "1000000000000000"))
	_, planes := decode(t, file(16, "1000000000000000"), 0)
	require.True(t, slices.ContainsFunc(planes[0].Pix, func(v uint8) bool { return v > 0 && v < 255 }), "there is something to see")
}

// A file has none of what the one before it had.
func TestNothingIsLeftOfTheFileBefore(t *testing.T) {
	good := readFile(t, "422.jpg")
	var d Decoder
	_, err := d.Open(good)
	require.NoError(t, err)
	at := bytes.Index(good, []byte{0xff, dqt})
	n := int(good[at+2])<<8 | int(good[at+3])
	without := slices.Delete(bytes.Clone(good), at, at+2+n)
	for bytes.Contains(without, []byte{0xff, dqt}) {
		at = bytes.Index(without, []byte{0xff, dqt})
		n = int(without[at+2])<<8 | int(without[at+3])
		without = slices.Delete(without, at, at+2+n)
	}
	_, err = d.Open(without)
	require.EqualError(t, err, "a quantisation table is missing")
	_, err = d.Decode(t.Context(), image.Rect(0, 0, 1, 1), 0)
	require.Error(t, err)
}

// Tables whose first symbol is none, and codes that are none in a block that is
// skipped.
func TestSymbolsThatAreNone(t *testing.T) {
	_, err := decodeAll(tiny(sof0, 16, 0, []byte{0, 63, 0, 0x3f}))
	require.EqualError(t, err, "a Huffman table is damaged")

	// The bits are no code of DC, and of AC the end of the block.
	file := sized(tiny(sof0, 0, 0, append([]byte{0, 63, 0}, packed("1110")...)), 16, 8)
	file = inserted(file, sos, append([]byte{0xff, dht, 0, 21, 0x10, 2}, make([]byte, 17)...)...)
	var d Decoder
	for x := range 2 {
		_, err = d.Open(file)
		require.NoError(t, err)
		_, err = d.Decode(t.Context(), image.Rect(8*x, 0, 8*x+8, 8), 0)
		require.Equal(t, errDamaged, err)
	}
}

// A run of blocks in a refinement ends where it says.
func TestRunOfBlocksInARefinement(t *testing.T) {
	first := append([]byte{1, 1, 1}, packed("01"+"00"+"01")...) // a coefficient in each of three blocks
	refined := func(symbol byte, bits string) ([]Plane, error) {
		file := sized(tiny(sof2, 0, 1, []byte{0, 0, 0, 0x1f}, first, append([]byte{1, 1, 0x10}, packed(bits)...)), 24, 8)
		at := bytes.LastIndex(file, []byte{0xff, sos})
		table := append([]byte{0xff, dht, 0, 20, 0x10, 1}, make([]byte, 16)...)
		table[len(table)-1] = symbol
		return decodeAll(slices.Insert(file, at, table...))
	}
	// Each block by itself, all three at once, and two with too long a run behind.
	want, err := refined(0x00, "0"+"1"+"0"+"0"+"0"+"1")
	require.NoError(t, err)
	pix := bytes.Clone(want[0].Pix)
	got, err := refined(0x10, "0"+"1"+"1"+"0"+"1") // three at once: the bit for 2 or 3, then one for each block
	require.NoError(t, err)
	require.Equal(t, pix, got[0].Pix)
	_, err = refined(0x10, "0"+"0"+"1"+"0"+"0"+"0"+"1"+"1") // two, and then two of which one is not there
	require.Equal(t, errDamaged, err)
}

// The blocks of a progressive picture begin at 0 after another one too, and a
// file that is cut off says of which size it is.
func TestOnePictureAfterAnother(t *testing.T) {
	var d Decoder
	one, other := readFile(t, "progressive.jpg"), tiny(sof2, 0, 0, []byte{0, 0, 0, 0x7f}, []byte{1, 63, 0, 0x7f})
	for _, file := range [][]byte{one, other, one} {
		c, err := d.Open(file)
		require.NoError(t, err)
		got, err := d.Decode(t.Context(), image.Rect(0, 0, c.Width, c.Height), 0)
		require.NoError(t, err)
		_, want := decode(t, file, 0)
		for i := range want {
			require.True(t, bytes.Equal(want[i].Pix, got[i].Pix))
		}
	}
	file := sized(other, 200, 100)
	_, err := decodeAll(file)
	require.EqualError(t, err, fmt.Sprintf("truncated: %d bytes cannot hold a picture of 200x100", len(file)))
}

func TestNumbersOfTables(t *testing.T) {
	table := append([]byte{0, 1}, make([]byte, 16)...)
	for id, want := range map[byte]string{0x03: "", 0x13: "", 0x04: "a Huffman table is damaged", 0x14: "a Huffman table is damaged", 0x20: "a Huffman table is damaged"} {
		table[0] = id
		err := new(Decoder).readHuffman(table)
		if want == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, want)
		}
	}
}
