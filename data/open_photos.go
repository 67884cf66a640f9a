package data

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// PhotoSpec says where photographs to train and to test on are. Test is a set
// of its own, or a part of Train that Split says. Where both are empty and
// Train is a folder with a folder "train" and one named "val" or "test", those
// are taken.
type PhotoSpec struct{ Train, Val, Split string }

// ParsePhotoSpec reads what String has written.
func ParsePhotoSpec(text string) (s PhotoSpec) {
	s.Train, s.Split, _ = strings.Cut(text, " -split ")
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
	return text
}

// PhotoOptions say how OpenPhotos makes samples.
type PhotoOptions struct {
	Augment Augment
	Normal  Normal

	// Known is the preprocessing of a network that is trained already. Augment
	// and Normal are not used then.
	Known *Preprocess

	Strict bool // a file that cannot be read is an error
	CheckOptions
}

// PhotoSets are photographs to train and to test on.
type PhotoSets struct {
	Train      Varied
	Val        *Photos // nil where the spec has none
	Test       *Photos // the test part of a split, otherwise nil
	Preprocess Preprocess
	Skipped    []Skip
}

// OpenPhotos opens, checks and measures photographs.
func OpenPhotos(ctx context.Context, spec PhotoSpec, o PhotoOptions) (*PhotoSets, error) {
	train, val, test, err := openParts(spec)
	if err != nil {
		return nil, err
	}
	if o.Known != nil {
		o.Augment = o.Known.Augment
	}
	o.Whole = o.Normal.Whiten && o.Known == nil
	s := &PhotoSets{}
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
		if _, val, files, err = openParts(spec); err == nil && files.Len() == 0 {
			files = val
		}
	case spec.Val != "":
		files, err = OpenFiles(spec.Val)
	default:
		if spec = withFolders(spec); spec.Val == "" {
			spec.Val = spec.Train
		}
		files, err = OpenFiles(spec.Val)
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

// openParts indexes the files of each part.
func openParts(spec PhotoSpec) (train, val, test *Files, err error) {
	if spec.Val == "" && spec.Split == "" {
		spec = withFolders(spec)
	}
	if train, err = OpenFiles(spec.Train); err != nil {
		return nil, nil, nil, err
	}
	if spec.Split != "" {
		split, err := ParseSplit(spec.Split)
		if err != nil {
			return nil, nil, nil, err
		}
		skipped := train.skipped
		if train, val, test, err = train.Parts(split); err != nil {
			return nil, nil, nil, err
		}
		train.skipped = skipped
	}
	if spec.Val != "" {
		given, err := OpenFiles(spec.Val)
		if err != nil {
			return nil, nil, nil, err
		}
		if err := given.Relabel(train.classes); err != nil {
			return nil, nil, nil, err
		}
		val = given
	}
	return train, val, test, nil
}

// withFolders finds the folders of the parts.
func withFolders(spec PhotoSpec) PhotoSpec {
	train := filepath.Join(spec.Train, TrainPart)
	if !isFolder(train) {
		return spec
	}
	for _, name := range []string{ValPart, TestPart} {
		if path := filepath.Join(spec.Train, name); isFolder(path) {
			return PhotoSpec{Train: train, Val: path}
		}
	}
	return spec
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
