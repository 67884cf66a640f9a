package data

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/device"
)

// The parts of a data set.
const (
	TrainPart = "train"
	ValPart   = "val"
	TestPart  = "test"
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
// nothing.
func ReadSplitList(r io.Reader) (map[string]string, error) {
	list := map[string]string{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexAny(line, " \t")
		name, part := strings.TrimSpace(line[:max(i, 0)]), line[i+1:]
		if name == "" || part != TrainPart && part != ValPart && part != TestPart {
			return nil, fmt.Errorf("line %d is not a name and one of train, val and test", n)
		}
		name = cleaned(name)
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

// Parts divides the files. Files that a list does not name are in no part. By
// shares, each class is divided on its own, and which files go where depends
// on the seed and on the order of the class's files alone; a class keeps at
// least one file to train on.
func (f *Files) Parts(s Split) (train, val, test *Files, err error) {
	var in [3][]int
	if s.List != nil {
		missing := maps.Clone(s.List)
		for i := range f.files {
			name := cleaned(f.files[i].name)
			if p, ok := s.List[name]; ok {
				delete(missing, name)
				k := slices.Index([]string{TrainPart, ValPart, TestPart}, p)
				in[k] = append(in[k], i)
			}
		}
		for _, skip := range f.skipped { // they are there, and reported
			delete(missing, cleaned(strings.TrimPrefix(skip.Name, skip.shard)))
		}
		if len(missing) > 0 && len(f.files) > 0 {
			return nil, nil, nil, fmt.Errorf("%d of the %d files that the list of the split names are not in %s, such as %s; names there are like %s",
				len(missing), len(s.List), f.shards[0], slices.Min(slices.Collect(maps.Keys(missing))), cleaned(f.files[0].name))
		}
	} else {
		in = f.shares(s)
	}
	if len(in[0]) == 0 {
		return nil, nil, nil, fmt.Errorf("the split of %s leaves nothing to train on", f.shards[0])
	}
	return f.part(in[0]), f.part(in[1]), f.part(in[2]), nil
}

// shares draws the files of each part, in the order of the set.
func (f *Files) shares(s Split) (in [3][]int) {
	ofClass := make([][]int, len(f.classes))
	for i := range f.files {
		l := f.files[i].label
		ofClass[l] = append(ofClass[l], i)
	}
	r := device.Random{Seed: s.Seed, Stream: splitStream}
	draw := make([]uint64, len(f.files))
	for class, files := range ofClass {
		for k, i := range files {
			words := r.Block(class, k)
			draw[i] = uint64(words[0])<<32 | uint64(words[1])
		}
		slices.SortFunc(files, func(a, b int) int {
			return cmp.Or(cmp.Compare(draw[a], draw[b]), cmp.Compare(a, b))
		})
		n := float64(len(files))
		val := int(math.Round(n * s.Val))
		test := int(math.Round(n*(s.Val+s.Test))) - val
		for over := val + test - len(files) + 1; over > 0; over-- {
			if test > 0 {
				test--
			} else if val > 0 {
				val--
			}
		}
		in[1] = append(in[1], files[:val]...)
		in[2] = append(in[2], files[val:val+test]...)
		in[0] = append(in[0], files[val+test:]...)
	}
	for k := range in {
		slices.Sort(in[k])
	}
	return in
}
