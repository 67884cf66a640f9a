package jpeg

import (
	"bytes"
	"image"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inserted is a file with bytes before its first segment of a kind.
func inserted(file []byte, marker byte, b ...byte) []byte {
	return slices.Insert(bytes.Clone(file), bytes.Index(file, []byte{0xff, marker}), b...)
}

func readFile(t testing.TB, name string) []byte {
	b, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return b
}

// requireSame holds a file against another that shows the same.
func requireSame(t *testing.T, want, got []byte) {
	a, planes := decode(t, want, 0)
	for i := range planes {
		planes[i].Pix = bytes.Clone(planes[i].Pix)
	}
	b, others := decode(t, got, 0)
	require.Equal(t, a, b)
	require.Len(t, others, len(planes))
	for i := range planes {
		require.True(t, bytes.Equal(planes[i].Pix, others[i].Pix), "plane %d", i)
	}
}

// What belongs to nothing is skipped wherever it stands: markers without a
// segment, fill bytes, bytes of none, and segments that say nothing to us.
func TestSkips(t *testing.T) {
	for _, name := range []string{"422.jpg", "420-restart.jpg", "progressive.jpg"} {
		file := readFile(t, name)
		for what, b := range map[string][]byte{
			"TEM":             {0xff, tem},
			"RST":             {0xff, rst0, 0xff, rst7},
			"fill bytes":      {0xff, 0xff, 0xff},
			"bytes":           {0, 1, 2, 0xff, 0, 3},
			"short APP0":      {0xff, app0, 0, 2, 0xff, app0, 0, 4, 'J', 'F'},
			"short Adobe":     {0xff, app14, 0, 13, 'A', 'd', 'o', 'b', 'e', 0, 0, 0, 0, 0, 0},
			"another APP14":   {0xff, app14, 0, 14, 'a', 'd', 'o', 'b', 'e', 0, 0, 0, 0, 0, 0, 0},
			"comment":         {0xff, com, 0, 4, 0xff, sos},
			"restart of none": {0xff, dri, 0, 4, 0, 0},
		} {
			for _, before := range []byte{dqt, sof0, sof2, dht, sos, eoi} {
				if what == "restart of none" && (name == "420-restart.jpg" || before == eoi) {
					continue
				}
				if bytes.Contains(file, []byte{0xff, before}) {
					t.Run(name+"/"+what, func(t *testing.T) { requireSame(t, file, inserted(file, before, b...)) })
				}
			}
		}
	}
}

// The components are what libjpeg takes them for.
func TestSpace(t *testing.T) {
	base := readFile(t, "444.jpg")
	base = slices.Delete(base, 2, 20) // its JFIF marker
	jfif := []byte("\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
	adobe := func(transform byte) []byte {
		return append([]byte("\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"), transform)
	}
	ids := func(id ...byte) []byte {
		b := bytes.Clone(base)
		for i := range id {
			b[bytes.Index(b, []byte{0xff, sof0})+10+3*i] = id[i]
			b[bytes.Index(b, []byte{0xff, sos})+5+2*i] = id[i]
		}
		return b
	}
	for _, c := range []struct {
		name    string
		file    []byte
		markers []byte
		want    Space
	}{
		{"nothing", base, nil, YCbCr},
		{"nothing, other identifiers", ids(0, 1, 2), nil, YCbCr},
		{"nothing, the same identifier", ids(7, 7, 7), nil, YCbCr},
		{"nothing, RGB", ids('R', 'G', 'B'), nil, RGB},
		{"nothing, rgb", ids('r', 'g', 'b'), nil, YCbCr},
		{"JFIF, RGB", ids('R', 'G', 'B'), jfif, YCbCr},
		{"too short a JFIF, RGB", ids('R', 'G', 'B'), []byte("\xff\xe0\x00\x0fJFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00"), RGB},
		{"JFIF that another APP0 follows, RGB", ids('R', 'G', 'B'), slices.Concat(jfif, []byte("\xff\xe0\x00\x10JFXX\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")), YCbCr},
		{"Adobe 0", base, adobe(0), RGB},
		{"Adobe 1", base, adobe(1), YCbCr},
		{"Adobe 1, RGB", ids('R', 'G', 'B'), adobe(1), YCbCr},
		{"Adobe 2", base, adobe(2), YCbCr},
		{"JFIF and Adobe 0", base, slices.Concat(jfif, adobe(0)), YCbCr},
		{"Adobe 0 and JFIF", base, slices.Concat(adobe(0), jfif), YCbCr},
		{"two of Adobe", base, slices.Concat(adobe(0), adobe(1)), YCbCr},
		{"Adobe 0, too short", base, []byte("\xff\xee\x00\x0dAdobe\x00\x64\x00\x00\x00\x00"), YCbCr},
		{"grey", readFile(t, "grey.jpg"), adobe(0), Grey},
		{"CMYK", readFile(t, "pillow/cmyk-noadobe.jpg"), nil, RGB},
	} {
		var d Decoder
		got, err := d.Open(slices.Insert(bytes.Clone(c.file), 2, c.markers...))
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, got.Space, c.name)
	}
}

// A frame may leave its height to the end of the first scan (T.81, B.2.5).
func TestLateHeight(t *testing.T) {
	for _, name := range []string{"422.jpg", "420-restart.jpg", "progressive.jpg"} {
		file := readFile(t, name)
		at := max(bytes.Index(file, []byte{0xff, sof0}), bytes.Index(file, []byte{0xff, sof2})) + 5
		late := bytes.Clone(file)
		late[at], late[at+1] = 0, 0
		scan := bytes.Index(late, []byte{0xff, sos}) + 2
		for end := scan; ; end++ {
			if m := late[end+1]; late[end] == 0xff && m != 0 && (m < rst0 || m > rst7) {
				late = slices.Insert(late, end, 0xff, 0xff, dnl, 0, 4, file[at], file[at+1])
				break
			}
		}
		requireSame(t, file, late)
	}
}

// A table may be named anew between scans, if nothing that uses it is going on.
func TestTablesBetweenScans(t *testing.T) {
	other := func(file []byte) []byte {
		i := bytes.Index(file, []byte{0xff, dqt})
		b := bytes.Clone(file[i : i+69])
		require.EqualValues(t, 67, b[3])
		b[20]++
		return b
	}
	lastScan := func(file []byte) int { return bytes.LastIndex(file, []byte{0xff, sos}) }
	file := readFile(t, "progressive.jpg")
	_, err := decodeAll(slices.Insert(bytes.Clone(file), lastScan(file), other(file)...))
	require.EqualError(t, err, "a quantisation table changes while it is in use")
	file = readFile(t, "pillow/mixed-sampling-scans.jpg")
	_, err = decodeAll(slices.Insert(bytes.Clone(file), lastScan(file), other(file)...))
	require.NoError(t, err)
}

// Scans that repeat what was there, or that leave something out, are damage:
// decoders differ in which they show.
func TestScansThatDoNotFit(t *testing.T) {
	scans := func(file []byte) (all [][]byte) {
		for at := bytes.Index(file, []byte{0xff, sos}); at >= 0; {
			n := bytes.Index(file[at+2:], []byte{0xff, sos})
			if n < 0 {
				return append(all, file[at:len(file)-2])
			}
			all = append(all, file[at:at+2+n])
			at += 2 + n
		}
		return all
	}
	end := []byte{0xff, eoi}
	for _, name := range []string{"progressive.jpg", "pillow/mixed-sampling-scans.jpg", "422.jpg"} {
		file := readFile(t, name)
		all := scans(file)
		head := file[:bytes.Index(file, []byte{0xff, sos})]
		require.Equal(t, file, slices.Concat(head, slices.Concat(all...), end), name)
		for i, s := range all {
			// The tables before a scan are in what precedes it: they come again too.
			_, err := decodeAll(slices.Concat(head, slices.Concat(all[:i+1]...), s, slices.Concat(all[i+1:]...), end))
			require.Error(t, err, "%s, scan %d twice", name, i)
			if name == "progressive.jpg" && i > 0 {
				require.EqualError(t, err, "a scan does not follow on those before it")
			}
		}
		_, err := decodeAll(slices.Concat(head, slices.Concat(all...)))
		if len(all) == 1 {
			require.NoError(t, err, "all is there")
		} else {
			require.EqualError(t, err, "truncated", name)
			_, err = decodeAll(slices.Concat(head, slices.Concat(all[1:]...), end))
			require.Error(t, err, "%s without its first scan", name)
		}
	}
	file := readFile(t, "pillow/mixed-sampling-scans.jpg")
	all := scans(file)
	_, err := decodeAll(slices.Concat(file[:bytes.Index(file, []byte{0xff, sos})], slices.Concat(all[:len(all)-1]...), end))
	require.EqualError(t, err, "a component is in no scan")
}

// withoutQuant is a tiny file with a quantisation table of zeros.
func withoutQuant(file []byte) []byte {
	return bytes.Replace(file, bytes.Repeat([]byte{16}, 64), make([]byte, 64), 1)
}

// tiny is a grey picture of 8x8 with one code in each table, and the bits of its
// scans.
func tiny(sof, dc, ac byte, scans ...[]byte) []byte {
	b := []byte{0xff, soi, 0xff, dqt, 0, 67, 0}
	b = append(b, bytes.Repeat([]byte{16}, 64)...)
	b = append(b, 0xff, sof, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0)
	for class, s := range []byte{dc, ac} {
		b = append(b, 0xff, dht, 0, 20, byte(class<<4), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, s)
	}
	for _, s := range scans {
		b = append(b, 0xff, sos, 0, 8, 1, 1, 0)
		b = append(b, s...)
	}
	return append(b, 0xff, eoi)
}

// packed are bits of a scan, filled up with ones.
func packed(bits string) (data []byte) {
	for ; len(bits) > 0; bits = bits[min(8, len(bits)):] {
		v, err := strconv.ParseUint((bits + "1111111")[:8], 2, 8)
		if err != nil {
			panic(err)
		}
		if data = append(data, byte(v)); v == 0xff {
			data = append(data, 0)
		}
	}
	return data
}

// sized is a file with another size in its frame.
func sized(file []byte, w, h byte) []byte {
	b := bytes.Clone(file)
	at := max(bytes.Index(b, []byte{0xff, sof0}), bytes.Index(b, []byte{0xff, sof2}))
	b[at+6], b[at+8] = h, w
	return b
}

// Codes of 16 bits are decoded as those of one are.
func TestLongCodes(t *testing.T) {
	long := func(file []byte) []byte {
		return bytes.ReplaceAll(file, []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
			[]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	}
	zeros := strings.Repeat("0", 16)
	// Two blocks, the second brighter.
	all := []byte{0, 63, 0}
	short := sized(tiny(sof0, 2, 0, slices.Concat(all, packed("0100"+"0110"))), 16, 8)
	file := long(sized(tiny(sof0, 2, 0, slices.Concat(all, packed(zeros+"10"+zeros+zeros+"11"+zeros))), 16, 8))
	requireSame(t, short, file)
	_, planes := decode(t, file, 0)
	require.Equal(t, []uint8{128 + 2*2, 128 + 5*2}, []uint8{planes[0].Pix[0], planes[0].Pix[8]})
	var d Decoder
	_, err := d.Open(file)
	require.NoError(t, err)
	planes, err = d.Decode(t.Context(), image.Rect(8, 0, 16, 8), 0)
	require.NoError(t, err)
	require.Equal(t, uint8(128+5*2), planes[0].Pix[0], "the first block is skipped")

	dc, ac := []byte{0, 0, 0}, []byte{1, 1, 0}
	requireSame(t,
		sized(tiny(sof2, 2, 1, slices.Concat(dc, packed("010"+"011")), slices.Concat(ac, packed("01"+"00"))), 16, 8),
		long(sized(tiny(sof2, 2, 1, slices.Concat(dc, packed(zeros+"10"+zeros+"11")), slices.Concat(ac, packed(zeros+"1"+zeros+"0"))), 16, 8)))
}

// A run of blocks ends where a restart marker is.
func TestRunPastRestart(t *testing.T) {
	dc := []byte{0, 0, 0, 0x7f, 0xff, rst0, 0x7f}
	ac := func(symbol byte, bits string) []byte {
		data := packed(bits)
		file := tiny(sof2, 0, symbol, dc, slices.Concat([]byte{1, 63, 0}, data, []byte{0xff, rst0}, data))
		return inserted(sized(file, 16, 8), sos, 0xff, dri, 0, 4, 0, 1)
	}
	_, err := decodeAll(ac(0x00, "0"))
	require.NoError(t, err)
	_, err = decodeAll(ac(0x10, "00"))
	require.Equal(t, errDamaged, err)
}

// The tables that Motion JPEG leaves out are those that encoders begin with.
func TestStandardTables(t *testing.T) {
	var d Decoder
	_, err := d.Open(encoded(t, noisy(8, 8, 1), 50))
	require.NoError(t, err)
	for i := range 2 {
		require.Equal(t, d.dc[i].spec, standardDC[i])
		require.Equal(t, d.ac[i].spec, standardAC[i])
	}
}

// Codes that no valid scan has are damage, with the largest that is not.
func TestCodes(t *testing.T) {
	all := []byte{0, 63, 0} // of the coefficients
	dcScan := []byte{0, 0, 0, 0x7f}
	with := func(head []byte, data ...byte) []byte { return slices.Concat(head, data) }
	for _, c := range []struct {
		name string
		file []byte
		want error
	}{
		{"flat", tiny(sof0, 0, 0, with(all, 0x3f)), nil},
		{"a run of blocks, which are of progressive files", tiny(sof0, 0, 0x10, with(all, 0x1f)), errDamaged},
		{"63 coefficients", tiny(sof0, 0, 1, with(all, bytes.Repeat([]byte{0x2a}, 16)...)), nil},
		{"a run to the end", tiny(sof0, 0, 0xf0, with(all, 0)), errDamaged},
		{"a coefficient past the end", tiny(sof0, 0, 0xf1, with(all, 0)), errDamaged},
		{"a code that is none", tiny(sof0, 0, 0, with(all, 0x80)), errDamaged},
		{"no data", tiny(sof0, 0, 0, all), errTruncated},
		{"DC of 16*1023", tiny(sof0, 10, 0, with(all, 0x7f, 0xef)), nil},
		{"DC of 16*1025", tiny(sof0, 11, 0, with(all, 0x40, 0x0b)), errDamaged},
		{"AC of 16*511, often", tiny(sof0, 0, 0x09, with(all, packed("0"+strings.Repeat("0111111111", 63))...)), errDamaged},
		{"AC of 16*512, often", tiny(sof0, 0, 0x0a, with(all, packed("0"+strings.Repeat("01000000000", 63))...)), errDamaged},
		{"progressive", tiny(sof2, 0, 0, dcScan, []byte{1, 63, 0, 0x7f}), nil},
		{"a run of one block", tiny(sof2, 0, 0, dcScan, []byte{1, 63, 0, 0x7f}), nil},
		{"a run of two blocks where there is one", tiny(sof2, 0, 0x10, dcScan, []byte{1, 63, 0, 0x3f}), errDamaged},
		{"a coefficient past the band", tiny(sof2, 0, 0x51, dcScan, []byte{1, 5, 0, 0x7f}), errDamaged},
		{"the last of the band", tiny(sof2, 0, 0x41, dcScan, []byte{1, 5, 0, 0x7f}), nil},
		{"a coefficient of 2^14", tiny(sof2, 0, 0x01, dcScan, []byte{1, 1, 13, 0x7f}), errDamaged},
		{"one of 2^13 that is multiplied by 0", withoutQuant(tiny(sof2, 0, 0x01, dcScan, []byte{1, 1, 13, 0x7f})), nil},
		{"one of 2^14 that is multiplied by 0", withoutQuant(tiny(sof2, 0, 0x02, dcScan, []byte{1, 1, 13, 0x5f})), errDamaged},
		{"the same, of ten bits", withoutQuant(tiny(sof2, 0, 0x0a, dcScan, []byte{1, 1, 5, 0x40, 0x1f})), errDamaged},
		{"half of it, of ten bits", withoutQuant(tiny(sof2, 0, 0x0a, dcScan, []byte{1, 1, 4, 0x40, 0x1f})), nil},
		{"one of 2^9", tiny(sof2, 0, 0x01, dcScan, []byte{1, 1, 9, 0x7f}), nil},
		{"a refinement by more than a bit", tiny(sof2, 0, 0x02, dcScan, []byte{1, 1, 1, 0x7f}, []byte{1, 1, 0x10, 0x1f}), errDamaged},
		{"a run past the band of a refinement", tiny(sof2, 0, 0x11, dcScan, []byte{1, 2, 1, 0x7f}, []byte{1, 2, 0x10, 0x00}), errDamaged},
	} {
		_, err := decodeAll(c.file)
		require.Equal(t, c.want, err, c.name)
	}
	for name, head := range map[string][]byte{
		"a band without an end":   {5, 4, 0},
		"one with an end too far": {1, 64, 0},
		"DC and AC":               {0, 63, 0},
		"two bits at once":        {0, 0, 0x31},
		"too many bits":           {0, 0, 14},
		"a refinement of nothing": {0, 0, 0x10},
	} {
		_, err := decodeAll(tiny(sof2, 0, 0, with(head, 0x7f)))
		require.ErrorContains(t, err, "a scan", name)
	}
}

// Bytes among which no marker begins end the file.
func TestNoMarker(t *testing.T) {
	for _, text := range []string{"abc", "ab", "\x01\x02\x03\x04", "\xff\xd0abc"} {
		rest := []byte(text)
		_, _, err := nextSegment(&rest)
		require.ErrorIs(t, err, errTruncated, "%q", text)
	}
}
