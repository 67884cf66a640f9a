package data

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/hubel-go/hubel/internal/printable"
)

// selectClasses reads which of a set's classes are meant: their names, or their numbers
// from 0 in the order of the names, or ranges of numbers, with commas between, such as
// "0-2,5" or "cat,dog". If a class is itself called by a number, all items are names. The
// classes come in the order of the set, whatever the order of the items.
func selectClasses(classes []string, text string) ([]string, error) {
	index := map[string]int{}
	numbers := true
	for i, c := range classes {
		index[norm.NFC.String(c)] = i
		if _, err := strconv.Atoi(c); err == nil {
			numbers = false
		}
	}
	chosen := make([]bool, len(classes))
	for item := range strings.SplitSeq(text, ",") {
		if i, ok := index[norm.NFC.String(item)]; ok {
			chosen[i] = true
			continue
		}
		first, last, ranged := strings.Cut(item, "-")
		if !ranged {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if !numbers || err != nil || err2 != nil || from < 0 || from > to || to >= len(classes) {
			return nil, fmt.Errorf("-classes %q: %q is neither a class nor the numbers of classes; there are %d: %s", text, item, len(classes), printable.Names(classes))
		}
		for i := from; i <= to; i++ {
			chosen[i] = true
		}
	}
	var names []string
	for i, c := range classes {
		if chosen[i] {
			names = append(names, c)
		}
	}
	return names, nil
}

// ofClasses is the set of the files of some classes, which are then its only ones.
func (f *Files) ofClasses(names []string) (*Files, error) {
	known := map[string]bool{}
	for _, c := range names {
		known[norm.NFC.String(c)] = true
	}
	var in []int
	for i, e := range f.files {
		if known[norm.NFC.String(f.classes[e.label])] {
			in = append(in, i)
		}
	}
	p := f.subset(in)
	p.skipped = f.skipped
	return p, p.Relabel(names)
}

// parseEach reads a number of pictures of each class, such as "20", perhaps with a seed
// other than 1 behind it, "20@7".
func parseEach(text string) (n int, seed uint64, err error) {
	number, after, seeded := strings.Cut(text, "@")
	n, err = strconv.Atoi(number)
	seed = 1
	var err2 error
	if seeded {
		seed, err2 = strconv.ParseUint(after, 10, 64)
	}
	if err != nil || err2 != nil || n < 1 {
		return 0, 0, errors.New("it is a number of pictures from 1, such as 20, or with a seed, 20@7")
	}
	return n, seed, nil
}

// each is the set of at most n files of each class: those whose draws, which depend on the
// seed and the name, are lowest. So fewer of them are among more.
func (f *Files) each(n int, seed uint64) *Files {
	ofClass := make([][]int, len(f.classes))
	draws := make([]float64, len(f.files))
	for i, e := range f.files {
		draws[i] = draw(seed, e.name)
		ofClass[e.label] = append(ofClass[e.label], i)
	}
	var in []int
	for _, files := range ofClass {
		slices.SortStableFunc(files, func(a, b int) int { return cmp.Compare(draws[a], draws[b]) })
		in = append(in, files[:min(n, len(files))]...)
	}
	slices.Sort(in)
	p := f.subset(in)
	p.skipped = f.skipped
	return p
}
