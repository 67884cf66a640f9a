package data

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The parts of a data set.
const (
	TrainPart = "train"
	ValPart   = "val"
	TestPart  = "test"
)

var partNames = [3]string{TrainPart, ValPart, TestPart}

// partWord finds the word for a part in the name of a folder or a tar file: a
// word of its own, or one with "set" or "data" behind it.
var partWord = regexp.MustCompile(`(?i)^(|.*[^a-z])(?:(train|training)|(val|valid|validation|dev|eval|evaluation)|(test|testing))(|set|data)(|[^a-z].*)$`)

// partOf is the part that a name speaks of, an index of partNames, and what
// else is in the name: its letters and digits, in small letters. It is -1 for a
// name without such a word, or with several.
func partOf(name string) (part int, rest string) {
	m := partWord.FindStringSubmatch(name)
	if m == nil {
		return -1, ""
	}
	before, after := m[1], m[5]+m[6]
	if partWord.MatchString(before) || partWord.MatchString(m[6]) {
		return -1, ""
	}
	part = slices.IndexFunc(m[2:5], func(word string) bool { return word != "" })
	return part, strings.ToLower(strings.Join(strings.FieldsFunc(before+" "+after, notWord), " "))
}

func notWord(r rune) bool {
	return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80)
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// partsAmong finds the names that are the parts of one set, alike but for the
// word for the part: "train" and "val", "seg_train" and "seg_test". There is
// one to train on and one to test on, or there are no parts. Of numbered names,
// those of tar files, many may be of one part.
func partsAmong(names []string, numbered bool) (part map[string]int, err error) {
	alike := map[string]map[string]int{} // parts of names by the rest of the names
	for _, name := range names {
		k, rest := partOf(name)
		if k < 0 {
			continue
		}
		if numbered {
			rest = strings.TrimSpace(strings.Map(func(r rune) rune {
				if isDigit(r) {
					return -1
				}
				return r
			}, rest))
		}
		if alike[rest] == nil {
			alike[rest] = map[string]int{}
		}
		alike[rest][name] = k
	}
	for _, these := range alike {
		var of [3][]string
		for name, k := range these {
			of[k] = append(of[k], name)
		}
		if of[0] == nil || of[1] == nil && of[2] == nil {
			continue
		}
		if part != nil {
			return nil, errors.New("there are several parts to train on: name the one that is meant, and the one to test on")
		}
		for _, same := range of {
			if len(same) > 1 && !numbered {
				slices.Sort(same)
				return nil, fmt.Errorf("the folders %q are named like the same part: name the one that is meant, and the one to test on", same)
			}
		}
		part = these
	}
	return part, nil
}

// group is the pictures of a part, and the name of the folder that they are in,
// or else that of the part. It is empty where the set has no parts.
type group struct {
	found []labelled
	name  string
}

// groups divides pictures by part, where their tar files or their folders are
// named like parts: those of the whole set, or those in each class folder. The
// names lose these folders. Otherwise all are in the first group.
func (f *Files) groups(found []labelled) ([3]group, error) {
	if f.whole {
		return [3]group{{found: found}}, nil
	}
	root := classRoot(found)
	cut := func(l *labelled) (first, then string) {
		under, ok := strings.CutPrefix(l.name, root)
		if first, then, ok2 := strings.Cut(under, "/"); ok && ok2 {
			return first, then
		}
		return "", path.Base(l.name) // of no class
	}
	ofSet := func(l *labelled) (part, name string) { return cut(l) }
	ofClass := func(l *labelled) (part, name string) {
		class, name := cut(l)
		if part, file, ok := strings.Cut(name, "/"); ok && class != "" {
			return part, class + "/" + file
		}
		return class, l.name // which is no part
	}
	ofShard := func(l *labelled) (part, name string) { return filepath.Base(f.shards[l.shard]), l.name }
	if len(f.shards) > 1 {
		if g, ok, err := f.groupBy(found, ofShard, true); ok || err != nil {
			return g, err
		}
	}
	if g, ok, err := f.groupBy(found, ofSet, false); ok || err != nil {
		return g, err
	}
	inParts := func(l labelled) bool {
		part, _ := ofClass(&l)
		k, _ := partOf(part)
		return k >= 0 && !l.hasText || part == ""
	}
	if !slices.ContainsFunc(found, func(l labelled) bool { return !inParts(l) }) {
		if g, ok, err := f.groupBy(found, ofClass, false); ok || err != nil {
			return g, err
		}
	}
	return [3]group{{found: found}}, nil
}

// groupBy divides pictures by the names that a function finds in theirs, if these
// are those of parts. It also gives the name without that one. What is beside the
// parts is skipped.
func (f *Files) groupBy(found []labelled, of func(*labelled) (part, name string), numbered bool) (g [3]group, ok bool, err error) {
	names := map[string]bool{}
	for i := range found {
		name, _ := of(&found[i])
		names[name] = true
	}
	parts, err := partsAmong(slices.Sorted(maps.Keys(names)), numbered)
	if parts == nil || err != nil {
		return g, false, err
	}
	beside := map[string]int{}
	for _, l := range found {
		part, name := of(&l)
		k, ok := parts[part]
		switch {
		case ok:
			if g[k].name = part; numbered {
				g[k].name = partNames[k]
			}
		case part != "":
			beside[part]++
			continue
		}
		l.name = name
		g[k].found = append(g[k].found, l) // of one in no folder at all, it will be said that it has no class
	}
	for _, name := range slices.Sorted(maps.Keys(beside)) {
		f.skipped = append(f.skipped, Skip{Name: name, Reason: fmt.Sprintf("beside %s, its pictures are not read: %d", named(g), beside[name])})
	}
	return g, true, nil
}

// named lists the parts that there are.
func named(g [3]group) string {
	var names []string
	for _, g := range g {
		if g.name != "" {
			names = append(names, strconv.Quote(g.name))
		}
	}
	return strings.Join(names, " and ")
}

// divided reports whether a set has parts.
func divided(parts [3]*Files) bool { return parts[1] != nil || parts[2] != nil }

// partList lists the parts of a set.
func partList(parts [3]*Files) string {
	var g [3]group
	for k, p := range parts {
		if p != nil {
			g[k].name = p.part
		}
	}
	return named(g)
}

// openShardFolders opens the parts of a folder whose folders are named like
// parts and hold tar files. There are none in another folder.
func openShardFolders(ctx context.Context, path string, x *Index) (parts [3]*Files, err error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return parts, err
	}
	var folders []string
	shards := false
	for _, e := range entries {
		if ignored(e.Name()) || !isFolder(filepath.Join(path, e.Name())) {
			continue
		}
		folders = append(folders, e.Name())
		var f Files
		if k, _ := partOf(e.Name()); k >= 0 && f.findTars(filepath.Join(path, e.Name())) == nil {
			shards = shards || len(f.shards) > 0
		}
	}
	of, err := partsAmong(folders, false)
	if err != nil {
		return parts, fmt.Errorf("%s: %w", path, err)
	}
	if of == nil || !shards {
		return parts, nil
	}
	for name, k := range of {
		if parts[k], err = openFiles(ctx, filepath.Join(path, name), "", x); err != nil {
			return parts, err
		}
		parts[k].part = name
	}
	return parts, nil
}

// refuseParts refuses classes that are none: parts of a set of which there is
// nothing to train on. A class of trains has its pictures in its own folder.
func (f *Files) refuseParts() error {
	deep := make([]bool, len(f.classes)) // in folders of the class's folder alone
	for i := range deep {
		deep[i] = true
	}
	for _, e := range f.files {
		if strings.Count(e.name, "/") == 1 {
			deep[e.label] = false
		}
	}
	for i, c := range f.classes {
		if k, rest := partOf(c); k > 0 && rest == "" || k == 0 && deep[i] && len(f.classes) > 1 {
			return fmt.Errorf("the folder %q is named like a part of a set, not like a class, and there are no others for a whole set: name the folder to train on and the one to test on, or give the class another name", c)
		}
	}
	return nil
}
