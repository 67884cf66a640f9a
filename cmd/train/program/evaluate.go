package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/solver"
)

// evaluate prints what weights achieve on a test set, and leaves the confusion
// matrix in the folder of -out. The network and the preprocessing are those in
// the weights' file.
func evaluate(ctx context.Context, o *options, stdout, stderr io.Writer) (err error) {
	if err := command.CheckFolder(o.out); err != nil { // before the work
		return fmt.Errorf("-out: %w", err)
	}
	m, err := modelfile.Read(o.weights)
	if err != nil {
		return err
	}
	set, skipped, err := o.testSet(ctx, m, stderr)
	if err != nil {
		return err
	}
	name := dataName(o.data)
	if photos, ok := set.(*data.Photos); ok && photos.Part() != "" {
		name += "/" + photos.Part()
	}
	if o.tenCrop || m.Preprocess.TenCrops {
		photos, ok := set.(*data.Photos)
		if _, points := set.(data.Regression); points {
			return fmt.Errorf("-ten-crop takes the mean over answers, but those of %s are points, which are elsewhere in each crop", o.weights)
		}
		if !ok {
			return fmt.Errorf("-ten-crop needs weights that were trained with a crop in -augment, and %s were not", o.weights)
		}
		set = photos.TenCrops()
	}
	if o.out != "" && len(m.Classes) == 0 {
		return fmt.Errorf("-out is for the confusion matrix, but %v tells no classes apart", m.Network)
	}
	d, err := device.Open(o.device, o.deviceOptions())
	if err != nil {
		return err
	}
	defer command.Close(d, &err)
	w, err := graph.NewWeights(m.Network, d)
	if err != nil {
		return err
	}
	defer command.Close(w, &err)
	if err := m.Set(w); err != nil {
		if errors.As(err, new(modelfile.NaNError)) {
			err = solver.FailedError{Err: err}
		}
		return err
	}
	t, err := solver.Evaluate(ctx, d, w, set, m.Preprocess, o.batch)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s on the %d test images of %s: %s\n", printable.Name(m.Network.Name), t.Samples, printable.Name(name), outcome(t))
	listSkipped(stdout, skipped)
	if o.out == "" {
		return nil
	}
	if err := o.writeConfusion(m.Network.Name+" on "+dataName(o.data), &t); err != nil {
		return command.BrokenError{Err: fmt.Errorf("-out: %w", err)}
	}
	return nil
}

// writeConfusion draws a test's confusion matrix into the folder of -out, which may
// be that of a run.
func (o *options) writeConfusion(title string, t *solver.Test) (err error) {
	if err := os.MkdirAll(o.out, 0o777); err != nil {
		return err
	}
	lock, err := solver.LockFolder(o.out)
	if err != nil {
		return err
	}
	defer command.Close(lock, &err)
	return writeConfusion(o.out, title, t)
}

// saySplit says where the run of the weights was trained on another division of the
// pictures than -split now makes.
func (o *options) saySplit(stderr io.Writer) {
	c, err := solver.PeekCheckpoint(filepath.Dir(o.weights))
	if err != nil || o.split == "" { // they may be anywhere
		return
	}
	if split := splitElsewhere(c, c.Config.Data); split != "" {
		fmt.Fprintf(stderr, "train: %s comes from a run that was begun when -split %s put other pictures aside than it does now: some that it is tested on may be some that it was trained on\n",
			printable.Name(o.weights), split)
	}
}

// testSet opens what weights are to be tested on.
func (o *options) testSet(ctx context.Context, m *modelfile.Model, stderr io.Writer) (data.Dataset, []data.Skip, error) {
	if data.IsPath(o.data) {
		p, err := o.photoOptions(nil, stderr)
		if err != nil {
			return nil, nil, err
		}
		o.saySplit(stderr)
		photos, skipped, err := data.OpenTestPhotos(ctx, data.ParsePhotoSpec(o.dataText()), m.Preprocess, m.Classes, p)
		if err == nil {
			sayAssumed(stderr, photos.Assumed())
		}
		return photos, skipped, err
	}
	s, err := o.openData(ctx, o.dataText(), m.Network, &m.Preprocess, stderr)
	if err != nil {
		return nil, nil, err
	}
	if !slices.Equal(m.Classes, s.test.Classes()) {
		return nil, nil, fmt.Errorf("%s tells the classes %s apart, but those of %s are %s", o.weights, printable.Names(m.Classes), o.data, printable.Names(s.test.Classes()))
	}
	return s.test, nil, nil
}
