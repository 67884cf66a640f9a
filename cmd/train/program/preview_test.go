package program

import (
	"image/png"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
)

// With -preprocess each image is drawn before and after. Those after are what training
// feeds, with zero in mid-grey and the largest magnitude in black or white.
func TestPreviewOfPreprocessing(t *testing.T) {
	t.Chdir(t.TempDir())
	tinySet(t, "set")
	require.Equal(t, "6 images of 8x8 from mnist, each before and after -preprocess whiten in p.png\n",
		succeed(t, "-data", "mnist:set", "-preprocess", "whiten", "-preview", "6", "p.png"))
	f, err := os.Open("p.png")
	require.NoError(t, err)
	defer f.Close()
	sheet, err := png.Decode(f)
	require.NoError(t, err)
	const zoom, gap, caption = 16, 4, 13
	require.Equal(t, 8*(8*zoom+gap)+gap, sheet.Bounds().Dx(), "four pairs in a row")
	require.Equal(t, 2*(8*zoom+3*caption+2*gap)+gap, sheet.Bounds().Dy())

	o, err := parse(strings.Fields("-data mnist:set -preprocess whiten,scale=0.5 -preview 6 p.png"))
	require.NoError(t, err)
	p, err := o.openPreview(t.Context(), io.Discard)
	require.NoError(t, err)
	before, after, err := p.draw(7, 0, 1, "9")
	require.NoError(t, err)
	require.Equal(t, []string{"9", "sample 7", "as in a test"}, before.Lines)
	require.Equal(t, []string{"9", "sample 7", "preprocessed"}, after.Lines)
	train, _, err := data.Open("mnist:set", data.OpenOptions{})
	require.NoError(t, err)
	x := make([]float32, 64)
	_, err = train.Read(x, 7)
	require.NoError(t, err)
	require.Equal(t, x, before.Pixels)
	stats, _, err := data.Measure(t.Context(), train, data.MeasureOptions{Whole: true})
	require.NoError(t, err)
	white, err := data.Normal{Whiten: true, Scale: 0.5}.Preprocess(nil, stats)
	require.NoError(t, err)
	white.Apply(x)
	largest := float32(0)
	for _, v := range x {
		largest = max(largest, v, -v)
	}
	extreme := false
	for i, v := range x {
		require.InDelta(t, 127.5+127.5*v/largest, after.Pixels[i], 0.01)
		extreme = extreme || after.Pixels[i] == 0 || after.Pixels[i] == 255
	}
	require.True(t, extreme)

	// An augmentation shows four of each picture, two in a row of cells beside each other.
	require.Contains(t, succeed(t, "-data", "mnist:set", "-augment", "rotate=20", "-preprocess", "mean", "-preview", "5", "p.png"),
		"5 images of 8x8 from mnist, each before and after -preprocess mean in p.png")
	before, after, err = p.draw(7, 2, 1, "9")
	require.NoError(t, err)
	require.Equal(t, "epoch 2", before.Lines[2])
	require.Equal(t, "preprocessed", after.Lines[2])
	o, err = parse(strings.Fields("-data mnist:set -augment mixup=1 -preview 5 p.png"))
	require.NoError(t, err)
	p, err = o.openPreview(t.Context(), io.Discard)
	require.NoError(t, err)
	plain, _, err := p.draw(7, 0, 1, "9")
	require.NoError(t, err)
	require.Equal(t, "9", plain.Lines[0])
	before, _, err = p.draw(7, 1, 1, "9")
	require.NoError(t, err)
	require.Regexp(t, `^\d 0\.\d\d, \d 0\.\d\d$`, before.Lines[0])
	require.NotEqual(t, plain.Pixels, before.Pixels)
	refused(t, `-preprocess: preprocessing "white" is unknown`, "-data", "mnist:set", "-preprocess", "white", "-preview", "6", "p2.png")
	refused(t, "whitening of whole samples needs at most 3072 values in each, not 4096", "-data", "mnist:set", "-augment", "resize=64", "-preprocess", "whiten", "-preview", "6", "p2.png")
}

// Photographs are measured for it.
func TestPreviewOfPreprocessedPhotographs(t *testing.T) {
	inPhotos(t)
	require.Equal(t, "3 images of 12x12 from set, each before and after -preprocess mean,std in out.png\n",
		succeed(t, "-data", "set", "-augment", "crop=12,flip", "-preprocess", "mean,std", "-preview", "3", "out.png"))
	o, err := parse(strings.Fields("-data set -augment crop=12,flip -preprocess mean,std -preview 3 out.png"))
	require.NoError(t, err)
	p, err := o.openPreview(t.Context(), io.Discard)
	require.NoError(t, err)
	_, after, err := p.draw(0, 1, 1, "red")
	require.NoError(t, err)
	require.Equal(t, 3, after.C)
	require.Len(t, after.Pixels, 3*12*12)
	require.Len(t, p.preprocess.Mean, 3)
}
