package solver

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/hubel-go/hubel/data"
)

// setsKey is the key of a checkpoint's metadata that tells the data sets of its
// run apart from others, in JSON.
const setsKey = "sets"

// sets are what data.Digest makes of a run's data sets; empty where one has no
// names, or a checkpoint does not say.
type sets struct {
	Train string `json:"train,omitempty"`
	Test  string `json:"test,omitempty"`
}

func (c *Config) sets() (s sets) {
	s.Train = data.Digest(c.Train)
	if c.Test != nil {
		s.Test = data.Digest(c.Test)
	}
	return s
}

func decodeSets(metadata map[string]string) (s sets, err error) {
	if metadata[setsKey] == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(metadata[setsKey]), &s); err != nil {
		return s, fmt.Errorf("metadata %s: %w", setsKey, err)
	}
	return s, nil
}

// Named reports whether the checkpoint stores the names of the run's samples,
// so that it is not resumed with others. It does not if the training set has no
// names, or if an older hubel wrote it.
func (c *Checkpoint) Named() bool { return c.sets.Train != "" }

// checkSets refuses to train on another division of the data than before: the
// pictures that the run is tested on might be among those it was trained on.
func (c *Checkpoint) checkSets(with *Config) error {
	differs := func(format string, args ...any) error {
		return fmt.Errorf("resume %s: %s; name the same data, divided in the same way, or start a new run from the weights in %s",
			with.Dir, fmt.Sprintf(format, args...), filepath.Join(with.Dir, WeightsFile))
	}
	if c.WithoutData() {
		return nil
	}
	if n := with.Train.Len(); n != c.Samples {
		return differs("there are %d samples to train on, but the run was started with %d", n, c.Samples)
	}
	now := with.sets()
	for _, s := range []struct {
		role        string
		before, now string
		set         data.Dataset
	}{{"training set", c.sets.Train, now.Train, with.Train}, {"test set", c.sets.Test, now.Test, with.Test}} {
		if s.before != "" && s.now != "" && s.before != s.now {
			return differs("the %s is not the one that the run was started with: the names or the labels of its %d samples differ", s.role, s.set.Len())
		}
	}
	return nil
}
