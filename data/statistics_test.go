package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"
	"gorgonia.org/tensor"
)

// lumpy is a set of samples [3,2,2] whose channels lie along two directions.
type lumpy struct{ n int }

func (lumpy) Shape() tensor.Shape { return tensor.Shape{3, 2, 2} }
func (l lumpy) Len() int          { return l.n }
func (lumpy) Classes() []string   { return []string{"a"} }
func (lumpy) Read(dst []float32, i int) (int32, error) {
	if i%50 == 7 {
		return 0, fmt.Errorf("sample %d is damaged", i)
	}
	for p := range 4 {
		a := float32((i*37+p*11)%64) - 31.5
		b := float32((i*53+p*29)%16) - 7.5
		dst[p], dst[4+p], dst[8+p] = 128+a, 100+a+b, 90+a-b
	}
	return 0, nil
}

func TestMeasure(t *testing.T) {
	set := lumpy{n: 1000}
	s, bad, err := Measure(t.Context(), set, MeasureOptions{Workers: 1, Whole: true})
	require.NoError(t, err)
	require.Len(t, bad, 20)
	require.Equal(t, 7, bad[0].Sample)
	require.EqualError(t, bad[19].Err, "sample 957 is damaged")

	// Against plain sums.
	var mean [3]float64
	x := make([]float32, 12)
	n := 0.
	for i := range set.n {
		if _, err := set.Read(x, i); err != nil {
			continue
		}
		for j, v := range x {
			mean[j/4] += float64(v)
		}
		n += 4
	}
	var cov [3][3]float64
	for i := range set.n {
		if _, err := set.Read(x, i); err != nil {
			continue
		}
		for p := range 4 {
			for a := range 3 {
				for b := range 3 {
					cov[a][b] += (float64(x[4*a+p]) - mean[a]/n) * (float64(x[4*b+p]) - mean[b]/n) / n
				}
			}
		}
	}
	for c := range 3 {
		require.InDelta(t, mean[c]/n, s.Mean[c], 1e-4)
		require.InDelta(t, math.Sqrt(cov[c][c]), s.Deviation[c], 1e-4)
		// An eigenvector: cov v = lambda v.
		v := s.Components[3*c : 3*c+3]
		for a := range 3 {
			require.InDelta(t, 255*255*s.Variances[c]*v[a], cov[a][0]*v[0]+cov[a][1]*v[1]+cov[a][2]*v[2], 1e-6)
		}
	}
	require.Greater(t, s.Variances[0], s.Variances[1])
	require.InDelta(t, 0, s.Variances[2], 1e-9, "there are two directions")
	require.Len(t, s.MeanImage, 12)
	require.InDelta(t, (s.MeanImage[0]+s.MeanImage[1]+s.MeanImage[2]+s.MeanImage[3])/4, s.Mean[0], 1e-3)

	// The same bits for any number of workers.
	text, err := json.Marshal(s)
	require.NoError(t, err)
	for _, workers := range []int{2, 5} {
		again, badAgain, err := Measure(t.Context(), set, MeasureOptions{Workers: workers, Whole: true})
		require.NoError(t, err)
		require.Equal(t, bad, badAgain)
		textAgain, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(text), string(textAgain))
		require.Equal(t, s.whole.RawSymmetric().Data, again.whole.RawSymmetric().Data)
	}

	ctx, cancel := context.WithCancel(t.Context())
	_, _, err = Measure(ctx, set, MeasureOptions{Workers: 3, Progress: func(int, int) { cancel() }})
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = Measure(t.Context(), wide{numbered{n: 3}}, MeasureOptions{Whole: true})
	require.ErrorContains(t, err, "whitening of whole samples needs at most 3072 values")
}

func TestParseNormal(t *testing.T) {
	for text, want := range map[string]Normal{
		"none":                      {Scale: 1},
		"mean,scale=0.5":            {Mean: true, Scale: 0.5},
		"mean-image":                {MeanImage: true, Scale: 1},
		"mean,std":                  {Mean: true, Deviation: true, Scale: 1},
		"whiten":                    {Whiten: true, Scale: 1},
		"whiten-colours,scale=0.01": {WhitenColours: true, Scale: 0.01},
	} {
		n, err := ParseNormal(text)
		require.NoError(t, err)
		require.Equal(t, want, n, text)
	}
	for text, want := range map[string]string{
		"":                      `preprocessing "" is unknown; there are mean, mean-image, std`,
		"mena":                  `preprocessing "mena" is unknown`,
		"scale":                 `preprocessing "scale" is unknown`,
		"mean=3":                `preprocessing "mean=3" is unknown`,
		"scale=0":               "the scale is a number other than 0",
		"scale=x":               "the scale is a number other than 0",
		"mean,mean-image":       "contradict",
		"std,whiten":            "contradict",
		"whiten,whiten-colours": "contradict",
	} {
		_, err := ParseNormal(text)
		require.ErrorContains(t, err, want, text)
	}
}

// After whitening, the covariance is the unit matrix, but for the share of the
// mean variance that keeps it finite.
func TestWhitening(t *testing.T) {
	set := lumpy{n: 800}
	s, _, err := Measure(t.Context(), set, MeasureOptions{Whole: true})
	require.NoError(t, err)
	for _, text := range []string{"whiten-colours", "whiten"} {
		n, err := ParseNormal(text)
		require.NoError(t, err)
		p, err := n.Preprocess(nil, s)
		require.NoError(t, err)
		require.NoError(t, p.Check(set.Shape()))
		white, _, err := Measure(t.Context(), preprocessed{set, p}, MeasureOptions{Whole: true})
		require.NoError(t, err)
		c := mat.NewSymDense(3, white.Covariance)
		if text == "whiten" {
			c = white.whole
		}
		varies := 0
		for a := range c.SymmetricDim() {
			require.InDelta(t, 0, white.Mean[0], 1e-4)
			for b := range a {
				require.InDelta(t, c.At(a, b), c.At(b, a), 1e-9)
			}
			if c.At(a, a) > 0.3 {
				varies++
			}
			require.Less(t, c.At(a, a), 1.01)
		}
		require.Equal(t, c.SymmetricDim(), varies)
	}
	_, err = whiten(mat.NewSymDense(3, s.Covariance), 0)
	require.ErrorContains(t, err, "do not vary")
}

// preprocessed applies a Preprocess to a set.
type preprocessed struct {
	lumpy
	p Preprocess
}

func (d preprocessed) Read(dst []float32, i int) (int32, error) {
	l, err := d.lumpy.Read(dst, i)
	d.p.Apply(dst)
	return l, err
}

func TestFloats(t *testing.T) {
	short, long := Floats{1, 2.5}, make(Floats, 100)
	for i := range long {
		long[i] = float32(i) / 7
	}
	for _, f := range []Floats{nil, short, long} {
		text, err := json.Marshal(f)
		require.NoError(t, err)
		var back Floats
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, f, back)
	}
	var f Floats
	require.Error(t, json.Unmarshal([]byte(`"AAA="`), &f))
	require.Error(t, json.Unmarshal([]byte(`"!"`), &f))
	require.Error(t, json.Unmarshal([]byte(`{}`), &f))
}

func TestCheckLeavesOutAndRemembers(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	j := asJPEG(t, drawn(20, 20, 0))
	writeTree(t, dir, map[string][]byte{"a/1.jpg": j, "a/2.jpg": j[:300], "b/1.jpg": j, "b/2.jpg": []byte("GIF89a")})
	a := Augment{{Op: Crop, H: 16, P: 1}}
	check := func() (*Files, *Statistics, int) {
		f, err := OpenFiles(dir)
		require.NoError(t, err)
		looks := 0
		s, err := f.Check(t.Context(), a, CheckOptions{Cache: cache, MeasureOptions: MeasureOptions{Progress: func(int, int) { looks++ }}})
		require.NoError(t, err)
		return f, s, looks
	}
	f, s, looks := check()
	require.Positive(t, looks)
	require.Equal(t, []string{"a/1.jpg a", "b/1.jpg b"}, listing(f))
	require.Equal(t, map[string]string{"a/2.jpg": "truncated", "b/2.jpg": "truncated"}, skips(f))
	again, sAgain, looks := check()
	require.Zero(t, looks, "it was remembered")
	require.Equal(t, listing(f), listing(again))
	require.Equal(t, f.Skipped(), again.Skipped())
	for _, text := range []string{"mean-image,std", "whiten-colours"} {
		n, err := ParseNormal(text)
		require.NoError(t, err)
		want, err := n.Preprocess(a, s)
		require.NoError(t, err)
		got, err := n.Preprocess(a, sAgain)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}

	require.NoError(t, os.WriteFile(filepath.Join(dir, "a", "2.jpg"), j, 0o666))
	f, _, looks = check()
	require.Positive(t, looks, "a file has changed")
	require.Equal(t, 3, f.Len())
	entries, err := os.ReadDir(cache)
	require.NoError(t, err)
	for _, damaged := range []string{"{", "{}", `{"Bad":[1]}`} { // such caches are made again
		for _, e := range entries {
			require.NoError(t, os.WriteFile(filepath.Join(cache, e.Name()), []byte(damaged), 0o666))
		}
		_, s, looks = check()
		require.Positive(t, looks)
		require.NotNil(t, s, damaged)
	}
}

// A reason is what an error wraps, without the name before it, or the error itself.
func TestReasonOf(t *testing.T) {
	inner := errors.New("it is cut off")
	require.Equal(t, "it is cut off", reasonOf(fmt.Errorf("a.jpg: %w", inner)))
	require.Equal(t, "it is cut off", reasonOf(inner))
}
