package data

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPhotoSpec(t *testing.T) {
	for text, s := range map[string]PhotoSpec{
		"a":                        {Train: "a"},
		"a -val b":                 {Train: "a", Val: "b"},
		"a -split 0.1":             {Train: "a", Split: "0.1"},
		"a b -val c d -split 0.1@": {Train: "a b", Val: "c d", Split: "0.1@"},
		"a -classes 0-2":           {Train: "a", Classes: "0-2"},
		"a -val b -each 9@2":       {Train: "a", Val: "b", Each: "9@2"},
		"a -split 0.1 -classes big cat,dog -each 3": {Train: "a", Split: "0.1", Classes: "big cat,dog", Each: "3"},
	} {
		require.Equal(t, text, s.String())
		require.Equal(t, s, ParsePhotoSpec(text))
	}
}

// photoSets are folders of pictures of two classes, each of one colour: "flat" of
// 8 files, "other" of 2 and a file that is torn, "parts" with three parts, and
// "two" with one to test on.
func photoSets(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	files := map[string][]byte{}
	for i := range 4 {
		for _, class := range []string{"blue", "red"} {
			file := asPNG(t, drawn(8, 8, i))
			name := class + "/" + string(rune('1'+i)) + ".png"
			files["flat/"+name] = file
			if i == 0 {
				files["other/"+name] = file
				files["parts/val/"+name] = file
				files["two/test/"+name] = file
			}
			if i < 2 {
				files["parts/test/"+name] = file
			}
			if i < 3 {
				files["parts/train/"+name], files["two/train/"+name] = file, file
			}
		}
	}
	files["other/red/torn.png"] = []byte("torn")
	writeTree(t, dir, files)
	return dir
}

// lens are the numbers of pictures of the parts, -1 for one that is not there.
func lens(s *PhotoSets) [3]int {
	of := [3]int{s.Train.Len(), -1, -1}
	for i, p := range []*Photos{s.Val, s.Test} {
		if p != nil {
			of[1+i] = p.Len()
		}
	}
	return of
}

func TestOpenPhotos(t *testing.T) {
	dir := photoSets(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("list.txt"), []byte("blue/1.png train\nred/1.png val\n"), 0o666))
	augment, err := ParseAugment("resize=8x8,flip")
	require.NoError(t, err)
	normal, err := ParseNormal("mean")
	require.NoError(t, err)
	o := PhotoOptions{Augment: augment, Normal: normal}
	for _, c := range []struct {
		spec    PhotoSpec
		lens    [3]int
		parts   string
		skipped int
	}{
		{PhotoSpec{Train: at("flat")}, [3]int{8, -1, -1}, "", 0},
		{PhotoSpec{Train: at("flat"), Val: at("other")}, [3]int{8, 2, -1}, "", 1},
		{PhotoSpec{Train: at("other"), Val: at("flat")}, [3]int{2, 8, -1}, "", 1},
		{PhotoSpec{Train: at("flat"), Split: "0.25"}, [3]int{6, 2, -1}, "", 0},
		{PhotoSpec{Train: at("flat"), Split: "0.25,0.25"}, [3]int{4, 2, 2}, "", 0},
		{PhotoSpec{Train: at("flat"), Split: "0,0.25"}, [3]int{6, -1, 2}, "", 0},
		{PhotoSpec{Train: at("flat"), Split: at("list.txt")}, [3]int{1, 1, -1}, "", 0},
		{PhotoSpec{Train: at("parts")}, [3]int{6, 2, 4}, "train val test", 0},
		{PhotoSpec{Train: at("two")}, [3]int{6, 2, -1}, "train test", 0},
		{PhotoSpec{Train: at("parts/train"), Val: at("parts/test")}, [3]int{6, 4, -1}, "", 0},
	} {
		s, err := OpenPhotos(t.Context(), c.spec, o)
		require.NoError(t, err, c.spec)
		got := lens(s)
		if strings.HasPrefix(c.spec.Split, "0") { // which files depends on the names
			require.Equal(t, 8, max(got[0], 0)+max(got[1], 0)+max(got[2], 0), c.spec)
			require.Equal(t, c.lens[2] < 0, got[2] < 0, c.spec)
			require.Equal(t, c.lens[1] < 0, got[1] < 0, c.spec)
			require.GreaterOrEqual(t, got[0], 2)
		} else {
			require.Equal(t, c.lens, got, c.spec)
		}
		require.Equal(t, c.parts, strings.Join(s.Parts, " "), c.spec)
		require.Len(t, s.Skipped, c.skipped, c.spec)
		require.Equal(t, []string{"blue", "red"}, s.Train.Classes())
		require.Equal(t, augment, s.Preprocess.Augment)
		require.Len(t, s.Preprocess.Mean, 3)
		require.NotNil(t, s.Preprocess.Statistics)
		if s.Val != nil {
			x := make([]float32, 3*8*8)
			_, err := s.Val.Read(x, 0)
			require.NoError(t, err)
		}
	}

	// What is left out is an error where that is asked for.
	spec := PhotoSpec{Train: at("flat"), Val: at("other")}
	strict := o
	strict.Strict = true
	_, err = OpenPhotos(t.Context(), spec, strict)
	require.EqualError(t, err, "files that cannot be used: 1; red/torn.png: it is not a JPEG, PNG, GIF, BMP, TIFF or WebP, for one")
	_, err = OpenPhotos(t.Context(), PhotoSpec{Train: at("flat")}, strict)
	require.NoError(t, err)

	// The preprocessing of a network that is trained already stays.
	s, err := OpenPhotos(t.Context(), spec, o)
	require.NoError(t, err)
	known := s.Preprocess
	known.Augment = known.Augment[:1]
	other := o
	other.Augment, other.Normal, other.Known = nil, Normal{Whiten: true}, &known
	s, err = OpenPhotos(t.Context(), PhotoSpec{Train: at("other"), Val: at("flat")}, other)
	require.NoError(t, err)
	require.Equal(t, known, s.Preprocess)
	known.Statistics = nil
	s, err = OpenPhotos(t.Context(), spec, other)
	require.NoError(t, err)
	require.NotNil(t, s.Preprocess.Statistics)
	require.Nil(t, known.Statistics)
	require.Len(t, s.Preprocess.Statistics.Mean, 3)

	// Whitened whole: the covariances are of the samples, and of the training set.
	whole := o
	whole.Normal = Normal{Whiten: true}
	whole.Augment, err = ParseAugment("resize=2x2,grey")
	require.NoError(t, err)
	s, err = OpenPhotos(t.Context(), spec, whole)
	require.NoError(t, err)
	require.Len(t, s.Preprocess.Whiten, 16)

	for want, c := range map[string]struct {
		spec PhotoSpec
		o    PhotoOptions
	}{
		at("parts") + ` has parts, "train" and "val" and "test": leave -val and -split out, or name the folder of one part`: {PhotoSpec{Train: at("parts"), Split: "0.1"}, o},
		at("two") + ` has parts, "train" and "test": leave -val and -split out, or name the folder of one part`:             {PhotoSpec{Train: at("two"), Val: at("flat")}, o},
		`"half" is neither shares, such as 0.1 or 0.1,0.2, nor a file with a list`:                                          {PhotoSpec{Train: at("flat"), Split: "half"}, o},
		ErrNoSize.Error(): {PhotoSpec{Train: at("flat")}, PhotoOptions{}},
	} {
		_, err := OpenPhotos(t.Context(), c.spec, c.o)
		require.EqualError(t, err, want)
	}
	for _, spec := range []PhotoSpec{{Train: at("none")}, {Train: at("flat"), Val: at("none")}} {
		_, err := OpenPhotos(t.Context(), spec, o)
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	require.NoError(t, os.Rename(at("flat/red"), at("flat/green")))
	_, err = OpenPhotos(t.Context(), PhotoSpec{Train: at("parts/train"), Val: at("flat")}, o)
	require.ErrorContains(t, err, "green")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, spec := range []PhotoSpec{{Train: at("flat")}, {Train: at("parts")}} {
		_, err = OpenPhotos(ctx, spec, o)
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestOpenTestPhotos(t *testing.T) {
	dir := photoSets(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	augment, err := ParseAugment("resize=8x8,flip")
	require.NoError(t, err)
	known := Preprocess{Augment: augment}
	require.NoError(t, os.WriteFile(at("list.txt"), []byte("blue/1.png train\nred/1.png test\nred/2.png test\nred/3.png val\n"), 0o666))
	require.NoError(t, os.WriteFile(at("val.txt"), []byte("blue/1.png train\nred/1.png val\n"), 0o666))
	require.NoError(t, os.WriteFile(at("train.txt"), []byte("blue/1.png train\n"), 0o666))
	for _, c := range []struct {
		spec    PhotoSpec
		n       int
		skipped int
	}{
		{PhotoSpec{Train: at("flat")}, 8, 0},
		{PhotoSpec{Train: at("flat"), Val: at("other")}, 2, 1},
		{PhotoSpec{Train: at("none"), Val: at("flat")}, 8, 0},
		{PhotoSpec{Train: at("parts")}, 4, 0},
		{PhotoSpec{Train: at("two")}, 2, 0},
		{PhotoSpec{Train: at("flat"), Split: at("list.txt")}, 2, 0},
		{PhotoSpec{Train: at("flat"), Split: at("val.txt")}, 1, 0},
	} {
		p, skipped, err := OpenTestPhotos(t.Context(), c.spec, known, []string{"red", "blue", "green"}, PhotoOptions{})
		require.NoError(t, err, c.spec)
		require.Equal(t, c.n, p.Len(), c.spec)
		require.Len(t, skipped, c.skipped, c.spec)
		require.Equal(t, []string{"red", "blue", "green"}, p.Classes())
		x := make([]float32, 3*8*8)
		label, err := p.Read(x, p.Len()-1)
		require.NoError(t, err)
		require.Zero(t, label, "red is first in the network's classes")
	}
	classes := []string{"blue", "red"}
	_, _, err = OpenTestPhotos(t.Context(), PhotoSpec{Val: at("other")}, known, classes, PhotoOptions{Strict: true})
	require.EqualError(t, err, "files that cannot be used: 1; red/torn.png: it is not a JPEG, PNG, GIF, BMP, TIFF or WebP, for one")
	_, _, err = OpenTestPhotos(t.Context(), PhotoSpec{Train: at("flat"), Split: at("train.txt")}, known, classes, PhotoOptions{})
	require.EqualError(t, err, at("flat")+" -split "+at("train.txt")+" has nothing to test on")
	_, _, err = OpenTestPhotos(t.Context(), PhotoSpec{Train: at("flat")}, known, []string{"blue", "green"}, PhotoOptions{})
	require.ErrorContains(t, err, "red")
	_, _, err = OpenTestPhotos(t.Context(), PhotoSpec{Train: at("flat")}, Preprocess{}, classes, PhotoOptions{})
	require.Equal(t, ErrNoSize, err)
	for _, spec := range []PhotoSpec{{Train: at("none")}, {Val: at("none")}, {Train: at("none"), Split: "0.1"}} {
		_, _, err = OpenTestPhotos(t.Context(), spec, known, classes, PhotoOptions{})
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

// Where the cache is, with and without a home.
func TestUserCache(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv("HOME", dir)
	t.Setenv("LocalAppData", dir)
	want, err := os.UserCacheDir()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(want, "hubel", "pictures"), UserCache())
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(name, "")
	}
	require.Empty(t, UserCache())
}

func TestDataSetNames(t *testing.T) {
	require.Contains(t, Names(), "emnist-letters")
	require.Equal(t, "mnist", Names()[0])
	require.Equal(t, "synthetic", Names()[len(Names())-1])
	dir := t.TempDir()
	require.True(t, IsPath(dir))
	require.False(t, IsPath(filepath.Join(dir, "none")))
	t.Chdir(dir)
	require.NoError(t, os.WriteFile("mnist", nil, 0o666))
	require.NoError(t, os.WriteFile("pictures", nil, 0o666))
	require.False(t, IsPath("mnist"), "which Open knows")
	require.False(t, IsPath("mnist:pictures"))
	require.True(t, IsPath("pictures"))
}
