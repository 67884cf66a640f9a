package data

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPartOf(t *testing.T) {
	for name, want := range map[string]string{
		"train": "0 ", "Train": "0 ", "TRAIN": "0 ", "training": "0 ", "trainset": "0 set", "training_set": "0 set", "train2017": "0 2017",
		"seg_train": "0 seg", "images-train": "0 images", "train images": "0 images",
		"val": "1 ", "valid": "1 ", "Validation": "1 ", "dev": "1 ", "eval": "1 ", "val2017": "1 2017", "valset": "1 set",
		"test": "2 ", "Testing": "2 ", "test_set": "2 set", "test1": "2 1",
		"imagenette-train.tar": "0 imagenette tar", "train-0001.tar": "0 0001 tar",
		"trains": "-1 ", "contest": "-1 ", "trainval": "-1 ", "train_val": "-1 ", "test-train": "-1 ", "cat": "-1 ", "": "-1 ", "latest": "-1 ", "values": "-1 ",
	} {
		part, rest := partOf(name)
		require.Equal(t, want, fmt.Sprint(part, " ", rest), name)
	}
}

// classes and numbers of the parts of a set.
func partsListing(parts [3]*Files) string {
	var l []string
	for _, p := range parts {
		if p == nil {
			l = append(l, "none")
		} else {
			l = append(l, fmt.Sprintf("%s %d %s", p.Part(), p.Len(), strings.Join(p.Classes(), "+")))
		}
	}
	return strings.Join(l, ", ")
}

// Every layout is the same as a folder and as a tar file.
func TestParts(t *testing.T) {
	j := asJPEG(t, drawn(8, 8, 0))
	// tree has two classes in each folder, with the letters of the file names.
	tree := func(folders ...string) map[string][]byte {
		files := map[string][]byte{}
		for _, f := range folders {
			files[f+"/blue/1.jpg"], files[f+"/red/1.jpg"], files[f+"/red/2.jpg"] = j, j, j
		}
		return files
	}
	with := func(files map[string][]byte, more ...string) map[string][]byte {
		for _, name := range more {
			files[name] = j
		}
		return files
	}
	for _, c := range []struct {
		files map[string][]byte
		want  string
		skips map[string]string
	}{
		{tree("train", "val"), "train 3 blue+red, val 3 blue+red, none", nil},
		{tree("training", "testing"), "training 3 blue+red, none, testing 3 blue+red", nil},
		{tree("Train", "Valid", "Test"), "Train 3 blue+red, Valid 3 blue+red, Test 3 blue+red", nil},
		{tree("TRAIN", "dev", "eval2"), "TRAIN 3 blue+red, dev 3 blue+red, none", map[string]string{"eval2": `beside "TRAIN" and "dev", its pictures are not read: 3`}},
		{tree("set/train", "set/validation"), "train 3 blue+red, validation 3 blue+red, none", nil},
		{tree("images/train", "images/test"), "train 3 blue+red, none, test 3 blue+red", nil},
		{tree("a/b/train2017", "a/b/val2017"), "train2017 3 blue+red, val2017 3 blue+red, none", nil},
		{tree("seg_train/seg_train", "seg_test/seg_test"), "seg_train 3 blue+red, none, seg_test 3 blue+red", nil},
		{tree("train", "val", "extra"), "train 3 blue+red, val 3 blue+red, none", map[string]string{"extra": `beside "train" and "val", its pictures are not read: 3`}},
		{with(tree("train", "val"), "test/1.jpg", "test/2.jpg", "loose.jpg"), "train 3 blue+red, val 3 blue+red, none",
			map[string]string{"test": "none of its 2 pictures is in a class folder", "loose.jpg": "it is not in a class folder"}},
		{with(tree("train", "val"), "test/images/1.jpg", "test/images/2.jpg"), "train 3 blue+red, val 3 blue+red, none",
			map[string]string{"test": "its 2 pictures are in none of the class folders to train on"}},
		{with(tree("train"), "val/red/7.jpg", "val/red/8.jpg"), "train 3 blue+red, val 2 red, none", nil},
		// Class folders with the parts in them.
		{with(map[string][]byte{}, "red/train/1.jpg", "red/val/2.jpg", "blue/train/1.jpg"), "train 2 blue+red, val 1 red, none", nil},
		// No parts.
		{tree("train"), " 3 blue+red, none, none", nil},
		{with(map[string][]byte{}, "car/1.jpg", "train/1.jpg", "bus/1.jpg"), " 3 bus+car+train, none, none", nil},
		{with(map[string][]byte{}, "car/1.jpg", "test tube/1.jpg", "train station/1.jpg"), " 3 car+test tube+train station, none, none", nil},
		{with(map[string][]byte{}, "top/car/1.jpg", "top/bus/1.jpg", "top/loose.jpg", "loose.jpg"), " 2 bus+car, none, none",
			map[string]string{"top/loose.jpg": "it is not in a class folder", "loose.jpg": "it is not in a class folder"}},
		{with(map[string][]byte{}, "a/b/car/1.jpg", "a/b/bus/1.jpg", "a/loose.jpg"), " 2 bus+car, none, none",
			map[string]string{"a/loose.jpg": "it is not in a class folder"}},
		{with(tree("a/b/train", "a/b/val"), "a/loose.jpg"), "train 3 blue+red, val 3 blue+red, none",
			map[string]string{"a/loose.jpg": "it is not in a class folder"}},
		{with(map[string][]byte{}, "red/train/1.jpg", "red/val/2.jpg", "blue/1.jpg"), " 3 blue+red, none, none", nil},
	} {
		dir := t.TempDir()
		folder := filepath.Join(dir, "folder")
		writeTree(t, folder, c.files)
		var members []member
		for name, content := range c.files {
			members = append(members, member{name: name, content: content})
		}
		tarFile := filepath.Join(dir, "set.tar")
		require.NoError(t, os.WriteFile(tarFile, tarOf(t, members...), 0o666))
		var names [2][]string
		for k, path := range []string{folder, tarFile} {
			parts, err := openSet(t.Context(), path, "", nil)
			require.NoError(t, err)
			require.Equal(t, c.want, partsListing(parts))
			if c.skips == nil {
				c.skips = map[string]string{}
			}
			require.Equal(t, c.skips, skips(parts[0]))
			for _, p := range parts {
				if p == nil {
					continue
				}
				names[k] = append(names[k], listing(p)...)
				for i := range p.Len() {
					b, err := p.Load(nil, i)
					require.NoError(t, err)
					require.Equal(t, j, b)
				}
			}
			_, err = OpenFiles(path)
			require.Equal(t, divided(parts), err != nil)
		}
		require.Equal(t, names[0], names[1])
	}

	for want, names := range map[string][]string{
		`the folder "val" is named like a part of a set`:                             {"val/1.jpg", "cat/1.jpg"},
		`the folder "train" is named like a part of a set`:                           {"train/red/1.jpg", "train/blue/2.jpg", "cat/red/1.jpg"},
		`the folder "test" is named like a part of a set`:                            {"set/test/red/1.jpg", "set/val/blue/1.jpg"},
		`the folders ["val" "valid"] are named like the same part`:                   {"train/red/1.jpg", "val/red/1.jpg", "valid/red/1.jpg"},
		"there are several parts to train on":                                        {"a_train/red/1.jpg", "a_val/red/1.jpg", "b_train/red/1.jpg", "b_val/red/1.jpg"},
		"there are no pictures in class folders, such as cat/1.jpg; train/1.jpg: it": {"train/1.jpg", "val/red/1.jpg"},
	} {
		folder := t.TempDir()
		writeTree(t, folder, with(map[string][]byte{}, names...))
		_, err := openSet(t.Context(), folder, "", nil)
		require.ErrorContains(t, err, want)
	}
}

func TestPartsInShards(t *testing.T) {
	j := asJPEG(t, drawn(8, 8, 0))
	shard := func(folder string, i int) []byte {
		return tarOf(t, member{name: fmt.Sprintf("%sred/%d.jpg", folder, i), content: j}, member{name: fmt.Sprintf("%sblue/%d.jpg", folder, i), content: j})
	}
	dir := t.TempDir()
	writeTree(t, dir, map[string][]byte{
		"tiny-train-0.tar": shard("train/", 0), "tiny-train-1.tar": shard("train/", 1), "tiny-val-0.tar": shard("val/", 2), "more.tar": shard("", 3),
	})
	parts, err := openSet(t.Context(), dir, "", nil)
	require.NoError(t, err)
	require.Equal(t, "train 4 blue+red, val 2 blue+red, none", partsListing(parts))
	require.Equal(t, map[string]string{"more.tar": `beside "train" and "val", its pictures are not read: 2`}, skips(parts[0]))
	require.Equal(t, []string{"blue/2.jpg blue", "red/2.jpg red"}, listing(parts[1]))

	// Folders of tar files are parts as well.
	dir = t.TempDir()
	writeTree(t, dir, map[string][]byte{"train/0.tar": shard("x/", 0), "train/1.tar": shard("x/", 1), "Valid/0.tar": shard("", 2)})
	parts, err = openSet(t.Context(), dir, "", nil)
	require.NoError(t, err)
	require.Equal(t, "train 4 blue+red, Valid 2 blue+red, none", partsListing(parts))
	require.Equal(t, []string{"blue/0.jpg blue", "blue/1.jpg blue", "red/0.jpg red", "red/1.jpg red"}, listing(parts[0]))
}

func TestPartsAndFlags(t *testing.T) {
	dir := t.TempDir()
	j := asJPEG(t, drawn(8, 8, 0))
	writeTree(t, dir, map[string][]byte{"train/a/1.jpg": j, "train/b/1.jpg": j, "valid/a/1.jpg": j, "test/a/2.jpg": j})
	train, val, test, err := openParts(t.Context(), PhotoSpec{Train: dir}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"train", "valid", "test"}, []string{train.Part(), val.Part(), test.Part()})
	for _, spec := range []PhotoSpec{{Train: dir, Split: "0.1"}, {Train: dir, Val: filepath.Join(dir, "test")}} {
		_, _, _, err := openParts(t.Context(), spec, nil)
		require.ErrorContains(t, err, `has parts, "train" and "valid" and "test": leave -val and -split out, or name the folder of one part`)
	}
	_, _, _, err = openParts(t.Context(), PhotoSpec{Train: filepath.Join(dir, "train"), Val: dir}, nil)
	require.ErrorContains(t, err, `has parts, "train" and "valid" and "test": name one of them`)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "valid")))
	_, val, test, err = openParts(t.Context(), PhotoSpec{Train: dir}, nil)
	require.NoError(t, err)
	require.Equal(t, "test", val.Part())
	require.Nil(t, test)
	writeTree(t, dir, map[string][]byte{"test/c/1.jpg": j})
	_, _, _, err = openParts(t.Context(), PhotoSpec{Train: dir}, nil)
	require.ErrorContains(t, err, `is of the class "c", which the training set does not have`)
}

func TestClassRoot(t *testing.T) {
	for want, names := range map[string][]string{
		"":       {"cat/1.jpg", "dog/1.jpg"},
		"a/b/":   {"a/b/cat/1.jpg", "a/b/dog/deep/1.jpg", "a/2.jpg", "3.jpg"},
		"val/":   {"val/cat/1.jpg", "val/cat/2.jpg"},
		"x/cat/": {"x/cat/deep/1.jpg"},
	} {
		require.Equal(t, want, classRoot(foundNames(names)), "%q", names)
	}
	require.Equal(t, "", classRoot(foundNames([]string{"cat/1.jpg", "cat/deep/2.jpg"})), "one class, some of it deeper")
	require.Equal(t, "", classRoot(foundNames([]string{"1.jpg"})))
	require.Equal(t, "", classRoot(nil))
}

func foundNames(names []string) (found []labelled) {
	for _, name := range slices.Sorted(slices.Values(names)) {
		found = append(found, labelled{file: file{name: name}})
	}
	return found
}

// Whatever files are called, each is in one part or skipped, in any order.
func FuzzParts(f *testing.F) {
	f.Add("train/red/1.jpg\nval/red/2.jpg\nloose.jpg", uint64(1))
	f.Add("a/b/red/train/1.jpg\na/b/red/val/2.jpg\n../x\na/b/blue/train/\xe9.jpg", uint64(2))
	f.Add("x_train/1/1.jpg\nx_test/1/2.jpg\nx_test/1/e\u0301.jpg\n/", uint64(3))
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		names := slices.DeleteFunc(strings.Split(text, "\n"), func(name string) bool { return canonical(name) == "" })
		divideAll := func() (string, []string) {
			set := &Files{shards: []string{"set"}}
			var found []labelled
			for _, name := range names {
				found = append(found, labelled{file: file{name: name}})
			}
			parts, err := set.divide(found)
			if err != nil {
				return err.Error(), nil
			}
			var all []string
			for _, p := range parts {
				if p != nil {
					require.True(t, slices.IsSortedFunc(p.files, func(a, b file) int { return strings.Compare(a.name, b.name) }))
					all = append(all, p.Part())
					all = append(all, listing(p)...)
				}
			}
			return "", append(all, partsListing(parts))
		}
		err, want := divideAll()
		r := rand.New(rand.NewPCG(seed, 0))
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		again, got := divideAll()
		require.Equal(t, err == "", again == "")
		require.Equal(t, want, got)
	})
}
