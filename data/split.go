package data

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/internal/plain"
)

// Split says how one set becomes three: by shares of each class, or by a list.
type Split struct {
	Val, Test float64           // shares, 0 to 1
	List      map[string]string // the part of each file, by name; nil for shares
	Seed      uint64            // of the shares
}

// ParseSplit reads "0.1", the share of validation; "0.1,0.2", those of
// validation and test; either with a seed other than 1 behind it, "0.1@7"; or
// the name of a file that ReadSplitList reads.
func ParseSplit(text string) (s Split, err error) {
	shares, seed, seeded := strings.Cut(text, "@")
	val, test, two := strings.Cut(shares, ",")
	s.Seed = 1
	var err2, err3 error
	s.Val, err = strconv.ParseFloat(val, 64)
	if two {
		s.Test, err2 = strconv.ParseFloat(test, 64)
	}
	if seeded {
		s.Seed, err3 = strconv.ParseUint(seed, 10, 64)
	}
	if err == nil && err2 == nil && err3 == nil {
		if !(s.Val >= 0 && s.Test >= 0 && s.Val+s.Test > 0 && s.Val+s.Test < 1) {
			return s, fmt.Errorf("a split of %s: shares are at least 0, and something must be left to train on", text)
		}
		return s, nil
	}
	f, err := os.Open(text)
	if errors.Is(err, os.ErrNotExist) {
		return s, fmt.Errorf("%q is neither shares, such as 0.1 or 0.1,0.2, nor a file with a list", text)
	}
	if err != nil {
		return s, err
	}
	defer f.Close()
	if s.List, err = ReadSplitList(f); err != nil {
		return s, fmt.Errorf("%s: %w", text, err)
	}
	return s, nil
}

// ReadSplitList reads lines of a file's name and its part, which is train, val
// or test, with space between. Empty lines and those that begin with # say
// nothing. A byte-order mark says whether the text is UTF-8 or UTF-16.
func ReadSplitList(r io.Reader) (map[string]string, error) {
	list := map[string]string{}
	lines := bufio.NewScanner(plain.Text(r))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexAny(line, " \t")
		name, part := canonical(strings.TrimSpace(line[:max(i, 0)])), line[i+1:]
		if name == "" || !slices.Contains(partNames[:], part) {
			return nil, fmt.Errorf("line %d is not a name and one of train, val and test", n)
		}
		if before, ok := list[name]; ok && before != part {
			return nil, fmt.Errorf("line %d puts %s into %s, but it is in %s already", n, name, part, before)
		}
		list[name] = part
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return list, nil
}

// Parts divides the files: by the list, which may leave out the folders that all
// files share, and whose other files are in no part; or by shares, where what
// part a file is in depends on the seed and on its name alone. So it is the same
// however files are stored, and more files move none of those before them. Files of
// one name in several tar files are in one part, unless the name is WebDataset's
// key, of which each tar file has its own.
//
// A class has its share of files on average, then: of n files and a share p it
// is a binomial number, of the deviation sqrt(n*p*(1-p)). Where that is none,
// but n*p rounds to one or more, the part has the file whose number is nearest to
// its own, and a class keeps at least one file to train on.
func (f *Files) Parts(s Split) (train, val, test *Files, err error) {
	in := [3][]int{}
	if s.List != nil {
		in, err = f.listed(s.List)
	} else {
		in = f.shares(s)
	}
	if err == nil && len(in[0]) == 0 {
		err = fmt.Errorf("the split of %s leaves nothing to train on", f.shards[0])
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return f.subset(in[0]), f.subset(in[1]), f.subset(in[2]), nil
}

// listed finds the files of each part, in the order of the set.
func (f *Files) listed(list map[string]string) (in [3][]int, err error) {
	known := func(under string) (n int) {
		for i := range f.files {
			if list[under+f.files[i].name] != "" {
				n++
			}
		}
		return n
	}
	under := ""
	if known(f.root) > known("") {
		under = f.root
	}
	missing := maps.Clone(list)
	for i := range f.files {
		name := under + f.files[i].name
		if k := slices.Index(partNames[:], list[name]); k >= 0 {
			delete(missing, name)
			in[k] = append(in[k], i)
		}
	}
	for _, skip := range f.skipped { // they are there, and reported
		name := canonical(strings.TrimPrefix(skip.Name, skip.shard))
		delete(missing, name)
		if short, ok := strings.CutPrefix(name, f.root); ok && under == "" {
			delete(missing, short)
		}
	}
	if len(missing) > 0 && len(f.files) > 0 {
		return in, fmt.Errorf("%d of the %d files that the list of the split names are not in %s, such as %s; names there are like %s",
			len(missing), len(list), f.shards[0], slices.Min(slices.Collect(maps.Keys(missing))), under+f.files[0].name)
	}
	return in, nil
}

// shares draws the files of each part, in the order of the set.
func (f *Files) shares(s Split) (in [3][]int) {
	ofClass := make([][]int, len(f.classes))
	draws := make([]float64, len(f.files))
	same := 0 // files before this one that have its name
	for i := range f.files {
		name := f.files[i].name
		if same = same + 1; i == 0 || f.files[i-1].name != name {
			same = 0
		}
		if f.keyed && same > 0 {
			name = fmt.Sprintf("%s\x00%d", name, same)
		}
		draws[i] = draw(s.Seed, name)
		l := f.files[i].label
		ofClass[l] = append(ofClass[l], i)
	}
	for _, files := range ofClass {
		slices.SortStableFunc(files, func(a, b int) int { return cmp.Compare(draws[a], draws[b]) })
		n := float64(len(files))
		for k, part := range []struct{ share, below float64 }{{s.Val, s.Val}, {s.Test, s.Val + s.Test}} {
			spare := len(files) - 1 // one stays to train on
			if k == 0 && math.Round(n*s.Test) >= 1 && spare > 1 {
				spare--
			}
			end := 0
			for end < spare && draws[files[end]] < part.below {
				end++
			}
			if end == 0 && spare > 0 && math.Round(n*part.share) >= 1 {
				end = 1
			}
			in[1+k] = append(in[1+k], files[:end]...)
			files = files[end:]
		}
		in[0] = append(in[0], files...)
	}
	for k := range in {
		slices.Sort(in[k])
	}
	return in
}

// draw is a number in [0,1) that depends on the seed and the name.
func draw(seed uint64, name string) float64 {
	h := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, seed), name...))
	return float64(binary.LittleEndian.Uint64(h[:])>>11) / (1 << 53)
}
