package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/solver"
)

// evaluate prints what weights achieve on a test set. The network and the
// preprocessing are those in the weights' file.
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
	return nil
}
