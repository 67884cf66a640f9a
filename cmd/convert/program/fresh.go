package program

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/modelfile"
)

// fresh is read where there is no file but a network of -net or -model: it gets the weights
// that training begins with.
var fresh = formats.Reader{Name: "network", Read: readFresh}

// freshSeed is that of training, if it is given none.
const freshSeed = 1

func readFresh(_ context.Context, _ []string, o formats.Options) (m *formats.Model, err error) {
	d, err := device.Open("cpu", device.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, d.Close()) }()
	w, err := graph.NewWeights(o.Network, d)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, w.Close()) }()
	if err := w.Fill(freshSeed); err != nil {
		return nil, err
	}
	weights, err := modelfile.Download(w)
	if err != nil {
		return nil, err
	}
	tensors := map[string]*tensor.Dense{}
	for _, t := range weights {
		tensors[t.Name] = t.Value
	}
	return &formats.Model{
		Model:  modelfile.Model{Network: o.Network, Weights: tensors},
		Format: fmt.Sprintf("weights as training begins, seed %d", freshSeed),
	}, nil
}

// writeJSON writes the network alone.
func writeJSON(w io.Writer, m *formats.Model, _ formats.WriteOptions) error {
	text, err := json.MarshalIndent(m.Network, "", "\t")
	if err != nil {
		return fmt.Errorf("network in JSON: %w", err)
	}
	_, err = w.Write(append(text, '\n'))
	return err
}
