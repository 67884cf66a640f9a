package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/models"
)

// plainNormal is what is done to pixels unless -preprocess or the network says otherwise,
// those of photographs apart: Caffe's scale for MNIST.
const plainNormal = "scale=0.00390625"

// photoNormal is what is done to the pixels of photographs then: what weights of
// AlexNet as published begin small enough for, or else what any network can take.
func (o *options) photoNormal() string {
	if o.rawPixels() {
		return "mean"
	}
	return "mean,std"
}

// rawPixels reports whether the network's weights begin small enough for pixels from 0 to
// 255. -data-init makes them larger if they are.
func (o *options) rawPixels() bool { return models.RawPixels(o.model, o.init) && o.dataInit == 0 }

const synthetic = "synthetic"

// The numbers of synthetic images unless -data says others.
const (
	syntheticTrain = 6000
	syntheticTest  = 1000
)

// sets are what a network is trained and tested on.
type sets struct {
	train, test data.Dataset
	preprocess  data.Preprocess
	skipped     []data.Skip // files that were left out
	parts       []string    // as in data.PhotoSets
	index       *data.Index // of tar files; nil where none is kept
}

// checkData checks the flags of the data that can be checked without it.
func (o *options) checkData() (err error) {
	if o.augment, err = data.ParseAugment(o.augmentText); err != nil {
		return fmt.Errorf("-augment: %w", err)
	}
	if o.normal != "" {
		if _, err := data.ParseNormal(o.normal); err != nil {
			return fmt.Errorf("-preprocess: %w", err)
		}
	}
	if o.index != noIndex {
		if err := command.CheckFolder(o.index); err != nil {
			return fmt.Errorf("-index: %w", err)
		}
	}
	if o.normal != "" && o.weights != "" {
		return errors.New("-preprocess cannot change what -weights bring along")
	}
	if o.mode == previewing && o.picture == "" {
		return errors.New("-preview needs a number and a file to draw into, such as -preview 24 out.png")
	}
	if (o.val != "" || o.split != "" || o.classes != "" || o.each != "" || o.order != "") && o.data == "" {
		return errors.New("-val, -split, -classes, -each and -order need -data")
	}
	return nil
}

// photoSpec is what -data and the flags beside it say.
func (o *options) photoSpec() data.PhotoSpec {
	return data.PhotoSpec{Train: o.data, Val: o.val, Split: o.split, Classes: o.classes, Each: o.each, Order: o.order}
}

// dataText is the same as a text.
func (o *options) dataText() string { return o.photoSpec().String() }

// openData opens what a dataText says, for a network. A network that is
// trained already knows its preprocessing; otherwise flags decide it.
func (o *options) openData(ctx context.Context, text string, n *graph.Network, known *data.Preprocess, progress io.Writer) (s sets, err error) {
	spec := data.ParsePhotoSpec(text)
	if data.IsPath(spec.Train) {
		return o.openPhotos(ctx, spec, n, known, progress)
	}
	if s.train, s.test, err = o.openNamed(spec.Train, n); err != nil {
		return s, err
	}
	if s.skipped = skippedOf(s.train); o.strict && len(s.skipped) > 0 {
		return s, fmt.Errorf("-strict: %s: %s", s.skipped[0].Name, s.skipped[0].Reason)
	}
	if spec != (data.PhotoSpec{Train: spec.Train}) {
		return s, fmt.Errorf("-val, -split, -classes, -each and -order are for folders and tar files of photographs, and data sets of Caffe's; %s brings images to test on", dataName(text))
	}
	if known != nil {
		s.preprocess = *known
	} else if s.preprocess, err = o.measured(ctx, s.train); err != nil {
		return s, err
	}
	if s.preprocess.Augment == nil {
		return s, nil
	}
	_, train, err := data.Augmented(s.train, s.preprocess.Augment, s.preprocess.Statistics)
	if err != nil {
		return s, err
	}
	s.train = train
	s.test, _, err = data.Augmented(s.test, s.preprocess.Augment, s.preprocess.Statistics)
	return s, err
}

// skippedOf lists what the reader of a set has left out.
func skippedOf(d data.Dataset) []data.Skip {
	if s, ok := d.(interface{ Skipped() []data.Skip }); ok {
		return s.Skipped()
	}
	return nil
}

// measured is the preprocessing that flags ask for, of a named set.
func (o *options) measured(ctx context.Context, train data.Dataset) (data.Preprocess, error) {
	text := o.normal
	switch {
	case text != "":
	case o.rawPixels() && !strings.HasPrefix(o.data, synthetic):
		text = "mean"
	default:
		text = plainNormal
	}
	normal, err := data.ParseNormal(text)
	if err != nil || !normal.NeedsStatistics() && o.augment == nil {
		p, _ := normal.Preprocess(nil, nil)
		return p, err
	}
	set := train
	if o.augment != nil {
		if set, _, err = data.Augmented(train, o.augment, nil); err != nil {
			return data.Preprocess{}, err
		}
	}
	stats, bad, err := data.Measure(ctx, set, data.MeasureOptions{Whole: normal.Whiten})
	if err == nil && len(bad) > 0 {
		err = bad[0].Err
	}
	if err != nil {
		return data.Preprocess{}, err
	}
	return normal.Preprocess(o.augment, stats)
}

// openPhotos opens folders and tar files.
func (o *options) openPhotos(ctx context.Context, spec data.PhotoSpec, n *graph.Network, known *data.Preprocess, progress io.Writer) (s sets, err error) {
	p, err := o.photoOptions(n, progress)
	if err != nil {
		return s, err
	}
	p.Known = known
	photos, err := data.OpenPhotos(ctx, spec, p)
	if err != nil {
		return s, err
	}
	sayAssumed(progress, photos.Assumed)
	switch {
	case photos.Val == nil && spec.Split != "":
		return s, fmt.Errorf("-split %s puts none of the pictures of %s aside to test on: a larger share does, or a list with the part val", spec.Split, spec.Train)
	case photos.Val == nil:
		return s, fmt.Errorf("%s has nothing to test on: -val names other photographs, and -split 0.1 puts a tenth of these aside", spec.Train)
	}
	return sets{photos.Train, photos.Val, photos.Preprocess, photos.Skipped, photos.Parts, p.Index}, nil
}

// sayAssumed prints what is taken for granted of a data set, if anything.
func sayAssumed(w io.Writer, what string) {
	if what != "" {
		fmt.Fprintf(w, "train: %s\n", printable.Line(what))
	}
}

// photoOptions are what flags say of photographs.
func (o *options) photoOptions(n *graph.Network, progress io.Writer) (p data.PhotoOptions, err error) {
	p.Strict, p.Cache = o.strict, data.UserCache()
	p.Progress = checking(progress)
	p.Index = o.keptIndex(progress)
	text := o.normal
	if text == "" {
		text = o.photoNormal()
	}
	if p.Normal, err = data.ParseNormal(text); err != nil {
		return p, err
	}
	p.Augment = o.augment
	if p.Augment == nil && n != nil {
		p.Default = true
		p.Augment, err = defaultAugment(n)
	}
	return p, err
}

// noIndex is the value of -index that keeps none.
const noIndex = "off"

// keptIndex is where the index of tar files is kept. A run's folder gets it once the
// run begins.
func (o *options) keptIndex(w io.Writer) *data.Index {
	x := &data.Index{Folder: o.index, Notice: func(line string) { fmt.Fprintf(w, "train: %s\n", printable.Line(line)) }}
	switch {
	case o.index == noIndex:
		return nil
	case o.index != "":
		return x
	case o.mode == resuming:
		x.Folder, x.Hold = o.resume, true
		return x
	case o.mode == training && !o.check:
		x.Folder, x.Hold = o.folder(), true
		return x
	}
	return nil
}

// defaultAugment is the AlexNet paper's, for a network that takes images of
// any size: a crop, mirrored or not, of a picture whose shorter side is 256/227
// times as long.
func defaultAugment(n *graph.Network) (data.Augment, error) {
	in, err := n.InputOf(graph.RoleImage)
	if err != nil {
		return nil, err
	}
	if len(in.Shape) != 3 {
		return nil, fmt.Errorf("%v takes images of the shape %v, not [channels, height, width] as photographs are", n, in.Shape)
	}
	h, w := in.Shape[1], in.Shape[2]
	a := data.Augment{
		{Op: data.Resize, H: int(math.Round(float64(max(h, w)) * 256 / 227)), P: 1},
		{Op: data.Crop, H: h, W: w, P: 1},
		{Op: data.Flip, P: 0.5},
	}
	if h == w {
		a[1].W = 0
	}
	if in.Shape[0] == 1 {
		a = append(a, data.Step{Op: data.Grey, P: 1})
	}
	return a, nil
}

// checking writes a line now and then while pictures are checked.
func checking(w io.Writer) func(done, all int) {
	last := time.Now()
	return func(done, all int) {
		if time.Since(last) >= lineEvery {
			last = time.Now()
			fmt.Fprintf(w, "checked %d of %d pictures\n", done, all)
		}
	}
}

// openNamed opens a data set that has a name. A synthetic one has the images
// and the classes or targets that the network wants, always the same ones;
// files have their own. Without a network it is as large as MNIST's.
func (o *options) openNamed(spec string, n *graph.Network) (train, test data.Dataset, err error) {
	if dataName(spec) != synthetic {
		return data.Open(spec, data.OpenOptions{})
	}
	s := data.SyntheticOptions{Train: syntheticTrain, Test: syntheticTest}
	if _, sizes, given := strings.Cut(spec, ":"); given {
		a, b, _ := strings.Cut(sizes, ",")
		var errTrain, errTest error
		s.Train, errTrain = strconv.Atoi(a)
		s.Test, errTest = strconv.Atoi(b)
		if errTrain != nil || errTest != nil || s.Train < 1 || s.Test < 1 {
			return nil, nil, fmt.Errorf("-data %s: synthetic takes two numbers of images, to train and to test, such as synthetic:600,100", spec)
		}
	}
	if n == nil {
		return data.Open(synthetic, data.OpenOptions{Synthetic: s})
	}
	var shape []int
	if shape, s.Classes, err = o.inputs(n); err != nil {
		return nil, nil, err
	}
	s.Shape = tensor.Shape(shape)
	for _, in := range n.Inputs {
		if in.Role == graph.RoleTarget {
			s.Targets = device.Elements(in.Shape)
		}
	}
	return data.Open(synthetic, data.OpenOptions{Synthetic: s})
}

// dataName is the name of a data set without its folder or its sizes, or that
// of a path.
func dataName(text string) string {
	spec := data.ParsePhotoSpec(text).Train
	if !data.IsPath(spec) {
		name, _, _ := strings.Cut(spec, ":")
		return name
	}
	path, err := filepath.Abs(spec) // "." has a name
	if err != nil {
		path = spec
	}
	name := filepath.Base(path)
	if short := strings.TrimSuffix(name, filepath.Ext(name)); short != "" {
		name = short
	}
	if strings.Trim(name, string(filepath.Separator)) == "" {
		return "root" // of the file system
	}
	return name
}
