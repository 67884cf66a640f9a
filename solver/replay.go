package solver

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/modelfile"
)

// Keys of a replay file's metadata, besides those of a checkpoint.
const (
	namesKey = "names" // of the samples, in JSON
	lossKey  = "loss"
)

// saveReplay writes the state before the update that samples are of.
func (d *doctor) saveReplay(s *batchCopy, loss float64) (path string, err error) {
	tensors, metadata, err := d.model()
	if err != nil {
		return "", err
	}
	for i, x := range tensors {
		if state, ok := s.state[x.Name]; ok {
			tensors[i].Value = state
		}
	}
	kept, err := d.updater.download()
	if err != nil {
		return "", err
	}
	metadata[iterationKey] = strconv.Itoa(d.iteration)
	metadata[lossKey] = strconv.FormatFloat(loss, 'g', -1, 64)
	if err := modelfile.PutJSON(metadata, map[string]any{solverKey: d.c.settings(d.c.Train.Len()), historyKey: d.history, namesKey: s.names}); err != nil {
		return "", err
	}
	return d.record.diverged(slices.Concat(tensors, kept, s.tensors()), metadata)
}

// Replay repeats the update of a ReplayFile on a device, with all values kept.
// It returns the first value that is not finite, or nil if there is none.
func Replay(d device.Device, path string) (bad *Diverged, err error) {
	if d == nil {
		return nil, errors.New("there is no device to repeat an update on")
	}
	tensors, metadata, err := modelfile.ReadVerified(path)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*Diverged, error) { return nil, fmt.Errorf("%s: %w", path, err) }
	s, err := takeSamples(tensors)
	if err != nil {
		return fail(err)
	}
	c, err := decodeCheckpoint(filepath.Dir(path), path, metadata)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(metadata[namesKey]), &s.names); err != nil || s.names != nil && len(s.names) != s.len() {
		return fail(fmt.Errorf("metadata %s: %q are not the names of %d samples", namesKey, metadata[namesKey], s.len()))
	}
	w, err := graph.NewWeights(c.Config.Network, d)
	if err != nil {
		return fail(err)
	}
	defer func() { err = cmp.Or(err, w.Close()) }()
	weights, _ := c.Config.Optimiser.split(tensors)
	switch err := modelfile.SetWeights(w, weights, path, nil); {
	case err == nil, errors.As(err, new(modelfile.NaNError)): // the update before may have spoilt them
	case errors.As(err, new(modelfile.MismatchError)): // which names the file
		return nil, err
	default:
		return fail(err)
	}
	options := graph.PlanOptions{Mode: graph.Train, Batch: min(c.Config.Batch, s.len()), Frozen: c.Config.Frozen, Keep: metricValues(c.Config.Network)}
	if bad, err = firstBad(d, w, options, s, graph.Pass{Seed: c.Config.Seed, Iteration: uint32(c.Iteration)}); err != nil {
		return fail(err)
	}
	if bad != nil {
		bad.File = path
		if bad.Loss, err = strconv.ParseFloat(metadata[lossKey], 64); err != nil {
			return fail(fmt.Errorf("metadata %s: %w", lossKey, err))
		}
	}
	return bad, nil
}
