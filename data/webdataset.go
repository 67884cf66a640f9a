package data

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/internal/plain"
)

// A tar file in WebDataset's manner holds samples: the members of one key,
// which is a name up to the first dot of its last part. What follows the dot
// says what a member is to the sample: 0001.jpg, 0001.cls, 0001.seg.png. A key
// belongs to its tar file; the same key in another one is another sample.

// The sources of a label: a .cls member, the fields of a .json member, a .txt
// member. A set takes its labels from the first that any of its samples has.
const (
	clsSource  = 0
	jsonSource = 1
)

// jsonLabels are the fields of a .json member that hold a label. The empty one
// stands for a member that is no object but a label.
var jsonLabels = []string{"", "cls", "label", "class", "class_id", "label_id", "class_name", "label_name"}

var txtSource = jsonSource + len(jsonLabels)

// sourceExt is the extension of the members that have a source.
func sourceExt(source int) string {
	switch source {
	case clsSource:
		return ".cls"
	case txtSource:
		return ".txt"
	}
	return ".json"
}

// Bounds of what is read: a line, and what other programs write into a .json
// about a picture.
const (
	largestLabel = 256
	largestJSON  = 1 << 20
)

// note is a member that may hold a label.
type note struct {
	file
	labels []noted // by source
	wrong  string  // why it has none, if it ought to
}

// noted is what a note says by a source, or what is wrong with that.
type noted struct {
	source      int
	text, wrong string
}

func (n *note) ext() string { return strings.ToLower(path.Ext(n.name)) }

// isNote goes by the name.
func isNote(name string) bool {
	n := note{file: file{name: name}}
	return slices.Contains([]string{".cls", ".json", ".txt"}, n.ext())
}

// readNote reads a note.
func readNote(r io.Reader, member file) note {
	n := note{file: member}
	largest := int64(largestLabel)
	if n.ext() == ".json" {
		largest = largestJSON
	}
	if n.size > largest {
		n.wrong = fmt.Sprintf("of %d bytes is too long", n.size)
		return n
	}
	text, err := io.ReadAll(plain.Text(r))
	switch {
	case err != nil:
		n.wrong = "cannot be read: " + reason(truncated(err))
	case n.ext() != ".json":
		source := clsSource
		if n.ext() == ".txt" {
			source = txtSource
		}
		label := readLabel(source, string(text))
		if n.wrong = label.wrong; n.wrong == "" {
			n.labels = []noted{label}
		}
	case !json.Valid(text):
		n.wrong = "is not JSON"
	default:
		n.labels = jsonFields(text)
	}
	return n
}

// readLabel reads the text of a label. A number is written in one way: "007"
// is 7.
func readLabel(source int, text string) noted {
	text = strings.TrimSpace(text)
	n, err := strconv.Atoi(text)
	l := noted{source: source}
	switch {
	case text == "":
		l.wrong = "is empty"
	case len(text) > largestLabel || strings.ContainsAny(text, "\r\n"):
		l.wrong = "is more than a label"
	case err == nil && n < 0:
		l.wrong = fmt.Sprintf("says %d, but classes are counted from 0", n)
	case err == nil:
		l.text = strconv.Itoa(n)
	default:
		l.text = text
	}
	return l
}

// jsonFields finds the labels in valid JSON.
func jsonFields(text []byte) (labels []noted) {
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(text, &fields) != nil {
		fields = map[string]json.RawMessage{"": text}
	}
	for i, field := range jsonLabels {
		var value any
		_ = json.Unmarshal(fields[field], &value) // what is not there stays nil
		l := noted{source: jsonSource + i}
		switch v := value.(type) {
		case nil:
			continue
		case string:
			l = readLabel(l.source, v)
		case float64:
			if v == float64(int32(v)) {
				l = readLabel(l.source, strconv.Itoa(int(v)))
				break
			}
			l.wrong = fmt.Sprintf("says %v, which is the number of no class", v)
		default:
			l.wrong = "has a label that is neither text nor a number"
		}
		labels = append(labels, l)
	}
	return labels
}

// splitKey splits a name into WebDataset's key and what follows its dot, in
// lower case.
func splitKey(name string) (key, ext string) {
	dir, base := path.Split(cleaned(name))
	base, ext, _ = strings.Cut(base, ".")
	return dir + base, strings.ToLower(ext)
}

// isPlain reports whether a name has one extension, and not several.
func isPlain(name string) bool {
	_, ext := splitKey(name)
	return !strings.Contains(ext, ".")
}

// sample is what has one key.
type sample struct {
	key      string
	pictures []*labelled
	notes    []*note
}

// samples gives pictures the labels that stand beside them, and leaves out
// those that have none or are not the photograph of their sample. Where no label
// stands beside a picture, or only .json and .txt members stand beside pictures
// in class folders, labels are in the names, and all pictures are returned.
func (f *Files) samples(found []labelled, notes []note) ([]labelled, error) {
	if len(notes) == 0 {
		return found, nil
	}
	type place struct {
		shard int32
		key   string
	}
	at := map[place]*sample{}
	var all []*sample // in the order of the pictures
	for i := range found {
		p := &found[i]
		key, _ := splitKey(p.name)
		s := at[place{p.shard, key}]
		if s == nil {
			s = &sample{key: key}
			at[place{p.shard, key}] = s
			all = append(all, s)
		}
		s.pictures = append(s.pictures, p)
	}
	none := txtSource + 1
	source := none
	words := make([]map[string]bool, none) // the labels, by source
	for i := range notes {
		n := &notes[i]
		key, _ := splitKey(n.name)
		s := at[place{n.shard, key}]
		if s == nil {
			f.skip(int(n.shard), n.name, "there is no picture beside it")
			continue
		}
		s.notes = append(s.notes, n)
		if n.ext() == ".cls" {
			source = clsSource
		}
		for _, l := range n.labels {
			source = min(source, l.source)
			if words[l.source] == nil {
				words[l.source] = map[string]bool{}
			}
			if l.wrong == "" {
				words[l.source][l.text] = true
			}
		}
	}
	if source == none || source != clsSource && inClassFolders(all) {
		if source < txtSource {
			if err := agree(all, source); err != nil {
				return nil, err
			}
		}
		for _, s := range all {
			for _, n := range s.notes {
				f.skip(int(n.shard), n.name, notAPicture)
			}
		}
		return found, nil
	}
	if source == txtSource && areCaptions(words[source], len(all)) {
		return nil, fmt.Errorf("the .txt members beside %d pictures hold %d different texts: captions rather than classes; a .cls member beside each picture says its class",
			len(all), len(words[source]))
	}
	var known []labelled
	for _, s := range all {
		p := f.photograph(s)
		if p == nil {
			continue
		}
		text, wrong := s.label(source, words[source])
		if wrong != "" {
			f.skip(int(p.shard), p.name, wrong)
			continue
		}
		p.text, p.hasText = text, true
		known = append(known, *p)
	}
	return known, nil
}

// areCaptions reports whether texts beside so many pictures are too many to
// name classes.
func areCaptions(texts map[string]bool, pictures int) bool {
	n := 0
	for text := range texts {
		if _, err := strconv.Atoi(text); err != nil {
			n++
		}
	}
	return n > max(10, pictures/2)
}

// inClassFolders reports whether the pictures are in two folders at least.
func inClassFolders(all []*sample) bool {
	return slices.ContainsFunc(all, func(s *sample) bool { return path.Dir(s.key) != path.Dir(all[0].key) })
}

// agree refuses labels of pictures in class folders that divide them otherwise
// than the folders do.
func agree(all []*sample, source int) error {
	ofFolder, ofText := map[string]string{}, map[string]string{}
	for _, s := range all {
		text, wrong := s.label(source, nil)
		if wrong != "" {
			continue
		}
		folder := path.Base(path.Dir(s.key))
		other, ok := ofFolder[folder]
		otherFolder, ok2 := ofText[text]
		if ok && other != text || ok2 && otherFolder != folder {
			return fmt.Errorf("pictures are in class folders, but labels in their .json members divide them otherwise: %s has %q; a .cls member beside each picture decides",
				s.pictures[0].name, text)
		}
		ofFolder[folder], ofText[text] = text, folder
	}
	return nil
}

// notPhotographs are words in an extension that say what else a picture is.
var notPhotographs = []string{"alpha", "annotation", "depth", "disparity", "edge", "edges", "flow", "gt", "instance", "label", "labels",
	"mask", "masks", "matte", "normal", "normals", "panoptic", "seg", "segm", "segmentation", "semantic", "thumb", "thumbnail", "trimap"}

// isPhotograph goes by the words in the extension.
func isPhotograph(name string) bool {
	_, ext := splitKey(name)
	words := strings.FieldsFunc(ext, func(r rune) bool { return strings.ContainsRune("._-", r) })
	return !slices.ContainsFunc(words, func(w string) bool { return slices.Contains(notPhotographs, w) })
}

// photographs leaves out pictures in class folders that stand beside one of their key
// and are something else of it, as 1.seg.png beside 1.png.
func (f *Files) photographs(found []labelled) []labelled {
	type place struct {
		shard int32
		key   string
	}
	at := func(l labelled) place {
		key, _ := splitKey(l.name)
		return place{l.shard, key}
	}
	other := func(l labelled) bool { return !isPhotograph(l.name) }
	if !slices.ContainsFunc(found, other) {
		return found
	}
	taken := map[place]bool{}
	for _, l := range found {
		if !other(l) {
			taken[at(l)] = true
		}
	}
	return slices.DeleteFunc(found, func(l labelled) bool {
		if !other(l) || !taken[at(l)] {
			return false
		}
		_, ext := splitKey(l.name)
		f.skip(int(l.shard), l.name, fmt.Sprintf("as .%s it is not the photograph beside it", ext))
		return true
	})
}

// photograph is the one picture of a sample that is its photograph, or nil.
// The others are left out. A picture with one extension goes before those with
// several, and a JPEG before others.
func (f *Files) photograph(s *sample) *labelled {
	prefer := func(from []*labelled, is func(name string) bool) []*labelled {
		var preferred []*labelled
		for _, p := range from {
			if is(p.name) {
				preferred = append(preferred, p)
			}
		}
		if preferred == nil {
			return from
		}
		return preferred
	}
	isJPEG := func(name string) bool { return strings.HasPrefix(strings.ToLower(path.Ext(name)), ".j") }

	claims := prefer(s.pictures, isPlain)
	claims = slices.DeleteFunc(slices.Clone(claims), func(p *labelled) bool { return !isPhotograph(p.name) })
	claims = prefer(claims, func(name string) bool { return !isArray(name) })
	claims = prefer(claims, isJPEG)
	for _, p := range s.pictures {
		switch {
		case !slices.Contains(claims, p):
			_, ext := splitKey(p.name)
			f.skip(int(p.shard), p.name, fmt.Sprintf("as .%s it is not the photograph of its sample", ext))
		case len(claims) > 1:
			f.skip(int(p.shard), p.name, fmt.Sprintf("it is one of %d pictures of the WebDataset key %q, which ends at the first dot of a name", len(claims), s.key))
		}
	}
	if len(claims) != 1 {
		return nil
	}
	return claims[0]
}

// label is the label that a source gives a sample, or what is wrong with it. A
// member with one extension goes before those with several. What another member
// says is another label where both are numbers, or where it is one of the
// labels that the source gives to the set; otherwise it is a caption, or the
// class by another name.
func (s *sample) label(source int, words map[string]bool) (text, wrong string) {
	ext := sourceExt(source)
	var from *note
	for _, plain := range []bool{true, false} {
		for _, n := range s.notes {
			if n.ext() != ext || isPlain(n.name) != plain {
				continue
			}
			l := noted{wrong: n.wrong}
			if i := slices.IndexFunc(n.labels, func(l noted) bool { return l.source == source }); i >= 0 {
				l = n.labels[i]
			}
			switch {
			case l.wrong != "":
				return "", fmt.Sprintf("its %s member %s", ext, l.wrong)
			case l.text == "": // a .json without the field
			case from == nil:
				text, from = l.text, n
			case l.text != text:
				return "", differ(text, from, l.text, n)
			}
		}
		if from != nil {
			break
		}
	}
	switch {
	case from == nil && ext == ".json" && source > jsonSource:
		return "", fmt.Sprintf("there is no .json member with %q beside it", jsonLabels[source-jsonSource])
	case from == nil:
		return "", fmt.Sprintf("there is no %s member beside it", ext)
	}
	_, err := strconv.Atoi(text)
	for _, n := range s.notes {
		if n == from || !isPlain(n.name) || len(n.labels) == 0 || n.labels[0].wrong != "" {
			continue
		}
		other := n.labels[0].text
		_, otherErr := strconv.Atoi(other)
		if other != text && (words[other] || err == nil && otherErr == nil) {
			return "", differ(text, from, other, n)
		}
	}
	return text, ""
}

func differ(text string, from *note, other string, in *note) string {
	return fmt.Sprintf("its labels differ: %q in %s, %q in %s", text, path.Base(from.name), other, path.Base(in.name))
}
