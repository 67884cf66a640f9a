package data

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// numberedFiles are n files in each of some classes; they need not exist.
func numberedFiles(n ...int) *Files {
	var names []string
	for c, k := range n {
		for i := range k {
			names = append(names, fmt.Sprintf("c%d/%d.jpg", c, i))
		}
	}
	return namedFiles(names)
}

// namedFiles are files of class folders, as they are found.
func namedFiles(names []string) *Files {
	f := &Files{shards: []string{"set"}}
	var found []labelled
	for _, name := range names {
		found = append(found, labelled{file: file{name: name}})
	}
	parts, err := f.divide(found)
	if err != nil {
		panic(err)
	}
	return parts[0]
}

// partsOf is the part of each file.
func partsOf(t *testing.T, f *Files, text string) map[string]string {
	t.Helper()
	s, err := ParseSplit(text)
	require.NoError(t, err)
	train, val, test, err := f.Parts(s)
	require.NoError(t, err)
	parts := map[string]string{}
	for k, p := range []*Files{train, val, test} {
		for i := range p.Len() {
			require.Empty(t, parts[p.Name(i)], "each file is in one part")
			parts[p.Name(i)] = partNames[k]
			require.True(t, i == 0 || p.Name(i-1) <= p.Name(i), "in the order of the set")
		}
	}
	require.Len(t, parts, f.Len())
	return parts
}

func TestSplitShares(t *testing.T) {
	f := numberedFiles(4000, 1000, 1, 2, 6)
	of := partsOf(t, f, "0.2,0.1")
	var n [5]map[string]int
	for name, part := range of {
		c := name[1] - '0'
		if n[c] == nil {
			n[c] = map[string]int{}
		}
		n[c][part]++
	}
	for c, size := range []float64{4000, 1000} { // five deviations: one in two million draws is farther off
		for part, share := range map[string]float64{TrainPart: 0.7, ValPart: 0.2, TestPart: 0.1} {
			require.InDelta(t, size*share, n[c][part], 5*math.Sqrt(size*share*(1-share)), "%d %s", c, part)
		}
	}
	require.Equal(t, map[string]int{TrainPart: 1}, n[2])
	require.NotZero(t, n[3][TrainPart])
	require.NotZero(t, n[4][ValPart], "a fifth of 6 is one or more")
	require.NotZero(t, n[4][TestPart], "as is a tenth, rounded")
	require.NotEqual(t, of, partsOf(t, f, "0.2,0.1@2"))
	require.Equal(t, of, partsOf(t, f, "0.2,0.1@1"))

	// A larger share takes more, and what it had; a test part nothing of validation's.
	for name, part := range partsOf(t, f, "0.3") {
		if of[name] == ValPart {
			require.Equal(t, ValPart, part)
		}
	}
	for name, part := range partsOf(t, f, "0.2") {
		require.Equal(t, of[name] == ValPart, part == ValPart)
	}
	// These decide what runs were trained on: they must not change.
	small := partsOf(t, numberedFiles(4, 4), "0.25,0.25")
	require.Equal(t, map[string]string{
		"c0/0.jpg": ValPart, "c0/1.jpg": TrainPart, "c0/2.jpg": TrainPart, "c0/3.jpg": TestPart,
		"c1/0.jpg": TestPart, "c1/1.jpg": TrainPart, "c1/2.jpg": ValPart, "c1/3.jpg": ValPart,
	}, small)
}

// However files are found, and whatever is added, each keeps its part.
func TestSplitDependsOnNamesAlone(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var names []string
		for c := range 1 + r.IntN(5) {
			for i := range 1 + r.IntN(30) {
				names = append(names, fmt.Sprintf("class %d/%x.png", c, i*i))
			}
		}
		names = append(names, "another/0.png")
		val := 0.05 + 0.4*r.Float64()
		test := 0.05 + 0.4*r.Float64()
		split := fmt.Sprintf("%g,%g@%d", val, test, r.Uint64())
		want := partsOf(t, namedFiles(names), split)
		sizes, has := map[string]float64{}, map[string]bool{}
		for name, part := range want {
			class, _, _ := strings.Cut(name, "/")
			sizes[class]++
			has[class+" "+part] = true
		}
		for class, n := range sizes {
			require.True(t, has[class+" train"])
			require.True(t, has[class+" val"] || math.Round(val*n) < 1 || n < 2)
			require.True(t, has[class+" test"] || math.Round(test*n) < 1 || n < 3)
		}

		shuffled := slices.Clone(names)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		for i := range shuffled {
			shuffled[i] = "./some/where/" + shuffled[i]
		}
		require.Equal(t, want, partsOf(t, namedFiles(shuffled), split))

		more := append(slices.Clone(names), "a new class/1.png", "a new class/2.png")
		got := partsOf(t, namedFiles(more), split)
		for name, part := range want {
			require.Equal(t, part, got[name], "a new class, whose number comes first, moves nothing")
		}
	}

	// In classes where no part has to be given its only file, more files move
	// none, and fewer neither.
	before := numberedFiles(500, 300)
	after := numberedFiles(700, 200)
	want, got := partsOf(t, before, "0.1,0.1"), partsOf(t, after, "0.1,0.1")
	both := 0
	for name, part := range want {
		if got[name] != "" {
			require.Equal(t, part, got[name])
			both++
		}
	}
	require.Equal(t, 700, both)
}

// A folder, a tar file of it in any order, and shards are the same set.
func TestSetsAreTheSameHoweverStored(t *testing.T) {
	dir := t.TempDir()
	j := asJPEG(t, drawn(8, 8, 0))
	files := map[string][]byte{}
	for _, class := range []string{"cafe\u0301", "caf\u00e9 two", "caf\xe9", "plain"} { // composed, apart, Latin-1
		for i := range 12 {
			files[fmt.Sprintf("%s/%d.jpg", class, i)] = j
		}
	}
	folder := filepath.Join(dir, "folder")
	writeTree(t, folder, files)
	var members []member
	for name := range files { // in an order of chance
		members = append(members, member{name: "./top/" + strings.Replace(name, "e\u0301", "\u00e9", 1), content: j})
	}
	tars := filepath.Join(dir, "tars")
	writeTree(t, tars, map[string][]byte{"1.tar": tarOf(t, members[:20]...), "0.tar": tarOf(t, members[20:]...)})
	one := filepath.Join(dir, "one.tar")
	require.NoError(t, os.WriteFile(one, tarOf(t, members...), 0o666))

	f, err := OpenFiles(folder)
	require.NoError(t, err)
	require.Equal(t, []string{"caf\u00e9", "caf\u00e9 two", "caf\xe9", "plain"}, f.Classes())
	want, split := listing(f), partsOf(t, f, "0.3,0.2@5")
	digest := Digest(viewsOf(t, f))
	require.Len(t, digest, 32)
	require.Equal(t, digest, Digest(viewsOf(t, f).Varied()))
	require.Equal(t, digest, Digest(viewsOf(t, f).TenCrops()), "ten views are of one picture")
	for _, path := range []string{one, tars} {
		f, err := OpenFiles(path)
		require.NoError(t, err)
		require.Equal(t, want, listing(f))
		require.Equal(t, digest, Digest(viewsOf(t, f)))
		require.Equal(t, split, partsOf(t, f, "0.3,0.2@5"))
		list := filepath.Join(dir, "list")
		require.NoError(t, os.WriteFile(list, []byte("cafe\u0301/1.jpg val\n./caf\xe9/2.jpg train\n"), 0o666))
		require.Equal(t, map[string]string{"caf\u00e9/1.jpg": ValPart, "caf\xe9/2.jpg": TrainPart}, listed(t, f, list))
		require.NoError(t, os.WriteFile(list, []byte("top/cafe\u0301/1.jpg val\n./top/plain/2.jpg train\n"), 0o666))
		require.Equal(t, map[string]string{"caf\u00e9/1.jpg": ValPart, "plain/2.jpg": TrainPart}, listed(t, f, list), "with the folders that all share")
	}
}

// Keys that begin anew in each shard are of other samples; paths that are in two
// shards may be of the same picture.
func TestSplitOfOneNameInManyShards(t *testing.T) {
	for _, keyed := range []bool{true, false} {
		f := &Files{tar: true}
		var found []labelled
		for shard := range 400 {
			f.shards = append(f.shards, fmt.Sprintf("%d.tar", shard))
			l := labelled{file: file{name: "cat/1.jpg", shard: int32(shard)}, hasText: keyed}
			if keyed {
				l.text = "cat"
			}
			found = append(found, l)
		}
		parts, err := f.divide(found)
		require.NoError(t, err)
		train, val, _, err := parts[0].Parts(Split{Val: 0.2, Seed: 1})
		require.NoError(t, err)
		if !keyed {
			require.Contains(t, []int{1, 399, 400}, train.Len(), "all but what each part must have")
			continue
		}
		require.InDelta(t, 80, val.Len(), 5*math.Sqrt(400*0.2*0.8))
		require.Equal(t, 400, train.Len()+val.Len())
	}
}

func viewsOf(t *testing.T, f *Files) *Photos {
	t.Helper()
	p, err := NewPhotos(f, Augment{{Op: Crop, H: 8, P: 1}}, nil)
	require.NoError(t, err)
	return p
}

func TestDigest(t *testing.T) {
	f := namedFiles([]string{"a/1.jpg", "b/2.jpg", "b/3.jpg"})
	all := map[string]bool{Digest(viewsOf(t, f)): true}
	all[Digest(viewsOf(t, f.subset([]int{0, 1})))] = true
	all[Digest(viewsOf(t, f.subset([]int{0, 2, 1})))] = true
	require.NoError(t, f.Relabel([]string{"b", "a"}))
	all[Digest(viewsOf(t, f))] = true
	require.Len(t, all, 4, "names, their order and labels all count")
	require.Empty(t, Digest(lumpy{n: 3}))
	grey, _, err := Augmented(lumpy{n: 3}, Augment{{Op: Crop, H: 2, P: 1}}, nil)
	require.NoError(t, err)
	require.NotEmpty(t, Digest(grey), "its samples are called by their numbers")
}

// listed is the part of each file that a list names.
func listed(t *testing.T, f *Files, path string) map[string]string {
	t.Helper()
	s, err := ParseSplit(path)
	require.NoError(t, err)
	train, val, test, err := f.Parts(s)
	require.NoError(t, err)
	parts := map[string]string{}
	for k, p := range []*Files{train, val, test} {
		for i := range p.Len() {
			parts[p.Name(i)] = partNames[k]
		}
	}
	return parts
}

func TestSplitList(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	require.NoError(t, os.WriteFile(path, []byte("# mine\n\nc0/1.jpg train\n./c1/0.jpg\tval\nc0/0.jpg test\n"), 0o666))
	s, err := ParseSplit(path)
	require.NoError(t, err)
	train, val, test, err := numberedFiles(3, 2).Parts(s)
	require.NoError(t, err)
	require.Equal(t, []string{"c0/1.jpg c0"}, listing(train))
	require.Equal(t, []string{"c1/0.jpg c1"}, listing(val))
	require.Equal(t, []string{"c0/0.jpg c0"}, listing(test))
	_, _, _, err = numberedFiles(3).Parts(s)
	require.EqualError(t, err, "1 of the 3 files that the list of the split names are not in set, such as c1/0.jpg; names there are like c0/0.jpg")

	// One that was left out is in the set all the same, and is reported.
	f := numberedFiles(3)
	f.shards = []string{"a.tar", "b.tar"}
	f.skip(1, "./c1/0.jpg", "it is empty")
	train, val, test, err = f.Parts(s)
	require.NoError(t, err)
	require.Equal(t, []int{1, 0, 1}, []int{train.Len(), val.Len(), test.Len()})

	for text, want := range map[string]string{
		"a.jpg":                    "line 1 is not a name and one of train, val and test",
		"\na.jpg validation":       "line 2 is not a name",
		"train":                    "line 1 is not a name",
		". train":                  "line 1 is not a name",
		"a/.. val":                 "line 1 is not a name",
		"a.jpg train\n/a.jpg test": "line 2 puts a.jpg into test, but it is in train already",
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		_, err := ParseSplit(path)
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, os.WriteFile(path, []byte("c0/0.jpg val"), 0o666))
	s, err = ParseSplit(path)
	require.NoError(t, err)
	_, _, _, err = numberedFiles(3).Parts(s)
	require.ErrorContains(t, err, "leaves nothing to train on")
	for text, want := range map[string]string{
		"0": "something must be left", "1": "something must be left", "-0.1": "something must be left",
		"0.5,0.5": "something must be left", "NaN": "something must be left",
		"0.1@x": "is neither shares, such as 0.1 or 0.1,0.2, nor a file", "no/such/file": "is neither shares",
	} {
		_, err := ParseSplit(text)
		require.ErrorContains(t, err, want, text)
	}
}

// Marks and line ends are those of any editor.
func TestSplitListFromElsewhere(t *testing.T) {
	want := map[string]string{"red/0.png": ValPart, "r\u00e9d/1.png": TrainPart}
	for _, text := range []string{
		"red/0.png val\nr\u00e9d/1.png train\n",
		"\ufeffred/0.png val\r\nre\u0301d/1.png\ttrain\r\n",
		"\xff\xfe" + utf16("red/0.png val\r\nr\u00e9d/1.png train\r\n"),
	} {
		list, err := ReadSplitList(strings.NewReader(text))
		require.NoError(t, err)
		require.Equal(t, want, list)
	}
}

// utf16 is text in UTF-16, the low byte first.
func utf16(text string) string {
	var b strings.Builder
	for _, r := range text {
		b.WriteByte(byte(r))
		b.WriteByte(byte(r >> 8))
	}
	return b.String()
}

func FuzzSplitList(f *testing.F) {
	f.Add("a/1.jpg train\nb c.png\tval\n# no\n")
	f.Add(". train")
	f.Add("\ufeffred/0.png val\r\n# so\r\n../x  test")
	f.Add("\xff\xfe" + utf16("a val"))
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ReadSplitList(strings.NewReader(text))
		if err != nil {
			return
		}
		for name, part := range list {
			require.NotEmpty(t, name)
			require.Equal(t, name, canonical(name))
			require.Contains(t, partNames, part)
		}
	})
}
