package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/solver"
)

// evaluate prints what weights achieve on a test set, and leaves the confusion
// matrix in the folder of -out. The network and the preprocessing are those in
// the weights' file.
func evaluate(ctx context.Context, o *options, stdout io.Writer) (err error) {
	m, err := solver.LoadWeights(o.weights)
	if err != nil {
		return err
	}
	_, set, err := o.openData(o.data, m.Network)
	if err != nil {
		return err
	}
	if !slices.Equal(m.Classes, set.Classes()) {
		return fmt.Errorf("%s tells %q apart, but the classes of %s are %q", o.weights, m.Classes, o.data, set.Classes())
	}
	d, err := device.Open(o.device, device.Options{Threads: o.threads})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	w, err := graph.NewWeights(m.Network, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := m.Set(w); err != nil {
		return err
	}
	t, err := solver.Evaluate(ctx, d, w, set, m.Preprocess, o.batch)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s on the %d test images of %s: %s\n", m.Network.Name, t.Samples, dataName(o.data), outcome(t))
	if o.out == "" {
		return nil
	}
	if t.Confusion == nil {
		return fmt.Errorf("-out is for the confusion matrix, but network %s tells no classes apart", m.Network.Name)
	}
	if err := os.MkdirAll(o.out, 0o777); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	return writeConfusion(o.out, m.Network.Name+" on "+dataName(o.data), &t)
}
