package data

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/internal/npy"
)

// planesOf are the channels of a picture, [3,H,W].
func planesOf(m *image.NRGBA) (values []float32, pixels []byte) {
	for c := range 3 {
		for i := c; i < len(m.Pix); i += 4 {
			values, pixels = append(values, float32(m.Pix[i])), append(pixels, m.Pix[i])
		}
	}
	return values, pixels
}

func asNPY(t testing.TB, values []float32, shape ...int) []byte {
	var b bytes.Buffer
	require.NoError(t, npy.Write(&b, shape, values))
	return b.Bytes()
}

func asByteNPY(pixels []byte, shape string) []byte {
	header := fmt.Sprintf("{'descr': '|u1', 'fortran_order': False, 'shape': (%s), }\n", shape)
	b := []byte{0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, byte(len(header)), 0}
	return append(append(b, header...), pixels...)
}

// page is one of a TIFF: grey, of 1 or 2 bytes a pixel, with more tags.
type page struct {
	h, w, bytes uint32
	pix         []byte
	more        []uint32 // pairs of tag and value
}

// pages makes a TIFF of uncompressed pages.
func pages(order binary.AppendByteOrder, list ...page) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	link := len(b)
	b = order.AppendUint32(b, 0)
	for _, p := range list {
		at := uint32(len(b))
		b = append(b, p.pix...)
		binary.ByteOrder.PutUint32(order.(binary.ByteOrder), b[link:], uint32(len(b)))
		pairs := append([]uint32{256, p.w, 257, p.h, 258, 8 * p.bytes, 259, 1, 262, 1, 273, at, 277, 1, 278, p.h, 279, uint32(len(p.pix))}, p.more...)
		b = order.AppendUint16(b, uint16(len(pairs)/2))
		for i := 0; i < len(pairs); i += 2 {
			b = order.AppendUint16(b, uint16(pairs[i]))
			b = order.AppendUint16(b, 4)
			b = order.AppendUint32(b, 1)
			b = order.AppendUint32(b, pairs[i+1])
		}
		link = len(b)
		b = order.AppendUint32(b, 0)
	}
	return b
}

// pagesOf are the channels of a picture as pages, also of 16 bits.
func pagesOf(m *image.NRGBA, order binary.AppendByteOrder, deep bool) []byte {
	_, pixels := planesOf(m)
	h, w := uint32(m.Rect.Dy()), uint32(m.Rect.Dx())
	n := int(h * w)
	var list []page
	for c := range 3 {
		p := page{h, w, 1, pixels[c*n : (c+1)*n], nil}
		if deep {
			p.bytes, p.pix = 2, nil
			for _, v := range pixels[c*n : (c+1)*n] {
				p.pix = order.AppendUint16(p.pix, uint16(v)<<8|17)
			}
		}
		list = append(list, p)
	}
	return pages(order, list...)
}

// The channels of a stack move as those of a picture in colour do.
func TestStackIsAPicture(t *testing.T) {
	m := drawn(50, 60, 1)
	values, pixels := planesOf(m)
	for _, augment := range []string{"resize=40,crop=32", "resize=40,crop=32,flip@1", "pad=3,rotate=20,zoom=0.2,shear-x=0.2,crop=48", "rrcrop=32,sharpness=0.5,noise=3,cutout=8"} {
		want := photosOf(t, augment, asPNG(t, m))
		require.Zero(t, want.stack)
		x, y := make([]float32, want.Shape().TotalSize()), make([]float32, want.Shape().TotalSize())
		for what, file := range map[string][]byte{
			"float32":            asNPY(t, values, 3, 50, 60),
			"bytes":              asByteNPY(pixels, "3, 50, 60"),
			"pages":              pagesOf(m, binary.LittleEndian, false),
			"pages, big-endian":  pagesOf(m, binary.BigEndian, false),
			"pages of two bytes": pagesOf(m, binary.BigEndian, true),
		} {
			dir := t.TempDir()
			name := "c/0.npy"
			if file[0] != 0x93 {
				name = "c/0.tif"
			}
			writeTree(t, dir, map[string][]byte{name: file})
			f, err := OpenFiles(dir)
			require.NoError(t, err)
			a, err := ParseAugment(augment)
			require.NoError(t, err)
			got, err := NewPhotos(f, a, want.stats)
			require.NoError(t, err)
			require.Equal(t, 3, got.stack, what)
			require.Equal(t, want.Shape(), got.Shape())
			_, err = want.Varied().ReadVaried(x, 0, 1, 2)
			require.NoError(t, err)
			_, err = got.Varied().ReadVaried(y, 0, 1, 2)
			require.NoError(t, err, what)
			for i := range x {
				require.InDelta(t, x[i], y[i], 1e-3, "%s, %s", augment, what)
			}
			require.NoError(t, got.ReadFile(t.Context(), y, file))
			_, err = want.Read(x, 0)
			require.NoError(t, err)
			require.InDeltaSlice(t, x, y, 1e-3)
		}
	}
}

// Sets of five channels, of one, in a folder, a tar file and a list.
func TestStackSets(t *testing.T) {
	array := func(first float32, shape ...int) []byte {
		x := make([]float32, tensor.Shape(shape).TotalSize())
		for i := range x {
			x[i] = first + float32(i)/1000
		}
		return asNPY(t, x, shape...)
	}
	files := map[string][]byte{"a/1.npy": array(-3, 5, 6, 8), "a/2.npy": array(7, 5, 6, 8), "b/3.npy": array(1000, 5, 6, 8), "b/4.npy": array(0, 4, 6, 8), "b/5.npy": []byte("none")}
	dir := t.TempDir()
	writeTree(t, dir, files)
	var members []member
	for name, b := range files {
		members = append(members, member{name: name, content: b})
	}
	slices.SortFunc(members, func(a, b member) int { return bytes.Compare([]byte(a.name), []byte(b.name)) })
	elsewhere := t.TempDir()
	writeTree(t, elsewhere, map[string][]byte{"set.tar": tarOf(t, members...)})
	writeTree(t, dir, map[string][]byte{"list.txt": []byte("a/1.npy 0\na/2.npy 0\nb/3.npy 1\nb/4.npy 1\nb/5.npy 1\n")})
	for _, path := range []string{dir, filepath.Join(elsewhere, "set.tar"), filepath.Join(dir, "list.txt")} {
		normal, err := ParseNormal("mean,std")
		require.NoError(t, err)
		a, err := ParseAugment("resize=6x8,crop=4,flip")
		require.NoError(t, err)
		sets, err := OpenPhotos(t.Context(), PhotoSpec{Train: path}, PhotoOptions{Augment: a, Normal: normal, CheckOptions: CheckOptions{Cache: t.TempDir()}})
		require.NoError(t, err)
		require.Equal(t, tensor.Shape{5, 4, 4}, sets.Train.Shape(), path)
		require.Equal(t, 3, sets.Train.Len())
		require.Len(t, sets.Preprocess.Mean, 5)
		text := fmt.Sprint(sets.Skipped)
		require.Contains(t, text, "it has 4 channels, and the others 5")
		require.Contains(t, text, "it is neither an array of .npy nor a TIFF, as the others are")
		x := make([]float32, 5*4*4)
		label, err := sets.Train.Read(x, 2)
		require.NoError(t, err)
		require.Equal(t, int32(1), label)
		require.InDelta(t, 1000.010, x[0], 1e-3, "row 1, column 2")
		require.InDelta(t, 1000.010+2*0.048, x[2*16], 1e-3)
	}

	// A default does not insist on one channel.
	grey := PhotoOptions{Augment: Augment{{Op: Resize, H: 6, W: 8, P: 1}, {Op: Grey, P: 1}}}
	_, err := OpenPhotos(t.Context(), PhotoSpec{Train: dir}, grey)
	require.ErrorContains(t, err, "augmentation grey is for pictures in colour or grey, not for stacks of 5 channels")
	grey.Default = true
	sets, err := OpenPhotos(t.Context(), PhotoSpec{Train: dir}, grey)
	require.NoError(t, err)
	require.Equal(t, "resize=6x8", sets.Preprocess.Augment.String())

	one, float := t.TempDir(), array(1, 6, 8)
	writeTree(t, one, map[string][]byte{"a/1.npy": asByteNPY(make([]byte, 48), "6, 8"), "b/1.npy": float, "b/2.npy": array(1, 1, 6, 8)})
	f, err := OpenFiles(one)
	require.NoError(t, err)
	p, err := NewPhotos(f, Augment{{Op: Resize, H: 6, W: 8, P: 1}, {Op: Grey, P: 1}}, nil)
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{1, 6, 8}, p.Shape())
	x := make([]float32, 48)
	for i := range 3 {
		_, err := p.Read(x, i)
		require.NoError(t, err)
	}
	require.InDelta(t, 1.047, x[47], 1e-6)
	require.Zero(t, testing.AllocsPerRun(10, func() { p.ReadFile(t.Context(), x, float) }))

	mixed := t.TempDir()
	writeTree(t, mixed, map[string][]byte{"a/1.npy": array(1, 6, 8), "a/2.png": asPNG(t, drawn(6, 8, 1)), "b/3.tif": pagesOf(drawn(6, 8, 2), binary.LittleEndian, false)})
	f, err = OpenFiles(mixed)
	require.NoError(t, err)
	require.Equal(t, 2, f.Len(), "beside pictures an array is none, and a TIFF is its first page")
	require.Contains(t, fmt.Sprint(f.Skipped()), "it is an array of numbers, and the others are pictures")
	p, err = NewPhotos(f, Augment{{Op: Resize, H: 6, W: 8, P: 1}}, nil)
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{3, 6, 8}, p.Shape())
	y := make([]float32, 3*48)
	_, err = p.Read(y, 1)
	require.NoError(t, err)
	require.Equal(t, y[:48], y[48:96])
	require.ErrorContains(t, p.ReadFile(t.Context(), y, files["a/1.npy"]), "it is an array of numbers, and the others are pictures")
}

func TestStackRefused(t *testing.T) {
	grey := func(h, w uint32) page { return page{h, w, 1, make([]byte, h*w), nil} }
	var many []page
	for range mostChannels + 1 {
		many = append(many, grey(1, 1))
	}
	round := pages(binary.LittleEndian, grey(2, 2))
	binary.LittleEndian.PutUint32(round[len(round)-4:], binary.LittleEndian.Uint32(round[4:]))
	beyond := slices.Clone(round)
	binary.LittleEndian.PutUint32(beyond[len(beyond)-4:], 1<<30)
	nan := []float32{1, float32(math.NaN()), 3, 4}
	for _, c := range []struct {
		file []byte
		want string
	}{
		{asPNG(t, drawn(3, 3, 1)), "it is neither an array of .npy nor a TIFF"},
		{asNPY(t, make([]float32, 4), 4), "an array of the shape [4] is neither [channels, height, width] nor [height, width]"},
		{asNPY(t, make([]float32, 4), 1, 1, 2, 2), "an array of the shape [1 1 2 2] is neither"},
		{asNPY(t, make([]float32, 200), 100, 1, 2), "its 100 channels are more than the 64 allowed"},
		{asNPY(t, nil, 3, 0, 2), "the array is empty"},
		{asNPY(t, make([]float32, 4), 2, 2)[:130], "truncated"},
		{asNPY(t, nan, 2, 2), "the value NaN in channel 0, row 0, column 1 is not finite"},
		{pages(binary.LittleEndian, many...), "tiff: there are more than the 64 pages allowed"},
		{pages(binary.LittleEndian, grey(2, 2), grey(2, 3)), "page 2 is of 3x2, and the first of 2x2"},
		{asTIFF(t, drawn(3, 3, 1)), "page 1 is in colour; the channels of a stack are grey pages"},
		{round, "tiff: the directory of page 2 is not in the file, or is that of another page"},
		{beyond, "tiff: the directory of page 2 is not in the file"},
		{pages(binary.LittleEndian), "tiff: there is no page"},
	} {
		var d decoder
		d.stack.want = anyStack
		_, _, err := d.open(c.file)
		if err == nil {
			var p picture
			err = d.decode(t.Context(), &p, image.Rect(0, 0, d.w, d.h), 0)
		}
		require.ErrorContains(t, err, c.want)
	}
	// Small copies of pages do not count.
	small := grey(1, 1)
	small.more = []uint32{tagSubfile, 1}
	var d decoder
	d.stack.want = anyStack
	h, w, err := d.open(pages(binary.BigEndian, grey(2, 3), small, grey(2, 3)))
	require.NoError(t, err)
	require.Equal(t, []int{2, 2, 3}, []int{d.stack.channels, h, w})

	for op, step := range map[string]Step{
		"brightness": {Op: Brightness, Lo: 1, Hi: 1, P: 1}, "hue": {Op: Hue, P: 1}, "grey": {Op: Grey, P: 1}, "randaugment": {Op: RandAugment, H: 1, P: 1}, "erase": {Op: Erase, Lo: 0.1, Hi: 0.2, P: 1},
	} {
		require.EqualError(t, Augment{step}.checkStack(4), "augmentation "+op+" is for pictures in colour or grey, not for stacks of 4 channels")
	}
}

// Samples in memory of any number of channels, and of any range.
func TestAugmentedStack(t *testing.T) {
	train, _, err := NewSynthetic(SyntheticOptions{Shape: tensor.Shape{5, 9, 9}, Train: 10, Test: 1})
	require.NoError(t, err)
	test, varied, err := Augmented(train, Augment{{Op: Flip, P: 1}}, nil)
	require.NoError(t, err)
	x, y, z := make([]float32, 405), make([]float32, 405), make([]float32, 405)
	_, err = train.Read(x, 3)
	require.NoError(t, err)
	_, err = test.Read(y, 3)
	require.NoError(t, err)
	require.Equal(t, x, y)
	_, err = varied.ReadVaried(z, 3, 1, 1)
	require.NoError(t, err)
	for i := range z {
		require.Equal(t, x[i-i%9+8-i%9], z[i])
	}
	require.Zero(t, testing.AllocsPerRun(10, func() { varied.ReadVaried(z, 3, 1, 1) }))
}

func FuzzStack(f *testing.F) {
	m := drawn(7, 5, 1)
	values, pixels := planesOf(m)
	f.Add(asNPY(f, values, 3, 7, 5))
	f.Add(asByteNPY(pixels, "3, 7, 5"))
	f.Add(pagesOf(m, binary.LittleEndian, false))
	f.Add(pagesOf(m, binary.BigEndian, true))
	f.Add(asTIFF(f, greyOf(m)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d decoder
		d.stack.want = anyStack
		h, w, err := d.open(b)
		if err != nil || h*w > 1<<20 {
			return
		}
		region := image.Rect(0, 0, w, h)
		require.LessOrEqual(t, d.memory(region, 0), int64(largestDecoded))
		var p picture
		if d.decode(t.Context(), &p, region, 0) != nil {
			return
		}
		require.Len(t, p.used(), d.stack.channels)
		for _, q := range p.used() {
			require.Equal(t, h*w, len(q.pix)+len(q.values))
		}
	})
}
