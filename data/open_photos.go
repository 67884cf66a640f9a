package data

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// PhotoSpec says where photographs to train and to test on are. Test is a set
// of its own, or a part of Train that Split says. Where both are empty and
// Train has parts, those are taken: folders or tar files named like "train" and
// "val" or "test", in one of the usual spellings.
type PhotoSpec struct {
	Train, Val, Split string

	// Classes are those that are used, of all parts; empty for all. They are names, or
	// numbers from 0 in the order of the names of Train, such as "0-2,5".
	Classes string

	// Order is that of three channels in a data set of Caffe's, which does not say it:
	// "bgr", as convert_imageset writes them, or "rgb". Empty means bgr.
	Order string

	// Each is how many pictures of each class are trained on, such as "20", or with the
	// seed of their draw, "20@7"; empty for all. Tests are not changed.
	Each string
}

// ParsePhotoSpec reads what String has written.
func ParsePhotoSpec(text string) (s PhotoSpec) {
	s.Train, s.Order, _ = strings.Cut(text, " -order ")
	s.Train, s.Each, _ = strings.Cut(s.Train, " -each ")
	s.Train, s.Classes, _ = strings.Cut(s.Train, " -classes ")
	s.Train, s.Split, _ = strings.Cut(s.Train, " -split ")
	s.Train, s.Val, _ = strings.Cut(s.Train, " -val ")
	return s
}

// String is the spec as flags of cmd/train, the first one's name left out.
func (s PhotoSpec) String() string {
	text := s.Train
	if s.Val != "" {
		text += " -val " + s.Val
	}
	if s.Split != "" {
		text += " -split " + s.Split
	}
	if s.Classes != "" {
		text += " -classes " + s.Classes
	}
	if s.Each != "" {
		text += " -each " + s.Each
	}
	if s.Order != "" {
		text += " -order " + s.Order
	}
	return text
}

// PhotoOptions say how OpenPhotos makes samples.
type PhotoOptions struct {
	Augment Augment
	Normal  Normal

	// Default says that nobody asked for this Augment: of stacks of channels it
	// loses the step Grey.
	Default bool

	// Known is the preprocessing of a network that is trained already. Augment
	// and Normal are not used then.
	Known *Preprocess

	Strict bool   // a file that cannot be read is an error
	Index  *Index // of tar files; nil for none
	CheckOptions
}

// PhotoSets are photographs to train and to test on.
type PhotoSets struct {
	Train      Varied
	Val        *Photos // nil where the spec has none
	Test       *Photos // the test part of a split or of a set that has one beside another, otherwise nil
	Preprocess Preprocess
	Skipped    []Skip
	Parts      []string // the names of what are Train, Val and Test in a set that has parts
	Assumed    string   // Files.Assumed of Train, or where that says nothing of Val
}

// OpenPhotos opens, checks and measures photographs.
func OpenPhotos(ctx context.Context, spec PhotoSpec, o PhotoOptions) (*PhotoSets, error) {
	train, val, test, err := openParts(ctx, spec, o.Index)
	if err != nil {
		return nil, err
	}
	if o.Known != nil {
		o.Augment = o.Known.Augment
	}
	if o.Known == nil && o.Default && train.stackChannels() > 1 {
		o.Augment = slices.DeleteFunc(slices.Clone(o.Augment), func(s Step) bool { return s.Op == Grey })
	}
	if o.Known == nil && o.Default && train.caffe != nil {
		o.Augment = train.caffe.augment(o.Augment)
	}
	o.Whole = o.Normal.Whiten && o.Known == nil
	s := &PhotoSets{Assumed: train.Assumed()}
	if s.Assumed == "" && val != nil {
		s.Assumed = val.Assumed()
	}
	for _, p := range []*Files{train, val, test} {
		if p != nil && p.part != "" {
			s.Parts = append(s.Parts, p.part)
		}
	}
	stats, err := train.Check(ctx, o.Augment, o.CheckOptions)
	if err != nil {
		return nil, err
	}
	o.Whole = false
	s.Skipped = append(s.Skipped, train.skipped...)
	if o.Known != nil {
		s.Preprocess = *o.Known
		if s.Preprocess.Statistics == nil { // of weights that were trained without an Augment
			s.Preprocess.Statistics = stats.ofColours()
		}
		stats = s.Preprocess.Statistics
	} else if s.Preprocess, err = o.Normal.Preprocess(o.Augment, stats); err != nil {
		return nil, err
	}
	photos, err := NewPhotos(train, o.Augment, stats)
	if err != nil {
		return nil, err
	}
	s.Train = photos.Varied()
	for _, part := range []struct {
		files *Files
		to    **Photos
	}{{val, &s.Val}, {test, &s.Test}} {
		if part.files == nil || part.files.Len() == 0 {
			continue
		}
		if _, err := part.files.Check(ctx, o.Augment, o.CheckOptions); err != nil {
			return nil, err
		}
		s.Skipped = append(s.Skipped, part.files.skipped...)
		if *part.to, err = NewPhotos(part.files, o.Augment, stats); err != nil {
			return nil, err
		}
	}
	return s, strict(o.Strict, s.Skipped)
}

// OpenTestPhotos opens and checks what a trained network is to be tested on:
// the test set of the spec, or the last part of its split, or else all that
// Train names. The classes are those that the network knows.
func OpenTestPhotos(ctx context.Context, spec PhotoSpec, known Preprocess, classes []string, o PhotoOptions) (*Photos, []Skip, error) {
	var files *Files
	var err error
	switch {
	case spec.Split != "":
		var val *Files
		if _, val, files, err = openParts(ctx, spec, o.Index); err == nil && files.Len() == 0 {
			files = val
		}
	case spec.Val != "":
		files, err = openFiles(ctx, spec.Val, spec.Order, o.Index)
	default:
		var parts [3]*Files
		if parts, err = openSet(ctx, spec.Train, spec.Order, o.Index); err == nil {
			files = cmp.Or(parts[2], parts[1], parts[0])
		}
	}
	if err == nil && spec.Split == "" && spec.Classes != "" {
		var names []string
		if names, err = selectClasses(files.classes, spec.Classes); err == nil {
			files, err = files.ofClasses(names)
		}
	}
	if err == nil {
		err = files.Relabel(classes)
	}
	if err != nil {
		return nil, nil, err
	}
	if files.Len() == 0 {
		return nil, nil, fmt.Errorf("%v has nothing to test on", spec)
	}
	if _, err := files.Check(ctx, known.Augment, o.CheckOptions); err != nil {
		return nil, nil, err
	}
	if err := strict(o.Strict, files.skipped); err != nil {
		return nil, nil, err
	}
	photos, err := NewPhotos(files, known.Augment, known.Statistics)
	return photos, files.skipped, err
}

// strict makes an error of files that were left out, where that is asked for.
func strict(asked bool, skipped []Skip) error {
	if !asked || len(skipped) == 0 {
		return nil
	}
	return fmt.Errorf("files that cannot be used: %d; %s: %s, for one", len(skipped), skipped[0].Name, skipped[0].Reason)
}

// openParts indexes the files of each part; val and test are nil where there are
// none.
func openParts(ctx context.Context, spec PhotoSpec, x *Index) (train, val, test *Files, err error) {
	parts, err := openSet(ctx, spec.Train, spec.Order, x)
	if err != nil {
		return nil, nil, nil, err
	}
	train = parts[0]
	switch {
	case divided(parts) && (spec.Val != "" || spec.Split != ""):
		return nil, nil, nil, fmt.Errorf("%s has parts, %s: leave -val and -split out, or name the folder of one part", spec.Train, partList(parts))
	case divided(parts):
		if val, test = parts[1], parts[2]; val == nil {
			val, test = test, nil
		}
	case spec.Split != "":
		split, err := ParseSplit(spec.Split)
		if err != nil {
			return nil, nil, nil, err
		}
		skipped := train.skipped
		if train, val, test, err = train.Parts(split); err != nil {
			return nil, nil, nil, err
		}
		train.skipped = skipped
	case spec.Val != "":
		if val, err = openFiles(ctx, spec.Val, spec.Order, x); err != nil {
			return nil, nil, nil, err
		}
	}
	var classes []string
	if spec.Classes != "" {
		if classes, err = selectClasses(train.classes, spec.Classes); err != nil {
			return nil, nil, nil, err
		}
		if train, err = train.ofClasses(classes); err != nil {
			return nil, nil, nil, err
		}
	}
	for _, p := range []**Files{&val, &test} {
		if *p == nil {
			continue
		}
		if spec.Classes != "" {
			*p, err = (*p).ofClasses(classes)
		} else {
			err = (*p).Relabel(train.classes)
		}
		if err != nil {
			return nil, nil, nil, err
		}
	}
	if spec.Each != "" {
		n, seed, err := parseEach(spec.Each)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("-each %q: %w", spec.Each, err)
		}
		train = train.each(n, seed)
	}
	return train, val, test, nil
}

// UserCache is the folder that keeps what Check finds, or empty where the
// system has none for users.
func UserCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "hubel", "pictures")
}
