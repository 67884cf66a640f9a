// Package watch tells package live of training runs: an Observer of one that this process
// trains, and Folder for one that is over or that another process trains.
package watch

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/live"
	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
)

// about says what a run is. The plan gives the number of its parameters.
func about(c *solver.Config, samples, tests int, p *graph.Plan) live.About {
	whole := c.Whole()
	a := live.About{
		Network: c.Network.Name, Data: data.ParsePhotoSpec(c.Data).Train, Folder: c.Dir,
		Samples: samples, Tests: tests, Batch: whole,
		Iterations: c.Iterations, Settings: settings(c),
	}
	if samples > 0 {
		a.PerEpoch = solver.Iterations(1, samples, whole)
	}
	for _, m := range c.Network.Metrics {
		hits, _ := c.Network.Hits(m)
		a.Metrics = append(a.Metrics, live.MetricAbout{Name: m.Value, Share: hits != nil})
	}
	if p != nil {
		for i := range p.Specs {
			a.Parameters += parameters(p, i)
		}
	}
	return a
}

// settings are what may differ between runs: all that a checkpoint keeps of a configuration
// but its network, in an order that does not change.
func settings(c *solver.Config) []results.Fact {
	list := []results.Fact{
		{Name: "network", Value: c.Network.Name},
		{Name: "data", Value: c.Data},
		{Name: "iterations", Value: strconv.Itoa(c.Iterations)},
		{Name: "batch", Value: strconv.Itoa(c.Batch)},
	}
	if c.Passes() > 1 {
		list = append(list, results.Fact{Name: "accumulate", Value: strconv.Itoa(c.Passes())})
	}
	list = append(list, results.Fact{Name: "seed", Value: strconv.FormatUint(c.Seed, 10)})
	o := c.Optimiser
	if o.Method == "" {
		o.Method = solver.SGD
	}
	list = append(list, flat("", o)...)
	if text := c.Preprocess.Augment.String(); text != "" {
		list = append(list, results.Fact{Name: "augment", Value: text})
	}
	p := c.Preprocess
	p.Augment, p.Statistics = nil, nil
	list = append(list, flat("preprocess ", p)...)
	for _, s := range []struct {
		name string
		on   bool
	}{{"balance", c.Balance}, {"direct convolutions", c.DirectConv}, {"tf32", c.TF32}} {
		if s.on {
			list = append(list, results.Fact{Name: s.name, Value: "yes"})
		}
	}
	if len(c.Frozen) > 0 {
		list = append(list, results.Fact{Name: "frozen", Value: strings.Join(c.Frozen, ", ")})
	}
	if c.Patience > 0 {
		list = append(list, results.Fact{Name: "patience", Value: strconv.Itoa(c.Patience)})
	}
	return list
}

// longestValue is how much of a setting is shown, such as of a mean image.
const longestValue = 120

// flat lists the fields of a value's JSON, those of objects in it by their path.
func flat(prefix string, value any) []results.Fact {
	text, err := json.Marshal(value)
	if err != nil {
		return nil // it cannot be in a checkpoint either
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil {
		return nil
	}
	var list []results.Fact
	for _, key := range slices.Sorted(maps.Keys(object)) {
		raw := object[key]
		if len(raw) > 0 && raw[0] == '{' {
			list = append(list, flat(prefix+key+" ", raw)...)
			continue
		}
		text := string(raw)
		var plain string
		if json.Unmarshal(raw, &plain) == nil {
			text = plain
		}
		if len(text) > longestValue {
			text = fmt.Sprintf("%s... (%d bytes)", text[:longestValue], len(text))
		}
		list = append(list, results.Fact{Name: prefix + strings.ReplaceAll(key, "_", " "), Value: text})
	}
	return list
}

// Machine are the facts of a device of this machine.
func Machine(name string, o device.Options) []results.Fact {
	list := []results.Fact{{Name: "device", Value: name}}
	for _, d := range device.List(o) {
		if d.Name != name {
			continue
		}
		for _, f := range d.Facts {
			list = append(list, results.Fact{Name: f.Name, Value: f.Value})
		}
	}
	return append(list, process()...)
}
