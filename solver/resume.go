package solver

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/graph"
)

// check says why a run cannot be resumed with a configuration, if it cannot.
func (c *Checkpoint) check(with *Config) error {
	if err := c.checkSets(with); err != nil {
		return err
	}
	if now, before := Defaults(with.Optimiser.Method).Method, Defaults(c.Config.Optimiser.Method).Method; now != before {
		return fmt.Errorf("resume %s: the optimiser is %s, but the run was started with %s", with.Dir, now, before)
	}
	samples, classes := c.Samples, c.Classes
	if c.WithoutData() {
		samples = with.Train.Len()
		if len(classes) == 0 {
			classes = with.Train.Classes()
		}
	}
	now, before := fixed(with, with.Train.Len(), with.Train.Classes()), fixed(&c.Config, samples, classes)
	path, a, b, err := compare(now, before)
	if err != nil {
		return err
	}
	if path != "" {
		return fmt.Errorf("resume %s: %s is %s, but the run was started with %s", with.Dir, path, a, b)
	}
	if is := with.Device.Arithmetic(); c.otherThan(is) && !with.OtherArithmetic {
		return &ArithmeticError{Dir: with.Dir, Was: c.Arithmetic, Is: is}
	}
	ended := c.Done(with.Iterations) || c.Early(with.Patience)
	if with.Retest {
		if !ended {
			return fmt.Errorf("resume %s: the run has not come to its end, so that there is no last test to repeat", with.Dir)
		}
		return nil
	}
	if c.Done(with.Iterations) {
		return fmt.Errorf("resume %s: %d of %d iterations are done; ask for more to go on", with.Dir, c.Iteration, with.Iterations)
	}
	if ended {
		return fmt.Errorf("resume %s: the run ended early, since none of the %d tests after iteration %d was better; more patience goes on",
			with.Dir, c.history.Since, c.history.Best.Iteration)
	}
	return nil
}

// otherThan reports whether the run was trained with another arithmetic.
func (c *Checkpoint) otherThan(arithmetic string) bool {
	return c.Arithmetic != "" && c.Arithmetic != arithmetic
}

// ArithmeticError is the error of resuming a run on a device that rounds
// differently from the one that it was trained on. Config.OtherArithmetic
// allows it.
type ArithmeticError struct {
	Dir     string
	Was, Is string // device.Device.Arithmetic
}

// Error names both.
func (e *ArithmeticError) Error() string {
	return fmt.Sprintf("resume %s: the run was trained on %s, and %s rounds differently", e.Dir, e.Was, e.Is)
}

// fixed is all that must stay the same in a run that is resumed.
func fixed(c *Config, samples int, classes []string) any {
	s := c.settings(samples)
	s.Data, s.Iterations, s.Patience = "", 0, 0 // the data may have moved, the run may become longer
	s.Arithmetic, s.habits = "", habits{}       // the one is checked apart, the others decide nothing
	return struct {
		settings
		Network    *graph.Network  `json:"network"`
		Preprocess data.Preprocess `json:"preprocess"`
		Classes    []string        `json:"classes"`
	}{s, c.Network, c.Preprocess, classes}
}

// compare finds the first place where two values differ in JSON, and what
// stands there. The path is empty if they are the same.
func compare(a, b any) (path, textA, textB string, err error) {
	var sides [2]any
	for i, side := range []any{a, b} {
		text, err := json.Marshal(side)
		if err != nil {
			return "", "", "", err
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber() // a seed may have more digits than a float64
		if err := d.Decode(&sides[i]); err != nil {
			return "", "", "", err
		}
	}
	path, textA, textB = difference("", sides[0], sides[1])
	return path, textA, textB, nil
}

func difference(at string, a, b any) (path, textA, textB string) {
	join := func(key any) string {
		if at == "" {
			return fmt.Sprint(key)
		}
		return fmt.Sprintf("%s.%v", at, key)
	}
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			break
		}
		keys := slices.Collect(maps.Keys(a))
		for k := range b {
			if _, ok := a[k]; !ok {
				keys = append(keys, k)
			}
		}
		// Plain values first: they say more than the first difference of a list.
		slices.SortFunc(keys, func(x, y string) int {
			return cmp.Or(cmp.Compare(depth(a[x], b[x]), depth(a[y], b[y])), cmp.Compare(x, y))
		})
		for _, k := range keys {
			if path, textA, textB = difference(join(k), a[k], b[k]); path != "" {
				return path, textA, textB
			}
		}
		return "", "", ""
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			break
		}
		for i := range a {
			if path, textA, textB = difference(join(i), a[i], b[i]); path != "" {
				return path, textA, textB
			}
		}
		return "", "", ""
	}
	textA, textB = inJSON(a), inJSON(b)
	if textA == textB {
		return "", "", ""
	}
	return at, textA, textB
}

// depth is 0 for plain values in JSON, 1 for lists and objects.
func depth(values ...any) int {
	for _, v := range values {
		switch v.(type) {
		case map[string]any, []any:
			return 1
		}
	}
	return 0
}

// inJSON is a JSON value as text; one that is not there is nothing.
func inJSON(v any) string {
	if v == nil {
		return "nothing"
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was decoded from JSON
	}
	if len(text) > 80 { // a list of layers
		return string(text[:77]) + "..."
	}
	return string(text)
}
