package data

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSelectClasses(t *testing.T) {
	words := []string{"ant", "bee", "cat", "caf\u00e9", "0-1"}
	digits := []string{"1", "10", "2"}
	for _, c := range []struct {
		classes []string
		text    string
		want    []string
	}{
		{words[:4], "0-2", words[:3]},
		{words[:4], "3,0,0-1", []string{"ant", "bee", "caf\u00e9"}},
		{words[:4], "cat,0", []string{"ant", "cat"}},
		{words[:4], "cafe\u0301", []string{"caf\u00e9"}},
		{words, "0-1", []string{"0-1"}},
		{words, "0-2", words[:3]},
		{digits, "2,1", []string{"1", "2"}},
	} {
		names, err := selectClasses(c.classes, c.text)
		require.NoError(t, err)
		require.Equal(t, c.want, names, c.text)
	}
	for text, classes := range map[string][]string{"dog": words, "5": words, "3-2": words, "-1": words, "": words, "ant,": words, "0": digits, "1-2": digits, "0-99999999999": words, "1-x": words} {
		_, err := selectClasses(classes, text)
		require.ErrorContains(t, err, "is neither a class nor the numbers of classes; there are ", text)
	}
	_, err := selectClasses(digits, "1,3")
	require.EqualError(t, err, `-classes "1,3": "3" is neither a class nor the numbers of classes; there are 3: 1, 10, 2`)
}

func TestOfClasses(t *testing.T) {
	f := numberedFiles(3, 2, 4)
	f.skip(0, "c1/bad.jpg", "it is bad")
	p, err := f.ofClasses([]string{"c0", "c2"})
	require.NoError(t, err)
	require.Equal(t, []string{"c0", "c2"}, p.Classes())
	require.Equal(t, f.Skipped(), p.Skipped())
	require.Equal(t, 7, p.Len())
	for i := range p.Len() {
		require.Equal(t, p.Classes()[p.Label(i)], p.Name(i)[:2])
	}
	require.Equal(t, []string{"c0", "c1", "c2"}, f.Classes(), "the set itself is unchanged")
	require.EqualValues(t, 2, f.Label(8))
}

// Of each class there are n pictures or all, fewer are among more, another seed takes
// others, and what is drawn of a class does not depend on the other classes.
func TestEach(t *testing.T) {
	names := func(f *Files) map[string]bool {
		all := map[string]bool{}
		for i := range f.Len() {
			all[f.Name(i)] = true
			require.True(t, i == 0 || f.Name(i-1) < f.Name(i), "in the order of the set")
		}
		return all
	}
	f := numberedFiles(50, 3, 40)
	few, more := names(f.each(5, 1)), names(f.each(20, 1))
	require.Len(t, few, 5+3+5)
	require.Len(t, more, 20+3+20)
	for name := range few {
		require.Contains(t, more, name)
	}
	require.NotEqual(t, few, names(f.each(5, 2)))
	alone := names(numberedFiles(50).each(5, 1))
	for name := range alone {
		require.Contains(t, few, name)
	}
	for text, want := range map[string][2]int{"20": {20, 1}, "3@7": {3, 7}, "1@0": {1, 0}} {
		n, seed, err := parseEach(text)
		require.NoError(t, err)
		require.Equal(t, want, [2]int{n, int(seed)})
	}
	for _, text := range []string{"", "0", "-3", "x", "3@", "3@-1", "0.1"} {
		_, _, err := parseEach(text)
		require.ErrorContains(t, err, "it is a number of pictures from 1, such as 20, or with a seed, 20@7", text)
	}
}

// Classes are chosen of all parts, and the number of pictures is that of the training set.
func TestSelectionOfParts(t *testing.T) {
	dir := photoSets(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	count := func(f *Files) int {
		if f == nil {
			return -1
		}
		return f.Len()
	}
	for _, c := range []struct {
		spec PhotoSpec
		want [3]int
	}{
		{PhotoSpec{Train: at("flat"), Val: at("other"), Each: "3"}, [3]int{6, 3, -1}},
		{PhotoSpec{Train: at("flat"), Val: at("other"), Classes: "red", Each: "3"}, [3]int{3, 2, -1}},
		{PhotoSpec{Train: at("parts"), Classes: "0", Each: "2"}, [3]int{2, 1, 2}},
		{PhotoSpec{Train: at("flat"), Split: "0.25", Classes: "1"}, [3]int{2, 2, 0}},
	} {
		train, val, test, err := openParts(t.Context(), c.spec, nil)
		require.NoError(t, err)
		require.Equal(t, c.want, [3]int{count(train), count(val), count(test)}, "%v", c.spec)
		for _, p := range []*Files{train, val, test} {
			if p != nil && c.spec.Classes != "" {
				require.Len(t, p.Classes(), 1)
			}
		}
	}
	_, _, _, err := openParts(t.Context(), PhotoSpec{Train: at("flat"), Classes: "2"}, nil)
	require.ErrorContains(t, err, `-classes "2"`)
	_, _, _, err = openParts(t.Context(), PhotoSpec{Train: at("flat"), Each: "0"}, nil)
	require.ErrorContains(t, err, `-each "0": it is a number of pictures`)

	augment, err := ParseAugment("resize=8x8")
	require.NoError(t, err)
	known := Preprocess{Augment: augment, Scale: 1}
	for _, c := range []struct {
		spec    PhotoSpec
		classes []string
		want    int
	}{
		{PhotoSpec{Train: at("flat"), Classes: "red", Each: "1"}, []string{"red"}, 4},
		{PhotoSpec{Train: at("flat"), Val: at("parts/test"), Classes: "0"}, []string{"blue", "green"}, 2},
		{PhotoSpec{Train: at("flat"), Split: "0.25", Classes: "red"}, []string{"red"}, 2},
	} {
		photos, _, err := OpenTestPhotos(t.Context(), c.spec, known, c.classes, PhotoOptions{})
		require.NoError(t, err)
		require.Equal(t, c.want, photos.Len(), "%v", c.spec)
	}
	_, _, err = OpenTestPhotos(t.Context(), PhotoSpec{Train: at("flat"), Classes: "0-1"}, known, []string{"red"}, PhotoOptions{})
	require.ErrorContains(t, err, `is of the class "blue", which the training set does not have`)
	_, _, err = OpenTestPhotos(t.Context(), PhotoSpec{Train: at("flat"), Classes: "9"}, known, []string{"red"}, PhotoOptions{})
	require.ErrorContains(t, err, `-classes "9"`)
}
